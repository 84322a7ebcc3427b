"""Records at fixed addresses that change by command or by chain, not by book: MeshTable, ConfigRegion, ChainFeeTable.

Layouts: the crate's `messaging.rs`, `config.rs`, `features.rs` (0.4.0, `repr(C)`, little-endian). Each record holds its
bytes and a version that rises with every change, so that the engine copies a record into a guest only when it differs
from what that guest was shown last.
"""

import hashlib
import re
import struct
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from enum import IntEnum
from typing import Final

import msgspec

from connectors.errors import ConfigError
from connectors.pool import CHAIN_UNUSED, ChainFee
from runtime.abi import (
    CHAINS_MAX,
    LABEL_BYTES,
    MESH_AT,
    MESH_PEERS_AT,
    PARAMS_MAX,
    PEERS_MAX,
    REGIONS,
    Generation,
    Region,
)

_SPANS: Final = REGIONS[Generation.V0_4]
_U64_MAX: Final = 2**64 - 1


class Record:
    """The bytes of one region. `version` starts at 1, so that 0 stands for a guest that was shown nothing yet."""

    __slots__ = ("buffer", "version")

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.version = 1

    def write(self, at: int, data: bytes | bytearray) -> None:
        """Puts `data` at this offset. What stands there already is no change."""
        end = at + len(data)
        if self.buffer[at:end] != data:
            self.buffer[at:end] = data
            self.version += 1


# --- mesh -----------------------------------------------------------------------------------------------------------

_MESH_HEAD: Final = struct.Struct(f"<{LABEL_BYTES}sQB7x")  # self_label, self_mesh_id, peer_count
_PEER: Final = struct.Struct(f"<{LABEL_BYTES}sQ")
_STATE_HEAD: Final = struct.Struct("<QB7x")
_STATE_PEERS: Final = struct.Struct(f"<{PEERS_MAX}Q")


def mesh_id(label: str) -> int:
    """The id that messages to this label carry: the first 8 bytes of its SHA-256 as a little-endian u64, never 0.

    The same in every process, so that tapes and other machines agree on it without a registry; 0 is the crate's "no
    mesh". Raises ConfigError for a label that MeshTable cannot hold.
    """
    return int.from_bytes(hashlib.sha256(_label_bytes(label)).digest()[:8], "little") or 1


class MeshTable(Record):
    """Who an instance is and whom it can send to: labels and ids. 688 bytes, fixed for the life of the instance.

    Raises ConfigError for a label that is empty, not printable or longer than 32 bytes of UTF-8, for an id that is 0 or
    beyond 64 bits, for more than 16 peers, and where two of the mesh share a label or an id.
    """

    __slots__ = ("mesh_id", "peers")

    def __init__(self, self_label: str, self_id: int, peers: Sequence[tuple[str, int]]) -> None:
        super().__init__(_SPANS[Region.MESH][1])
        self.mesh_id, self.peers = self_id, tuple(peers)
        if len(peers) > PEERS_MAX:
            raise _mesh_error(
                f"{len(peers)} peers of {self_label!r}, but the crate's table holds {PEERS_MAX}",
                f"give it at most {PEERS_MAX}",
            )
        holders: dict[int, str] = {}
        for label, number in ((self_label, self_id), *peers):
            if label in holders.values():
                raise _mesh_error(f"label {label!r} is there twice", "give each instance a label of its own")
            if not 0 < number <= _U64_MAX:
                raise _mesh_error(f"label {label!r} has id {number}", "ids are 1 … 2^64 − 1")
            if number in holders:
                raise _mesh_error(f"labels {holders[number]!r} and {label!r} have the same id", "rename one of them")
            holders[number] = label
        _MESH_HEAD.pack_into(self.buffer, 0, _label_bytes(self_label), self_id, len(peers))
        for place, (label, number) in enumerate(peers):
            _PEER.pack_into(self.buffer, _MESH_HEAD.size + place * _PEER.size, _label_bytes(label), number)


def write_mesh(state: bytearray, table: MeshTable) -> None:
    """The mesh as AlgoState shows it: own id, number of peers, their ids in the order of the table."""
    ids = [number for _, number in table.peers]
    _STATE_HEAD.pack_into(state, MESH_AT, table.mesh_id, len(ids))
    _STATE_PEERS.pack_into(state, MESH_PEERS_AT, *ids, *[0] * (PEERS_MAX - len(ids)))


def _label_bytes(label: str) -> bytes:
    raw = label.encode() if label.isprintable() else b""  # neither a NUL nor a surrogate is printable
    if not 0 < len(raw) <= LABEL_BYTES:
        raise _mesh_error(f"{label!r:.80} cannot be a label", f"use 1 to {LABEL_BYTES} bytes of printable UTF-8")
    return raw


