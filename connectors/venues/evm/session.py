"""`MarketSession` of an EVM chain: several endpoints, one of which is followed; the others watch it.

One endpoint is followed at a time, the first usable of the plan's order that has failed least. A book is shown only
while all of this holds; as soon as it does not, everything is lost with the reason:

* the followed endpoint's newest block is no older than `stale_after`, by its own timestamp and since it came;
* as many endpoints as the quorum wants have that block on their chain, and no dispute is open (`council.py`);
* the states at that block were read, or followed log by log, without a gap (`follow.py`), and agree with what the
  chain says of them now and then (`audit.py`).

An endpoint that fails is left for the next, or tried again after 1, 2, 4 … 30 s where there is none. A switch begins
with a new snapshot: nothing is carried over from one node's word to another's.
"""

from collections.abc import Iterable
from itertools import count
from typing import Final

import msgspec

from connectors.chain import ChainPlan
from connectors.errors import ConfigError, WireError
from connectors.events import Notice
from connectors.session import PUBLIC, Output, Reconnect, SessionPlan, WakeAt
from connectors.venues.evm.abi import quantity
from connectors.venues.evm.audit import Differences, reconcile
from connectors.venues.evm.blocks import Block
from connectors.venues.evm.council import agreeing, judge
from connectors.venues.evm.display import Display
from connectors.venues.evm.endpoint import SECOND, Endpoint, is_null
from connectors.venues.evm.follow import Follower
from connectors.venues.evm.logs import log_of_json
from connectors.venues.evm.reading import source
from connectors.venues.evm.rpc import head_of, message_of, text_of

TICK_NS: Final = SECOND // 4
POLL_NS: Final = SECOND  # a chain that says nothing for so long is asked
SILENT_NS: Final = 15 * SECOND  # asked and not answered: the link is dead
BACKOFF_MAX_NS: Final = 30 * SECOND
TOLD_MAX: Final = 1000
CLOCK_NS: Final = 2 * SECOND  # a block's time is in whole seconds, and clocks differ


