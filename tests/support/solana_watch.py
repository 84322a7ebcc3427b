"""What a Solana session shows, judged at once by the states that the honest ledger had: nothing of ours follows it.

Four things hold for every pool and every moment. The ladder that stands is that of the pool's curve at the slot which
the session says it is of, as `chain_watch.amiss` judges ladders, and so is the guest's record. It is still so at the
slot of the newest read, which is no older than the plan allows. That slot is on the chain: one of a branch that the
followed node has left does not stand longer than a node behind an address may be late. And what the followed node told
of the pool after that slot was told a second ago at most.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from connectors.book import Level
from connectors.chain import ChainPlan
from connectors.events import BookLost, BookSnapshot
from connectors.pool import PoolAmm, PoolUpdate
from connectors.session import Output
from connectors.venues.solana.follow import BEHIND_NS, RETRY_NS, TRUTH_NS
from connectors.venues.solana.news import NEWS_NS
from connectors.venues.solana.session import TICK_NS, SolanaSession
from runtime.sim.solana.ledger import FINAL_LAG
from runtime.sim.solana.node import SLOT_NS
from tests.support.chain_watch import amiss
from tests.support.virtual import SECOND, STEP_NS

OLD_NS: Final = 2 * SECOND  # confirmations, the way, a tick
LEFT_NS: Final = TRUTH_NS + BEHIND_NS + RETRY_NS + 2 * TICK_NS + SECOND


class _Context(msgspec.Struct):
    slot: int


class _Result(msgspec.Struct):
    slot: int | None = None
    context: _Context | None = None


class _Params(msgspec.Struct):
    result: _Result
    subscription: int | str


class _Told(msgspec.Struct):
    """Of a notification, what says where it is from."""

    params: _Params


_decode: Final = msgspec.json.Decoder(_Told).decode


class Shown(msgspec.Struct, frozen=True):
    """A pool's book as it stands, with the slot that it was shown for."""

    bids: list[Level]
    asks: list[Level]
    slot: int


class Honest(Protocol):
    """The ledger's word: every pool's curve by slot and place in the plan, and when each slot was made."""

    plan: ChainPlan
    truths: dict[int, dict[int, Any]]
    made_ns: dict[int, int]
    chain: set[int]

    def slots_of(self, link: str) -> set[int]:
        """The slots that the node behind a link knows, a branch's included."""


