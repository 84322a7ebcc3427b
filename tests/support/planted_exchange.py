"""Guards of what exchanges' sessions share, each taken out by a mutant (`tests/mutants.py`): one test must miss it."""

from tests.mutants import Mutant

SHARED = "connectors/exchange/"
PARTS, LIMITS = "tests/connectors/test_exchange_trading.py", "tests/connectors/test_exchange_limits.py"
FIVE, OUTSIDE = "tests/trading/test_five_venues.py", "tests/trading/test_five_venues_outside.py"


def _m(name: str, file: str, old: str, new: str, where: str, test: str, why: str) -> Mutant:
    return Mutant(name, f"{SHARED}{file}.py", old, new, (f"{where}::{test}",), why)


MUTANTS = [
    _m("accepted is done", "requests",
       "            request.due_ns = now_ns + GRACE_NS\n", "            self._drop(request)\n",
       PARTS, "test_accepted_and_nothing_follows_is_doubt_and_a_look", "an ack is taken for an outcome (OKX, Bybit)"),
    _m("every link loses everything", "requests",
       " for request in self._all() if request.link == link]", " for request in self._all()]",
       PARTS, "test_each_link_loses_its_own", "one link in mind"),
    _m("what is settled is doubted again", "requests",
       "        if not self.is_open(request):\n            return []\n        self._drop(request)\n",
       "        self._drop(request)\n",
       PARTS, "test_doubt_is_told_once_and_not_of_what_is_settled", "the door's own silence comes last"),
    _m("a refused amend is for ever on its way", "requests",
       "                self._drop(request)\n                return [] if known.is_done else",
       "                return [] if known.is_done else",
       PARTS, "test_an_amend_that_was_taken_is_made_or_not_by_the_stream", "only good news ends a request"),
    _m("the end does not wait", "executions",
       "        if not self._lag_ns or known.is_done or not", "        if True or not",
       PARTS, "test_an_end_waits_for_the_trades_that_it_knows_of", "trades and ends on one stream, one thinks"),
    _m("the end waits for ever", "executions",
       "if now_ns >= one.due_ns]:\n", "if False]:\n",
       PARTS, "test_trades_that_never_come_make_a_look[Kind.CANCELED-told0]", "a fill that was dropped"),
    _m("every state is news", "executions",
       "        if told.ts_ns < known.told_ns:\n", "        if False:\n",
       PARTS, "test_an_older_state_takes_no_amend_back", "streams are in order, one thinks"),
    _m("a trade is added to what the record knew", "executions",
       "max(known.cum_1e8, known.traded_1e8 + qty)", "known.cum_1e8 + qty",
       PARTS, "test_a_trade_that_the_record_told_first_ends_no_order_too_early", "told by two, counted twice"),
    _m("refused after it began", "executions",
       "        if kind is ExecType.REJECTED and (known.is_acked or known.cum_1e8):\n", "        if False:\n",
       PARTS, "test_an_order_that_began_is_not_refused_any_more", "the venue's word as it is"),
    _m("names are cut", "told",
       "    if not slash:\n        return []\n", "",
       PARTS, "test_money_of_a_market_whose_currencies_nobody_knows_is_not_told", "SOLUSDT is a currency"),
    _m("no answer is an answer", "rest",
       "    return Reply(said, is_silent=True)\n", "    return Reply(said)\n",
       PARTS, "test_no_answer_over_http_is_doubt", "status 0 is an error like others"),
    _m("cancels have one way", "outbound",
       "            except ValueError as error:  # REST may have another word for the order, or for its market\n",
       "            except KeyError as error:  # REST may have another word for the order, or for its market\n",
       PARTS, "test_a_cancel_that_cannot_be_written_for_its_way_goes_over_rest", "before metadata nothing ends"),
    _m("nobody slows down", "account",
       "        self.paced_until_ns = max(self.paced_until_ns, until_ns)\n", "        pass\n",
       PARTS, "test_what_refusals_lead_to", "429, and on"),
    _m("a refused cancel starts no look at Binance", "requests",
       '        if request.kind == "cancel" and request.orders and not request.orders[0].is_done:\n',
       "        if False:\n",
       FIVE, "test_a_cancel_refused_for_it_was_filled[False-binance]", "unknown there, nobody asks why"),
    _m("our clock is right", "skew",
       "        if not self.ms:\n", "        if True:\n",
       OUTSIDE, "test_a_clock_that_is_not_ours[-2500-binance]", "requests carry this machine's time"),
    _m("the last clock is the best", "skew",
       "min(self._samples, key=lambda one: one[0])", "self._samples[-1]",
       LIMITS, "test_the_last_answer_is_not_the_best_one", "however long the last question took"),
    _m("cancels have no part of their own", "budget",
       "        return self.most - (self.most // RESERVED_PART if self.reserved < 0 else self.reserved)\n",
       "        return self.most\n",
       LIMITS, "test_no_window_ever_holds_more_than_is_taken", "all of it for orders"),
    _m("a window ends too early", "budget",
       "(self.spent[0][0] + 1) * self.slice_ns + self.span_ns", "self.spent[0][0] * self.slice_ns + self.span_ns - 50",
       LIMITS, "test_what_is_spent_late_in_a_slice_counts_its_whole_time", "a slice is counted from its beginning"),
    _m("what is too much is counted of some", "budget",
       "            if wait_ns or cost[1] > rule.open:\n",
       "            self.force([cost], now_ns)\n            if wait_ns:\n",
       LIMITS, "test_what_is_too_much_of_one_is_counted_of_none", "counted as it is checked"),
]  # fmt: skip
