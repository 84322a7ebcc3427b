"""What encoders of orders share: an order is printed by one operation, from a template of its instrument.

A price or size is printed as its whole part and so many decimals as the instrument has: `digits(decimals)` is the
format, and the decimals that it takes are what `price_digit` and `size_digit` leave of ours.
"""

from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from connectors.instrument import Instrument
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS

PRICE_ONE: Final = 10**PRICE_DECIMALS
SIZE_ONE: Final = 10**SIZE_DECIMALS


def digits(decimals: int) -> bytes:
    """A format for (whole part, decimals); without decimals the second is taken and not printed."""
    return b"%%d.%%0%dd" % decimals if decimals else b"%d%.0a"


class Template:
    """What is the same in every order of one instrument. A venue's own has its formats besides."""

    __slots__ = ("instrument", "price_digit", "size_digit")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.price_digit = 10 ** (PRICE_DECIMALS - instrument.price_precision)
        self.size_digit = 10 ** (SIZE_DECIMALS - instrument.size_precision)


T = TypeVar("T", bound=Template)


class Templates(Generic[T]):
    """One of each of `instruments`, whose metadata may change: then it is made anew."""

    def __init__(self, instruments: Sequence[Instrument | None], make: Callable[[Instrument], T]) -> None:
        self._instruments = instruments
        self._make = make
        self._made: dict[int, T] = {}

    def of(self, index: int) -> T:
        """Raises ValueError for an instrument without metadata."""
        instrument = self._instruments[index]
        template = self._made.get(index)
        if template is None or template.instrument is not instrument:
            if instrument is None:
                raise ValueError(f"instrument {index} has no metadata: its orders cannot be written")
            template = self._made[index] = self._make(instrument)
        return template
