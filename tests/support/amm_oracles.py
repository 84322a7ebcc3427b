"""curvesim, the second opinion on StableSwap: where it is not installed, its tests say so, and CI fails."""

import importlib.util
import logging
import os
from typing import Any

import pytest


def curvesim_pool() -> Any:
    """curvesim's `CurvePool`; ten seconds to import."""
    if importlib.util.find_spec("curvesim") is None:
        reason = "no curvesim: uv pip install -r .ci/oracles.txt installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    from curvesim.pool.stableswap.pool import CurvePool  # type: ignore[import-untyped,unused-ignore]

    # it has every library of the process log its debug lines, which pytest keeps: gigabytes, an hour later
    root.setLevel(level)
    root.handlers[:] = handlers
    return CurvePool
