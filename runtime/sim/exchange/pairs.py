"""Pairs of the usual coins in a venue's own steps, and whom a market of them follows. Pure; units as in `market.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runtime.sim.market import DEFAULT_PAIRS, MAX_LEVELS, TEMPERS, Leader, Market, SimPair


def spot_pairs(
    quote: str, steps: Mapping[str, tuple[int, int]], *, cost_min: str = "5", qty_min: Mapping[str, int] | None = None
) -> tuple[SimPair, ...]:
    """Pairs of BTC, ETH, SOL, DOGE against a currency worth a dollar, near the prices of `DEFAULT_PAIRS`.

    `steps`: base → decimals of its price and of its quantity; tick and lot are one of the last. `cost_min`: a whole
    number of the quote. `qty_min`: base → lots, one where it is not named.
    """
    found = []
    for base, (price_precision, qty_precision) in steps.items():
        was_precision, was_price, was_qty, _, was_gap = TEMPERS[base]
        start = was_price * 10**price_precision // 10**was_precision
        typical = max(64, was_qty * 10**qty_precision // 10**8)
        gap = min(max(1, was_gap * 10**price_precision // 10**was_precision), start // (4 * MAX_LEVELS))
        least = (qty_min or {}).get(base, 1)
        found.append(
            SimPair(
                symbol=f"{base}/{quote}",
                base=base,
                quote=quote,
                price_precision=price_precision,
                qty_precision=qty_precision,
                start_price=start,
                typical_qty=typical,
                qty_min=least,
                level_gap=gap,
                cost_min=int(cost_min) * 10**8,
                cost_precision=8,
                round_qty=max(1, typical // 6_000),
            )
        )
    return tuple(found)


def follow(market: Market) -> Leader:
    """The mids of a market, by base: its BTC/USD leads BTC/USDT elsewhere."""
    leading = {pair.base: pair for pair in market.pairs[::-1]}

    def mid(symbol: str) -> int | None:
        pair = leading.get(symbol.partition("/")[0])
        if pair is None:
            return None
        book = market.book(pair.symbol)
        return (book.bids.price(0) + book.asks.price(0)) * int(10 ** (9 - pair.price_precision)) // 2

    return mid


def usdt_beside_usd(pairs: Sequence[SimPair] = DEFAULT_PAIRS, seed: int = 0) -> Market:
    """A market of these pairs, and the same against USDT, which follow them."""
    leading = {pair.base: pair for pair in pairs}
    steps = {pair.base: (pair.price_precision, pair.qty_precision) for pair in pairs}
    added = spot_pairs("USDT", steps, qty_min={base: pair.qty_min for base, pair in leading.items()})

    def mid(symbol: str) -> int | None:
        return found(symbol)

    market = Market((*pairs, *added), seed, leader=mid, followers=[pair.symbol for pair in added])
    found = follow(market)
    return market
