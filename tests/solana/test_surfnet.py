"""Show 4: a real node, offline, driven by solana-py; our session follows it through its own sockets.

Opt-in: `VENUEGATE_SURFNET=1 uv run pytest tests/solana/test_surfnet.py`; VENUEGATE_SURFNET_DEEDS=400 for longer.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final

import msgspec
import pytest

from connectors.chain import PoolKind
from connectors.venues.solana.keys import CLOCK
from connectors.venues.solana.pools import state_of, wanted
from runtime.sim.solana import keys
from runtime.sim.solana.accounts import Stored
from runtime.sim.solana.pools import by_array
from tests.solana.surfnet_chain import SurfnetChain, agrees
from tests.solana.surfnet_follow import Follow
from tests.solana.surfnet_node import Node, binary, surfnet
from tests.support.solana_made import MadePool

DEEDS: Final = int(os.environ.get("VENUEGATE_SURFNET_DEEDS", "60"))
SYMBOLS: Final = ("SOL/USD", "ETH/USD")
# without a fee that follows time, for the node's clock is its own
RULES: Final[dict[PoolKind, dict[str, Any]]] = {PoolKind.RAYDIUM_CLMM: {"volatility": None, "fee_on": 1}}
ELSEWHERE: Final = "ComputeBudget111111111111111111111111111111"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3_900)]


async def shown(follow: Follow, chain: SurfnetChain, address: str) -> None:
    """The book is that of the pool's accounts as solana-py reads them, which are those that were written."""
    await follow.settled(address)
    judged = follow.pools[address]
    found: dict[str, Any] = {}
    while missing := [key for key in wanted(address, found) if key not in found]:
        _, held = await chain.held(missing)
        found |= held
    assert agrees({key: account for key, account in found.items() if key != CLOCK}, judged.accounts)
    book = follow.live.session.engine.books[judged.market]
    assert ([*book.bids], [*book.asks]) == follow.ladder(judged, state_of(judged.made.plan, found))
    assert book.bids and book.asks
    follow.done["compared"] += 1


def deed(made: MadePool, rng: Random) -> tuple[str, Callable[[], object]]:
    """What somebody does, and its name."""
    dice = rng.randrange(12)
    if dice < 4:
        return "small swap", lambda: made.trade(rng.choice((40, 300, 2_500)), rng.randrange(2))
    if dice < 7:
        return "swap over arrays", lambda: made.trade(rng.choice((400_000, 1_500_000)), rng.randrange(2))
    if dice < 9:
        return "provide", made.provide
    if dice < 11 or not made.site.is_raydium:
        return "withdraw", made.withdraw
    return "order", lambda: made.order(rng.choice((-9, -4, 5, 12)), 4_000)


async def stir(follow: Follow, chain: SurfnetChain, deeds: int) -> None:
    """Deed after deed, at a pool or at several at once; after each what is shown is compared."""
    rng, addresses = Random(4), list(follow.pools)
    for turn in range(deeds):
        chosen = rng.sample(addresses, 3 if turn % 5 == 4 else 1)
        for address in chosen:
            made = follow.pools[address].made
            before = made.site.start(made.curve.tick)
            name, act = deed(made, rng)
            await follow.write(chain, address, made.settle(act))
            follow.done[name] += 1
            follow.done["array crossed"] += made.site.start(made.curve.tick) != before
        for address in chosen:
            await shown(follow, chain, address)


async def spoil(follow: Follow, chain: SurfnetChain, address: str) -> None:
    """Accounts that are not what they were: the book goes with the reason, and comes back with the account."""
    judged = follow.pools[address]
    made = judged.made
    pool = judged.accounts[address]
    assert pool is not None
    array = _array_key(made)
    whole = judged.accounts[array]
    assert whole is not None
    cases: list[tuple[str, str, Stored | None]] = [
        ("another owner", address, msgspec.structs.replace(pool, owner=ELSEWHERE)),
        ("pool cut short", address, msgspec.structs.replace(pool, data=pool.data[:-8])),
        ("array of another owner", array, msgspec.structs.replace(whole, owner=ELSEWHERE)),
        ("array cut short", array, msgspec.structs.replace(whole, data=whole.data[:-1])),
        ("array of another pool", array, msgspec.structs.replace(whole, data=_foreign(whole, made))),
        ("pool closed", address, None),
        ("array closed", array, None),
    ]
    if made.site.is_raydium:
        cases.append(("swaps switched off", address, msgspec.structs.replace(pool, data=_switched_off(pool))))
    for name, key, account in cases:
        await follow.write(chain, address, {key: account})
        # to Orca's program an array that is not there holds no ticks: what is left may be a pool
        assert isinstance(judged.states[-1], str) or (name == "array closed" and not made.site.is_raydium), name
        await follow.settled(address)
        await follow.write(chain, address, {key: pool if key == address else whole})
        await shown(follow, chain, address)
        follow.done["spoilt"] += 1


def _array_key(made: MadePool) -> str:
    """Of the array with ticks that is nearest to the price."""
    here = made.site.start(made.curve.tick)
    start = min(by_array(made.site, made.held), key=lambda start: abs(start - here))
    return (keys.raydium_array if made.site.is_raydium else keys.orca_array)(made.plan.address, start)


def _foreign(array: Stored, made: MadePool) -> bytes:
    """The array says that it is of another pool."""
    at = array.data.index(made.plan.address_bytes)
    return array.data[:at] + bytes(31) + b"\1" + array.data[at + 32 :]


def _switched_off(pool: Stored) -> bytes:
    return pool.data[:389] + bytes([1 << 4]) + pool.data[390:]


async def play(node: Node, folder: Path) -> Follow:
    async with SurfnetChain(node) as chain:
        follow = Follow(node, await chain.genesis(), SYMBOLS, folder, RULES)
        for address, judged in follow.pools.items():
            await follow.write(chain, address, judged.made.stored)
            await chain.listen_to(address)
        running = asyncio.create_task(follow.live.run(None))
        try:
            for address in follow.pools:
                await shown(follow, chain, address)
            await stir(follow, chain, DEEDS)
            for kind in (PoolKind.RAYDIUM_CLMM, PoolKind.ORCA_WHIRLPOOL):
                address = next(key for key, judged in follow.pools.items() if judged.made.plan.kind is kind)
                await spoil(follow, chain, address)
        finally:
            follow.is_over = True
            follow.live.stop()
            await running
        assert follow.failed is None
        assert follow.live.outcome == ""
        for address, judged in follow.pools.items():
            last = judged.accounts[address]
            assert last is not None
            if chain.heard[address]:
                await chain.hears(address, last.data)
        follow.done["solana-py heard"] = sum(map(len, chain.heard.values()))
        follow.done["writes"] = chain.writes
        return follow


def test_the_books_follow_a_real_node(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binary()
    with surfnet() as node:
        follow = asyncio.run(play(node, tmp_path))
    done = follow.done
    assert done["compared"] >= DEEDS + len(follow.pools)
    assert done["array crossed"] >= DEEDS // 20
    assert done["spoilt"] >= 12
    assert done["solana-py heard"] >= DEEDS
    assert not follow.reasons["link down"]
    late, session = sorted(follow.late_ms), follow.session
    said = (f"surfnet: {dict(done)}; {session.follower.reads} reads; a change is shown {median(late):.0f} ms after its "
            f"last write, {late[len(late) * 95 // 100]:.0f} in 95 of 100; lost for {dict(follow.reasons)}")  # fmt: skip
    with capsys.disabled():
        print(f"\n    {said}", end="")
