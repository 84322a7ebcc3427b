"""Solana's session with one thing wrong each: a suite that misses one of these would miss the same mistake in earnest.

`plant` compiles the mutated source of one module and puts what it defines in the place of the original, wherever that
is used, until the test ends.
"""

# ruff: noqa: E501 - one mutant a line

import sys
from types import ModuleType
from typing import NamedTuple

import pytest

from tests.support.data import ROOT

PACKAGE = "connectors.venues.solana"
FOLDER = ROOT / "connectors" / "venues" / "solana"


class Edit(NamedTuple):
    """`old` stands exactly once in `file`."""

    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    """`caught_by`: the test that fails with it: its name in test_solana_session*.py, and its arguments."""

    name: str
    edits: tuple[Edit, ...]
    caught_by: str
    arguments: tuple[object, ...] = ()


def one(name: str, file: str, old: str, new: str, caught_by: str, *arguments: object) -> Mutant:
    return Mutant(name, (Edit(file, old, new),), caught_by, arguments)


MUTANTS = [
    Mutant("no order of slots", (
        Edit("words.py", "before is not None and said.slot <= before.slot", "before is not None and said.slot < 0"),
        Edit("words.py", "return Word.BACK if newest >= read.slot else Word.LATE", "return Word.LATE"),
    ), "test_slots_that_go_back_lose_what_was_shown_with_the_reason", ({"stale": 3},)),
    one("answers of the past are taken", "follow.py", "if slot < min_slot:", "if slot < 0:", "test_an_answer_below_the_slot_that_was_asked_for_is_a_failure"),
    one("the slot is not asked for", "rpc.py", "if min_slot:", "if not commitment:", "test_what_was_told_is_read_from_that_slot_on"),
    one("no clock proves the slot", "follow.py", "if not 0 <= slot - context <= CONTEXT_LAG:", "if slot < 0:", "test_an_answer_whose_clock_is_of_another_slot_is_a_failure"),
    one("books stand over a rollback", "follow.py", "pool.seen is not None and pool.seen.slot > slot]", "pool.seen is not None and pool.seen.slot < 0]", "test_what_was_read_on_a_branch_is_lost_when_the_node_leaves_it", "processed"),
    Mutant("two answers make one pool", (
        Edit("pooled.py", "        self.keys = keys\n        if self._stages < STAGES_MAX:", "        self.keys = (CLOCK, *(key for key in keys if key not in accounts))\n        if self._stages < STAGES_MAX:"),
        Edit("follow.py", "            own = {key: accounts[key] for key in pool.keys if key in accounts}\n", "            own = {**vars(pool).setdefault('mixed', {}), **{key: accounts[key] for key in pool.keys if key in accounts}}\n            pool.mixed = own\n"),
    ), "test_a_pool_is_never_made_of_two_answers"),
    one("a read is believed against a notification", "words.py", "told is None or told.slot != read.slot or told.account == read.account", "bool(key)", "test_a_notification_and_a_read_of_one_slot_that_differ_lose_the_book"),
    one("what was not read for long stands", "follow.py", "now_ns - pool.seen.read_ns > self._plan.stale_after_ns", "now_ns < 0", "test_an_unanswered_read_loses_the_books_in_time"),
    one("a chain that stands still is a market", "session.py", "if silent_ns > self.plan.stale_after_ns:", "if silent_ns < 0:", "test_a_node_that_stands_still_alone_is_lost_in_time"),
    one("a node need not rise to be followed", "endpoint.py", "            self._claimed, self._claimed_ns = slot, now_ns\n            return False", "            self.highest, self.slot_ns = slot, now_ns", "test_a_node_that_stands_still_alone_is_lost_in_time"),
    one("a node that falls back is no older", "follow.py", "self._problem(context, min_slot, clock, self.endpoint.highest)", "self._problem(context, min_slot, clock, self.endpoint.slot)", "test_a_node_that_falls_far_back_is_left_until_it_comes_again"),
    one("any slot is believed at once", "endpoint.py", "if self.highest and slot <= self.highest + self._in(now_ns - self.slot_ns):", "if self.highest:", "test_a_slot_out_of_the_air_changes_nothing", 1_000),
    one("others that are ahead are not looked at", "session.py", "if other.slot - followed.slot > self.follower.stale_slots:", "if other.slot < 0:", "test_a_node_that_was_behind_from_the_start_is_left_for_one_that_is_not"),
    one("any chain will do", "session.py", "elif genesis != self.plan.genesis:", "elif not genesis:", "test_another_chain_is_never_read"),
    one("an account is gone at the first word", "pooled.py", 'return key\n\n    def take', 'return ""\n\n    def take', "test_an_account_that_is_gone_is_believed_when_it_is_said_twice"),
    one("a slot that is not reached loses nothing", "follow.py", "if behind_ns > BEHIND_NS:", "if behind_ns < 0:", "test_a_slot_that_is_not_reached_for_a_second_loses_the_books"),
    one("a slot that is not reached loses all at once", "follow.py", "if behind_ns > BEHIND_NS:", "if behind_ns >= 0:", "test_a_slot_that_is_not_reached_is_asked_for_again_soon"),
    one("the chain's clock is not looked at", "session.py", "if abs(off_ns) > self.plan.stale_after_ns + CLOCK_NS:", "if off_ns is None:", "test_a_chain_whose_clock_is_far_from_ours_is_not_shown", -60),
    one("old arrays are followed for ever", "subscriptions.py", "if number is not None and key not in wanted]", "if number is not None and not key]", "test_arrays_are_followed_while_the_price_crosses_several", 3_000),
    one("new arrays are not followed", "follow.py", "            for key in pool.watched:\n                self._of", "            for key in pool.watched[:2]:\n                self._of", "test_arrays_are_followed_while_the_price_crosses_several", 3_000),
    one("what is not told is not missed", "silence.py", "if now_ns - awaited.since_ns > AWAITED_NS]", "if now_ns < 0]", "test_dropped_notifications_are_found_by_reading"),
    one("nothing is read but what is told", "follow.py", "if now_ns - pool.asked_ns >= TRUTH_NS:", "if now_ns < 0:", "test_every_pool_is_read_every_two_seconds_though_nothing_happens"),
    one("more than a hundred accounts", "follow.py", "len(together) <= KEYS_MAX", "len(together) <= 10_000", "test_every_read_of_a_pool_is_one_call_with_the_clock"),
    one("every pool is of the newest slot", "display.py", "return self.slots.get(place, 0)", "return self.number", "test_each_pools_record_is_of_the_slot_it_was_read_at"),
    one("no patience with a failing node", "session.py", "min(SECOND << min(endpoint.failures - 1, 10), BACKOFF_MAX_NS)", "0", "test_a_status_of_http_fails_the_endpoint_with_growing_patience"),
    one("books of a failed node stand", "session.py", "        self.follower.leave(now_ns)\n        self._lose(reason)", "        self.follower.leave(now_ns)", "test_a_node_that_stands_still_alone_is_lost_in_time"),
    one("what one node said is held against the next", "follow.py", "        for pool in self.pools:\n            pool.clear()", "        for pool in self.pools:\n            pool.is_asked_for = True", "test_a_cut_link_loses_everything_and_the_next_begins_from_nothing"),
    one("too many requests fail the node", "rpc.py", "HTTP_LIMITS: Final = frozenset({429, 503})", "HTTP_LIMITS: Final = frozenset({-1})", "test_too_many_requests_are_made_later", 503),
]  # fmt: skip


