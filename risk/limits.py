"""Limits: frozen integers, no default for an amount of money. No file is read here (`runtime/config_limits.py` does).

A tree of scopes: the account, and below it venues, instruments and algos, each of which may be held to less. What a
scope does not say it inherits: it is bounded by the scopes it lies in, and by nothing else. Two kinds of limit:

* of one order (`EACH`): quantity, notional, collars, age of the book, permitted types. The tightest of all scopes that
  an order lies in holds.
* of everything in a scope (`SUMS`): position, capital, loss, drawdown, rate, open orders, repeats. Each scope that says
  one counts for itself, and all of them must hold.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from connectors.errors import ConfigError
from connectors.orders import OrderType
from connectors.units import I64_MAX

U32_MAX: Final = 2**32 - 1
UNSET: Final = I64_MAX  # nobody said: beyond everything that can be observed
SECOND_NS: Final = 10**9
ALL_TYPES: Final = (1 << len(OrderType)) - 1


class Limits(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What the account may do; of a narrower scope the same, with UNSET where it says nothing.

    Sizes ×1e8 of the base currency, money ×1e9 of the quote currency, times in ns.

    `max_position`: sum over a scope's markets of one base currency, each at its worst case: position with every open
    order filled, the longer side of the two. `max_order_qty`, `max_order_notional`: one order. `max_capital`: the same
    sum as the position's, valued at the mids, per quote currency. `max_order_rate`: new orders and amends in any
    rolling second; `max_cancel_rate`: cancels, from a budget of their own (UNSET: as many as orders).
    `price_collar_bps`: distance of a price from the mid, in 1/100 %. `collar_window_bps`: the same from the lowest and
    the highest mid of the last `collar_window_ns`. `max_daily_loss`: realised, unrealised and fees since 00:00 UTC.
    `max_drawdown`: fall of the same from its highest since 00:00 UTC. `max_book_age_ns`: silence of a link after which
    its books are stale. `max_mark_age_ns`: how long a held position may go without a valid book. `max_duplicates`:
    equal orders of one algo within `duplicate_window_ns`. `max_repeats`: orders of one algo, market and side that
    traded within `repeat_window_ns`. `max_refusals`: denials and venue rejections of one algo within
    `refusal_window_ns`. `max_feed_loss_ns`: how long a venue with open orders may be silent. `order_types`: a bit per
    OrderType.
    """

    max_position_1e8: int
    max_order_notional_1e9: int
    max_order_rate: int
    price_collar_bps: int
    max_daily_loss_1e9: int
    max_book_age_ns: int = 5 * SECOND_NS
    max_open_orders: int = 32
    max_order_qty_1e8: int = UNSET
    max_capital_1e9: int = UNSET
    max_drawdown_1e9: int = UNSET
    max_cancel_rate: int = UNSET
    collar_window_bps: int = UNSET
    collar_window_ns: int = 60 * SECOND_NS
    max_mark_age_ns: int = 60 * SECOND_NS
    max_duplicates: int = UNSET
    duplicate_window_ns: int = SECOND_NS
    max_repeats: int = UNSET
    repeat_window_ns: int = 60 * SECOND_NS
    max_refusals: int = UNSET
    refusal_window_ns: int = 10 * SECOND_NS
    max_feed_loss_ns: int = UNSET
    order_types: int = ALL_TYPES

    def __post_init__(self) -> None:
        """Raises ConfigError: a limit that the guest's RiskSnapshot cannot show is not a limit (a damaged tape)."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            most = ALL_TYPES if name == "order_types" else I64_MAX
            if name == "max_order_rate" and value != UNSET:
                most = U32_MAX
            if type(value) is not int or not 0 <= value <= most:
                raise ConfigError(f"{name} = {value} is out of range", place="limits", mend=f"0 … {most}")


ACCOUNT: Final = "account"
KINDS: Final = ("venue", "instrument", "algo", "canary")

AMOUNTS: Final = frozenset(
    {"max_position_1e8", "max_order_notional_1e9", "max_daily_loss_1e9", "max_order_qty_1e8", "max_capital_1e9",
     "max_drawdown_1e9"}
)  # fmt: skip
SUMS: Final = frozenset(
    {"max_position_1e8", "max_capital_1e9", "max_daily_loss_1e9", "max_drawdown_1e9", "max_order_rate",
     "max_cancel_rate"}
)  # fmt: skip
EACH: Final = frozenset(
    {"max_order_notional_1e9", "max_order_qty_1e8", "price_collar_bps", "collar_window_bps", "max_book_age_ns",
     "order_types"}
)  # fmt: skip
OF_ALGOS: Final = frozenset({"max_open_orders", "max_repeats", "max_refusals"})
"""Counted for each algo by itself, whichever scope says them."""
OF_CANARIES: Final = frozenset({"max_position_1e8", "max_order_notional_1e9"})
KEYS: Final = {
    "venue": SUMS | EACH | {"max_feed_loss_ns"},
    "instrument": SUMS | EACH,
    "algo": SUMS | EACH | OF_ALGOS,
    "canary": OF_CANARIES | {"max_orders"},
}
"""What each kind of scope may say; the account says everything."""


class Scope(msgspec.Struct, frozen=True, array_like=True):
    """What one narrower scope says. `kind`: one of KINDS; `name`: of the venue, instrument or algo; "" for the canary.

    An instrument is a market's name (`kraken:BTC/USD`, `dex_arb:0x…`), or a symbol (`BTC/USD`): all its markets.
    `values`: Limits' own field names. `instruments`: those that an algo or a venue is permitted; None: all.
    """

    kind: str
    name: str
    values: dict[str, int]
    instruments: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        """`venue:kraken`, `instrument:BTC/USD`, `algo:mm`, `canary`."""
        return f"{self.kind}:{self.name}" if self.name else self.kind


class LimitTree(msgspec.Struct, frozen=True):
    """All limits of a session. `origins`: where each was read, `account.max_position_1e8` → `gateway.toml:12`.

    `instruments`: what the account is permitted; None: all that it follows. `promoted`: SHA-256 of modules that are no
    canaries any more.
    """

    account: Limits
    scopes: tuple[Scope, ...] = ()
    instruments: tuple[str, ...] | None = None
    promoted: tuple[str, ...] = ()
    origins: dict[str, str] = {}

    def origin(self, scope: str, key: str) -> str:
        """The file and line that says this limit, or an empty string."""
        return self.origins.get(f"{scope}.{key}", "")

    def scope(self, label: str) -> Scope | None:
        return next((scope for scope in self.scopes if scope.label == label), None)


def tree_of(limits: "Limits | LimitTree") -> LimitTree:
    """Limits of the account alone are a tree, too."""
    return limits if isinstance(limits, LimitTree) else LimitTree(account=limits)


def unset(limits: Limits) -> list[str]:
    """The amounts of money that nobody said, by their names in a file."""
    return sorted(key.rpartition("_1e")[0] for key in AMOUNTS if getattr(limits, key) == UNSET)


def said(tree: LimitTree) -> Iterator[tuple[str, str, int]]:
    """Every limit that somebody said: scope's label, key, value."""
    for name in Limits.__struct_fields__:
        yield ACCOUNT, name, getattr(tree.account, name)
    for scope in tree.scopes:
        for key, value in scope.values.items():
            yield scope.label, key, value
