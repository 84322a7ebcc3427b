"""Small random worlds: two venues, two pools, two symbols, two or three algos; limits that are met often, exactly."""

from __future__ import annotations

from random import Random

import msgspec

from connectors.instrument import Instrument
from risk.limits import UNSET, Limits, LimitTree, Scope
from tests.reference.markets import Place, Trader, Wire

SECOND = 10**9
DAY = 86_400 * SECOND
T0 = 20_000 * DAY + 3_600 * SECOND
PX, QTY = 10**9, 10**8  # one whole unit of each
TICK = PX // 2
ALPHA, BETA, CHAIN = 1, 2, 12
SECOND_SYMBOLS = ("ETH/USD", "BTC/EUR", "ETH/EUR")
POOLS = ("gamma:0xa", "gamma:0xb")

# key → (scopes that may say it, its small values in units of `scale`, scale)
SMALL: dict[str, tuple[str, tuple[int, ...], int]] = {
    "max_position_1e8": ("avin", (2, 3, 4, 6, 8), QTY),
    "max_capital_1e9": ("avin", (200, 300, 400, 600), PX),
    "max_order_notional_1e9": ("avin", (100, 200, 300), PX),
    "max_order_qty_1e8": ("avin", (1, 2, 3), QTY),
    "max_order_rate": ("avin", (0, 1, 2, 3), 1),
    "max_cancel_rate": ("avin", (0, 1, 2), 1),
    "price_collar_bps": ("avin", (50, 100, 150, 200), 1),
    "collar_window_bps": ("avin", (50, 100, 150, 200), 1),
    "max_daily_loss_1e9": ("avin", (1, 2, 4, 8), PX),
    "max_drawdown_1e9": ("avin", (1, 2, 4, 8), PX),
    "max_open_orders": ("an", (0, 1, 2, 3), 1),
    "max_duplicates": ("a", (0, 1, 2), 1),
    "max_repeats": ("an", (0, 1, 2), 1),
    "max_refusals": ("an", (1, 2, 4), 1),
    "max_book_age_ns": ("avin", (0, 1, 2), SECOND),
    "max_mark_age_ns": ("a", (0, 1, 2), SECOND),
    "order_types": ("avin", (0b00001, 0b01101, 0b10111, 0b11110), 1),
}
WIDE = Limits(
    max_position_1e8=1_000 * QTY, max_order_notional_1e9=10**6 * PX, max_order_rate=1_000, price_collar_bps=5_000,
    max_daily_loss_1e9=10**6 * PX, max_open_orders=1_000,
)  # fmt: skip


class Layout(msgspec.Struct, frozen=True):
    """A world before it begins: everything that gate and reference are made of."""

    second: str
    paper: bool
    taker_ppm: int
    balances: dict[str, dict[str, int]]
    minimums: tuple[tuple[int, int], ...]
    traders: int
    tree: LimitTree


def names_of(second: str) -> dict[str, list[str]]:
    """The names that scopes of each kind may have."""
    return {
        "v": ["alpha", "beta", "gamma"],
        "i": ["BTC/USD", "alpha:BTC/USD", "beta:BTC/USD", *POOLS, second, f"alpha:{second}"],
        "n": ["one", "two", "three"],
    }


