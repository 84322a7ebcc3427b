"""A session of ours at the node, with the sockets it has in life, and a judge of every book that it shows.

The node's accounts are written one by one, so between two of them a pool is half of what it was and half of what it
will be. The judge knows every such state in its order: a book must be exactly that of one of them, and never of one
before the one that was shown last; a pool that is not shown has a reason.
"""

import asyncio
import io
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from connectors.amm.curve import Curve
from connectors.amm.ladder import levels, measure
from connectors.book import Level
from connectors.chain import PoolKind, PoolPlan
from connectors.errors import PoolRefused, Unpublishable
from connectors.registry import load
from connectors.venues.solana.keys import CLOCK
from connectors.venues.solana.pools import state_of
from connectors.venues.solana.session import SolanaSession
from runtime.chain_plan import endpoints_of, plan_of
from runtime.config import load as load_config
from runtime.config import paper_limits
from runtime.deploy import Guests, spec_of, venue_spec
from runtime.inputs import Input
from runtime.live import Live
from runtime.screen import Screen
from runtime.session import Session
from runtime.sim.paper import Fees
from runtime.sim.solana.accounts import Stored
from tests.solana.surfnet_chain import SurfnetChain
from tests.solana.surfnet_node import Node
from tests.support.solana_made import MadePool, Read, read

NAME: Final = "dex_sol"
LIMIT_S: Final = 60.0
Sides = tuple[list[Level], list[Level]]


def live_session(
    node: Node, genesis: str, symbols: tuple[str, ...], folder: Path, screen: io.StringIO
) -> tuple[Live, tuple[PoolPlan, ...]]:
    """As `serve` makes it from a config file that names this node."""
    file = folder / "gateway.toml"
    file.write_text(
        f'[venues.{NAME}]\nurls = ["{node.http}"]\nws_urls = ["{node.ws}"]\ngenesis = "{genesis}"\ncalls_per_s = 100\n'
    )
    settings = load_config([file], default=False)
    plan, ids, instruments = plan_of(NAME, settings, symbols)
    venue = venue_spec(load(NAME), depth=20, depth_from="test", instruments=instruments, pools=ids, chain=plan)
    spec = spec_of([venue], symbols, Guests(), paper_limits(), fees=Fees(), tag="vgt")
    live = Live(spec, urls={NAME: endpoints_of(NAME, settings)}, screen=Screen(screen))
    return live, plan.pools


class Judged:
    """One pool: every state that the node's accounts of it were in, and which of them is shown."""

    def __init__(self, made: MadePool, market: int) -> None:
        self.made, self.market = made, market
        self.accounts: dict[str, Stored | None] = {}
        self.states: list[Curve | str] = []  # each curve, or why there is none
        self.at = 0  # the one that is shown, or was shown last
        self.written_ns = 0
        self.is_shown = False

    def wrote(self, key: str, account: Stored | None) -> None:
        """One account is about to be other than it was."""
        self.accounts[key] = account
        self.states.append(self._state())

    def _state(self) -> Curve | str:
        try:
            return state_of(self.made.plan, self._read())
        except PoolRefused as refused:
            return str(refused)

    def _read(self) -> Read:
        return read(self.made.plan, {**self.accounts, CLOCK: self.made.stored[CLOCK]})


class Follow:
    """The session while it runs. `until` waits for what a turn brings about; `failed` is the first wrong book."""

    def __init__(
        self, node: Node, genesis: str, symbols: tuple[str, ...], folder: Path, rules: Mapping[PoolKind, dict[str, Any]]
    ) -> None:
        self.screen = io.StringIO()
        self.live, plans = live_session(node, genesis, symbols, folder, self.screen)
        engine = self.live.session.engine
        port = engine.ports[NAME]
        assert isinstance(port.session, SolanaSession)
        self.session = port.session
        by_address = {plan.address_bytes: plan for plan in plans}
        self.pools = {
            by_address[pool.address].address: Judged(
                MadePool(by_address[pool.address], place, **rules.get(by_address[pool.address].kind, {})), market
            )
            for place, (market, pool) in enumerate(sorted(port.pools.items()))
        }
        self._by_market = {judged.market: judged for judged in self.pools.values()}
        self.done: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.late_ms: list[float] = []
        self.failed: AssertionError | None = None
        self.is_over = False
        self._turned = asyncio.Event()
        self.live.session.watchers.append(self._watch)

    async def write(self, chain: SurfnetChain, address: str, changes: Mapping[str, Stored | None]) -> None:
        """A pool's accounts, one after the other; the clock is the node's own."""
        for key, account in changes.items():
            if key != CLOCK:
                self.pools[address].wrote(key, account)
                await chain.write(key, account)
                self.pools[address].written_ns = time.monotonic_ns()

    async def settled(self, address: str) -> None:
        """Waits until a pool is shown as it is now, and notes how long that took from the last write on."""
        if not self.is_settled(address):
            await self.until(lambda: self.is_settled(address))
            self.late_ms.append((time.monotonic_ns() - self.pools[address].written_ns) / 1e6)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Raises AssertionError: a wrong book was shown, or it never came true."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                if self.failed is not None:
                    raise self.failed
                if holds():
                    return
                self._turned.clear()
                await self._turned.wait()

    def is_settled(self, address: str) -> bool:
        """Whether the pool is shown as it is now, or for the reason that it cannot be."""
        judged = self.pools[address]
        book, state = self.live.session.engine.books[judged.market], judged.states[-1]
        if isinstance(state, str):
            return not book.valid and state in book.reason
        return book.valid and (book.bids, book.asks) == self.ladder(judged, state)

    def ladder(self, judged: Judged, curve: Curve) -> Sides:
        """At the sizes that the session shows its symbol at."""
        plan = judged.made.plan
        pair = judged.made.pair(plan.base)
        bids, asks = levels(measure(curve, pair, self.session.display.shelf.grids[plan.symbol].sizes), pair)
        return bids[:20], asks[:20]

    def _watch(self, session: Session, _given: Input, _now_ns: int) -> None:
        self._turned.set()
        if self.is_over:
            return
        try:
            for market in session.engine.touched:
                if market in self._by_market:
                    self._judge(self._by_market[market], session)
            for judged in self._by_market.values():
                self._lost(judged, session)
        except AssertionError as error:
            self.failed = self.failed or error

    def _judge(self, judged: Judged, session: Session) -> None:
        """The book is that of the state shown last, or of one after it."""
        book = session.engine.books[judged.market]
        shown = [*book.bids], [*book.asks]
        for at in range(judged.at, len(judged.states)):
            state = judged.states[at]
            if not isinstance(state, str) and shown == self._sides(judged, state):
                self.done["books"] += 1
                self.done["of half a change"] += judged.states[-1] != state
                judged.at, judged.is_shown = at, True
                return
        raise AssertionError(
            f"{judged.made.plan.address}: the book is of no state that was: {shown[0][:2]} {shown[1][:2]}"
        )

    def _sides(self, judged: Judged, curve: Curve) -> Sides | None:
        try:
            return self.ladder(judged, curve)
        except Unpublishable:
            return None

    def _lost(self, judged: Judged, session: Session) -> None:
        book = session.engine.books[judged.market]
        if judged.is_shown and not book.valid:
            judged.is_shown = False
            assert book.reason
            self.reasons["".join(letter for letter in book.reason if not letter.isdigit())[:60]] += 1
