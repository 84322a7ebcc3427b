"""curvesim, the second opinion on StableSwap: where it is not installed, its tests say so, and CI fails."""

import importlib.util
import os
from typing import Any

import pytest


def curvesim_pool() -> Any:
    """curvesim's `CurvePool`; ten seconds to import."""
    if importlib.util.find_spec("curvesim") is None:
        reason = "no curvesim: uv sync --group oracles installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from curvesim.pool.stableswap.pool import CurvePool  # type: ignore[import-untyped,unused-ignore]

    return CurvePool
