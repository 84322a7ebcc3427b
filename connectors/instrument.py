"""Instrument: what is traded, on which grid, under which name at its venue."""

from typing import Self

import msgspec

from connectors.errors import InstrumentError, NumberError
from connectors.units import I64_MAX, PRICE_DECIMALS, SIZE_DECIMALS, scaled

SYMBOL_NAME_MAX = 16  # bytes of AlgoState.symbol_name, null-padded


class Instrument(msgspec.Struct, frozen=True):
    """One tradable pair at one venue; all amounts at the guest's scales, 0 where the venue names no minimum.

    `symbol` is ours, the same at every venue (`BTC/USD`); `venue_symbol` the venue's own where that is another
    (`BTC-USD`), and `venue_code` what else its messages may call it by. `tick_size_1e9` and `lot_size_1e8` are > 0; a
    price is valid when it is a multiple of the tick. `price_precision` and `size_precision` are the decimals of the
    venue's text, which a checksum may depend on; they can be finer than the tick. `status` is the venue's word
    (`online`, `cancel_only` …).
    """

    venue: str
    symbol: str
    price_precision: int
    size_precision: int
    tick_size_1e9: int
    lot_size_1e8: int
    min_qty_1e8: int = 0
    min_notional_1e9: int = 0
    status: str = "online"
    venue_symbol: str = ""
    venue_code: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.price_precision <= PRICE_DECIMALS:
            raise self._unfit(f"price has {self.price_precision} decimals, the guest's scale holds {PRICE_DECIMALS}")
        if not 0 <= self.size_precision <= SIZE_DECIMALS:
            raise self._unfit(f"size has {self.size_precision} decimals, the guest's scale holds {SIZE_DECIMALS}")
        if self.tick_size_1e9 <= 0 or self.lot_size_1e8 <= 0:
            raise self._unfit("tick and lot must be positive")
        if self.min_qty_1e8 < 0 or self.min_notional_1e9 < 0:
            raise self._unfit("minimums must not be negative")
        if max(self.tick_size_1e9, self.lot_size_1e8, self.min_qty_1e8, self.min_notional_1e9) > I64_MAX:
            raise self._unfit("tick, lot and minimums must fit the guest's 63 bits")

    def _unfit(self, problem: str) -> InstrumentError:
        return InstrumentError(problem, place=f"{self.venue}:{self.symbol}", mend="leave this symbol out")

    @property
    def key(self) -> str:
        """`kraken:BTC/USD`, unique over all venues."""
        return f"{self.venue}:{self.symbol}"

    @property
    def base(self) -> str:
        return self.symbol.partition("/")[0]

    @property
    def quote(self) -> str:
        """The currency prices and money are in."""
        return self.symbol.partition("/")[2] or self.symbol

    @property
    def guest_name(self) -> str:
        """The crate's form of the name, `BTC-USD`; at most 16 bytes (ABI: AlgoState.symbol_name)."""
        return self.symbol.replace("/", "-")

    @classmethod
    def parse(cls, venue: str, text: str) -> Self:
        """`SYMBOL:price_decimals:size_decimals[:min_size[:min_notional]]`, as `--instrument` takes it.

        Tick and lot are one unit of the last decimal. Raises InstrumentError naming the part that is wrong.
        """
        mend = (
            "write SYMBOL:price_decimals:size_decimals[:min_size[:min_notional]], for instance BTC/USD:1:8:0.00005:0.5"
        )
        parts = text.split(":")
        if not 3 <= len(parts) <= 5 or not parts[0]:
            raise InstrumentError(f"cannot read {text!r}", place="--instrument", mend=mend)
        try:
            price_precision, size_precision = int(parts[1]), int(parts[2])
            min_qty = scaled(parts[3], SIZE_DECIMALS) if len(parts) > 3 else 0
            min_notional = scaled(parts[4], PRICE_DECIMALS) if len(parts) > 4 else 0
        except (ValueError, NumberError) as error:
            raise InstrumentError(f"{text!r}: {error}", place="--instrument", mend=mend) from None
        return cls(
            venue=venue,
            symbol=parts[0],
            price_precision=price_precision,
            size_precision=size_precision,
            # a negative or too large precision is refused by name in __post_init__
            tick_size_1e9=10 ** max(PRICE_DECIMALS - price_precision, 0),
            lot_size_1e8=10 ** max(SIZE_DECIMALS - size_precision, 0),
            min_qty_1e8=min_qty,
            min_notional_1e9=min_notional,
        )
