"""`MarketSession` of Solana: several endpoints, one of which is followed.

An endpoint has two links: its WebSocket tells of slots and accounts, its HTTP calls answer. One endpoint is followed at
a time, the first usable of the plan's order that has failed least. A pool's book is shown only while all of this holds;
as soon as it does not, it is lost with the reason:

* it was made of one answer of one slot (`pooled.py`), which nothing that was told contradicts (`follow.py`);
* it was read within `stale_after`, and the endpoint has told of a new slot within that time;
* no other endpoint is further ahead than that, and the chain's own clock is not far from ours, nor further than it was.

An endpoint that fails is left for the next, or tried again after 1, 2, 4 … 30 s where there is none. A switch begins
from nothing: nothing is carried over from one node's word to another's. The word of one that failed counts
against others only where its reads bear it out.
"""

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Final

import msgspec

from connectors.chain import ChainPlan
from connectors.errors import ConfigError, WireError
from connectors.events import Notice
from connectors.onchain.asker import SECOND, UNANSWERED
from connectors.onchain.jsonrpc import Message, message_of, text_of
from connectors.onchain.report import Report
from connectors.onchain.states import State
from connectors.session import PUBLIC, Output, Reconnect, SessionPlan, WakeAt
from connectors.venues.solana.clock import Clock
from connectors.venues.solana.display import Display
from connectors.venues.solana.endpoint import Endpoint
from connectors.venues.solana.follow import FINALITY_SLOTS, Follower
from connectors.venues.solana.notices import Notices
from connectors.venues.solana.report import report
from connectors.venues.solana.rpc import account_told, slot_of, slot_told
from connectors.venues.solana.subscriptions import id_of

TICK_NS: Final = SECOND // 4
POLL_NS: Final = SECOND  # an endpoint that tells of no slot for so long is asked
SILENT_NS: Final = 15 * SECOND  # something is due, and nothing comes: the link is dead
HELD_NS: Final = 60 * SECOND  # for so long nobody may be far behind what was shown; then the chain itself was
STUCK_NS: Final = 60 * SECOND  # behind the address there may be a better node
BACKOFF_MAX_NS: Final = 30 * SECOND
# The chain's clock is the stake-weighted median of what voters say, and may drift from the time of day by a quarter of
# the epoch's length before it is bounded (agave, stake_weighted_timestamp.rs); it is a few seconds off as a rule. It is
# here to find a node that replays an old ledger at full speed, whose slots rise as they should: half a minute tells.
CLOCK_NS: Final = 30 * SECOND
# And a later answer of the same node may be behind by so much more, besides `stale_after`: whole seconds, small steps.
STEP_NS: Final = 5 * SECOND
UNHEARD: Final = "no slot yet"
_SHORT: Final = 80


