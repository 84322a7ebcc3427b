"""Following pools on one endpoint: notifications say when to read, and only what is read is shown.

A notification of an account at a slot makes the pools that have it due from that slot on (`words.py`). One read is
under way at a time; meanwhile more may come due, and the next read takes them together. Every pool is read every two
seconds whether or not something was told of it, which finds what was not told (`silence.py`). What was told is to be
read within a second: else what is shown is known to be of the past, and lost until the read comes (`news.py`).

An answer is of one slot, and the clock among its accounts says which: that counts, not what the node writes beside it,
which must agree. An answer below the slot that was asked for, one far from the slots that the endpoint tells of, and
one that no clock proves, are failures of the endpoint. What an account was
at a slot is the same by a notification and by a read; if not, or if the slots went back, what is shown is lost and
read anew, and so is an answer on its way that is of a later slot than the one gone back to.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import msgspec

from connectors.chain import ChainPlan
from connectors.errors import PoolRefused, WireError
from connectors.onchain.asker import ANSWER_NS, SECOND
from connectors.onchain.states import State
from connectors.venues.solana.account import Account, Accounts
from connectors.venues.solana.clock import Clock, clock_of
from connectors.venues.solana.decoded import Decoded
from connectors.venues.solana.endpoint import Endpoint
from connectors.venues.solana.pooled import Pooled
from connectors.venues.solana.rpc import KEYS_MAX, MIN_CONTEXT_SLOT, accounts_told, reading
from connectors.venues.solana.silence import Silence
from connectors.venues.solana.subscriptions import Subscriptions
from connectors.venues.solana.words import At, Word, Words, against

TRUTH_NS: Final = 2 * SECOND
RETRY_NS: Final = SECOND // 10  # a quarter of a slot
BEHIND_NS: Final = SECOND  # of several nodes behind one address one may be a slot or two later
FINALITY_SLOTS: Final = 64  # a finalized slot is 31 confirmations old, and skipped slots count
CONTEXT_LAG: Final = 4  # surfpool 1.6.1 names one or two slots before; a validator names the clock's own


class Watcher(Protocol):
    """Who hears of it: the session."""

    def on_read(self, slot: int, states: Mapping[int, State], clock: Clock, now_ns: int) -> None:
        """These pools, by their place in the plan, at this slot."""

    def on_doubt(self, places: Iterable[int], reason: str, now_ns: int) -> None:
        """What was shown of these pools is not the chain's any more, or nobody knows; they are read anew."""

    def on_told(self, text: str) -> None:
        """A person should read this."""

    def on_failed(self, reason: str, now_ns: int) -> None:
        """This endpoint cannot be followed now."""

    def on_dead(self, reason: str, now_ns: int) -> None:
        """Its WebSocket is to be dialled again."""

    def on_wait(self, until_ns: int) -> None:
        """`tick` is wanted then."""


