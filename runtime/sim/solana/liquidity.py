"""Liquidity and orders of the simulated pools: what comes to which ticks, and what it takes of both tokens.

Formulas: "Uniswap v3 Core" §6.2 with prices in X64; deposits round up, withdrawals down.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.amm.raydium import Raydium
from connectors.amm.ticks64 import Tick, Ticks
from connectors.amm.whirlpool import Whirlpool
from runtime.sim.solana.pools import Curve, Held, Position, Site

_WIDTHS: Final = (6_000, 2_000, 600, 150)  # ticks to each side, and an equal part of the money for each
_Q64: Final = 64


def opened(site: Site, sqrt_price_x64: int, money: tuple[int, int], now_s: int) -> Held:
    """A new pool at a price with nested positions, the widest over all prices. `money`: of each token, for all."""
    tick = site.table.tick_at(sqrt_price_x64)
    curve: Curve
    if site.is_raydium:
        curve = Raydium(
            sqrt_price_x64, tick, 0, site.fee_ppm, Ticks(site.spacing, {}), fee_on=site.fee_on,
            volatility=site.volatility, now_s=now_s,
        )  # fmt: skip
    else:
        curve = Whirlpool(sqrt_price_x64, tick, 0, site.fee_ppm, Ticks(site.spacing, {}))
    held, parts = Held(curve), len(_WIDTHS) + 1
    each = money[0] // parts, money[1] // parts
    held = provided(site, held, -site.last_tick, site.last_tick, each)
    for width in _WIDTHS:
        low, high = (tick - width) // site.spacing * site.spacing, (tick + width) // site.spacing * site.spacing
        held = provided(site, held, low, high + site.spacing, each)
    return held


def provided(site: Site, held: Held, low: int, high: int, money: tuple[int, int]) -> Held:
    """A new position between two ticks, as large as both amounts allow; the pool as it was if they allow none."""
    liquidity = _liquidity(site, held.curve.sqrt_price_x64, low, high, money)
    if liquidity <= 0:
        return held
    position = Position(low, high, liquidity)
    changed = _changed(site, held, position, liquidity)
    return msgspec.structs.replace(changed, positions=(*held.positions, position))


def withdrawn(site: Site, held: Held, place: int) -> Held:
    """Without one of its positions."""
    position = held.positions[place]
    changed = _changed(site, held, position, -position.liquidity)
    return msgspec.structs.replace(changed, positions=held.positions[:place] + held.positions[place + 1 :])


def ordered(site: Site, held: Held, tick: int, amount: int) -> Held:
    """A limit order of `amount` more on a tick: of token 0 above the price, of token 1 below it. Raydium's alone."""
    entry = held.curve.ticks.get(tick) or Tick(0, 0)
    changed = msgspec.structs.replace(entry, orders=entry.orders + amount)
    return _ticked(site, held, {tick: changed}, _sold(held, tick, amount))


def cancelled(site: Site, held: Held, tick: int) -> Held:
    """Without the orders on a tick that nobody has touched yet."""
    entry = held.curve.ticks.get(tick)
    if entry is None or not entry.orders:
        return held
    rest = msgspec.structs.replace(entry, orders=0)
    kept = rest if rest.gross or rest.part_filled else None
    return _ticked(site, held, {tick: kept}, _sold(held, tick, -entry.orders))


def _sold(held: Held, tick: int, amount: int) -> tuple[int, int]:
    return (amount, 0) if tick > held.curve.tick else (0, amount)


def swapped(held: Held, i: int, amount: int) -> Held:
    """After a swap of an exact amount of token i. Raises QuoteError where the program refuses it."""
    quote = held.curve.exact_in(i, 1 - i, amount)
    after = quote.after
    assert isinstance(after, Raydium | Whirlpool)  # noqa: S101 - a curve's `after` is of its own kind
    moved = [-quote.amount_out, -quote.amount_out]
    moved[i] = quote.amount_in
    amounts = held.amounts[0] + moved[0], held.amounts[1] + moved[1]
    return msgspec.structs.replace(held, curve=after, amounts=amounts)


def _changed(site: Site, held: Held, position: Position, delta: int) -> Held:
    curve, changes = held.curve, dict[int, Tick | None]()
    for tick, sign in ((position.low, 1), (position.high, -1)):
        entry = curve.ticks.get(tick) or Tick(0, 0)
        entry = msgspec.structs.replace(entry, net=entry.net + sign * delta, gross=entry.gross + delta)
        changes[tick] = entry if entry.gross or entry.orders or entry.part_filled else None
    if position.low <= curve.tick < position.high:
        curve = msgspec.structs.replace(curve, liquidity=curve.liquidity + delta)
    moved = _amounts(site, curve.sqrt_price_x64, position.low, position.high, delta)
    return _ticked(site, msgspec.structs.replace(held, curve=curve), changes, moved)


def _ticked(site: Site, held: Held, changes: dict[int, Tick | None], moved: Sequence[int]) -> Held:
    curve = msgspec.structs.replace(held.curve, ticks=held.curve.ticks.replaced(changes))
    arrays = held.arrays | {site.start(tick) for tick in changes}
    amounts = held.amounts[0] + moved[0], held.amounts[1] + moved[1]
    return msgspec.structs.replace(held, curve=curve, arrays=arrays, amounts=amounts)


def _liquidity(site: Site, price: int, low: int, high: int, money: tuple[int, int]) -> int:
    bottom, top = site.table.sqrt_at(low), site.table.sqrt_at(high)
    now = min(max(price, bottom), top)
    found = []
    if now < top:
        found.append((money[0] * now * top // (top - now)) >> _Q64)
    if now > bottom:
        found.append((money[1] << _Q64) // (now - bottom))
    return min(found)


def _amounts(site: Site, price: int, low: int, high: int, delta: int) -> tuple[int, int]:
    """What `delta` liquidity takes of each token; negative: gives. Rounded up, so a withdrawal gives less."""
    bottom, top = site.table.sqrt_at(low), site.table.sqrt_at(high)
    now = min(max(price, bottom), top)
    first = -(-(delta * (top - now) << _Q64) // (now * top))
    return first, -(-delta * (now - bottom) >> _Q64)
