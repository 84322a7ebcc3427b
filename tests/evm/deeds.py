"""What was done to pools and what their logs said: swaps and positions, recorded, to be followed by our maths."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from web3.types import TxReceipt

from connectors.amm.curve import QuoteError
from connectors.amm.tickmath import sqrt_at
from tests.evm.abi import Erc20, Positions, V2Pair, V3Pool
from tests.evm.cases import BEYOND, State, curve_of, quote_of
from tests.evm.driver import Driver, Pool, Position
from tests.evm.scenes import Scene, V3State, read_v2, read_v3
from tests.support.amm_pools import OURS, Maths

SWAPS: Final = 9  # in each pool; in a pair twice as many


@dataclass(frozen=True)
class Swap:
    """One swap as it was sent. `said`: V3's amounts (in, out), √price, liquidity and tick; V2's amounts and reserves;
    None: it failed."""

    down: bool
    is_out: bool
    amount: int
    said: tuple[int, ...] | None


@dataclass(frozen=True)
class Change:
    """Liquidity that came, or went."""

    lower: int
    upper: int
    delta: int


@dataclass(frozen=True)
class Story:
    """One pool, from a state to another one, both read from the chain."""

    label: str
    pool: Pool
    before: State
    deeds: tuple[Swap | Change, ...]
    after: State


def v3_stories(driver: Driver, scenes: Sequence[Scene], rng: random.Random) -> list[Story]:
    """Swaps of all sizes, and positions that end at the price, start at it, come and go; one of each pool a block."""
    befores = [read_v3(driver, scene.pool) for scene in scenes]
    deeds: list[list[Swap | Change]] = [[] for _ in scenes]
    for scene in scenes:
        for token in (scene.pool.token0, scene.pool.token1):
            driver.approve(token, driver.at.swap_router)
            driver.approve(token, driver.at.positions)
    for turn in range(SWAPS):
        if turn in (1, 4):
            _positions(driver, scenes, deeds, and_back=turn == 4)
        orders = [_order(driver, scene.pool, rng, is_last=turn == SWAPS - 1) for scene in scenes]
        with driver.one_block() as receipts:
            for scene, (down, is_out, amount) in zip(scenes, orders, strict=True):
                send = driver.swap_exact_out if is_out else driver.swap_exact_in
                send(scene.pool, amount, zero_for_one=down)
        for scene, order, receipt, done in zip(scenes, orders, receipts, deeds, strict=True):
            done.append(_swapped(driver, scene.pool, *order, receipt))
    return [
        Story(scene.label, scene.pool, before, tuple(done), read_v3(driver, scene.pool, around=before.tick))
        for scene, before, done in zip(scenes, befores, deeds, strict=True)
    ]


def _order(driver: Driver, pool: Pool, rng: random.Random, *, is_last: bool) -> tuple[bool, bool, int]:
    """(down, exact-out, amount): parts of what the pool holds; at last more than it can take."""
    down, is_out = rng.random() < 0.5, rng.random() < 0.4 and not is_last
    token = pool.token0 if down != is_out else pool.token1
    (held,) = driver.call(token.address, Erc20.balance_of, pool.address)
    part = max(held * rng.randrange(1, 10**4) // 10 ** rng.randrange(4, 8), 1)
    return down, is_out, BEYOND if is_last else part


def _positions(
    driver: Driver, scenes: Sequence[Scene], deeds: Sequence[list[Swap | Change]], *, and_back: bool
) -> None:
    """In each pool a position up to the price and one from it; with `and_back` the first goes again, whole."""
    made: list[tuple[Pool, list[Swap | Change], int, int]] = []
    with driver.one_block() as minted:
        for scene, done in zip(scenes, deeds, strict=True):
            pool = scene.pool
            (_, tick, *_) = driver.call(pool.address, V3Pool.slot0)
            here, away = tick // pool.spacing * pool.spacing, 3 * pool.spacing
            if abs(here) < 500_000:  # near the ends a position of this size costs less than one unit
                for lower, upper in ((here - away, here), (here, here + away)):
                    driver.mint(pool, lower, upper, 10**12 + 7)
                    made.append((pool, done, lower, upper))
    leaving = []
    for place, ((pool, done, lower, upper), receipt) in enumerate(zip(made, minted, strict=True)):
        ((token_id, liquidity, _, _),) = Positions.increased.of(receipt["logs"], driver.at.positions)
        done.append(Change(lower, upper, liquidity))
        if and_back and place % 2 == 0:
            leaving.append((done, Position(token_id, pool, lower, upper, liquidity)))
    with driver.one_block() as burned:
        for _, position in leaving:
            driver.burn(position, position.liquidity)
    for (done, position), receipt in zip(leaving, burned[::2], strict=True):  # each is followed by its collect
        ((_, lower, upper, amount, _, _),) = V3Pool.burned.of(receipt["logs"], position.pool.address)
        done.append(Change(lower, upper, -amount))


def _swapped(driver: Driver, pool: Pool, down: bool, is_out: bool, amount: int, receipt: TxReceipt) -> Swap:
    """What the log says of a swap that is the pool's newest, with slot0 beside it."""
    if receipt["status"] == 0:
        return Swap(down, is_out, amount, None)
    ((_, _, amount0, amount1, *state),) = V3Pool.swapped.of(receipt["logs"], pool.address)
    assert list(driver.call(pool.address, V3Pool.slot0)[:2]) == [state[0], state[2]]
    amounts = (amount0, -amount1) if down else (amount1, -amount0)
    return Swap(down, is_out, amount, (*amounts, *state))