class Watch:
    """`shown`: the pools' books now, by place in the plan. `check` False: what is shown is kept and not judged; `wrong`
    collects what an unjudged time has shown."""

    def __init__(self, session: SolanaSession, chain: Honest) -> None:
        self.session, self.chain = session, chain
        self.shown: dict[int, Shown] = {}
        self.chain_books: dict[int, BookSnapshot] = {}
        self.check = True
        self.wrong: list[str] = []
        self.compared = 0
        self.slots: list[tuple[int, int]] = []  # (place, slot) as shown
        self.lost_for: dict[int, str] = {}
        finality_ns = FINAL_LAG * SLOT_NS if chain.plan.commitment == "finalized" else 0
        self._old_ns = OLD_NS + chain.plan.stale_after_ns + finality_ns
        self._places = {index: place for place, index in session.display.markets.items()}
        self._told: dict[int, PoolAmm] = {}
        self._left: dict[int, int] = {}  # place → since when its slot is on no chain
        self._news: dict[int, dict[int, int]] = {}  # place → slots told of, and since when
        self._from = ""  # the link that told of them
        self._last = 0

    def hear(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case PoolUpdate(index, _, amm) if amm is not None:
                    self._told[self._places[index]] = amm
                    self._record(self._places[index], amm)
                case BookSnapshot(index, bids, asks) if index in self._places:
                    place = self._places[index]
                    self.shown[place] = Shown(bids, asks, self._told[place].last_block)
                    self.slots.append((place, self._told[place].last_block))
                    self.lost_for.pop(index, None)
                    self.compared += 1
                    self._judge(place, self._told[place].last_block)
                case BookSnapshot(index):
                    self.chain_books[index] = output
                case BookLost(index, reason):
                    self.shown.pop(self._places.get(index, -1), None)
                    self.chain_books.pop(index, None)
                    self.lost_for[index] = reason
                    if not reason:
                        self._found(f"market {index} is lost without a reason")

    def told(self, link: str, frame: bytes, now_ns: int) -> None:
        """A frame of a WebSocket, before the session has it."""
        follower = self.session.follower
        if follower.endpoint is None or link != follower.endpoint.link:
            return
        if self._from != link:
            self._from, self._last = link, 0
            self._news.clear()
        try:
            said = _decode(frame).params
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        slot, context = said.result.slot, said.result.context
        key = follower.subscriptions.key_of(said.subscription) if context is not None else None
        is_back = slot is not None and slot < self._last
        self._last = self._last if slot is None else slot
        at = slot if slot is not None else context.slot if context is not None else 0
        for place, pool in enumerate(follower.pools):
            news, is_its = self._news.setdefault(place, {}), key in pool.watched
            if is_its or is_back:
                for gone in [told for told in news if told > at]:
                    del news[gone]
            if is_its and at <= max(self.chain.made_ns):
                news.setdefault(at, now_ns)

    def at(self, now_ns: int) -> None:
        """A moment: what stands is of a slot that counts."""
        slots = self.session.display.at.slots
        for place, news in self._news.items():
            read = slots.get(place, 0)
            late = [told for told, since_ns in news.items() if told > read and now_ns - since_ns > NEWS_NS + STEP_NS]
            if late and place in self.shown:
                self._found(f"pool {place}: a book of slot {read} stands, told of slot {min(late)} long ago")
        for place, shown in self.shown.items():
            slot = slots.get(place, 0)
            made_ns = self.chain.made_ns.get(slot)
            if made_ns is None:
                self._found(f"pool {place} is said to be read at slot {slot}, which there is not")
                continue
            newer = [self.chain.made_ns[one] for one in self.chain.chain if one > slot]
            if newer and now_ns - min(newer) > self._old_ns:
                self._found(f"pool {place}: a book of slot {slot} stands, long after the next one")
            if now_ns - max(newer, default=made_ns) > self._old_ns:
                self._found(f"pool {place}: a book stands though the chain made no slot for so long")
            if self.chain.truths[slot].get(place) is not self.chain.truths.get(shown.slot, {}).get(place):
                self._judge(place, slot)
            self._on_the_chain(place, slot, now_ns)
        for place in [place for place in self._left if place not in self.shown]:
            del self._left[place]

    def _on_the_chain(self, place: int, slot: int, now_ns: int) -> None:
        followed = self.session.follower.endpoint
        known = self.chain.slots_of(followed.link) if followed is not None else set()
        if slot in self.chain.chain or slot in known:
            self._left.pop(place, None)
        elif now_ns - self._left.setdefault(place, now_ns) > LEFT_NS:
            self._found(f"pool {place}: slot {slot} was left {(now_ns - self._left[place]) / SECOND} s ago")

    def _judge(self, place: int, slot: int) -> None:
        truth, shown = self.chain.truths.get(slot, {}).get(place), self.shown[place]
        pool = self.chain.plan.pools[place]
        if truth is None:
            self._found(f"pool {place}: no such slot {slot}")
        elif found := amiss(pool, truth, shown.bids, shown.asks, ()):
            self._found(f"pool {place} at slot {slot}: {found}")

    def _record(self, place: int, amm: PoolAmm) -> None:
        """The guest's record of the curve, against the ledger's own."""
        truth = self.chain.truths.get(amm.last_block, {}).get(place)
        names = ("tick", "liquidity", "sqrt_price_x64")
        is_same = truth is not None and all(getattr(amm, name) == getattr(truth, name) for name in names)
        if truth is None or not is_same or amm.fee_ppm != truth.charged_ppm:
            self._found(f"pool {place} at slot {amm.last_block}: its record is not the curve")

    def _found(self, text: str) -> None:
        self.wrong.append(text)
        assert not self.check, text

    def amiss_now(self) -> list[str]:
        """What stands and is not of the slot it is said to be of."""
        before, self.wrong, check, self.check = self.wrong, [], self.check, False
        for place in self.shown:
            self._judge(place, self.session.display.at.slots.get(place, 0))
        found, self.wrong, self.check = self.wrong, before, check
        return found
