"""Limits: frozen integers, no default for an amount of money, nothing here reads a file (runtime/config.py does)."""

import msgspec

from connectors.errors import ConfigError
from connectors.units import I64_MAX

U32_MAX = 2**32 - 1


class Limits(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What one account may do. Every amount must be set by a person (or by the shipped paper.toml, never live).

    `max_position_1e8`: per instrument, in the base currency, worst case of position and open orders.
    `max_order_notional_1e9`: per order, in the quote currency. `max_order_rate`: new orders and amends in any rolling
    second; cancels have as many again of their own. `price_collar_bps`: distance of a price from the mid, in 1/100 %.
    `max_daily_loss_1e9`: realised and unrealised and fees since 00:00 UTC, per quote currency. `max_book_age_ns`:
    silence of a link after which its books are stale.
    """

    max_position_1e8: int
    max_order_notional_1e9: int
    max_order_rate: int
    price_collar_bps: int
    max_daily_loss_1e9: int
    max_book_age_ns: int = 5_000_000_000
    max_open_orders: int = 32

    def __post_init__(self) -> None:
        """Raises ConfigError: a limit that the guest's RiskSnapshot cannot show is not a limit (a damaged tape)."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            most = U32_MAX if name == "max_order_rate" else I64_MAX
            if not 0 <= value <= most:
                raise ConfigError(f"{name} = {value} is out of range", place="limits", mend=f"0 … {most}")