def random_tree(rng: Random, second: str, themes: int) -> LimitTree:
    """Wide limits, but for a few that are small, each in one or two scopes."""
    names, account = names_of(second), {}
    narrower: dict[tuple[str, str], dict[str, int]] = {}
    keys = rng.sample(list(SMALL), themes)
    keys += [key for key in ("max_daily_loss_1e9", "max_drawdown_1e9", "max_position_1e8") if rng.random() < 0.15]
    for key in keys:
        kinds, values, scale = SMALL[key]
        for _ in range(rng.choice((1, 1, 2))):
            kind, value = rng.choice(kinds), rng.choice(values) * scale
            if scale > 1 and rng.random() < 0.1:
                value = max(value + rng.choice((-1, 1)), 0)
            if kind == "a":
                account[key] = value
            else:
                name = rng.choice(names[kind][:2] if rng.random() < 0.7 else names[kind])
                narrower.setdefault((kind, name), {})[key] = value
    if rng.random() < 0.3:
        account["collar_window_ns"] = account["repeat_window_ns"] = rng.choice((1, 2, 10)) * SECOND
        account["duplicate_window_ns"] = account["refusal_window_ns"] = rng.choice((1, 2, 5)) * SECOND
    scopes = tuple(_scope(rng, kind, name, values, second) for (kind, name), values in narrower.items())
    if rng.random() < 0.15:
        said = {"max_position_1e8": 3 * QTY, "max_order_notional_1e9": 250 * PX, "max_orders": 3}
        kept = {key: value for key, value in said.items() if rng.random() < 0.7}
        scopes = (*scopes, Scope("canary", "", kept))
    return LimitTree(
        account=msgspec.structs.replace(WIDE, **account), scopes=scopes,
        instruments=("BTC/USD",) if rng.random() < 0.04 else None,
    )  # fmt: skip


def _scope(rng: Random, kind: str, name: str, values: dict[str, int], second: str) -> Scope:
    permitted = None
    if kind in "vn" and rng.random() < 0.15:
        permitted = rng.choice((("alpha:BTC/USD",), ("BTC/USD",), (second, "gamma:0xa"), ()))
    return Scope({"v": "venue", "i": "instrument", "n": "algo"}[kind], name, values, permitted)


def random_layout(rng: Random) -> Layout:
    second = rng.choice(SECOND_SYMBOLS)
    balances: dict[str, dict[str, int]] = {}
    if rng.random() < 0.12:
        kept = {"BTC": rng.randint(0, 6) * QTY, "USD": rng.choice((100, 300, 400, 600)) * QTY}
        balances[rng.choice(("alpha", "beta"))] = kept
    small = ((2 * QTY, 0), (0, 199 * PX), (0, 0), (0, 0), (0, 0))
    minimums = tuple(rng.choice(small) if rng.random() < 0.1 else (0, 0) for _ in range(5))
    tree = random_tree(rng, second, rng.randint(1, 4))
    return Layout(second, rng.random() < 0.95, rng.choice((0, 4_000)), balances, minimums, rng.choice((2, 3)), tree)


def wires(now: int) -> list[Wire]:
    return [Wire("alpha", ALPHA, now), Wire("beta", BETA, now), Wire("gamma", CHAIN, now)]


def places_of(layout: Layout, at: list[Wire]) -> list[Place]:
    """Markets 0 and 1 of one symbol at two venues, 2 and 3 its pools, 4 the second symbol."""
    shapes = (
        ("alpha:BTC/USD", "BTC/USD", 0), ("beta:BTC/USD", "BTC/USD", 1), (POOLS[0], "BTC/USD", 2),
        (POOLS[1], "BTC/USD", 2), (f"alpha:{layout.second}", layout.second, 0),
    )  # fmt: skip
    return [
        Place(index, name, symbol, at[wire], TICK, QTY, wire == 2, *layout.minimums[index])
        for index, (name, symbol, wire) in enumerate(shapes)
    ]


def traders_of(layout: Layout) -> list[Trader]:
    """The second algo is at home at the second venue, and sees the first as another one."""
    pools = {(0, 0): 2, (0, 1): 3}
    every = [
        Trader(0, "one", "aa" * 32, ALPHA, (0, 4), {(BETA, 0): 1, (CHAIN, 0): 2}, pools),
        Trader(1, "two", "bb" * 32, BETA, (1,), {(ALPHA, 0): 0}, pools),
        Trader(2, "three", "cc" * 32, ALPHA, (0, 4), {}, {}),
    ]
    return every[: layout.traders]


def instrument_of(place: Place) -> Instrument:
    return Instrument(
        venue=place.wire.venue, symbol=place.symbol, price_precision=9, size_precision=8, tick_size_1e9=place.tick,
        lot_size_1e8=place.lot, min_qty_1e8=place.min_qty, min_notional_1e9=place.min_notional, status=place.status,
    )  # fmt: skip


__all__ = ["UNSET", "Layout", "random_layout"]
