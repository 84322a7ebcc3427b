"""The books of all followed markets: diffs and snapshots in, and when to ask for which snapshot.

Questions leave as the weight of the minute allows, those that were due first at first; a market whose questions come to
nothing waits longer each time. Nothing here touches a market that a message does not name.
"""

from collections.abc import Iterable
from typing import Final

from connectors.events import BookDelta, BookLost, BookSnapshot, Notice
from connectors.exchange.subscription import SECOND, State
from connectors.session import Output, WakeAt
from connectors.venues.binance import wire
from connectors.venues.binance.chain import Diff, Fit
from connectors.venues.binance.follow import BOOK_DEPTH, SILENT_MAX_NS, SILENT_NS, Follow
from connectors.venues.binance.questions import PROBE_LIMIT, Question, Questions, depth_weight
from connectors.venues.binance.stamp import Stamp

FIRST_ASK_NS: Final = SECOND  # after the ack: a market so quiet that no diff came until then is asked for all the same
STRIKES: Final = 2
GRACE_NS: Final = 2 * SECOND  # a change that a probe knows of is on its way on the stream
_LIVE: Final = State.LIVE


class Books:
    """`is_open`: the public link is up; otherwise nothing is asked. `silent`: whose stream must be subscribed anew."""

    def __init__(self, follows: Iterable[Follow], questions: Questions) -> None:
        self._follows = list(follows)
        self._questions = questions
        self._stamp = Stamp().text
        self.is_open = False
        self.silent: list[Follow] = []

    # --- what comes --------------------------------------------------------------------------------------------------

    def diff(self, follow: Follow, data: wire.Depth, now_ns: int) -> list[Output]:
        """Raises NumberError or ValueError for one that cannot be read; then nothing has changed."""
        if not follow.is_known:
            return []
        first, last, before = data.first, data.last, data.before
        if last < first:
            msg = f"it ends at {last}, before its beginning {first}"
            raise ValueError(msg)
        if before >= 0:  # futures' numbers have holes, and each diff says the one before it
            first = before + 1
        bids = follow.levels(data.bids) if data.bids else []
        asks = follow.levels(data.asks) if data.asks else []
        stamp = self._stamp(data.ms)
        follow.heard(now_ns)
        if follow.state is not _LIVE:
            return self._keep(follow, Diff(first, last, bids, asks, stamp), now_ns)
        chain = follow.chain
        behind = chain.last
        fit = chain.fit(first, last)
        if fit is Fit.OLD:
            return []
        if fit is Fit.GAP:
            out = self.lose(follow, f"diff {data.first}–{last} came after {behind}", now_ns, is_gap=True)
            return out + self._keep(follow, Diff(first, last, bids, asks, stamp), now_ns)
        follow.reach.follow(bids, asks)
        out = [BookDelta(follow.index, bids, asks, None, stamp)]
        if chain.is_keeping:
            chain.keep(Diff(first, last, bids, asks, stamp))
        if follow.reach.left < follow.need:
            out += self._short(follow, now_ns)
        return out

    def _short(self, follow: Follow, now_ns: int) -> list[Output]:
        """Few levels are left of those that the snapshot knew: a fresh one is wanted, and where none is left, at once
        and without a book until then."""
        if not follow.reach.left:
            follow.widen(now_ns)
            return self.lose(follow, "the price left what the snapshot held", now_ns)
        if follow.chain.is_keeping:  # it is on its way
            return []
        follow.widen(now_ns)
        follow.chain.restart()
        follow.ask_ns = now_ns
        return self.ask(now_ns)

    def _keep(self, follow: Follow, diff: Diff, now_ns: int) -> list[Output]:
        """No book stands: for the snapshot to come."""
        if follow.state is State.WAIT_ACK:  # the ack is late, or was lost: the stream is there
            follow.acked = True
            follow.wait(now_ns)
        is_first = not follow.chain.is_kept
        follow.chain.keep(diff)
        if not is_first:
            return []
        if follow.ask_ns is not None and not follow.attempts:
            follow.ask_ns = now_ns
        return self.ask(now_ns)

    def snapshot(self, follow: Follow, found: wire.Snapshot, limit: int, now_ns: int) -> list[Output]:
        """`limit`: how many levels a side were asked for; 0: nobody knows. Raises NumberError."""
        if not follow.is_known or follow.state is State.REFUSED:
            return []
        bids, asks = follow.levels(found.bids), follow.levels(found.asks)
        diffs = follow.chain.bracket(found.last, is_standing=follow.state is _LIVE)
        if diffs is None:
            if not follow.question and follow.ask_ns is None:  # nobody of us asked: a recording's own
                return []
            return self._again(follow, "the snapshot is older than the diffs", now_ns)
        follow.alive(now_ns)
        follow.ask_ns, follow.question, follow.snapshot_ns = None, 0, now_ns
        follow.probe_ns = now_ns + SILENT_NS
        follow.reach.begin(bids, asks, limit)
        out: list[Output] = [BookSnapshot(follow.index, bids, asks, None, BOOK_DEPTH, "")]
        for diff in diffs:
            follow.reach.follow(diff.bids, diff.asks)
            out.append(BookDelta(follow.index, diff.bids, diff.asks, None, diff.ts_venue))
        if follow.reach.left < follow.need:
            out += self._short(follow, now_ns)
        return out

    def probed(self, follow: Follow, found: wire.Snapshot, now_ns: int) -> None:
        """Whether anything changed of which the silent stream said nothing."""
        follow.question = 0
        if follow.state is not _LIVE:
            return
        if found.last > follow.chain.last:
            follow.seen, follow.probe_ns = found.last, now_ns + GRACE_NS
        else:
            follow.strikes = 0
            follow.silent_ns = min(2 * follow.silent_ns, SILENT_MAX_NS)
            follow.probe_ns = now_ns + follow.silent_ns

    def failed(self, question: Question, follow: Follow, why: str, now_ns: int) -> list[Output]:
        """A snapshot that was asked for did not come, or cannot be read."""
        if follow.question != question.number:
            return []
        follow.question = 0
        if follow.is_probe:
            follow.probe_ns = now_ns + SILENT_NS
            return []
        return self._again(follow, why, now_ns)

    def _again(self, follow: Follow, why: str, now_ns: int) -> list[Output]:
        follow.question = 0
        delay_ns = max(follow.next_delay_ns(now_ns), SECOND if follow.state is _LIVE else 0)
        follow.ask_ns = now_ns + delay_ns
        text = f"binance {follow.symbol}: {why}; asking again in {delay_ns / SECOND:g} s"
        return [Notice("warning", text), WakeAt(follow.ask_ns)]

    # --- what is lost ------------------------------------------------------------------------------------------------

    def lose(self, follow: Follow, reason: str, now_ns: int, *, is_gap: bool = False) -> list[Output]:
        """The book, where one stands, is no longer the venue's."""
        if follow.state is not _LIVE:
            return self.resync(follow, reason, now_ns)
        return [BookLost(follow.index, reason, is_gap), *self.resync(follow, reason, now_ns)]

    def resync(self, follow: Follow, reason: str, now_ns: int) -> list[Output]:
        """Keep diffs and ask for a snapshot, with back-off. Who has no stream, or waits already, is left alone."""
        if follow.state is State.WAIT_SNAPSHOT:  # what was kept may be wrong as well
            follow.chain.restart()
            return []
        if follow.state is not _LIVE:
            follow.chain.restart()
            return []
        delay_ns = follow.next_delay_ns(now_ns)
        follow.wait(now_ns + delay_ns if self.is_open else None)
        out: list[Output] = [
            Notice("warning", f"binance {follow.symbol}: {reason}; a new snapshot in {delay_ns / SECOND:g} s")
        ]
        if not self.is_open:
            return out
        return out + (self.ask(now_ns) if delay_ns == 0 else [WakeAt(now_ns + delay_ns)])

    # --- what is asked -----------------------------------------------------------------------------------------------

    def ask(self, now_ns: int) -> list[Output]:
        """Snapshots that are due, as far as there is weight for them; then looks at silent streams."""
        if not self.is_open:
            return []
        out: list[Output] = []
        due = [one for one in self._follows if one.ask_ns is not None and one.ask_ns <= now_ns and not one.question]
        for follow in sorted(due, key=lambda one: one.ask_ns or 0):
            wait_ns = self._questions.wait_ns(depth_weight(follow.limit), now_ns)
            if wait_ns:
                out.append(WakeAt(now_ns + wait_ns))
                break
            follow.question, send = self._questions.depth(follow.name, follow.limit, now_ns)
            follow.ask_ns, follow.is_probe = None, False
            out.append(send)
        return out

    def tick(self, now_ns: int) -> list[Output]:
        """Streams that are silent for too long: a look first, and then they are no good."""
        out = self.ask(now_ns)
        for follow in self._follows:
            is_due = follow.probe_ns is not None and now_ns >= follow.probe_ns
            if follow.state is not _LIVE or not is_due or follow.question or follow.ask_ns is not None:
                continue
            if follow.seen > follow.chain.last:
                out += self._silent(follow, now_ns)
            elif not self._questions.wait_ns(depth_weight(PROBE_LIMIT), now_ns):
                follow.question, send = self._questions.depth(follow.name, PROBE_LIMIT, now_ns)
                follow.is_probe = True
                out.append(send)
        return out

    def _silent(self, follow: Follow, now_ns: int) -> list[Output]:
        """Binance is ahead of the stream. Changes that took each other back may be told by nobody: so a fresh snapshot
        first, and the second time in a row it is the stream's end."""
        follow.strikes += 1
        if follow.strikes < STRIKES:
            follow.seen, follow.probe_ns = 0, None
            follow.chain.restart()
            follow.ask_ns = now_ns
            return self.ask(now_ns)
        reason = f"silent since {follow.chain.last}, while Binance is at {follow.seen}"
        self.silent.append(follow)
        return [
            BookLost(follow.index, reason, is_gap=True),
            Notice("warning", f"binance {follow.symbol}: {reason}; subscribing anew"),
        ]