def plant(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts it in, until `monkeypatch` is undone."""
    for file in dict.fromkeys(edit.file for edit in mutant.edits):
        source = (FOLDER / file).read_text()
        for edit in mutant.edits:
            if edit.file == file:
                assert source.count(edit.old) == 1, f"{edit.old!r} stands {source.count(edit.old)} times in {file}"
                source = source.replace(edit.old, edit.new)
        name = f"{PACKAGE}.{file.removesuffix('.py')}"
        original, mutated = sys.modules[name], ModuleType(name)
        monkeypatch.setitem(sys.modules, name, mutated)  # for msgspec, which looks up annotations there
        exec(compile(source, str(FOLDER / file), "exec"), vars(mutated))  # noqa: S102 - our own source
        monkeypatch.setitem(sys.modules, name, original)
        for key, value in list(vars(original).items()):
            is_own = getattr(value, "__module__", None) == name or key.isupper()
            if not key.startswith("__") and is_own and key in vars(mutated):
                _replace(key, value, vars(mutated)[key], monkeypatch)


def _replace(key: str, value: object, by: object, monkeypatch: pytest.MonkeyPatch) -> None:
    users = [module for name, module in sys.modules.items() if name.startswith((PACKAGE, "tests.support.solana"))]
    for module in users:
        if vars(module).get(key, ...) is value:
            monkeypatch.setattr(module, key, by)
