"""One pool as its endpoint's answers have it: what its next read asks for, and what the last one said.

A pool's state is of one answer: its own account, its arrays and whatever else it is made of are read in one call with
the clock, which proves the slot. What a stage finds out is only which accounts the next one must hold.
"""

from typing import Final

import msgspec

from connectors.amm.curve import QuoteError
from connectors.amm.raydium import Raydium
from connectors.chain import PoolPlan
from connectors.errors import PoolRefused, WireError
from connectors.onchain.asker import SECOND
from connectors.onchain.states import State
from connectors.venues.solana.account import Accounts
from connectors.venues.solana.keys import CLOCK
from connectors.venues.solana.news import News
from connectors.venues.solana.pools import mints_of, state_of, wanted
from connectors.venues.solana.rpc import KEYS_MAX
from connectors.venues.solana.words import existing

STAGES_MAX: Final = 8


class Seen(msgspec.Struct, frozen=True):
    """One answer's word on a pool. `state`: a text says why it cannot be shown. `asked_ns`: what is said was so then or
    later; `read_ns`: when it came."""

    slot: int
    asked_ns: int
    read_ns: int
    accounts: Accounts
    state: State


class Pooled:
    """`keys`: of the next read. `from_slot`: it must be of this slot or later. `seen`: the last word; None: none that
    counts. `is_known`: it was read whole here; `whole_ns`: when it was last, wherever. `news`: what was told and is not
    read yet. `is_asked_for`: to be read as soon as may be, whatever was told; `retry_ns`: but not before. `behind_ns`:
    since when its node has not come to that slot. `watched`: accounts that it must be told of: not the clock, which
    changes always, nor the mints, whose supply does and whose terms the next read finds."""

    def __init__(self, place: int, plan: PoolPlan, around: int) -> None:
        self.place = place
        self.plan = plan
        self._around = around
        self.keys: tuple[str, ...] = ()
        self.from_slot = 0
        self.news = News()
        self.asked_ns = 0
        self.whole_ns = 0
        self.behind_ns = self.retry_ns = 0
        self.is_asked_for = True
        self.is_known = False
        self.seen: Seen | None = None
        self.watched: tuple[str, ...] = ()
        self._there: set[str] = set()  # accounts that a read found
        self._stages = 0
        self.clear()

    def clear(self) -> None:
        """Nothing is known of it."""
        self.keys = self.plan.address, CLOCK
        self.watched = (self.plan.address,)
        self._there.clear()
        self.news.clear()
        self.from_slot = self.asked_ns = self.behind_ns = self.retry_ns = self._stages = 0
        self.is_asked_for = True
        self.is_known = False
        self.seen = None

    @property
    def is_due(self) -> bool:
        return self.is_asked_for or self.seen is None or self.seen.slot < self.from_slot

    @property
    def min_slot(self) -> int:
        return max(self.from_slot, self.seen.slot if self.seen is not None else 0)

    def told(self, slot: int, now_ns: int) -> None:
        """It changed at this slot, and is to be read from there on."""
        self.from_slot = max(self.from_slot, slot)
        if self.seen is None or slot > self.seen.slot:
            self.news.told(slot, now_ns)

    def back(self, slot: int) -> None:
        """What was told of later slots is of a branch that is gone, or was said by another node behind the same
        address: it is not waited for, but what was read before it must be read again."""
        self.from_slot = min(self.from_slot, slot)
        since_ns = self.news.back(slot)
        if since_ns is not None and self.seen is not None and self.seen.slot <= slot:
            self.told(self.seen.slot + 1, since_ns)

    def gone(self, accounts: Accounts) -> str:
        """'' or an account that was there and now is not: a program hardly ever closes one, and a node that does not
        have it says the same. A second answer that says so is believed."""
        key = next((key for key in accounts if existing(accounts[key]) is None and key in self._there), "")
        self._there.difference_update([key for key in accounts if existing(accounts[key]) is None])
        return key

    def take(self, slot: int, accounts: Accounts, problem: str, now_ns: int) -> bool:
        """One answer; False: another stage is to be read. `problem`: an account of it that cannot be read at all."""
        state = problem or self._state(accounts)
        self.behind_ns = 0
        if state is None:
            self.is_asked_for = True
            return False
        before = self.seen
        if before is not None and not _depends_on_time(state) and _same(before, state, accounts):
            state = before.state  # nobody need be shown it again
        if not isinstance(state, str):
            beside = {CLOCK, *mints_of(self.plan.address, accounts)}
            self.watched = tuple(key for key in self.keys if key not in beside)
        self._there.update(key for key, account in accounts.items() if existing(account) is not None)
        self._stages = 0
        self.is_known, self.whole_ns = True, now_ns
        self.seen = Seen(slot, self.asked_ns, now_ns, accounts, state)
        self.news.read(slot)
        return True

    def _state(self, accounts: Accounts) -> State | None:
        """Of these accounts; None: more of them must be read."""
        try:
            keys = wanted(self.plan.address, accounts, self._around)
            if all(key in accounts for key in keys):
                self.keys = keys
                return state_of(self.plan, accounts)
        except (PoolRefused, WireError, QuoteError) as error:
            return str(error)
        self._stages += 1
        if len(keys) > KEYS_MAX:
            return f"it is made of {len(keys)} accounts, and one answer holds {KEYS_MAX}"
        self.keys = keys
        if self._stages < STAGES_MAX:
            return None
        self._stages = 0
        return f"it is made of other accounts at each of {STAGES_MAX} reads"

    def outdated(self, stale_ns: int, now_ns: int) -> str:
        """'' or why what was read last is too old to be shown."""
        if self.seen is None:
            return ""
        old_ns = now_ns - self.seen.asked_ns
        return f"not read for {old_ns // SECOND} s" if old_ns > stale_ns else self.news.overdue(now_ns)

    def lose(self) -> None:
        """What was read last does not count any more."""
        self.seen = None
        self.is_asked_for = True


def _depends_on_time(state: State) -> bool:
    return isinstance(state, Raydium) and state.volatility is not None


def _same(before: Seen, state: State, accounts: Accounts) -> bool:
    if isinstance(state, str) or isinstance(before.state, str):
        return before.state == state
    then = before.accounts
    return then.keys() == accounts.keys() and all(then[key] == accounts[key] for key in accounts if key != CLOCK)
