"""runtime/abi.py against the published table of the crate's offsets, record by record."""

from pathlib import Path
from typing import Any

import pytest

from connectors.book import BOOK_BYTES
from runtime import abi
from tests.support.data import abi_table

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def table(real_data: Path) -> dict[str, Any]:
    del real_data
    return abi_table()


@pytest.fixture(scope="module")
def newest(table: dict[str, Any]) -> dict[str, Any]:
    structs: dict[str, Any] = table["structs"]["0.4.0"]
    return structs


def at(struct: dict[str, Any], field: str) -> int:
    offset: int = struct["fields"][field]["offset"]
    return offset


def test_sizes(newest: dict[str, Any]) -> None:
    sizes = {
        "L2Book": BOOK_BYTES, "AlgoState": abi.STATE_BYTES, "Fill": abi.FILL_BYTES, "Reject": abi.REJECT_BYTES,
        "WasmActions": abi.ACTIONS_BYTES, "OnlineFeatures": abi.FEATURES_BYTES, "Action": abi.ACTION_BYTES,
        "OpenOrder": abi.ORDER_BYTES,
    }  # fmt: skip
    assert sizes == {name: newest[name]["size"] for name in sizes}
    packed = {
        "Action": abi.ACTION, "OpenOrder": abi.OPEN_ORDER, "Fill": abi.FILL, "Reject": abi.REJECT,
        "SymbolMeta": abi.SYMBOL_META, "RiskSnapshot": abi.RISK,
    }  # fmt: skip
    assert {name: form.size for name, form in packed.items()} == {name: newest[name]["size"] for name in packed}


def test_offsets(newest: dict[str, Any]) -> None:
    state, book = newest["AlgoState"], newest["L2Book"]
    ours = {
        "unrealized_pnl_1e9": abi.UNREALIZED_AT, "orders": abi.ORDERS_AT, "order_ct": abi.ORDER_CT_AT,
        "session_pnl_1e9": abi.SESSION_AT, "total_fill_count": abi.SESSION_AT + 8, "symbol": abi.SYMBOL_AT,
        "risk": abi.RISK_AT, "symbol_id": abi.SYMBOL_ID_AT, "symbol_name": abi.SYMBOL_NAME_AT,
    }  # fmt: skip
    assert ours == {field: at(state, field) for field in ours}
    assert at(book, "symbol_id") == abi.BOOK_SYMBOL_ID_AT
    assert at(newest["WasmActions"], "actions") == abi.ACTIONS_AT


def test_the_newest_state_serves_every_generation(table: dict[str, Any]) -> None:
    """Later generations only append: each older record is a prefix of the newest."""
    newest = table["structs"]["0.4.0"]["AlgoState"]["fields"]
    for version in ("0.1.0", "0.3.0", "0.3.2"):
        for field, spec in table["structs"][version]["AlgoState"]["fields"].items():
            assert newest[field] == spec


def test_regions(table: dict[str, Any]) -> None:
    regions = table["regions"]["0.4.0"]
    assert {region: at for region, (at, _) in abi.REGIONS[abi.Generation.V0_4].items()} == regions
    for version, generation in (
        ("0.4.0", abi.Generation.V0_4),
        ("0.3.2", abi.Generation.V0_3_2_NBBO),
        ("0.3.0", abi.Generation.V0_3_0_NBBO),
    ):
        given = abi.REGIONS[generation]
        assert given == {
            region: (at, table["structs"][version][region]["size"]) for region, at in table["regions"][version].items()
        }
        assert abi.NBBO_BYTES[generation] == table["structs"][version]["NbboSnapshot"]["size"]