class ChainSession:
    """What `connectors.session.MarketSession` says. `status` is for people and tests."""

    def __init__(self, plan: SessionPlan) -> None:
        if plan.chain is None:
            mend = "give the venue its pools: docs/dex.md"
            raise ConfigError("no chain is described", place="a venue on a chain", mend=mend)
        self.plan: ChainPlan = plan.chain
        self._out: list[Output] = []
        numbers = count(1)
        self.endpoints = [Endpoint(link, self.plan.calls_per_s, self._out, numbers) for link in self.plan.links]
        self._by_link = {endpoint.link: endpoint for endpoint in self.endpoints}
        self.display = Display(plan, self.plan, self._out)
        self.follower = Follower(self.plan, self)
        self.lost = "no block yet"  # why nothing is shown; empty while it is
        self.disputed = ""  # by the endpoints' heads
        self.doubted = ""  # by another endpoint's word on a state
        self.reconciled: tuple[int, int, int] = (0, 0, -1)  # how often, how often in vain, at which block last
        self._due: set[int] = set()  # pools with states that were not shown yet
        self._is_fresh = False  # a snapshot of another endpoint: to be compared at once
        self._retry_ns = 0
        self._wake_ns = 0
        self._shown_ns = 0
        self._told: set[str] = set()

    # --- MarketSession ---------------------------------------------------------------------------------------------

    def open(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        endpoint = self._by_link.get(link)
        if endpoint is not None:
            endpoint.turned(now_ns, is_up=True)

            def known(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
                self._identified(endpoint, result, why_not, now_ns)

            endpoint.ask("eth_chainId", [], known, now_ns)
        return self._taken(now_ns)

    def close(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        endpoint = self._by_link.get(link)
        if endpoint is not None:
            self._down(endpoint, now_ns)
        return self._taken(now_ns)

    def receive(self, frame: bytes, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        endpoint = self._by_link.get(link)
        if endpoint is None:
            return []
        endpoint.frame_ns = now_ns
        try:
            message = message_of(frame)
            if message.params is None:
                endpoint.answered(message, now_ns)
            elif message.params.subscription == endpoint.subscription:
                head = head_of(message.params.result)
                if head is not None:
                    endpoint.saw(head, now_ns)
                    self._head(endpoint, now_ns)
            elif message.params.subscription == endpoint.logs_subscription:
                self._heard(endpoint, message.params.result, now_ns)
        except WireError as error:
            self._tell(f"{link}: {error}")
            if endpoint is self.follower.endpoint:
                self.on_failed(f"a frame that cannot be read: {error}", now_ns)
        return self._taken(now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        for endpoint in self.endpoints:
            endpoint.tick(now_ns)
            if endpoint.is_up and endpoint.busy_with and now_ns - endpoint.frame_ns > SILENT_NS:
                self._out.append(Reconnect(endpoint.link, f"no frame for {SILENT_NS // SECOND} s though asked"))
                self._down(endpoint, now_ns)
            elif endpoint.is_usable and now_ns - max(endpoint.head_ns, endpoint.polled_ns) >= POLL_NS:
                self._poll(endpoint, now_ns)
        if self.follower.endpoint is None:
            self._elect(now_ns)
        else:
            self._watch(self.follower.endpoint, now_ns)
        return self._taken(now_ns)

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        """The engine could not take a book that was shown: it is shown again when its pool changes."""
        self._out += self.display.shelf.drop(instrument, reason)
        self._tell(f"market {instrument}: {reason}")
        return self._taken(now_ns)

    # --- endpoints -------------------------------------------------------------------------------------------------

    def _identified(self, endpoint: Endpoint, result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
        """Another chain than the plan's is never read."""
        try:
            chain_id = quantity(text_of(result)) if result is not None else None
        except WireError as error:
            chain_id, why_not = None, str(error)
        if chain_id != self.plan.chain_id:
            said = f"is chain {chain_id}, not {self.plan.chain_id}" if chain_id is not None else why_not
            self._tell(f"{endpoint.link}: {said}", "error")
            return
        endpoint.is_ready = True

        def subscribed(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            del now_ns
            if result is None:
                self._tell(f"{endpoint.link} gives no new heads ({why_not}): it is polled")
            else:
                endpoint.subscription = text_of(result)

        endpoint.ask("eth_subscribe", ["newHeads"], subscribed, now_ns)
        self._poll(endpoint, now_ns)
        self._elect(now_ns)

    def _down(self, endpoint: Endpoint, now_ns: int) -> None:
        if endpoint is self.follower.endpoint:
            self.follower.stop()
            self._lose("link down")
        endpoint.turned(now_ns, is_up=False)
        self._elect(now_ns)

    def _elect(self, now_ns: int) -> None:
        """Follows an endpoint if none is followed and one may be."""
        usable = [endpoint for endpoint in self.endpoints if endpoint.is_usable]
        if self.follower.endpoint is not None or not usable:
            return
        chosen = min(usable, key=lambda endpoint: endpoint.failures)
        if chosen.failures and now_ns < self._retry_ns:
            return
        self.follower.start(chosen)
        self._is_fresh = True
        self.display.restart()

        def subscribed(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            del now_ns
            if result is None:
                self._tell(f"{chosen.link} gives no logs ({why_not})")
            else:
                chosen.logs_subscription = text_of(result)

        if not chosen.logs_subscription:
            addresses = list(dict.fromkeys(source(pool).lower() for pool in self.plan.pools))
            chosen.ask("eth_subscribe", ["logs", {"address": addresses}], subscribed, now_ns)
        self._poll(chosen, now_ns)

    def _poll(self, endpoint: Endpoint, now_ns: int) -> None:
        """Asks for the newest head; an answer that newer heads have overtaken says nothing."""
        endpoint.polled_ns = now_ns
        before = endpoint.head

        def got(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            if result is None or is_null(result):
                self._failed(endpoint, f"the newest block cannot be had: {why_not or 'there is none'}", now_ns)
                return
            head = head_of(result)
            if head is not None and endpoint.head is before:
                endpoint.saw(head, now_ns)
                self._head(endpoint, now_ns)

        endpoint.ask("eth_getBlockByNumber", ["latest", False], got, now_ns)

    def _head(self, endpoint: Endpoint, now_ns: int) -> None:
        if endpoint is self.follower.endpoint and endpoint.head is not None:
            self.follower.saw(endpoint.head, now_ns)
        if self.follower.endpoint is not None:
            self._judge(self.follower.endpoint, now_ns)

    def _heard(self, endpoint: Endpoint, raw: msgspec.Raw, now_ns: int) -> None:
        """A log as it happens. What counts are the logs of a whole block; but one that is removed says: reorg."""
        log = log_of_json(raw)
        if log.is_removed and endpoint is self.follower.endpoint:
            self._lose(f"reorg: a log of block {log.block_number} was removed")
            self._poll(endpoint, now_ns)

    def _judge(self, followed: Endpoint, now_ns: int) -> None:
        verdict = judge(self.endpoints, followed, self.plan, now_ns)
        for endpoint in verdict.wrong:
            self._distrust(endpoint, "its blocks")
        if followed in verdict.wrong:
            self.on_failed("outvoted about the chain", now_ns)
            return
        if verdict.dispute != self.disputed:
            self.disputed = verdict.dispute
            if verdict.dispute:
                self._tell(verdict.dispute, "error")
        tip = self.follower.blocks.tip
        if tip is not None and (self.lost or self._due):
            self._show(tip, now_ns)

    def _distrust(self, endpoint: Endpoint, about: str) -> None:
        endpoint.is_trusted = False
        self._tell(f"{endpoint.link} is outvoted about {about}, and not trusted until it connects anew", "error")
        self._out.append(Reconnect(endpoint.link, "outvoted by the other endpoints"))

    def _watch(self, followed: Endpoint, now_ns: int) -> None:
        """Time passes: a chain that stands still is not a market."""
        tip = self.follower.blocks.tip
        silent_ns = now_ns - followed.head_ns
        if silent_ns > self.plan.stale_after_ns:
            self.on_failed(f"no new block for {silent_ns // SECOND} s", now_ns)
            return
        if tip is not None and not self.lost and (reason := self._withheld(tip, now_ns)):
            self._lose(reason)
            return
        if now_ns - self._shown_ns > self.plan.stale_after_ns and not self.lost and self._due:
            self._lose(f"fewer than the {self.plan.quorum} endpoints wanted agree")
        if tip is not None:
            self.display.ask_gas(tip, followed, now_ns)
        self._judge(followed, now_ns)

    def _failed(self, endpoint: Endpoint, reason: str, now_ns: int) -> None:
        if endpoint is self.follower.endpoint:
            self.on_failed(reason, now_ns)

    # --- follow.Watcher --------------------------------------------------------------------------------------------

    def on_block(self, block: Block, changed: Iterable[int], now_ns: int) -> None:
        self._due.update(changed)
        self._show(block, now_ns)
        every = self.plan.reconcile_blocks
        last = self.reconciled[2]
        if self._is_fresh or self.doubted or not last <= block.head.number < last + every:
            self._is_fresh = False
            self._reconcile(block, now_ns)

    def on_lost(self, reason: str, now_ns: int) -> None:
        del now_ns
        self._lose(reason)

    def on_failed(self, reason: str, now_ns: int) -> None:
        endpoint = self.follower.endpoint
        self.follower.stop()
        self._lose(reason)
        if endpoint is None:
            return
        self._tell(f"{endpoint.link}: {reason}")
        endpoint.failures += 1
        self._retry_ns = now_ns + min(SECOND << min(endpoint.failures - 1, 10), BACKOFF_MAX_NS)
        self._elect(now_ns)

    # --- showing ---------------------------------------------------------------------------------------------------

    def _withheld(self, block: Block, now_ns: int) -> str:
        """Why a block's states are not shown, though they were followed without a gap."""
        followed = self.follower.endpoint
        if followed is None:
            return "no endpoint is followed"
        if self.disputed or self.doubted:
            return self.disputed or self.doubted
        age_ns = now_ns - block.head.time_s * SECOND
        if age_ns > self.plan.stale_after_ns + CLOCK_NS:
            return f"block {block.head.number} is {age_ns // SECOND} s old"
        return ""

    def _show(self, block: Block, now_ns: int) -> None:
        followed, reason = self.follower.endpoint, self._withheld(block, now_ns)
        if followed is None or reason:
            self._lose(reason)
            return
        if agreeing(self.endpoints, block.head, followed) < self.plan.quorum:
            return  # the others may only be later: what is shown is of the block before, until that is stale
        followed.failures = 0
        self._shown_ns = now_ns
        keys = range(len(self.plan.pools)) if self.lost else sorted(self._due)
        if self.lost:
            self._out.append(Notice("info", f"{followed.link}: books of block {block.head.number}"))
        self.lost = ""
        self._due.clear()
        self.display.show(block, keys, followed, now_ns)

    def _lose(self, reason: str) -> None:
        self.lost = reason
        self.display.lose(reason)

    def _reconcile(self, block: Block, now_ns: int) -> None:
        """Every usable endpoint's word on the states we have; see `audit.py`."""
        self.reconciled = (self.reconciled[0] + 1, self.reconciled[1], block.head.number)

        def done(differences: Differences, now_ns: int) -> None:
            followed = self.follower.endpoint
            if followed is None or not any(differences.found.values()):
                if followed is not None and self.doubted:
                    self.doubted = ""
                    self._show(self.follower.blocks.tip or block, now_ns)
                return
            self.reconciled = (self.reconciled[0], self.reconciled[1] + 1, self.reconciled[2])
            own = differences.found.get(followed.link, "")
            others = [link for link, text in differences.found.items() if text and link != followed.link]
            if own:
                self.on_failed(f"differs from what was followed: {own}", now_ns)
            elif 2 * len(others) < len(differences.found):
                for link in others:
                    self._distrust(self._by_link[link], differences.found[link])
            else:
                self.doubted = f"endpoints disagree: {others[0]} says otherwise: {differences.found[others[0]]}"
                self._tell(self.doubted, "error")
                self._lose(self.doubted)

        usable = [endpoint for endpoint in self.endpoints if endpoint.is_usable]
        reconcile(self.plan, block, usable, done, now_ns)

    # --- outputs ---------------------------------------------------------------------------------------------------

    def _tell(self, text: str, level: str = "warning") -> None:
        """Once: an endpoint that fails again and again in the same words is no news."""
        if text not in self._told and len(self._told) < TOLD_MAX:
            self._told.add(text)
            self._out.append(Notice(level, text))

    def _taken(self, now_ns: int) -> list[Output]:
        if now_ns >= self._wake_ns and any(endpoint.is_up for endpoint in self.endpoints):
            self._wake_ns = now_ns + TICK_NS
            self._out.append(WakeAt(self._wake_ns))
        taken = list(self._out)
        self._out.clear()
        return taken