class SolanaSession:
    """What `connectors.session.MarketSession` says. `report` is for people and tests."""

    def __init__(self, plan: SessionPlan) -> None:
        if plan.chain is None:
            mend = "give the venue its pools: docs/dex.md"
            raise ConfigError("no chain is described", place="a venue on a chain", mend=mend)
        if plan.chain.quorum > 1:
            problem = "slots of several endpoints are never the same at one time: there is no quorum on Solana"
            raise ConfigError(problem, place="venue dex_sol: quorum", mend="leave it out, or set it to 1")
        self.plan: ChainPlan = plan.chain
        self._out: list[Output] = []
        numbers = count(1)
        self.endpoints = [
            Endpoint(link, self.plan.calls_per_s, self.plan.block_time_ns, self._out, numbers)
            for link in self.plan.links
        ]
        self._by_link = {endpoint.link: endpoint for endpoint in self.endpoints}
        self._by_calls = {endpoint.calls_link: endpoint for endpoint in self.endpoints}
        self._notices = Notices(self._out)
        self._tell = self._notices.tell
        self.display = Display(plan, self.plan, self._out, self._tell)
        self.follower = Follower(self.plan, self)
        final = FINALITY_SLOTS if self.plan.commitment == "finalized" else 0
        self._late = self.follower.stale_slots + final  # slots that a read may be behind what is told
        self._step_ns = self.plan.stale_after_ns + STEP_NS + final * self.plan.block_time_ns
        self.lost = UNHEARD  # why nothing is shown; empty while anything may be
        self._blamed = ""  # an endpoint's answer for its chain, where that is why
        self._shown = 0, -HELD_NS  # the newest read's slot, and when it was shown
        self._retry_ns = 0
        self._wake_ns = 0

    # --- MarketSession ---------------------------------------------------------------------------------------------

    def open(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        endpoint = self._by_link.get(link)
        if endpoint is not None:
            if endpoint is self.follower.endpoint:
                self._down(endpoint, now_ns)
            endpoint.turned(now_ns, is_up=True)
            if self.lost:
                self._lose(self.lost)

            def known(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
                self._identified(endpoint, result, why_not, now_ns)

            endpoint.call("getGenesisHash", [], known, now_ns)
        return self._taken(now_ns)

    def close(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        endpoint = self._by_link.get(link)
        if endpoint is not None:
            self._down(endpoint, now_ns)
        return self._taken(now_ns)

    def receive(self, frame: bytes, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        endpoint = self._by_link.get(link) or self._by_calls.get(link)
        if endpoint is None or not endpoint.is_up:
            return []
        try:
            if link == endpoint.calls_link:
                endpoint.called(frame, now_ns)
            else:
                endpoint.frame_ns = now_ns
                self._heard(endpoint, message_of(frame), now_ns)
        except WireError as error:
            self._tell(f"{link}: {error}")
            if endpoint is self.follower.endpoint:
                self.on_failed(f"a frame that cannot be read: {error}", now_ns)
        return self._taken(now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        self._notices.tick(now_ns)
        for endpoint in self.endpoints:
            endpoint.tick(now_ns)
            if endpoint.is_to_be_asked_anew(now_ns):
                self._out.append(Reconnect(endpoint.link, endpoint.foreign))
                self._down(endpoint, now_ns)
            elif endpoint.is_up and endpoint.is_awaited and now_ns - endpoint.frame_ns > SILENT_NS:
                self._redial(endpoint, f"no frame for {SILENT_NS // SECOND} s", now_ns)
            elif endpoint.is_ready and now_ns - endpoint.slot_ns > STUCK_NS:
                self._redial(endpoint, f"no new slot for {STUCK_NS // SECOND} s", now_ns)
            elif endpoint.is_ready and now_ns - max(endpoint.slot_ns, endpoint.polled_ns) >= POLL_NS:
                self._poll(endpoint, now_ns)
        if self.follower.endpoint is None:
            self._elect(now_ns)
        else:
            self._watch(self.follower.endpoint, now_ns)
        return self._taken(now_ns)

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        """The engine could not take a book that was shown: a pool's is shown again when it was read again, the chain's
        own with the next tick."""
        place = self.display.place_of(instrument)
        if place is None:
            self.display.withdraw(instrument, reason)
        else:
            self.display.drop([place], reason, now_ns)
        self._tell(f"market {instrument}: {reason}")
        return self._taken(now_ns)

    def report(self) -> Report:
        """Where it stands now: `connectors.onchain.report.Reporting`."""
        return report(self)

    # --- endpoints -------------------------------------------------------------------------------------------------

    def _heard(self, endpoint: Endpoint, message: Message, now_ns: int) -> None:
        """A frame of the WebSocket."""
        if message.params is None:
            endpoint.answered(message, now_ns)
        elif message.method == "slotNotification" and message.params.subscription == endpoint.slots:
            slot = slot_told(message.params.result)
            if endpoint.saw(slot, now_ns) and endpoint is self.follower.endpoint:
                self.follower.went_back(slot, now_ns)
            self._elect(now_ns)
        elif message.method == "accountNotification" and endpoint is self.follower.endpoint:
            slot, account = account_told(message.params.result)
            self.follower.heard(message.params.subscription, slot, account, now_ns)

    def _identified(self, endpoint: Endpoint, result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
        """Another chain than the plan's is never read."""
        if not endpoint.is_up:
            return
        if result is None:
            reason = f"does not say which chain it is: {why_not}"
            self._blame(endpoint, reason)
            self._redial(endpoint, reason, now_ns)
            return
        if reason := _foreign(result, self.plan.genesis):
            if endpoint.is_news_that_foreign(reason, now_ns):
                self._out.append(Notice("error", f"{endpoint.link}: {reason}"))
            self._blame(endpoint, reason)
            return
        endpoint.identified()
        if self._blamed and self.lost == self._blamed:
            self._lose(UNHEARD)
        self._subscribe(endpoint, now_ns)
        self._poll(endpoint, now_ns)

    def _blame(self, endpoint: Endpoint, reason: str) -> None:
        """Why nothing is shown, where there is no other endpoint that may be."""
        if not any(other.is_ready for other in self.endpoints):
            self._blamed = f"{endpoint.link}: {reason}"
            self._lose(self._blamed)

    def _subscribe(self, endpoint: Endpoint, now_ns: int) -> None:
        def subscribed(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            if result is not None:
                endpoint.slots = id_of(result)
            elif UNANSWERED in why_not:
                self._redial(endpoint, why_not, now_ns)
            else:
                self._tell(f"{endpoint.link} tells of no slots ({why_not}): it is polled")

        endpoint.ask("slotSubscribe", [], subscribed, now_ns)

    def _poll(self, endpoint: Endpoint, now_ns: int) -> None:
        if endpoint.is_polling:
            return
        endpoint.polled_ns, endpoint.is_polling = now_ns, True

        def got(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            endpoint.is_polling = False
            if result is None:
                self._tell(f"{endpoint.link}: its slot cannot be had: {why_not}")
            else:
                endpoint.saw(slot_of(result), now_ns, is_polled=True)
                self._elect(now_ns)

        endpoint.call("getSlot", [{"commitment": "processed"}], got, now_ns)

    def _redial(self, endpoint: Endpoint, reason: str, now_ns: int) -> None:
        """What was not answered may be answered on a new connection; how soon that is made, net.py decides."""
        if endpoint.is_up:
            self._tell(f"{endpoint.link}: {reason}")
            self._out.append(Reconnect(endpoint.link, reason))
            self._down(endpoint, now_ns)

    def _down(self, endpoint: Endpoint, now_ns: int) -> None:
        if endpoint is self.follower.endpoint:
            self.follower.stop()
            self._lose("link down")
        endpoint.turned(now_ns, is_up=False)
        self._elect(now_ns)

    def _usable(self, now_ns: int) -> list[Endpoint]:
        """Endpoints of the right chain whose slots rise."""
        stale_ns = self.plan.stale_after_ns
        return [
            endpoint for endpoint in self.endpoints
            if endpoint.is_up and endpoint.is_ready and endpoint.highest and now_ns - endpoint.slot_ns <= stale_ns
            and endpoint.highest - endpoint.slot <= self.follower.stale_slots
        ]  # fmt: skip

    def _elect(self, now_ns: int) -> None:
        """Follows an endpoint if none is followed and one may be."""
        fit = self._usable(now_ns)
        if self.follower.endpoint is not None or not fit:
            return
        usable = [endpoint for endpoint in fit if not self._is_before_shown(endpoint, now_ns)]
        if not usable:
            self._lose("every endpoint is behind what was shown")
            return
        newest = max((endpoint.slot for endpoint in usable if endpoint.is_heard(self._late)), default=0)
        near = [endpoint for endpoint in usable if newest - endpoint.slot <= self.follower.stale_slots]
        chosen = min(near, key=lambda endpoint: (not endpoint.is_heard(self._late), endpoint.failures))
        if chosen.failures and now_ns < self._retry_ns:
            return
        self.display.restart()
        self.follower.start(chosen, now_ns)

    def _is_before_shown(self, endpoint: Endpoint, now_ns: int) -> bool:
        """Whether it is far behind what was shown last; slots are skipped, so time counts nine tenths."""
        slot, shown_ns = self._shown
        passed_ns = now_ns - shown_ns
        expected = slot + passed_ns * 9 // (10 * self.plan.block_time_ns) - self._late
        return passed_ns <= HELD_NS and endpoint.slot < expected

    def _watch(self, followed: Endpoint, now_ns: int) -> None:
        """Time passes: a chain that stands still is not a market, and a node that is late is not the chain."""
        silent_ns = now_ns - followed.slot_ns
        if silent_ns > self.plan.stale_after_ns:
            self.on_failed(f"no new slot for {silent_ns // SECOND} s", now_ns)
            return
        if followed.highest - followed.slot > self.follower.stale_slots:
            self.on_failed(f"fell back to slot {followed.slot} from {followed.highest}", now_ns)
            return
        if behind := self._behind(followed, now_ns):
            self.on_failed(behind, now_ns)
            return
        self.follower.tick(now_ns)
        if self.follower.endpoint is followed and not self.lost:
            self.display.tick(followed, now_ns)

    def _behind(self, followed: Endpoint, now_ns: int) -> str:
        """'' or which endpoint is too far ahead of the one that is followed."""
        for other in self._usable(now_ns):
            if other.is_heard(self._late) and other.slot - followed.slot > self.follower.stale_slots:
                return f"behind: it is at slot {followed.slot}, {other.link} at {other.slot}"
        return ""

    # --- Watcher of the follower -----------------------------------------------------------------------------------

    def on_read(self, slot: int, states: Mapping[int, State], clock: Clock, now_ns: int) -> None:
        followed = self.follower.endpoint
        if followed is None:
            return
        if problem := self._clock_problem(followed, slot, clock, now_ns) or self._behind(followed, now_ns):
            self.on_failed(problem, now_ns)
            return
        followed.failures, followed.proved = 0, slot
        self._shown = slot, now_ns
        if self.lost:
            self.lost = self._blamed = ""
            self._notices.forget()
            self._out.append(Notice("info", f"{followed.link}: books of slot {slot}"))
        self.display.show_read(slot, states, now_ns)
        self.display.ask_fees(followed, now_ns)

    def _clock_problem(self, followed: Endpoint, slot: int, clock: Clock, now_ns: int) -> str:
        """'' or why the chain's clock says that a read is not of now."""
        off_ns = now_ns - clock.unix_timestamp * SECOND
        grown_ns = followed.lag.grown(off_ns, now_ns)
        said = f"the chain's clock at slot {slot} is {abs(off_ns) // SECOND} s {'behind' if off_ns > 0 else 'ahead of'}"
        if abs(off_ns) > self.plan.stale_after_ns + CLOCK_NS:
            return f"{said} ours"
        if grown_ns > self._step_ns:
            return f"fell behind: {said} ours, {grown_ns // SECOND} s more than it was"
        return ""

    def on_doubt(self, places: Iterable[int], reason: str, now_ns: int) -> None:
        self._tell(reason)
        self.display.drop(places, reason, now_ns)

    def on_told(self, text: str) -> None:
        self._tell(text)

    def on_failed(self, reason: str, now_ns: int) -> None:
        endpoint = self.follower.endpoint
        if endpoint is None:
            return
        self.follower.leave(now_ns)
        self._lose(reason)
        self._tell(f"{endpoint.link}: {reason}")
        endpoint.failures += 1
        self._retry_ns = now_ns + min(SECOND << min(endpoint.failures - 1, 10), BACKOFF_MAX_NS)
        self._elect(now_ns)

    def on_dead(self, reason: str, now_ns: int) -> None:
        if self.follower.endpoint is not None:
            self._redial(self.follower.endpoint, reason, now_ns)

    def on_wait(self, until_ns: int) -> None:
        self._out.append(WakeAt(until_ns))

    # --- outputs ---------------------------------------------------------------------------------------------------

    def _lose(self, reason: str) -> None:
        self.lost = reason
        self.display.lose(reason)

    def _taken(self, now_ns: int) -> list[Output]:
        if now_ns >= self._wake_ns and any(endpoint.is_up for endpoint in self.endpoints):
            self._wake_ns = now_ns + TICK_NS
            self._out.append(WakeAt(self._wake_ns))
        taken = list(self._out)
        self._out.clear()
        return taken


def _foreign(result: msgspec.Raw, genesis: str) -> str:
    """'' or what a node says instead of this genesis hash."""
    try:
        told = text_of(result)
    except WireError as error:
        return f"does not say which chain it is: {error}"
    if told == genesis:
        return ""
    if not told.isascii() or not told.isalnum():
        return f"does not say which chain it is: {told[:_SHORT]!a} is no hash"
    return f"is the chain of genesis {told[:_SHORT]}, not {genesis}"
