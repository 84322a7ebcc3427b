"""Records as a referee must log them, from plain dictionaries: flattening, comparing, and those that no book changes.

A nested dictionary names the fields as the crate does; `flat` spells it out for one crate version, by the published
layout, in the words of `tests/support/referee.py`. Nothing of venuegate is imported.
"""

import hashlib
import struct
from decimal import Decimal
from functools import cache
from typing import Any, Final

from tests.support.referee import SLOTTED, TEXTS, Fields, Value, digest, structs

Nested = dict[str, Any]

# the regions each referee is given beside its arguments
GIVEN: Final = {
    "referee01": (),
    "referee030": (),
    "referee030m": ("VenueBooks", "PoolBooks"),
    "referee032": ("OnlineFeatures",),
    "referee032m": ("VenueBooks", "PoolBooks", "OnlineFeatures"),
    "referee04": ("VenueBooks", "PoolBooks", "OnlineFeatures", "ChainFeeTable", "PoolStateTable", "ConfigRegion",
                  "MeshTable"),
}  # fmt: skip
U16_MAX: Final = 2**16 - 1
CHAIN_UNUSED: Final = 255
AMM: Final = ("pool_type", "last_block", "last_update_ns", "fee_ppm", "reserve0", "reserve1", "sqrt_price_x64",
              "liquidity", "tick", "tick_spacing")  # fmt: skip
KINDS: Final = {"whole": 0, "double": 1, "bool": 2, "bps": 3}


class Mismatch(AssertionError):  # noqa: N818 - what it is, not what went wrong here
    """What a guest was shown is not what it had to be shown."""


# --- one crate's words -----------------------------------------------------------------------------------------------


def array(kind: str) -> tuple[str, int]:
    """`[u64; 16]` → (u64, 16), a plain type → (type, 0)."""
    item, _, count = kind.strip("[]").partition("; ")
    return item, int(count or 0)


def flat(crate: str, name: str, nested: Nested) -> Fields:
    """A record as that crate's referee logs it; what `nested` says beyond the crate's fields is left out."""
    layout = structs(crate)
    found: Fields = {}
    counter, slotted = SLOTTED.get(name, ("", ()))
    for key, spec in layout[name]["fields"].items():
        item, count = array(spec["type"])
        value = nested[key]
        if key in slotted:
            shown = min(count, nested[counter] + 1)
            for slot in range(shown):
                each = flat(crate, item, value[slot]) if slot < len(value) else nothing(crate, item)
                found |= {f"{key}.{slot}.{inner}": inside for inner, inside in each.items()}
            assert all(flat(crate, item, behind) == nothing(crate, item) for behind in value[shown:])
            found[f"{key}.rest"] = zeros_digest(crate, item, count - shown)
        elif item in layout:
            rows = [flat(crate, item, row) for row in (value if count else [value])]
            rows += [nothing(crate, item)] * (count - len(rows))
            for inner, inside in rows[0].items():
                found[f"{key}.{inner}"] = [row[inner] for row in rows] if count else inside  # type: ignore[assignment]
        elif key in TEXTS:
            found[key] = value.ljust(count, b"\0")
        else:
            found[key] = [*value, *[0] * (count - len(value))] if count else value
    return found


@cache
def nothing(crate: str, name: str) -> Fields:
    """The record with every field zero."""
    return flat(crate, name, _zero(crate, name))


def _zero(crate: str, name: str) -> Nested:
    layout = structs(crate)
    found: Nested = {}
    for key, spec in layout[name]["fields"].items():
        item, count = array(spec["type"])
        found[key] = b"" if key in TEXTS else [] if count else _zero(crate, item) if item in layout else 0
    return found


@cache
def zeros_digest(crate: str, name: str, count: int) -> int:
    return digest([nothing(crate, name)] * count)


def differences(want: dict[str, Fields], got: dict[str, Fields]) -> list[str]:
    """Every field that is not as it must be, by record and name; a record too many or too few is one, too."""
    if want == got:
        return []
    found = [f"{name}: {'missing' if name in want else 'unexpected'}" for name in sorted(want.keys() ^ got.keys())]
    for name in sorted(want.keys() & got.keys()):
        mine, theirs = want[name], got[name]
        for key in sorted(mine.keys() | theirs.keys()):
            a, b = mine.get(key), theirs.get(key)
            if a != b:
                found.append(f"{name}.{key}: must be {_short(a, b)}, was {_short(b, a)}")
    return found