def _mesh_error(problem: str, mend: str) -> ConfigError:
    return ConfigError(problem, place="mesh", mend=mend)


# --- parameters -----------------------------------------------------------------------------------------------------

_PLACE: Final = "params"
_CONFIG_VERSION: Final = 1
_CONFIG_HEAD: Final = struct.Struct("<BBH4xQ")  # version, param_count, update_seq, update_ns
_TYPES_AT: Final = _CONFIG_HEAD.size + 8 * PARAMS_MAX
_TEXT_MAX: Final = 64
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_BPS: Final = re.compile(r"([+-]?[0-9]+)bps")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_DOUBLE: Final = struct.Struct("<d")
_EXPONENT_BITS: Final = 0x7FF << 52  # all set: infinite or not a number
_MAGNITUDE_BITS: Final = 2**63 - 1


_Where = tuple[str, int]  # place, slot


class ParamKind(IntEnum):
    """`ConfigRegion.types`: how the guest is to read the word."""

    I64 = 0
    F64 = 1
    BOOL = 2
    BPS = 3


_WRITTEN: Final = {
    ParamKind.I64: "a whole number, like 25",
    ParamKind.F64: "a number with a point or an exponent, like 0.25",
    ParamKind.BOOL: "true or false",
    ParamKind.BPS: "whole basis points, like 25bps",
}
_RANGES: Final = {
    ParamKind.I64: (-(2**63), 2**63 - 1),
    ParamKind.F64: (-(2**63), 2**63 - 1),
    ParamKind.BOOL: (0, 1),
    ParamKind.BPS: (-(2**31), 2**31 - 1),
}