class Follower:
    """`start` on an endpoint; all that it asked before a `start` or `stop` is void."""

    def __init__(self, plan: ChainPlan, watcher: Watcher) -> None:
        self.endpoint: Endpoint | None = None
        self.reads = self.differences = 0
        self.time_s = 0  # the chain's, at the last read
        self._plan = plan
        self._watcher = watcher
        self.pools = [Pooled(place, pool, plan.arrays) for place, pool in enumerate(plan.pools)]
        self._of: dict[str, list[Pooled]] = {}  # by account
        self._words = Words()
        self._decoded = Decoded()
        self.silence = Silence()
        self.subscriptions = Subscriptions(plan.commitment, self._begun, self._not_told)
        self.stale_slots = max(plan.stale_after_ns // plan.block_time_ns, 2)
        self._is_reading = False
        self._back_to: int | None = None  # the lowest slot gone back to since the read that is under way was asked
        self._alarm_ns = 0
        self._epoch = 0

    def start(self, endpoint: Endpoint, now_ns: int) -> None:
        """Begins from nothing."""
        self.stop()
        self.endpoint = endpoint
        self.subscriptions.begin(endpoint, now_ns)
        self._pump(now_ns)

    def leave(self, _now_ns: int) -> None:
        """Stops on an endpoint whose connection stays: what that is subscribed to, too, until another is followed."""
        self.stop()

    def stop(self) -> None:
        self._epoch += 1
        self.endpoint = None
        self.subscriptions.clear()
        self._words.clear()
        self._decoded.clear()
        self.silence.clear()
        self._of.clear()
        self._is_reading = False
        self.time_s = 0
        for pool in self.pools:
            pool.clear()

    # --- what is told ----------------------------------------------------------------------------------------------

    def heard(self, subscription: int | str, slot: int, raw: msgspec.Raw, now_ns: int) -> None:
        """An account's notification."""
        key, endpoint = self.subscriptions.key_of(subscription), self.endpoint
        if key is None or endpoint is None:
            return
        if slot > endpoint.highest + self.stale_slots:
            text = f"tells of account {key} at slot {slot}, and of slot {endpoint.highest} as the newest"
            self._watcher.on_failed(text, now_ns)
            return
        pools = self._of.get(key, ())
        try:
            account = self._decoded.of(key, raw)
        except WireError as error:
            self._watcher.on_told(f"{endpoint.link}: of account {key}: {error}")
            for pool in pools:
                pool.told(slot, now_ns)
        else:
            self._weigh(key, At(slot, account), pools, now_ns)
        self._pump(now_ns)
        self._set_alarm(now_ns)

    def _weigh(self, key: str, said: At, pools: Iterable[Pooled], now_ns: int) -> None:
        self.silence.heard(key, said)
        word, newest = self._words.heard(key, said)
        if word is Word.OLD:
            return
        doubted: list[Pooled] = []
        for pool in pools:
            seen, found = pool.seen, Word.NEWS
            if seen is not None and said.slot <= seen.slot and key in seen.accounts:
                read = At(seen.slot, seen.accounts[key])
                is_back = word is Word.BACK and not said.says(read.account)
                found = Word.BACK if is_back else against(said, read, newest)
            if found is Word.BACK or (word is Word.BACK and found is Word.NEWS):
                pool.back(said.slot)
            if found in (Word.BACK, Word.CONTRADICTS):
                doubted.append(pool)
            if found is Word.LATE:
                pool.is_asked_for = True
            elif found is not Word.OLD:
                pool.told(said.slot, now_ns)
        if doubted:
            self.differences += 1
            self._void(said.slot)
            what = "went back to" if word is not Word.CONTRADICTS else "says two things of"
            self._doubt(doubted, f"account {key} {what} slot {said.slot}", now_ns)

    def went_back(self, slot: int, now_ns: int) -> None:
        """The endpoint tells of a slot below one that it told of before."""
        self._words.back(slot)
        gone = [pool for pool in self.pools if pool.seen is not None and pool.seen.slot > slot]
        for pool in self.pools:
            pool.back(slot)
        self._void(slot)
        if gone:
            self.differences += 1
            self._doubt(gone, f"the chain went back to slot {slot}", now_ns)
            self._pump(now_ns)

    def _void(self, slot: int) -> None:
        """An answer on its way counts up to this slot alone."""
        self._back_to = slot if self._back_to is None else min(slot, self._back_to)

    def _doubt(self, pools: Iterable[Pooled], reason: str, now_ns: int) -> None:
        shown = [pool.place for pool in pools if pool.seen is not None]
        for pool in pools:
            pool.lose()
        if shown:
            self._watcher.on_doubt(shown, reason, now_ns)

    # --- reading ---------------------------------------------------------------------------------------------------

    def _pump(self, now_ns: int) -> None:
        """Reads what is due, as much as one answer holds; what was asked for longest ago comes first.

        Others of the same symbols are read along, so that the chain's own book is of one slot where that can be.
        """
        endpoint = self.endpoint
        if endpoint is None or self._is_reading:
            return
        ready = [pool for pool in self.pools if now_ns >= pool.retry_ns]
        in_order = sorted(ready, key=lambda pool: (pool.asked_ns, pool.whole_ns))
        keys: dict[str, None] = {}
        chosen: list[Pooled] = []
        symbols: set[str] = set()
        for is_due in (True, False):
            for pool in in_order:
                if pool.is_due is not is_due or not (is_due or pool.plan.symbol in symbols):
                    continue
                together = keys | dict.fromkeys(pool.keys)
                is_alone = chosen and (pool.behind_ns or chosen[0].behind_ns)  # it would hold the others up
                if not is_alone and len(together) <= KEYS_MAX:
                    keys = together
                    chosen.append(pool)
            symbols = {pool.plan.symbol for pool in chosen}
        if not chosen:
            return
        asked, min_slot, epoch = list(keys), max(pool.min_slot for pool in chosen), self._epoch
        self._is_reading, self._back_to = True, None
        for pool in chosen:
            pool.asked_ns, pool.is_asked_for = now_ns, False

        def answered(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            if epoch != self._epoch:
                return
            self._is_reading = False
            if result is not None:
                self._answered(chosen, asked, min_slot, result, now_ns)
            elif why_not.endswith(f"({MIN_CONTEXT_SLOT})"):
                self._behind(chosen, min_slot, now_ns)
            else:
                self._watcher.on_failed(f"accounts cannot be read: {why_not}", now_ns)

        endpoint.call("getMultipleAccounts", reading(asked, self._plan.commitment, min_slot), answered, now_ns)

    def _behind(self, chosen: list[Pooled], min_slot: int, now_ns: int) -> None:
        """The node that was asked has not come to that slot: soon it has, or it never was there."""
        for pool in chosen:
            pool.is_asked_for = True
            pool.behind_ns = pool.behind_ns or now_ns
            pool.retry_ns = now_ns + RETRY_NS
        behind_ns = now_ns - min(pool.behind_ns for pool in chosen)
        if behind_ns > ANSWER_NS:
            self._watcher.on_failed(f"does not come to slot {min_slot}", now_ns)
            return
        if behind_ns > BEHIND_NS:
            self._doubt(chosen, f"its node is not at slot {min_slot}", now_ns)
        self._watcher.on_wait(now_ns + RETRY_NS)
        self._pump(now_ns)

    def _answered(
        self, chosen: list[Pooled], asked: list[str], min_slot: int, result: msgspec.Raw, now_ns: int
    ) -> None:
        context, values = accounts_told(result, len(asked))
        accounts: dict[str, Account | None] = {}
        unread: dict[str, str] = {}
        for key, value in zip(asked, values, strict=True):
            try:
                accounts[key] = self._decoded.of(key, value)
            except WireError as error:
                unread[key] = f"account {key}: {error}"
        try:
            clock = clock_of(accounts)
        except PoolRefused as error:
            self._watcher.on_failed(f"no clock proves the slot of an answer: {error}", now_ns)
            return
        if self.endpoint is not None and (problem := self._problem(context, min_slot, clock, self.endpoint.highest)):
            self._watcher.on_failed(problem, now_ns)
            return
        if self._back_to is not None and clock.slot > self._back_to:
            for pool in chosen:
                pool.is_asked_for = True  # it was asked of a branch that is gone
        else:
            self._take(chosen, accounts, unread, clock, now_ns)
        self._pump(now_ns)
        self._set_alarm(now_ns)

    def _problem(self, context: int, min_slot: int, clock: Clock, newest: int) -> str:
        """'' or why an answer of this slot is not believed; `newest`: the highest slot that the endpoint told of."""
        slot = clock.slot
        late = self.stale_slots + (FINALITY_SLOTS if self._plan.commitment == "finalized" else 0)
        if slot < min_slot:
            return f"answers of slot {slot} though {min_slot} was asked for"
        if not 0 <= slot - context <= CONTEXT_LAG:
            return f"answers of slot {context} with a clock of slot {slot}"
        if newest - slot > late:
            return f"answers of slot {slot}, and tells of slot {newest}"
        if slot - newest > self.stale_slots:
            return f"answers of slot {slot}, and tells of slot {newest} as the newest"
        return ""

    def _take(
        self, chosen: list[Pooled], accounts: Mapping[str, Account | None], unread: Mapping[str, str], clock: Clock,
        now_ns: int,
    ) -> None:  # fmt: skip
        """One answer, pool by pool: each of its own accounts alone."""
        self.reads += 1
        slot, self.time_s = clock.slot, clock.unix_timestamp
        states: dict[int, State] = {}
        for pool in chosen:
            own = {key: accounts[key] for key in pool.keys if key in accounts}
            problem = next((unread[key] for key in pool.keys if key in unread), "")
            if dispute := self._dispute(pool, slot, own):
                self.differences += 1
                pool.from_slot, pool.retry_ns = max(pool.from_slot, slot), now_ns + RETRY_NS
                self._doubt([pool], dispute, now_ns)
                self._watcher.on_wait(pool.retry_ns)
            elif pool.take(slot, own, problem, now_ns) and pool.seen is not None:
                if old := pool.outdated(self._plan.stale_after_ns, now_ns):
                    self._doubt([pool], old, now_ns)
                else:
                    states[pool.place] = pool.seen.state
        for key, account in accounts.items():
            if self.subscriptions.has(key):
                self.silence.read(key, At(slot, account), now_ns)
        self._subscribe(now_ns)
        if states:
            self._watcher.on_read(slot, states, clock, now_ns)

    def _dispute(self, pool: Pooled, slot: int, accounts: Accounts) -> str:
        """'' or what an answer says that the endpoint has said otherwise."""
        if any(not self._words.agrees(key, At(slot, account)) for key, account in accounts.items()):
            return f"a read at slot {slot} and a notification of it differ"
        gone = pool.gone(accounts)
        return f"account {gone} is not there any more at slot {slot}" if gone else ""

    # --- subscriptions ---------------------------------------------------------------------------------------------

    def _subscribe(self, now_ns: int) -> None:
        """To what the pools are made of now."""
        self._of.clear()
        for pool in self.pools:
            for key in pool.watched:
                self._of.setdefault(key, []).append(pool)
        if self.endpoint is not None:
            is_all = all(pool.is_known for pool in self.pools)
            changed = self.subscriptions.sync(self._of, now_ns, is_all=is_all)
            for key in changed.dropped:
                self._words.forget(key)
                self._decoded.forget(key)
                self.silence.forget(key)
            for key in changed.resumed:
                self._to_read(key)

    def _begun(self, key: str, now_ns: int) -> None:
        """What changed between the last read and now was not told."""
        self.silence.forget(key)
        self._to_read(key)
        self._pump(now_ns)

    def _to_read(self, key: str) -> None:
        for pool in self._of.get(key, ()):
            pool.is_asked_for = True

    def _not_told(self, reason: str, is_dead: bool, now_ns: int) -> None:
        if is_dead:
            self._watcher.on_dead(reason, now_ns)
        else:
            self._watcher.on_told(reason)

    # --- time ------------------------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """What is due by now, and what is too old to stand."""
        endpoint = self.endpoint
        if endpoint is None:
            return
        for pool in self.pools:
            if now_ns - pool.asked_ns >= TRUTH_NS:
                pool.is_asked_for = True
            if old := pool.outdated(self._plan.stale_after_ns, now_ns):
                self._doubt([pool], old, now_ns)
        self._watch_silence(endpoint, now_ns)
        if self.endpoint is endpoint:
            self._subscribe(now_ns)
            self._pump(now_ns)
            self._alarm_ns = 0  # whoever waits keeps one time alone
            self._set_alarm(now_ns)

    def _set_alarm(self, now_ns: int) -> None:
        """`tick` when the first of what was told is to be read by."""
        due = [pool.news.due_ns for pool in self.pools if pool.seen is not None and pool.news.due_ns is not None]
        if due and not now_ns < self._alarm_ns <= min(due):
            self._alarm_ns = min(due)
            self._watcher.on_wait(self._alarm_ns)

    def _watch_silence(self, endpoint: Endpoint, now_ns: int) -> None:
        late = self.silence.overdue(now_ns)
        self.differences += len(late)
        for key in late:
            self._watcher.on_told(f"{endpoint.link}: account {key} changed and was not told of: subscribed anew")
            self.subscriptions.renew(key, now_ns)
        if late and self.silence.is_broken(now_ns):
            self._watcher.on_dead(f"{self.silence.missed} changes were not told of", now_ns)
