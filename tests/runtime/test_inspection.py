"""`inspect`: a module's facts, hosted or not; `fuel_profile`: figures that were measured."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ModuleError
from runtime.inspection import fuel_profile, inspect
from tests.hostile.build import LOG, SEND, module, module_0_4

ROOT = Path(__file__).resolve().parents[2]


def test_a_real_guest() -> None:
    found = inspect((ROOT / "fixtures/algos/demo.wasm").read_bytes(), name="demo.wasm")
    assert json.loads(json.dumps(found)) == found
    assert found["hosted"] == {"ok": True, "problem": "", "mend": ""}
    assert found["generation"] == "0.4"
    assert found["callbacks"] == ["on_book", "on_heartbeat", "on_message", "on_nbbo"]
    assert found["features"] == ["online features", "multi venue", "heartbeat", "mesh messages in", "log"]
    assert found["memory"] == {"pages": 18, "pages_max": None, "bytes": 18 * 65_536}
    assert found["data"]["start"] == found["stack_top"] == 0x100000
    assert found["layout_problem"] == ""
    assert {"name": "algo_on_message", "kind": "func", "signature": "(i64, i32, i32, i32) -> i32"} in found["exports"]
    assert found["imports"] == [
        {"module": "env", "name": "host_log_impl", "kind": "func", "signature": "(i32, i32, i32) -> ()"}
    ]
    assert [region["region"] for region in found["regions"]] == [
        "VenueBooks", "PoolBooks", "OnlineFeatures", "ChainFeeTable", "PoolStateTable", "ConfigRegion", "MeshTable",
    ]  # fmt: skip
    assert found["largest"][0]["function"] == "algo_on_book_v3"
    assert found["largest"][0]["bytes"] <= found["code_bytes"] < found["bytes"]


def test_regions_that_code_refers_to_are_counted() -> None:
    found = inspect(
        module_0_4(
            book="(drop (i64.load offset=0x1a008 (i32.const 0))) (drop (i32.load (i32.const 0x24004)))",
            heartbeat="(drop (i32.load (i32.const 0x2412f)))",
        ),
        name="m",
    )
    uses = {region["region"]: region["uses"] for region in found["regions"]}
    assert uses == {"VenueBooks": 0, "PoolBooks": 0, "OnlineFeatures": 1, "ChainFeeTable": 0, "PoolStateTable": 0,
                    "ConfigRegion": 2, "MeshTable": 0}  # fmt: skip
    assert found["regions"][2] | {"uses": 0} == {
        "region": "OnlineFeatures", "start": 0x1A000, "end": 0x1A100, "uses": 0,
    }  # fmt: skip


def test_a_module_that_cannot_be_hosted_is_told_all_the_same() -> None:
    """Its facts, and why not."""
    found = inspect(module(alloc="unreachable", imports=LOG + SEND), name="m")
    assert found["hosted"]["ok"] is False
    assert found["hosted"]["problem"] == "algo_alloc(656) failed: trap: unreachable"
    assert found["hosted"]["mend"]
    assert found["generation"] is None
    assert found["regions"] == []
    assert found["features"] == ["mesh messages out", "log"]
    assert found["exports"][0] == {"name": "memory", "kind": "memory", "signature": ""}


def test_names_of_functions_where_there_are_some() -> None:
    found = inspect(module(extra="(func $rebalance (drop (i32.const 1)) " + "nop " * 300 + ")"), name="m")
    assert found["largest"][0]["function"] == "rebalance"
    assert found["largest"][0]["bytes"] > 300
    assert "name" in found["custom"]


def test_what_is_no_module_is_an_error() -> None:
    with pytest.raises(ModuleError, match="is not a WASM binary"):
        inspect(b"(module)", name="m.wat")


def test_a_profile_of_nothing_and_of_one() -> None:
    assert fuel_profile([]) == {"calls": 0, "p50": 0, "p99": 0, "max": 0}
    assert fuel_profile([5]) == {"calls": 1, "p50": 5, "p99": 5, "max": 5}


def test_nearest_rank() -> None:
    """The smallest sample that at least p percent of all samples do not exceed."""
    assert fuel_profile(range(1, 101)) == {"calls": 100, "p50": 50, "p99": 99, "max": 100}
    assert fuel_profile([10, 40, 20, 30]) == {"calls": 4, "p50": 20, "p99": 40, "max": 40}
    assert fuel_profile(range(1, 1001))["p99"] == 990


@given(st.lists(st.integers(0, 2_000_000), min_size=1))
def test_a_percentile_is_a_sample_with_its_share_below(samples: list[int]) -> None:
    profile = fuel_profile(samples)
    for percent in (50, 99):
        value = profile[f"p{percent}"]
        assert value in samples
        assert 100 * sum(sample <= value for sample in samples) >= percent * len(samples)
        assert 100 * sum(sample < value for sample in samples) < percent * len(samples)
    assert profile["max"] == max(samples)
