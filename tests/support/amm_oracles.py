"""curvesim, the second opinion on StableSwap: where it is not installed, its tests say so, and CI fails."""

import importlib
import importlib.util
import os
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@cache
def curvesim_pool() -> Any:
    """curvesim's `CurvePool` without the rest of curvesim.

    Its packages' own __init__ files import pandas, matplotlib and web3, which a pool does not use: a minute and a half
    where nothing is compiled yet.
    """
    spec = importlib.util.find_spec("curvesim")
    if spec is None or spec.submodule_search_locations is None:
        reason = "no curvesim: uv pip install -r .ci/oracles.txt installs it"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    root = Path(spec.submodule_search_locations[0])
    for name in ("curvesim", "curvesim.pool", "curvesim.pool.stableswap"):
        package = sys.modules[name] = ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
    return importlib.import_module("curvesim.pool.stableswap.pool").CurvePool
