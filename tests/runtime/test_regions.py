"""MeshTable, ConfigRegion and ChainFeeTable: every field as a guest reads it, every refusal in words."""

import datetime
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError, NumberError
from connectors.pool import ChainFee, ChainId
from runtime.abi import STATE_BYTES
from runtime.regions import ChainFees, ConfigRegion, MeshTable, Param, ParamKind, mesh_id, parse_param, write_mesh
from tests.support.data import abi_table
from tests.support.nbbo_reference import WideLayout

NOW_NS = 1_780_000_000 * 10**9


@pytest.fixture(scope="module")
def layout(real_data: Path) -> WideLayout:
    del real_data
    return WideLayout(abi_table()["structs"]["0.4.0"])


def decoded(layout: WideLayout, name: str, raw: bytearray) -> dict[str, Any]:
    assert len(raw) == layout.size(name)
    assert not any(layout.padding(name, bytes(raw)))
    return layout.decode(name, bytes(raw))


def padded(label: str) -> list[int]:
    return list(label.encode().ljust(32, b"\0"))


# --- mesh -----------------------------------------------------------------------------------------------------------

LABELS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=32).filter(
    lambda label: len(label.encode()) <= 32
)


@pytest.mark.real_data
@given(labels=st.lists(LABELS, min_size=1, max_size=17, unique=True))
def test_the_mesh_is_shown_in_its_table_and_in_the_state(layout: WideLayout, labels: list[str]) -> None:
    me, *peers = [(label, mesh_id(label)) for label in labels]
    table = MeshTable(*me, peers)
    rows = [{"label": padded(label), "mesh_id": number} for label, number in peers]
    rows += [{"label": [0] * 32, "mesh_id": 0}] * (16 - len(rows))
    assert decoded(layout, "MeshTable", table.buffer) == {
        "self_label": padded(me[0]), "self_mesh_id": me[1], "peer_count": len(peers), "peers": rows,
    }  # fmt: skip
    state = bytearray(b"\xff" * STATE_BYTES)
    write_mesh(state, table)
    shown = layout.decode("AlgoState", bytes(state))
    assert (shown["mesh_id"], shown["mesh_peer_count"]) == (me[1], len(peers))
    assert shown["mesh_peers"] == [number for _, number in peers] + [0] * (16 - len(peers))
    assert (shown["risk"]["reduce_only"], shown["symbol_id"]) == (255, 65_535)  # what stands around it is left alone


def test_a_mesh_id_follows_from_the_label_alone() -> None:
    """Known answer: `printf maker | sha256sum` begins 878c240fd717f39d; the record is little-endian."""
    assert mesh_id("maker") == 0x9DF3_17D7_0F24_8C87
    assert mesh_id("hedger") != mesh_id("maker")


@pytest.mark.parametrize(
    ("me", "peers", "words"),
    [
        (("m", 1), [("a" * 33, 2)], ["aaa", "32 bytes"]),
        (("é" * 17, 1), [], ["32 bytes"]),
        (("", 1), [], ["''", "32 bytes"]),
        (("a\0b", 1), [], ["printable"]),
        (("\ud800", 1), [], ["printable"]),
        (("m", 1), [("m", 2)], ["'m'", "twice"]),
        (("m", 1), [("a", 2), ("a", 3)], ["'a'", "twice"]),
        (("m", 7), [("a", 7)], ["'m'", "'a'", "same id", "rename"]),
        (("m", 1), [("a", 7), ("b", 7)], ["'a'", "'b'", "same id"]),
        (("m", 0), [], ["'m'", "id 0"]),
        (("m", 2**64), [], ["id 18446744073709551616"]),
        (("m", 1), [(f"p{k}", k + 2) for k in range(17)], ["17 peers", "at most 16"]),
    ],
)
def test_a_mesh_that_the_table_cannot_hold_is_refused(
    me: tuple[str, int], peers: list[tuple[str, int]], words: list[str]
) -> None:
    refused(words, MeshTable, *me, peers)


def test_a_label_without_an_id_is_refused() -> None:
    refused(["32 bytes"], mesh_id, "x" * 33)
    refused(["printable"], mesh_id, "new\nline")


def refused(words: list[str], call: Any, *args: Any, **kwargs: Any) -> None:
    """One clear error: place, value, mend."""
    with pytest.raises(ConfigError) as caught:
        call(*args, **kwargs)
    assert caught.value.place
    assert caught.value.mend
    assert [word for word in words if word not in str(caught.value)] == []


