"""`MarketSession` of an EVM chain: several endpoints, one of which is followed; the others watch it.

One endpoint is followed at a time, the first usable of the plan's order that has failed least. A book is shown only
while all of this holds; as soon as it does not, everything is lost with the reason:

* the followed endpoint's newest block is no older than `stale_after`, by its own timestamp and since it came;
* as many endpoints as the quorum wants have that block on their chain, and no dispute or doubt is open (`trust.py`);
* the states at that block were read, or followed log by log, without a gap (`follow.py`), and agree with what the
  chain says of them now and then (`audit.py`).

An endpoint that fails is left for the next, or tried again after 1, 2, 4 … 30 s where there is none. A switch begins
with a new snapshot: nothing is carried over from one node's word to another's.
"""

from itertools import count
from string import hexdigits
from typing import Final

import msgspec

from connectors.chain import ChainPlan
from connectors.errors import ConfigError, WireError
from connectors.events import Notice
from connectors.onchain.asker import SECOND, UNANSWERED
from connectors.onchain.jsonrpc import is_null, message_of, text_of
from connectors.onchain.report import Report
from connectors.session import PUBLIC, Output, Reconnect, SessionPlan, WakeAt
from connectors.venues.evm.abi import quantity
from connectors.venues.evm.audit import Differences, reconcile
from connectors.venues.evm.blocks import Block
from connectors.venues.evm.council import Verdict, agreeing
from connectors.venues.evm.display import Display
from connectors.venues.evm.endpoint import Endpoint
from connectors.venues.evm.follow import Follower
from connectors.venues.evm.logs import log_of_json
from connectors.venues.evm.reading import source
from connectors.venues.evm.report import report
from connectors.venues.evm.rpc import head_of
from connectors.venues.evm.trust import Trust

