"""Swaps that were executed, as a file beside the tapes: `swaps.jsonl`, one a line, for pools whose maths we have.

    {"name": "V2 USDC/WETH", "i": 0, "j": 1, "amount_in": "1000", "amount_out": "997", "reserve": "2000000",
     "pair": {"reserves": ["1000000", "2000000"], "fee_ppm": 3000}}

Amounts are decimal strings, in the tokens' smallest units: many are beyond 2^53, which readers of JSON lose. The pool
before the swap is one of `pair`, `ticked` (ticks: [tick, gross, net], all that the pool has) and `stable`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Curve
from connectors.amm.stableswap import StableSwap
from connectors.amm.ticks import TickMap
from connectors.errors import TapeError

FILE: Final = "swaps.jsonl"


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Uniswap V2 and its forks."""

    reserves: tuple[int, int]
    fee_ppm: int

    def curve(self) -> Curve:
        return ConstantProduct(self.reserves, self.fee_ppm)


class Ticked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Uniswap V3 and faithful forks."""

    sqrt_price_x96: int
    tick: int
    liquidity: int
    fee_ppm: int
    spacing: int
    ticks: tuple[tuple[int, int, int], ...]

    def curve(self) -> Curve:
        known = TickMap(self.spacing, {tick: (gross, net) for tick, gross, net in self.ticks})
        return Concentrated(self.sqrt_price_x96, self.tick, self.liquidity, self.fee_ppm, known)


class Stable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Curve's StableSwap; the fields are those of `connectors.amm.stableswap`."""

    balances: tuple[int, ...]
    rates: tuple[int, ...]
    amp: int
    fee: int
    offpeg_fee_multiplier: int = 0
    is_ng: bool = False
    admin_fee: int = 0

    def curve(self) -> Curve:
        return StableSwap(*(getattr(self, name) for name in self.__struct_fields__))


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One line of the file."""

    name: str
    i: int
    j: int
    amount_in: int
    amount_out: int
    reserve: int
    pair: Pair | None = None
    ticked: Ticked | None = None
    stable: Stable | None = None

    def curve(self) -> Curve | None:
        """The pool before the swap; None: the line names none, or two."""
        pools = [pool for pool in (self.pair, self.ticked, self.stable) if pool is not None]
        return pools[0].curve() if len(pools) == 1 else None


def lines_in(folder: Path) -> Iterator[Line]:
    """Every line of the file, where there is one. Raises TapeError naming the line that cannot be used."""
    path = folder / FILE
    if not path.is_file():
        return
    for number, text in enumerate(path.read_bytes().splitlines(), 1):
        mend = f"write it as {__name__} says"
        try:
            line = msgspec.convert(msgspec.json.decode(text), Line, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise TapeError(f"is no swap: {error}", place=f"{path}:{number}", mend=mend) from error
        if line.curve() is None:
            raise TapeError("has not one pool: pair, ticked or stable", place=f"{path}:{number}", mend=mend)
        yield line


def text_of(line: Line) -> bytes:
    """One line as it is written, without its end."""
    return msgspec.json.encode(_plain(msgspec.to_builtins(line)))


def _plain(value: object) -> object:
    """The same with integers as text; flags stay."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