# --- parameters -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind", "word"),
    [
        ("25", ParamKind.I64, 25), ("-25", ParamKind.I64, -25), ("+7", ParamKind.I64, 7), (25, ParamKind.I64, 25),
        (2**63 - 1, ParamKind.I64, 2**63 - 1), (-(2**63), ParamKind.I64, -(2**63)),
        ("25bps", ParamKind.BPS, 25), ("-3bps", ParamKind.BPS, -3), ("2147483647bps", ParamKind.BPS, 2**31 - 1),
        ("true", ParamKind.BOOL, 1), ("false", ParamKind.BOOL, 0),
        (True, ParamKind.BOOL, 1), (False, ParamKind.BOOL, 0),
        ("1.0", ParamKind.F64, 0x3FF0_0000_0000_0000), (1.0, ParamKind.F64, 0x3FF0_0000_0000_0000),
        ("1e3", ParamKind.F64, 0x408F_4000_0000_0000), ("0.0", ParamKind.F64, 0), ("-0.0", ParamKind.F64, -(2**63)),
        ("-2.5", ParamKind.F64, 0xC004_0000_0000_0000 - 2**64), (" 25 ", ParamKind.I64, 25),
        (".5", ParamKind.F64, 0x3FE0_0000_0000_0000), ("5.", ParamKind.F64, 0x4014_0000_0000_0000),
    ],
)  # fmt: skip
def test_a_value_is_read_by_its_form(value: object, kind: ParamKind, word: int) -> None:
    assert parse_param("31", value) == Param(31, kind, word)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_arrives_bit_for_bit(number: float) -> None:
    """From TOML and from its text, which Python prints so that it reads back the same."""
    word = struct.unpack("<q", struct.pack("<d", number))[0]
    assert parse_param("0", number).word == word
    assert parse_param("0", repr(number)).word == word