def _short(value: Value | None, other: Value | None) -> str:
    """A list's items that differ, by place."""
    if not isinstance(value, list) or not isinstance(other, list) or len(value) != len(other):
        return repr(value)
    pairs = zip(value, other, strict=True)
    return repr({place: mine for place, (mine, theirs) in enumerate(pairs) if mine != theirs})


# --- records that commands and chains change -------------------------------------------------------------------------


class Config:
    """ConfigRegion: parameters as a person writes them, by slot."""

    def __init__(self, params: dict[int, str]) -> None:
        self.words: dict[int, tuple[int, int]] = {}
        self.seq = self.update_ns = 0
        if params:
            self.set(params, 0)

    def set(self, params: dict[int, str], now_ns: int) -> bool:
        """False where a slot would change its kind: then nothing changes."""
        read = {slot: word(text) for slot, text in params.items()}
        if any(self.words.get(slot, said)[0] != said[0] for slot, said in read.items()):
            return False
        self.words |= read
        self.seq, self.update_ns = self.seq + 1, now_ns
        return True

    def nested(self) -> Nested:
        slots = [self.words.get(slot, (0, 0)) for slot in range(32)]
        return {
            "version": 1, "param_count": max(self.words, default=-1) + 1, "update_seq": self.seq,
            "update_ns": self.update_ns, "params": [value for _, value in slots], "types": [kind for kind, _ in slots],
        }  # fmt: skip


def word(text: str) -> tuple[int, int]:
    """(kind, word) by docs/parameters.md."""
    if text in ("true", "false"):
        return KINDS["bool"], int(text == "true")
    if text.endswith("bps"):
        return KINDS["bps"], int(text.removesuffix("bps"))
    if "." in text or "e" in text:
        return KINDS["double"], int.from_bytes(struct.pack(">d", Decimal(text)), "big", signed=True)
    return KINDS["whole"], int(text)


def mesh_id(label: str) -> int:
    """docs/mesh.md: the first eight bytes of the label's SHA-256, little-endian."""
    return sum(byte << 8 * place for place, byte in enumerate(hashlib.sha256(label.encode()).digest()[:8]))


def mesh(label: str, peers: list[str]) -> Nested:
    entries = [{"label": peer.encode(), "mesh_id": mesh_id(peer)} for peer in peers]
    blank = {"label": b"", "mesh_id": 0}
    return {
        "self_label": label.encode(), "self_mesh_id": mesh_id(label) if label else 0, "peer_count": len(peers),
        "peers": entries + [blank] * (16 - len(peers)),
    }  # fmt: skip


def fees(told: dict[int, list[int]]) -> Nested:
    """ChainFeeTable from the last thing said of each chain."""
    names = "chain_id", "base_fee_native", "priority_fee_native", "estimated_gas_units", "native_price_1e9"
    chains = [dict(zip((*names, "last_update_ns"), told[chain], strict=True)) for chain in sorted(told)]
    unused = dict.fromkeys((*names, "last_update_ns"), 0) | {"chain_id": CHAIN_UNUSED}
    return {"chain_ct": len(told), "chains": chains + [unused] * (8 - len(chains))}


class Pool:
    """One pool as its chain tells of it. `identity`: PoolMeta's first five fields, the fee until a curve tells it."""

    def __init__(self, identity: Nested) -> None:
        self.identity = identity
        self.gas = [0, 0, 0, 0]
        self.amm: Nested = {}

    def update(self, gas: list[int], amm: list[int] | None) -> None:
        """`amm` in the order of `AMM`; None: this time the chain tells no curve."""
        self.gas = gas
        if amm is not None:
            self.amm = dict(zip(AMM, amm, strict=True))
            self.identity = self.identity | {"fee_bps": min((self.amm["fee_ppm"] + 99) // 100, U16_MAX)}

    def meta(self) -> Nested:
        names = "gas_cost_1e5", "gas_units_1k", "gas_price_gwei", "native_price_deci_usd"
        return self.identity | dict(zip(names, (min(number, U16_MAX) for number in self.gas), strict=True))

    def state(self) -> Nested:
        told = {name: self.amm.get(name, 0) for name in AMM}
        for name in ("reserve0", "reserve1"):
            told[f"{name}_hi"], told[f"{name}_lo"] = divmod(self.amm.get(name, 0), 2**64)
        return told