class Param(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One parameter: its slot 0 … 31, its kind, and the word as the guest reads it, an i64.

    The word of an F64 is the double's bits, of a BOOL 0 or 1, of a BPS the number itself.
    """

    slot: int
    kind: ParamKind
    word: int

    @property
    def text(self) -> str:
        """As a person writes it."""
        if self.kind is ParamKind.F64:
            return repr(struct.unpack("<d", self.word.to_bytes(8, "little", signed=True))[0])
        if self.kind is ParamKind.BOOL:
            return "true" if self.word else "false"
        return f"{self.word}bps" if self.kind is ParamKind.BPS else str(self.word)


def parse_param(slot_text: str, value: object, *, place: str = _PLACE) -> Param:
    """A parameter from its slot and value: text as in `3=25bps`, or what TOML made of it (int, float, bool, text).

    A whole number → I64; a decimal with a point or an exponent → F64, the double nearest to it; `true`, `false` →
    BOOL; `25bps` → BPS. Raises ConfigError naming `place`, the slot and the value.
    """
    if not re.fullmatch("[0-9]{1,4}", slot_text):
        raise ConfigError(f"{slot_text!r:.40} is no slot", place=place, mend=f"write a number 0 … {PARAMS_MAX - 1}")
    where = place, int(slot_text)
    param = Param(where[1], *_word(value.strip() if isinstance(value, str) else value, where))
    _check(param, where)
    return param


def _check(param: Param, where: _Where) -> None:
    low, high = _RANGES[param.kind]
    if not 0 <= param.slot < PARAMS_MAX:
        raise _param_error("there is no such slot", f"use 0 … {PARAMS_MAX - 1}", where)
    if not low <= param.word <= high:
        raise _param_error(f"{param.word} is out of range", f"stay within {low} … {high}", where)


def _word(value: object, where: _Where) -> tuple[ParamKind, int]:
    if isinstance(value, bool):
        return ParamKind.BOOL, int(value)
    if isinstance(value, int):
        return ParamKind.I64, value
    if not isinstance(value, str):
        return ParamKind.F64, _double_word(value, value, where)
    if value in ("true", "false"):
        return ParamKind.BOOL, int(value == "true")
    if len(value) <= _TEXT_MAX:
        if _INTEGER.fullmatch(value):
            return ParamKind.I64, int(value)
        if match := _BPS.fullmatch(value):
            return ParamKind.BPS, int(match[1])
        if _DECIMAL.fullmatch(value):
            return ParamKind.F64, _double_word(Decimal(value), value, where)
    raise _unreadable(value, where)


def parse_params(texts: Sequence[str], place: str) -> tuple[Param, ...]:
    """Parameters written `SLOT=VALUE`. Raises ConfigError naming `place`."""
    params = []
    for text in texts:
        slot, mark, value = text.partition("=")
        if not mark:
            raise ConfigError(f"{text!r:.80} is no slot=value", place=place, mend="write for instance 3=25bps")
        params.append(parse_param(slot.strip(), value, place=place))
    return tuple(params)


def _double_word(number: object, value: object, where: _Where) -> int:
    """The bits, as an i64, of the double nearest to `number`: the one place where a double is made for a guest."""
    try:
        word = int.from_bytes(_DOUBLE.pack(number), "little", signed=True)
    except struct.error:  # a date, a list or a table of TOML's
        raise _unreadable(value, where) from None
    if word & _EXPONENT_BITS == _EXPONENT_BITS:
        raise _param_error(f"{value!r:.80} is no finite double", "write a number below 1.8e308", where)
    if number and not word & _MAGNITUDE_BITS:
        raise _param_error(f"{value!r:.80} is too small for a double", "write 0.0, or a larger number", where)
    return word


def _unreadable(value: object, where: _Where) -> ConfigError:
    return _param_error(f"cannot read {value!r:.80}", "write " + "; ".join(_WRITTEN.values()), where)


def _param_error(problem: str, mend: str, where: _Where) -> ConfigError:
    place, slot = where
    return ConfigError(f"slot {slot}: {problem}", place=place, mend=mend)


class ConfigRegion(Record):
    """An instance's live parameters: 32 words with a type each. 304 bytes.

    `param_count` ("number of populated parameter slots" in the crate) is the highest slot in use + 1: a guest that
    loops up to `count()` then meets every parameter, and where slots are filled from 0 up both readings agree.
    """

    __slots__ = ("_kinds", "_update_seq")

    def __init__(self) -> None:
        super().__init__(_SPANS[Region.CONFIG][1])
        self._kinds: dict[int, ParamKind] = {}
        self._update_seq = 0
        _CONFIG_HEAD.pack_into(self.buffer, 0, _CONFIG_VERSION, 0, 0, 0)

    @property
    def params(self) -> list[Param]:
        """What is set, by slot."""
        words = struct.unpack_from(f"<{PARAMS_MAX}q", self.buffer, _CONFIG_HEAD.size)
        return [Param(slot, kind, words[slot]) for slot, kind in sorted(self._kinds.items())]

    def check(self, params: Sequence[Param]) -> None:
        """Raises what `set` would, and changes nothing."""
        for slot, times in Counter(param.slot for param in params).items():
            if times > 1:
                raise _param_error(f"comes {times} times", "set each slot once", (_PLACE, slot))
        for param in params:
            _check(param, (_PLACE, param.slot))
            kind = self._kinds.get(param.slot, param.kind)
            if kind is not param.kind:
                raise _param_error(
                    f"it holds {kind.name}, and {param.kind.name} was written",
                    f"write {_WRITTEN[kind]}; another kind takes a new deployment",
                    (_PLACE, param.slot),
                )

    def set(self, params: Sequence[Param], now_ns: int) -> None:
        """All of one command at once, or none of it; `update_seq` rises by one and wraps at 2^16.

        Raises ConfigError when a slot comes twice, slot or word is out of range, or a slot that is set would change its
        kind: the guest would read a double's bits as a whole number. No parameters are no update.
        """
        self.check(params)
        if not params:
            return
        for param in params:
            self._kinds[param.slot] = param.kind
            struct.pack_into("<q", self.buffer, _CONFIG_HEAD.size + 8 * param.slot, param.word)
            self.buffer[_TYPES_AT + param.slot] = param.kind
        self._update_seq = (self._update_seq + 1) & 0xFFFF
        _CONFIG_HEAD.pack_into(self.buffer, 0, _CONFIG_VERSION, max(self._kinds) + 1, self._update_seq, now_ns)
        self.version += 1


# --- chain fees -----------------------------------------------------------------------------------------------------

_CHAINS_AT: Final = 8  # behind chain_ct and padding
_CHAIN: Final = struct.Struct("<B7x5Q")


class ChainFees(Record):
    """ChainFeeTable: what gas costs on up to eight chains, sorted by chain id. 392 bytes."""

    __slots__ = ("_fees",)

    def __init__(self) -> None:
        super().__init__(_SPANS[Region.CHAIN_FEES][1])
        self._fees: dict[int, ChainFee] = {}
        for place in range(CHAINS_MAX):
            self.buffer[_CHAINS_AT + place * _CHAIN.size] = CHAIN_UNUSED

    def set(self, fee: ChainFee) -> None:
        """Replaces what is known of this chain. Raises ConfigError for a ninth chain."""
        fees = self._fees | {fee.chain_id: fee}
        if len(fees) > CHAINS_MAX:
            raise ConfigError(
                f"chain {fee.chain_id} would be number {len(fees)}, but the crate's table holds {CHAINS_MAX}",
                place="chain fees",
                mend=f"watch at most {CHAINS_MAX} chains",
            )
        self._fees = dict(sorted(fees.items()))
        entries = b"".join(_CHAIN.pack(*msgspec.structs.astuple(entry)) for entry in self._fees.values())
        self.write(0, bytes([len(fees)]) + bytes(_CHAINS_AT - 1) + entries)
