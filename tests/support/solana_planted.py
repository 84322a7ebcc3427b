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
    """`caught_by`: the test that fails with it: its name in test_solana_session*.py or test_solana_failures.py, and its arguments."""

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
    one("a read is believed against a notification", "words.py", "told is None or told.slot != read.slot or told.says(read.account)", "bool(key)", "test_a_notification_and_a_read_of_one_slot_that_differ_lose_the_book"),
    one("what was not read for long stands", "pooled.py", "if old_ns > stale_ns else", "if old_ns < 0 else", "test_an_unanswered_read_loses_the_books_in_time"),
    one("a chain that stands still is a market", "session.py", "if silent_ns > self.plan.stale_after_ns:", "if silent_ns < 0:", "test_a_node_that_stands_still_alone_is_lost_in_time"),
    one("a node need not rise to be followed", "endpoint.py", "            self._claimed, self._claimed_ns = slot, now_ns\n            return False", "            self.highest, self.slot_ns = slot, now_ns", "test_a_node_that_never_moved_is_not_shown"),
    one("a node that falls back is no older", "follow.py", "self._problem(context, min_slot, clock, self.endpoint.highest)", "self._problem(context, min_slot, clock, self.endpoint.slot)", "test_a_node_that_falls_far_back_is_left_until_it_comes_again"),
    one("any slot is believed at once", "endpoint.py", "if self.highest and slot <= self.highest + self._in(now_ns - self.slot_ns):", "if self.highest:", "test_a_slot_out_of_the_air_changes_nothing", 1_000),
    one("others that are ahead are not looked at", "session.py", "if other.is_heard(self._late) and other.slot - followed.slot > self.follower.stale_slots:", "if other.slot < 0:", "test_a_node_that_was_behind_from_the_start_is_left_for_one_that_is_not"),
    one("any chain will do", "session.py", "if reason := _foreign(result, self.plan.genesis):", "if reason := _foreign(result, text_of(result)):", "test_another_chain_is_never_read"),
    one("an account is gone at the first word", "pooled.py", 'return key\n\n    def take', 'return ""\n\n    def take', "test_an_account_that_is_gone_is_believed_when_it_is_said_twice"),
    one("a slot that is not reached loses nothing", "follow.py", "if behind_ns > BEHIND_NS:", "if behind_ns < 0:", "test_a_slot_that_is_not_reached_for_a_second_loses_the_books"),
    one("a slot that is not reached loses all at once", "follow.py", "if behind_ns > BEHIND_NS:", "if behind_ns >= 0:", "test_a_slot_that_is_not_reached_is_asked_for_again_soon"),
    one("the chain's clock is not looked at", "session.py", "if abs(off_ns) > self.plan.stale_after_ns + CLOCK_NS:", "if off_ns is None:", "test_a_chain_whose_clock_is_far_from_ours_is_not_shown", -60),
    one("old arrays are followed for ever", "subscriptions.py", "if key not in line.wanted or key in line.anew]", "if key in line.anew]", "test_arrays_are_followed_while_the_price_crosses_several", 3_000),
    one("new arrays are not followed", "follow.py", "            for key in pool.watched:\n                self._of", "            for key in pool.watched[:2]:\n                self._of", "test_arrays_are_followed_while_the_price_crosses_several", 3_000),
    one("what is not told is not missed", "silence.py", "if now_ns - awaited.since_ns > AWAITED_NS]", "if now_ns < 0]", "test_dropped_notifications_are_found_by_reading"),
    one("nothing is read but what is told", "follow.py", "if now_ns - pool.asked_ns >= TRUTH_NS:", "if now_ns < 0:", "test_every_pool_is_read_every_two_seconds_though_nothing_happens"),
    one("more than a hundred accounts", "follow.py", "len(together) <= KEYS_MAX", "len(together) <= 10_000", "test_every_read_of_a_pool_is_one_call_with_the_clock"),
    one("every pool is of the newest slot", "display.py", "return self.slots.get(place, 0)", "return self.number", "test_each_pools_record_is_of_the_slot_it_was_read_at"),
    one("no patience with a failing node", "session.py", "min(SECOND << min(endpoint.failures - 1, 10), BACKOFF_MAX_NS)", "0", "test_a_status_of_http_fails_the_endpoint_with_growing_patience"),
    one("books of a failed node stand", "session.py", "        self.follower.leave(now_ns)\n        self._lose(reason)", "        self.follower.leave(now_ns)", "test_a_node_that_stands_still_alone_is_lost_in_time"),
    one("what one node said is held against the next", "follow.py", "        for pool in self.pools:\n            pool.clear()", "        for pool in self.pools:\n            pool.is_asked_for = True", "test_a_cut_link_loses_everything_and_the_next_begins_from_nothing"),
    one("news is not waited for", "news.py", "is not None and now_ns >= due_ns", "is not None and now_ns < 0", "test_what_was_told_and_is_not_read_for_a_second_loses_the_book_until_it_is"),
    one("nobody wakes up for news", "follow.py", "            self._watcher.on_wait(self._alarm_ns)", "            pass", "test_what_was_told_and_is_not_read_for_a_second_loses_the_book_until_it_is"),
    one("only the first time of waking is said", "follow.py", "            self._alarm_ns = 0  # whoever", "            # whoever", "test_what_was_told_and_is_not_read_for_a_second_loses_the_book_until_it_is"),
    one("any answer is fresh", "follow.py", "if old := pool.outdated(self._plan.stale_after_ns, now_ns):\n                    self", "if old := '':\n                    self", "test_an_answer_that_is_older_than_what_was_told_long_ago_is_not_shown"),
    one("the newest news hides what is read in time", "news.py", "self._told[0][1] + NEWS_NS if", "self._told[0][1] + NEWS_NS // 10 if", "test_a_pool_that_changes_with_every_slot_is_shown_all_the_time", 200),
    one("news that cannot be read is none", "follow.py", "            for pool in pools:\n                pool.told(slot, now_ns)", "", "test_news_that_cannot_be_read_is_news"),
    one("a book is as old as its answer", "pooled.py", "old_ns = now_ns - self.seen.asked_ns", "old_ns = now_ns - self.seen.read_ns", "test_a_book_is_as_old_as_the_question"),
    one("answers of a branch that is gone count", "follow.py", "clock.slot > self._back_to:", "clock.slot < 0:", "test_an_answer_on_its_way_when_slots_go_back_is_dropped_and_asked_for_again"),
    one("news of a branch that is gone is waited for", "pooled.py", "since_ns = self.news.back(slot)", "since_ns = None", "test_what_was_told_of_a_branch_that_is_gone_is_not_waited_for"),
    one("going back makes news of nothing", "pooled.py", "            self.told(self.seen.slot + 1, since_ns)", "            pass", "test_news_stays_news_when_something_older_is_told_after_it", True),
    one("arrays are given up while pools are still read", "subscriptions.py", "{} if is_all else line.wanted", "{}", "test_subscriptions_come_though_reads_fail_and_nothing_is_asked_in_vain", 3),
    one("a failure ends all subscriptions", "subscriptions.py", "self._lines.setdefault(endpoint.link, _Line(endpoint))", "self._lines[endpoint.link] = _Line(endpoint)", "test_an_endpoint_that_fails_and_is_followed_again_is_not_subscribed_to_anew"),
    one("what is under way is asked for again", "subscriptions.py", "key in line.ids or key in line.asked", "key in line.ids", "test_where_equal_subscriptions_have_one_id_none_is_ended_that_is_needed"),
    one("ids outlive their connection", "subscriptions.py", "self.is_spoilt or self.turns != self.endpoint.turns or not", "self.is_spoilt or not", "test_a_connection_that_is_made_anew_is_subscribed_to_anew"),
    one("who is left tells on", "subscriptions.py", "                line.wanted.clear()\n", "", "test_an_endpoint_that_is_left_and_connects_anew_may_be_followed_again"),
    one("one id is of two accounts", "subscriptions.py", "if line.keys.get(number, key) != key:", "if not key:", "test_an_id_of_two_accounts_is_no_subscription"),
    one("too many requests fail the node", "rpc.py", "HTTP_LIMITS: Final = frozenset({429, 503})", "HTTP_LIMITS: Final = frozenset({-1})", "test_too_many_requests_are_made_later", 503),
    one("the word of a node that was left counts for the next", "display.py", "if epoch == self._epoch:", "if True:", "test_a_late_fee_answer_of_an_endpoint_that_was_left_is_void"),
    one("fees that cannot be read fail the node", "display.py", "except WireError as error:", "except ZeroDivisionError as error:", "test_fees_that_cannot_be_read_are_unknown_and_nothing_else_is_lost", None),
    one("fees that cannot be read are the last ones", "display.py", "            fees = []\n", "            return\n", "test_fees_that_cannot_be_read_are_unknown_and_nothing_else_is_lost", None),
    one("what is told anew was read now", "display.py", "self._out[count:] = [self._dated(output) for output in self._out[count:]]", "pass", "test_a_pool_that_is_told_anew_because_of_gas_was_still_read_when_it_was"),
    one("the chain's own book waits for news", "display.py", "again, self._withdrawn = self._withdrawn, set()", "again = set[str]()", "test_the_chains_own_book_is_shown_again_at_once_in_a_market_that_is_still"),
    one("a liar is heard for ever", "session.py", "if other.is_heard(self._late) and other.slot", "if other.slot", "test_an_endpoint_that_lies_of_its_slots_has_no_voice_once_it_is_found_out", "rpc1"),
    one("a liar is near, and nobody else", "session.py", "(endpoint.slot for endpoint in usable if endpoint.is_heard(self._late))", "(endpoint.slot for endpoint in usable)", "test_an_endpoint_that_lies_of_its_slots_has_no_voice_once_it_is_found_out", "rpc1"),
    one("the next endpoint may be older than what was shown", "session.py", "passed_ns <= HELD_NS and endpoint.slot < expected", "passed_ns <= HELD_NS and endpoint.slot < 0", "test_the_next_endpoint_is_not_far_behind_what_was_shown"),
    one("a clock that falls behind is not looked at", "session.py", "if grown_ns > self._step_ns:", "if grown_ns < 0:", "test_a_node_that_gets_later_and_later_is_left_though_its_slots_rise"),
    one("what was usual is usual on every connection", "endpoint.py", "        self.lag = Lag()\n        self._foreign_ns = 0", "        self._foreign_ns = 0", "test_a_node_that_gets_later_and_later_is_left_though_its_slots_rise"),
    one("another chain is another for ever", "session.py", "if endpoint.is_to_be_asked_anew(now_ns):", "if endpoint.frame_ns < 0:", "test_one_wrong_genesis_answer_is_not_for_ever", "x", "x"),
    one("another chain is no reason", "session.py", "            self._blame(endpoint, reason)\n            return\n        endpoint", "            return\n        endpoint", "test_one_wrong_genesis_answer_is_not_for_ever", "x", "x"),
    one("another chain is asked as often as ever", "endpoint.py", "FOREIGN_NS << min(self._foreign_count, 10)", "FOREIGN_NS", "test_a_chain_that_is_another_is_asked_ever_more_seldom_and_told_of_once"),
    one("a foreign endpoint is every market's reason", "session.py", "if not any(other.is_ready for other in self.endpoints):", "if endpoint:", "test_a_foreign_endpoint_is_no_harm_to_the_one_that_is_shown"),
    one("what was told is never told again", "session.py", "        self._notices.tick(now_ns)\n", "", "test_what_was_told_is_told_again_after_a_minute"),
    one("everything is told", "notices.py", " and len(self._told) < KINDS_MAX", "", "test_what_was_told_is_told_again_after_a_minute"),
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