@pytest.mark.parametrize(
    ("slot", "value", "words"),
    [
        ("32", "1", ["slot 32", "0 … 31"]), ("-1", "1", ["'-1'", "0 … 31"]), ("x", "1", ["'x'"]), ("", "1", ["''"]),
        ("٣", "1", ["0 … 31"]), ("9" * 5000, "1", ["no slot"]),
        ("3", str(2**63), ["slot 3", "9223372036854775808", "stay within"]), ("3", -(2**63) - 1, ["out of range"]),
        ("3", "2147483648bps", ["2147483648", "stay within"]), ("3", "-2147483649bps", ["out of range"]),
        ("3", "2.5bps", ["'2.5bps'", "25bps"]), ("3", "bps", ["'bps'"]), ("3", "", ["''", "0.25"]),
        ("3", "1_000", ["'1_000'"]), ("3", "0x10", ["'0x10'"]), ("3", "True", ["'True'", "true or false"]),
        ("3", "nan", ["'nan'"]), ("3", "-inf", ["'-inf'"]), ("3", float("nan"), ["nan", "finite"]),
        ("3", float("inf"), ["inf", "finite"]), ("3", "1e400", ["'1e400'", "finite"]),
        ("3", "1e-400", ["'1e-400'", "too small"]), ("3", "1e99999", ["'1e99999'"]), ("3", "7" * 65, ["cannot read"]),
        ("3", [1], ["[1]", "cannot read"]), ("3", datetime.date(2026, 1, 1), ["cannot read"]), ("3", None, ["None"]),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_meant_is_refused(slot: str, value: object, words: list[str]) -> None:
    refused([*words, "algo maker"], parse_param, slot, value, place="algo maker")


PARAM = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(lambda word: (ParamKind.I64, word)),
    st.integers(-(2**63), 2**63 - 1).map(lambda word: (ParamKind.F64, word)),
    st.booleans().map(lambda word: (ParamKind.BOOL, int(word))),
    st.integers(-(2**31), 2**31 - 1).map(lambda word: (ParamKind.BPS, word)),
)


@pytest.mark.real_data
@given(commands=st.lists(st.dictionaries(st.integers(0, 31), PARAM, max_size=5), max_size=8))
def test_the_config_region_holds_what_was_set(
    layout: WideLayout, commands: list[dict[int, tuple[ParamKind, int]]]
) -> None:
    """Each command all at once or not at all; a slot keeps its kind."""
    region, held, updates, update_ns = ConfigRegion(), dict[int, tuple[ParamKind, int]](), 0, 0
    for now_ns, command in enumerate(commands, NOW_NS):
        params = [Param(slot, kind, word) for slot, (kind, word) in command.items()]
        version = region.version
        if any(slot in held and held[slot][0] != kind for slot, (kind, _) in command.items()):
            refused(["holds"], region.set, params, now_ns)
            assert region.version == version
        else:
            region.set(params, now_ns)
            held |= command
            updates, update_ns = (updates + 1, now_ns) if command else (updates, update_ns)
            assert region.version == version + bool(command)
        assert decoded(layout, "ConfigRegion", region.buffer) == {
            "version": 1, "param_count": max(held, default=-1) + 1, "update_seq": updates, "update_ns": update_ns,
            "params": [held[slot][1] if slot in held else 0 for slot in range(32)],
            "types": [held[slot][0] if slot in held else 0 for slot in range(32)],
        }  # fmt: skip


@pytest.mark.real_data
def test_a_negative_bps_is_right_in_both_widths(layout: WideLayout) -> None:
    """The crate reads the lower 32 bits; a guest that reads the whole i64 sees the same number."""
    region = ConfigRegion()
    region.set([parse_param("2", "-25bps")], NOW_NS)
    assert decoded(layout, "ConfigRegion", region.buffer)["params"][2] == -25
    assert struct.unpack_from("<i", region.buffer, 16 + 2 * 8)[0] == -25


def test_the_update_counter_wraps() -> None:
    region = ConfigRegion()
    for count in range(1, 2**16 + 2):
        region.set([Param(0, ParamKind.I64, 1)], NOW_NS)
        assert struct.unpack_from("<H", region.buffer, 2)[0] == count % 2**16
    assert region.version == 2**16 + 2


def test_what_a_command_may_not_do() -> None:
    region = ConfigRegion()
    region.set([parse_param("3", "0.5")], NOW_NS)
    before = bytes(region.buffer)
    refused(["slot 3", "F64", "I64", "0.25", "new deployment"], region.set, [parse_param("3", "1")], NOW_NS + 1)
    refused(["slot 1", "2 times"], region.set, [parse_param("1", "1"), parse_param("1", "2")], NOW_NS + 1)
    refused(
        ["slot 32", "no such slot"], region.set, [Param(1, ParamKind.I64, 1), Param(32, ParamKind.I64, 1)], NOW_NS + 1
    )
    refused(["slot 2", "9", "0 … 1"], region.set, [Param(2, ParamKind.BOOL, 9)], NOW_NS + 1)
    assert region.buffer == before


def test_a_parameter_survives_a_tape() -> None:
    param = parse_param("7", "-25bps")
    assert msgspec.json.decode(msgspec.json.encode(param), type=Param) == param


# --- chain fees -----------------------------------------------------------------------------------------------------

FEE = st.builds(ChainFee, st.integers(0, 254), *[st.integers(0, 2**64 - 1)] * 5)
UNUSED = {"chain_id": 255, "base_fee_native": 0, "priority_fee_native": 0, "estimated_gas_units": 0,
          "native_price_1e9": 0, "last_update_ns": 0}  # fmt: skip


@pytest.mark.real_data
@given(fees=st.lists(FEE, max_size=12))
def test_chain_fees_stand_sorted_by_chain(layout: WideLayout, fees: list[ChainFee]) -> None:
    table = ChainFees()
    held: dict[int, dict[str, int]] = {}
    for fee in fees:
        version, before = table.version, bytes(table.buffer)
        if fee.chain_id not in held and len(held) == 8:
            refused(["number 9", "at most 8"], table.set, fee)
        else:
            table.set(fee)
            held[fee.chain_id] = msgspec.structs.asdict(fee)
        assert (table.version > version) == (table.buffer != before)
    rows = [held[chain] for chain in sorted(held)]
    assert decoded(layout, "ChainFeeTable", table.buffer) == {
        "chain_ct": len(rows), "chains": rows + [UNUSED] * (8 - len(rows)),
    }  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        (-1, 0, 0, 0, 0, 0), (255, 0, 0, 0, 0, 0), (0, 2**64, 0, 0, 0, 0), (0, 0, -1, 0, 0, 0), (0, 0, 0, 2**64, 0, 0),
        (0, 0, 0, 0, 2**64, 0), (0, 0, 0, 0, 0, -1),
    ],
)  # fmt: skip
def test_a_fee_that_does_not_fit_is_no_event(values: tuple[int, ...]) -> None:
    with pytest.raises(NumberError, match=r"ChainFee\.\w+ is -?\d+, outside 0"):
        ChainFee(*values)


@pytest.mark.real_data
def test_chains_have_the_crates_numbers(layout: WideLayout) -> None:
    table = ChainFees()
    table.set(ChainFee(ChainId.SOLANA, 5000, 1, 200_000, 150 * 10**9, NOW_NS))
    table.set(ChainFee(ChainId.ARBITRUM, 0, 1, 180_000, 3500 * 10**9, NOW_NS))
    shown = decoded(layout, "ChainFeeTable", table.buffer)
    assert [row["chain_id"] for row in shown["chains"][:3]] == [1, 5, 255]
