"""Mints of the Token and the Token-2022 program: decimals, and what a transfer does beside moving the amount.

Layouts and numbers: spl-token-interface's `Mint` (82 bytes) and spl-token-2022-interface 4.0.0 (Apache-2.0): the base
is padded to 165 bytes, byte 165 is the account's type, then come entries of type u16, length u16, value. Type 0 ends
them. A pool that quotes exactly must know that a transfer moves what it says, so an extension that changes that, or
one whose number is not known here, refuses the pool. So does one that makes people's units other than the raw ones by
more than decimals (interest, scaled-UI amounts): books are in people's units.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final

import msgspec

from connectors.errors import PoolRefused
from connectors.venues.solana.account import Account
from connectors.venues.solana.keys import TOKEN, TOKEN_2022

_BASE: Final = Struct("<I32sQBBI32s")  # authority's tag and key, supply, decimals, initialised, freezer's tag and key
_TYPE_AT: Final = 165
_ENTRY: Final = Struct("<HH")
_MULTISIG_LENGTH: Final = 355  # what has this length is a multisig, so the program never makes a mint of it
_FEES: Final = Struct("<32s32sQQQHQQH")
_TRANSFER_FEE, _DEFAULT_STATE, _NON_TRANSFERABLE, _HOOK, _PAUSABLE = 1, 6, 9, 14, 26
_INTEREST, _SCALED = 10, 25
_RATES: Final = Struct("<32xqhqh")  # since when, average rate until the last update, when that was, rate since then
_SCALES: Final = Struct("<32x8sq8s")  # multiplier, when the newer one begins, and that one
_ONE: Final = bytes.fromhex("000000000000f03f")  # 1 as a double
_SIZES: Final = {
    _TRANSFER_FEE: _FEES.size, _DEFAULT_STATE: 1, _NON_TRANSFERABLE: 0, _HOOK: 64, _PAUSABLE: 33,
    _INTEREST: _RATES.size, _SCALED: _SCALES.size,
}  # fmt: skip
_INITIALIZED: Final = 1  # AccountState
_OTHER_UNITS: Final = "what people call one is not what the pool counts, and its book would be off by as much"
_HARMLESS: Final = {
    3: "close authority",  # closes a mint without supply
    4: "confidential transfers",  # beside the plain ones
    12: "permanent delegate",
    16: "confidential transfer fee",
    18: "metadata pointer",
    19: "metadata",
    20: "group pointer",
    21: "group",
    22: "member pointer",
    23: "member",
    24: "confidential mint and burn",
    28: "permissioned burn",
}


class TransferFee(msgspec.Struct, frozen=True):
    """From `epoch` on a transfer keeps back `bps` of its amount, `most` at most."""

    epoch: int
    most: int
    bps: int

    @property
    def takes(self) -> bool:
        """Whether it takes anything at all."""
        return bool(self.most and self.bps)


class Mint(msgspec.Struct, frozen=True):
    """`refused`: why a transfer moves another amount than it says or shows, or none; empty when it moves just that.

    `fees`: the transfer fee until the newer one's epoch, and the newer one; None without that extension.
    `extensions`: their numbers, in the account's order.
    """

    decimals: int
    extensions: tuple[int, ...] = ()
    fees: tuple[TransferFee, TransferFee] | None = None
    refused: str = ""


def mint_of(account: Account, name: str) -> Mint:
    """What the mint says of itself. Raises PoolRefused for what is no mint or of an unknown layout."""
    data = account.data
    if account.owner not in (TOKEN, TOKEN_2022):
        raise PoolRefused(f"its mint {name} belongs to {account.owner}: neither the Token nor the Token-2022 program")
    is_plain = len(data) == _BASE.size
    if not is_plain and (account.owner == TOKEN or len(data) <= _TYPE_AT or len(data) == _MULTISIG_LENGTH):
        raise PoolRefused(f"its mint {name} is {len(data)} bytes long: a layout that is not known")
    authority, _, _, decimals, initialized, freezer, _ = _BASE.unpack_from(data)
    if initialized != 1 or authority > 1 or freezer > 1:
        raise PoolRefused(f"its mint {name} is not an initialised mint")
    if is_plain:
        return Mint(decimals)
    if data[_TYPE_AT] != 1 or any(data[_BASE.size : _TYPE_AT]):
        raise PoolRefused(f"its mint {name} is not of the type of a mint")
    return _extended(decimals, name, data[_TYPE_AT + 1 :])


def problem(mint: Mint, name: str, epoch: int | None) -> str:
    """'' or why a swap of this token does not pay what the pool computes; `epoch` None: at no time may a fee apply."""
    if mint.refused:
        return mint.refused
    if mint.fees is None:
        return ""
    older, newer = mint.fees
    is_over = epoch is not None and epoch >= newer.epoch
    for fee in (newer,) if is_over else (older, newer):
        if fee.takes:
            return f"its mint {name} keeps a transfer fee of {fee.bps} bps back (from epoch {fee.epoch} on)"
    return ""


def _extended(decimals: int, name: str, rest: bytes) -> Mint:
    fees: tuple[TransferFee, TransferFee] | None = None
    numbers: list[int] = []
    refused = ""
    for number, value in _entries(name, rest):
        if number in numbers:
            raise PoolRefused(f"its mint {name} has extension {number} twice")
        numbers.append(number)
        if number == _TRANSFER_FEE:
            _, _, _, *terms = _FEES.unpack(value)
            fees = TransferFee(*terms[:3]), TransferFee(*terms[3:])
        else:
            refused = refused or _refusal(number, value, name)
    return Mint(decimals, tuple(numbers), fees, refused)


def _entries(name: str, rest: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(rest):
        number, size = _ENTRY.unpack_from(rest, at) if at + _ENTRY.size <= len(rest) else (0, 0)
        if not number:  # nothing is written behind
            if any(rest[at:]):
                raise PoolRefused(f"its mint {name} has {len(rest) - at} bytes behind its extensions")
            return
        at += _ENTRY.size
        value = rest[at : at + size]
        if len(value) != size or size != _SIZES.get(number, size):
            raise PoolRefused(f"its mint {name} has extension {number} with {len(value)} bytes: a layout not known")
        at += size
        yield number, value


def _refusal(number: int, value: bytes, name: str) -> str:
    if number in _HARMLESS:
        return ""
    if number == _DEFAULT_STATE:
        return "" if value[0] == _INITIALIZED else f"its mint {name} freezes new accounts: nobody could be paid"
    if number == _NON_TRANSFERABLE:
        return f"its mint {name} cannot be transferred"
    if number == _HOOK:
        return f"its mint {name} has a transfer hook: a program of its own decides" if any(value[32:]) else ""
    if number == _INTEREST:
        _, before, _, since = _RATES.unpack(value)
        return f"its mint {name} bears interest ({since} bps): {_OTHER_UNITS}" if before or since else ""
    if number == _SCALED:
        now, _, to_come = _SCALES.unpack(value)
        return f"its mint {name} has a scaled-UI amount: {_OTHER_UNITS}" if (now, to_come) != (_ONE, _ONE) else ""
    if number == _PAUSABLE:
        return f"its mint {name} is paused" if value[32] else ""
    return f"its mint {name} has extension {number}, which is not known here"