TICK_NS: Final = SECOND // 4
POLL_NS: Final = SECOND  # a chain that says nothing for so long is asked
SILENT_NS: Final = 15 * SECOND  # asked and not answered: the link is dead
BACKOFF_MAX_NS: Final = 30 * SECOND
TOLD_MAX: Final = 100
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
        self.trust = Trust(self.plan, self.endpoints)
        self.reconciled: tuple[int, int, int] = (0, 0, -1)  # how often, how often in vain, at which block last
        self.shown: Block | None = None  # what the books are of
        self._is_comparing = False
        self._is_fresh = False  # a snapshot of another endpoint: to be compared at once
        self._retry_ns = 0
        self._wake_ns = 0
        self._told: set[str] = set()

    # --- MarketSession ---------------------------------------------------------------------------------------------

    def open(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        endpoint = self._by_link.get(link)
        if endpoint is not None:
            endpoint.turned(now_ns, is_up=True)
            if self.shown is None:
                self._lose(self.lost)

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

    def report(self) -> Report:
        """Where it stands now: `connectors.onchain.report.Reporting`."""
        return report(self)

    # --- endpoints -------------------------------------------------------------------------------------------------

    def _identified(self, endpoint: Endpoint, result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
        """Another chain than the plan's is never read."""
        try:
            chain_id = quantity(text_of(result)) if result is not None else None
        except WireError as error:
            chain_id, why_not = None, str(error)
        if chain_id != self.plan.chain_id:
            if chain_id is not None:
                self._tell(f"{endpoint.link}: is chain {chain_id}, not {self.plan.chain_id}", "error")
            else:
                self._redial(endpoint, f"does not say which chain it is: {why_not}")
            return
        endpoint.is_ready = True

        def subscribed(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            del now_ns
            if result is None and UNANSWERED in why_not:
                self._redial(endpoint, why_not)
            elif result is None:
                self._tell(f"{endpoint.link} gives no new heads ({why_not}): it is polled")
            else:
                endpoint.subscription = text_of(result)

        endpoint.ask("eth_subscribe", ["newHeads"], subscribed, now_ns)
        self._poll(endpoint, now_ns)
        self._elect(now_ns)

    def _redial(self, endpoint: Endpoint, reason: str) -> None:
        """What was not answered may be answered on a new connection; how soon that is made, net.py decides."""
        if endpoint.is_up:
            self._tell(f"{endpoint.link}: {reason}")
            self._out.append(Reconnect(endpoint.link, reason))

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
        self.trust.switched(now_ns, has_others=len(usable) > 1)
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
        if endpoint.is_polling:
            return
        endpoint.polled_ns, endpoint.is_polling = now_ns, True
        before = endpoint.head

        def got(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            endpoint.is_polling = False
            if result is None or is_null(result):
                self._failed(endpoint, f"the newest block cannot be had: {why_not or 'there is none'}", now_ns)
                return
            head = head_of(result)
            if head is None or endpoint.head is not before:
                return
            is_older = endpoint.head is not None and endpoint.heads.get(head.number) == head.hash != endpoint.head.hash
            is_told_twice, endpoint.older = head.hash == endpoint.older, head.hash if is_older else ""
            if not is_older or is_told_twice:  # once: of several nodes behind one address, one that is later
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
            self.follower.is_settled = False  # until the newest block is known
            self._lose(f"reorg: a log of block {log.block_number} was removed")
            self._poll(endpoint, now_ns)

    def _judge(self, followed: Endpoint, now_ns: int) -> None:
        if self._obeyed(self.trust.judge(followed, now_ns), "its blocks", now_ns):
            tip = self.follower.blocks.tip
            if tip is not None and (self.lost or tip is not self.shown):
                self._show(tip, now_ns)

    def _obeyed(self, verdict: Verdict, about: str, now_ns: int) -> bool:
        """Whether the endpoint that is followed is so still."""
        followed = self.follower.endpoint
        for endpoint in verdict.wrong:
            endpoint.is_trusted = False
            self._tell(f"{endpoint.link} is outvoted about {about}, and not trusted until it connects anew", "error")
            self._out.append(Reconnect(endpoint.link, "outvoted by the other endpoints"))
        if verdict.dispute:
            self._tell(verdict.dispute, "error")
        if followed is not None and followed in verdict.wrong:
            self.on_failed("outvoted by the other endpoints", now_ns)
        return self.follower.endpoint is followed

    def _watch(self, followed: Endpoint, now_ns: int) -> None:
        """Time passes: a chain that stands still is not a market."""
        tip = self.follower.blocks.tip
        silent_ns = now_ns - followed.head_ns
        if silent_ns > self.plan.stale_after_ns:
            self.on_failed(f"no new block for {silent_ns // SECOND} s", now_ns)
            return
        if self.shown is not None and (reason := self._withheld(self.shown, now_ns)):
            self._lose(reason)
        if tip is not None:
            self.display.ask_gas(tip, followed, now_ns)
        self._judge(followed, now_ns)

    def _failed(self, endpoint: Endpoint, reason: str, now_ns: int) -> None:
        if endpoint is self.follower.endpoint:
            self.on_failed(reason, now_ns)

    # --- follow.Watcher --------------------------------------------------------------------------------------------

    def on_block(self, block: Block, now_ns: int) -> None:
        last, every = self.reconciled[2], self.plan.reconcile_blocks
        if self._is_fresh or self.trust.is_doubted or not last <= block.head.number < last + every:
            self._is_fresh = False
            self._reconcile(block, now_ns)
        self._show(block, now_ns)

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
        reason = self.trust.reason(now_ns)
        if reason:
            return reason
        stale_ns = self.plan.stale_after_ns
        if now_ns - block.head.time_s * SECOND > stale_ns + CLOCK_NS:
            return f"block {block.head.number} is older than {(stale_ns + CLOCK_NS) // SECOND} s"
        if now_ns - block.arrived_ns <= stale_ns:  # the chain's clock may be ahead of ours
            return ""
        wanted = f" by the {self.plan.quorum} endpoints wanted" if self.plan.quorum > 1 else ""
        return f"no block after {block.head.number} is confirmed{wanted}"

    def _show(self, tip: Block, now_ns: int) -> None:
        """Shows the newest block that as many endpoints have as are wanted; the others may only be later."""
        followed = self.follower.endpoint
        if followed is None or not self.follower.is_settled:
            return  # what is known may not be the chain any more
        block: Block | None = tip
        while block is not None and agreeing(self.endpoints, block.head, followed) < self.plan.quorum:
            block = self.follower.blocks.before(block)
        if reason := self._withheld(block or tip, now_ns):
            self._lose(reason)
            return
        is_later = self.shown is None or (block is not None and block.head.number > self.shown.head.number)
        if block is None or not is_later:  # what is shown stands until it is stale
            if self.shown is None:
                self._lose(f"fewer than the {self.plan.quorum} endpoints wanted have block {tip.head.number}")
            return
        followed.failures = 0
        if self.lost or self.shown is None:
            keys = list(range(len(self.plan.pools)))
            self._told.clear()
            self._out.append(Notice("info", f"{followed.link}: books of block {block.head.number}"))
        else:
            before = self.shown.states
            keys = [key for key, state in block.states.items() if state is not before.get(key)]
        self.lost, self.shown = "", block
        self.display.show_block(block, keys, followed, now_ns)

    def _lose(self, reason: str) -> None:
        self.lost, self.shown = reason, None
        self.display.lose(reason)

    def _reconcile(self, block: Block, now_ns: int) -> None:
        """Every usable endpoint's word on the states we have; see `audit.py`."""
        if self._is_comparing:
            return
        self._is_comparing = True
        self.reconciled = (self.reconciled[0] + 1, self.reconciled[1], block.head.number)

        def done(differences: Differences, now_ns: int) -> None:
            self._is_comparing = False
            followed, tip = self.follower.endpoint, self.follower.blocks.tip
            if followed is None or followed is not asked:
                return
            if any(differences.found.values()):
                self.reconciled = (self.reconciled[0], self.reconciled[1] + 1, self.reconciled[2])
            if own := differences.found.get(followed.link):
                self.on_failed(f"differs from what was followed: {own}", now_ns)
            elif self._obeyed(self.trust.compared(differences.found, followed, now_ns), "a state", now_ns) and tip:
                self._show(tip, now_ns)

        asked = self.follower.endpoint
        usable = [endpoint for endpoint in self.endpoints if endpoint.is_usable]
        reconcile(self.plan, block, usable, done, now_ns)

    # --- outputs ---------------------------------------------------------------------------------------------------

    def _tell(self, text: str, level: str = "warning") -> None:
        """Once for each kind: what differs in numbers and hashes alone is no news, until books are shown again."""
        kind = "".join(letter for letter in text if letter not in hexdigits)
        if kind not in self._told and len(self._told) < TOLD_MAX:
            self._told.add(kind)
            self._out.append(Notice(level, text))

    def _taken(self, now_ns: int) -> list[Output]:
        if now_ns >= self._wake_ns and any(endpoint.is_up for endpoint in self.endpoints):
            self._wake_ns = now_ns + TICK_NS
            self._out.append(WakeAt(self._wake_ns))
        taken = list(self._out)
        self._out.clear()
        return taken