def v2_stories(driver: Driver, scenes: Sequence[Scene], rng: random.Random) -> list[Story]:
    """Swaps up to most of a pair, and beyond what it can hold; a block holds one of each pair."""
    befores = [read_v2(driver, scene.pool) for scene in scenes]
    deeds: list[list[Swap | Change]] = [[] for _ in scenes]
    for scene in scenes:
        for token in (scene.pool.token0, scene.pool.token1):
            driver.approve(token, driver.at.v2_router)
    for _ in range(2 * SWAPS):
        orders = []
        for scene in scenes:
            down, is_out = rng.random() < 0.5, rng.random() < 0.4
            there, here = read_v2(driver, scene.pool)[:: 1 if down else -1]
            part = rng.randrange(1, max(here * 2 // 3, 2)) if is_out else rng.randrange(1, 3 * there)
            orders.append((down, is_out, part))
        with driver.one_block() as receipts:
            for scene, (down, is_out, amount) in zip(scenes, orders, strict=True):
                driver.swap(scene.pool, amount, zero_for_one=down, is_out=is_out)
        for scene, order, receipt, done in zip(scenes, orders, receipts, deeds, strict=True):
            done.append(_traded(driver, scene.pool, *order, receipt))
    return [
        Story(scene.label, scene.pool, before, tuple(done), read_v2(driver, scene.pool))
        for scene, before, done in zip(scenes, befores, deeds, strict=True)
    ]


def _traded(driver: Driver, pair: Pool, down: bool, is_out: bool, amount: int, receipt: TxReceipt) -> Swap:
    if receipt["status"] == 0:
        return Swap(down, is_out, amount, None)
    ((_, in0, in1, out0, out1, _),) = V2Pair.swapped.of(receipt["logs"], pair.address)
    (synced,) = V2Pair.synced.of(receipt["logs"], pair.address)
    assert read_v2(driver, pair) == synced
    assert (in1, out0) == (0, 0) if down else (in0, out1) == (0, 0)
    return Swap(down, is_out, amount, (in0 + in1, out0 + out1, *synced))


def landing_story(driver: Driver, scene: Scene) -> Story:
    """Swaps that end on a tick's price without having aimed at it: on a tick that is no stop; by rounding, on a stop.

    Only in a pool that is `brimful`, where many amounts lead to one price. The amounts follow from the formulas of the
    paper's §6.2.3; that they land is asserted by what the chain says.
    """
    pool, deeds = scene.pool, list[Swap | Change]()
    before = read_v3(driver, pool)
    for tick, is_out in ((50, False), (20, False), (0, True), (200, True)):
        (now, *_), (liquidity,) = driver.call(pool.address, V3Pool.slot0), driver.call(pool.address, V3Pool.liquidity)
        goal = sqrt_at(tick)
        down = goal < now
        of_zero = liquidity * 2**96 * abs(goal - now), goal * now
        of_one = liquidity * abs(goal - now), 2**96
        above, below = of_zero if down != is_out else of_one
        with_fee = -(above // -below) * 10**6 // (10**6 - pool.fee_ppm) + 1
        amount = above // below - 3 if is_out else with_fee  # 3 short of the stop: so little that rounding makes it up
        send = driver.swap_exact_out if is_out else driver.swap_exact_in
        receipt = send(pool, amount, zero_for_one=down)
        assert receipt is not None
        deeds.append(_swapped(driver, pool, down, is_out, amount, receipt))
        assert driver.call(pool.address, V3Pool.slot0)[0] == goal, f"tick {tick} is missed"
    return Story(scene.label, pool, before, tuple(deeds), read_v3(driver, pool))


def _told(pool: Pool, curve: Any, deed: Swap) -> tuple[tuple[int, ...] | None, Any]:
    """What a curve says of a swap, and the curve after it."""
    quote = quote_of(curve, deed.amount, down=deed.down, is_out=deed.is_out)
    if quote is None or (not quote.amount_out and not pool.spacing):  # a pair refuses to pay nothing
        return None, curve
    after: Any = quote.after
    state = (after.sqrt_price_x96, after.liquidity, after.tick) if pool.spacing else after.reserves
    return (quote.amount_in, quote.amount_out, *state), after


def departures(stories: Sequence[Story], maths: Maths = OURS) -> Iterator[str]:
    """Where the maths, each time from its own state after the last deed, says something else than the chain did."""
    for story in stories:
        curve = curve_of(story.pool, story.before, maths)
        for place, deed in enumerate(story.deeds):
            if isinstance(deed, Change):
                change = curve.minted if deed.delta > 0 else curve.burned
                try:
                    curve = change(deed.lower, deed.upper, abs(deed.delta))
                except QuoteError as error:
                    yield f"{story.label}, deed {place}: {error}"
                    break
                continue
            ours, curve = _told(story.pool, curve, deed)
            if ours != deed.said:
                yield f"{story.label}, deed {place} {deed}: the maths says {ours}"
                break
        else:
            if isinstance(story.after, V3State) and curve.ticks.entries() != story.after.ticks:
                yield f"{story.label}: other ticks at the end"
