"""Guards of trading for real, each taken out by a mutant (`tests/mutants.py`): one test must see it gone."""

from tests.mutants import Mutant
from tests.support.planted_exchange import MUTANTS as EXCHANGE

KNOBS = {"VENUEGATE_STORMS": "8", "VENUEGATE_VISIBILITY": "48"}
LOST, EVENTS, NETS = "test_lost_answers.py", "test_events.py", "test_networks.py"
RESTARTS, STOPS, DEAD = "test_restarts.py", "test_stopping.py", "test_deadman.py"
VISIBILITY, OUTAGES = "test_visibility.py", "test_outages.py"
KRAKEN, SHARED = "connectors/venues/kraken/", "connectors/exchange/"
LINK, TRADING, ANSWERS, LIMITS, ERRORS, LIVENESS = (
    f"{KRAKEN}{name}.py" for name in ("link", "trading", "answers", "limits", "errors", "liveness")
)
REQUESTS, EXECUTIONS, LOOK, RECORD, DEADMAN, OUTBOUND = (
    f"{SHARED}{name}.py" for name in ("requests", "executions", "look", "record", "deadman", "outbound")
)
RECONCILE, STATE, ACCOUNT, RECALL = "oms/reconcile.py", "oms/state.py", "runtime/venue_account.py", "runtime/recall.py"
MONEY = "runtime/venue_money.py"


def _m(name: str, file: str, old: str, new: str, where: str, test: str, why: str) -> Mutant:
    return Mutant(name, file, old, new, (f"tests/trading/{where}::{test}",), why)


LASTED = '''        return first_ns is not None and picture.asked_ns > first_ns + self._visible_ns

    def first_ns(self, key: tuple[str, str], now_ns: int) -> int:
        return self._since.get(key, now_ns)

    def is_settled(self, asked_ns: int, picture: Picture) -> bool:
        """Whether the picture shows what became of everything that was approved until then; 0: nothing was."""
        return asked_ns == 0 or picture.asked_ns >= asked_ns + self._deadline_ns + self._visible_ns
'''
BELIEVES = """        return True

    def first_ns(self, key: tuple[str, str], now_ns: int) -> int:
        return self._since.get(key, now_ns)

    def is_settled(self, asked_ns: int, picture: Picture) -> bool:
        return True
"""
DOUBT = "        return [report(known, ExecType.UNKNOWN, why) for known in _alive(request.orders)]\n"
MUTANTS = [
    # --- lost answers -----------------------------------------------------------------------------------------------
    _m("a cut link leaves no doubt", REQUESTS,
       "        return [report(known, ExecType.UNKNOWN, why) for known in doubted.values()]\n", "        return []\n",
       LOST, "test_ccxt_2599_response_lost", "what was in flight is forgotten with the socket"),
    _m("silence is a refusal", REQUESTS, DOUBT, DOUBT.replace("UNKNOWN", "REJECTED"),
       LOST, "test_catalyst_317_a_timeout_is_no_reason_to_order_again", "a timeout taken for a no"),
    _m("busy is a refusal", ERRORS, '"EService:Busy": _DOUBT', '"EService:Busy": _CLOSED',
       LOST, "test_hummingbot_6033_busy_is_no_failure", "a 5xx taken for a no"),
    _m("what traded in doubt is not booked", RECONCILE,
       "        self._trades(order, trades, total_1e8)\n        if known_1e8 >= total_1e8:\n",
       "        if known_1e8 >= total_1e8:\n",
       LOST, "test_hummingbot_493_an_order_that_timed_out_is_still_ours", "only the state is looked up"),
    _m("one not-found is proof", RECONCILE,
       LASTED.partition("\n")[0], "        return True",
       LOST, "test_an_order_that_never_got_there_is_proved_so", "not listed, so it never was (nautilus#3870)"),
    _m("found by the venue's id alone", RECORD,
       "        client_order_id=order.name, venue_order_id=order.venue_id, instrument=index,",
       "        client_order_id=\"\", venue_order_id=order.venue_id, instrument=index,",
       LOST, "test_nautilus_4958_only_the_client_id_is_known", "the id that the lost answer held"),
    _m("a refused cancel is a cancelled order", REQUESTS, '    "cancel": ExecType.CANCEL_REJECTED,\n',
       '    "cancel": ExecType.CANCELED,\n',
       LOST, "test_ccxt_1786_unknown_order_may_be_on_its_way", "unknown there, so it is gone"),
    _m("doubt ends by itself", REQUESTS,
       "            if request.stage is Stage.LATE:\n                self._drop(request)\n",
       "            if request.stage is Stage.LATE:\n                self._drop(request)\n"
       "                out += [report(known, ExecType.REJECTED, 'late') for known in _alive(request.orders)]\n",
       LOST, "test_hummingbot_8457_no_network_is_no_dead_order", "after a minute it must be dead"),
    _m("doubt does not count", "risk/exposure.py",
       "TERMINAL = frozenset({ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED})",
       "TERMINAL = frozenset({ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED, ExecType.UNKNOWN})",
       LOST, "test_hummingbot_3374_an_order_taken_for_dead_fills_later", "not known, so not there"),
    _m("a late answer is thrown away", REQUESTS,
       "            request.stage, request.due_ns = Stage.LATE, request.due_ns + LATE_NS\n",
       "            self._drop(request)\n",
       LOST, "test_a_late_answer_still_counts", "whoever is late is not heard"),
    # --- events -----------------------------------------------------------------------------------------------------
    _m("filled is believed without its trades", EXECUTIONS,
       "        if self._is_ahead(told, known):\n            how =",
       "        if self._is_ahead(told, known) and is_filled:\n            return []\n"
       "        if self._is_ahead(told, known):\n            how =",
       EVENTS, "test_hummingbot_905_filled_before_the_answer_and_the_event_lost", "no look when something is missing"),
    _m("the guest is not told of its fill", "runtime/desk.py",
       "            algo.on_fill(fill, view)\n", "            pass\n",
       EVENTS, "test_hummingbot_6672_filled_at_once_is_told_with_its_size", "a callback lost"),
    _m("a refused cancel ends the order here", STATE,
       "                       S.PENDING_CANCEL, S.PENDING_CANCEL, RESTORED, S.UNKNOWN),",
       "                       S.PENDING_CANCEL, S.PENDING_CANCEL, S.CANCELED, S.UNKNOWN),",
       EVENTS, "test_hummingbot_4738_a_refused_cancel_ends_no_tracking", "tracking dropped"),
    _m("a refused cancel starts no look", REQUESTS,
       '        if request.kind == "cancel" and request.orders and not request.orders[0].is_done:\n',
       "        if False:\n",
       EVENTS, "test_passivbot_514_the_cancel_failed_because_it_was_filled", "why it was refused, nobody asks"),
    _m("the answer to a cancel is its end", REQUESTS,
       "            request.stage = Stage.ACCEPTED\n            request.due_ns = now_ns + GRACE_NS\n",
       "            return [report(known, ExecType.CANCELED) for known in request.orders]\n",
       EVENTS, "test_freqtrade_1858_filled_after_the_cancel_was_taken", "accepted is not done"),
    _m("the sum is told as the part", EXECUTIONS,
       "exec_id=told.exec_id, last_qty_1e8=qty,", "exec_id=told.exec_id, last_qty_1e8=cum,",
       EVENTS, "test_freqtrade_8374_parts_add_up", "cumulated taken for the last"),
    _m("partly filled is never cancelled", STATE,
       "    S.PARTIALLY_FILLED: (S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.CANCELED,",
       "    S.PARTIALLY_FILLED: (S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.PARTIALLY_FILLED,",
       EVENTS, "test_freqtrade_3802_a_partly_filled_sell_is_cancelled", "a row of the table"),
    _m("told twice is reported twice", SHARED + "account.py",
       "        if self._told.get(exec_id):\n            return False\n", "",
       EVENTS, "test_hummingbot_1142_told_twice_counts_once", "no memory of executions"),
    _m("an amend makes it new", STATE,
       "                         S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.UNKNOWN),",
       "                         S.NEW, S.PARTIALLY_FILLED, S.PARTIALLY_FILLED, S.UNKNOWN),",
       EVENTS, "test_nautilus_3471_an_amend_forgets_no_fill", "PARTIALLY_FILLED → ACCEPTED"),
    _m("the account is compared once an hour", "oms/pacer.py", "CALM_S: Final = 60\n", "CALM_S: Final = 3600\n",
       EVENTS, "test_tradestation_101_one_fill_dropped_from_a_sound_stream", "a healthy stream is enough"),
    _m("a hole in the sequence is not seen", LINK,
       "        return self.resubscribe(gap, now_ns, channel) if gap else []\n", "        return []\n",
       EVENTS, "test_a_hole_in_the_sequence_is_subscribed_over", "sequences are not looked at"),
    # --- networks ---------------------------------------------------------------------------------------------------
    _m("an outage cancels what was to be cancelled", REQUESTS,
       "        return [report(known, ExecType.UNKNOWN, why) for known in doubted.values()]\n",
       "        return [report(known, ExecType.CANCELED, why) for known in doubted.values()]\n",
       NETS, "test_nautilus_4152_an_outage_proves_no_cancel", "PENDING_CANCEL booked as CANCELED"),
    _m("one page of trades is all", RECORD,
       "        if here and self.offset < count:\n            return False\n        self.offset = 0\n"
       "        return read >= self.promised\n",
       "        return True\n",
       NETS, "test_ibkr_249_fills_while_we_were_away", "the first fifty"),
    _m("a mute link is well", LIVENESS, "_MAX_NS: Final = 3_500_000_000", "_MAX_NS: Final = 3_500_000_000_000",
       NETS, "test_ccxt_22662_a_mute_link_is_noticed_in_five_seconds", "no silence is too long"),
    _m("a pong is proof", LINK, "        if not is_pong:\n", "        if True:\n",
       NETS, "test_pong_only_is_mute_too", "our own echo"),
    _m("cancels cost nothing", LIMITS,
       "        self.counter(pair).add(cancel_cost(age_ns), now_ns)\n", "        return\n",
       NETS, "test_kraken_rate_counter_is_never_overrun", "the counter without its dearest part"),
    _m("one pair's rate stops all", ANSWERS,
       "            verdict = verdict._replace(next=Next.DEFINITE)\n", "",
       NETS, "test_one_pair_that_is_over_its_rate_stops_no_other", "back-off of the whole venue"),
    _m("a failed look is repeated at once", LOOK, "RETRY_FIRST_NS: Final = 5 * SECOND", "RETRY_FIRST_NS: Final = 0",
       NETS, "test_hummingbot_1291_who_is_told_to_slow_down_does", "429, and on"),
    _m("a nonce is not drawn again", LINK,
       "        if is_passing and self._token_tries == 0:", "        if False:",
       NETS, "test_krakenex_21_a_nonce_that_was_overtaken_is_drawn_again", "no second try"),
    _m("an expired token stays", LINK,
       "            if verdict.next is Next.RENEW:\n                return self.renew(error, now_ns)\n",
       "            if verdict.next is Next.RENEW:\n                return []\n",
       NETS, "test_nautilus_3871_a_token_that_expired_at_the_reconnect", "nobody asks for another"),
    _m("cancels wait for the private link", OUTBOUND,
       "                send = self._ways.cancel_by_rest(",
       "                return []\n                send = self._ways.cancel_by_rest(",
       NETS, "test_cancels_go_by_rest_while_the_private_link_is_down", "one way only"),
    # --- restarts ---------------------------------------------------------------------------------------------------
    _m("executions are forgotten at a restart", RECALL,
       "        order.exec_ids = set(live.exec_ids or ()) or None\n", "        order.exec_ids = None\n",
       RESTARTS, "test_nautilus_3878_restarting_often_is_restarting_once", "each restart books them again"),
    _m("a restart is flat", RECALL,
       "                engine.oms.positions[algos[name].index, markets[market]] = _given(position)\n",
       "                pass\n",
       RESTARTS, "test_nautilus_4736_a_warm_restart_is_not_flat", "believes flat"),
    _m("open orders are forgotten at a restart", RECALL,
       "    for live in gate.account.live.values():\n", "    for live in ():\n",
       RESTARTS, "test_hummingbot_366_open_orders_are_not_forgotten", "the OMS begins empty"),
    _m("orders that nobody knows are left alone", RECONCILE,
       "        if is_lasting and told_1e8 == record.cum_qty_1e8:\n", "        if False:\n",
       RESTARTS, "test_an_order_that_no_journal_knows_is_adopted", "not ours, we think"),
    _m("orders pass before the first look", ACCOUNT,
       "        if self.looked_ns < self._ready_ns:\n", "        if False:\n",
       RESTARTS, "test_an_order_in_flight_at_the_crash_is_found", "the start is not waited for"),
    # --- a person, the dead man ---------------------------------------------------------------------------------------
    _m("the kill knows one way", OUTBOUND,
       "        self._requests.sent(approved.approval, request)\n        return [self._ways.cancel_all_by_rest(",
       "        return []\n        return [self._ways.cancel_all_by_rest(",
       STOPS, "test_hummingbot_2534_the_kill_switch_works_when_nothing_else_does", "the private link or nothing"),
    _m("refusals are not counted", "risk/watch.py",
       "        elif was_open and report.exec_type in _REFUSED and self._has_refusals:\n", "        elif False:\n",
       STOPS, "test_hummingbot_462_refusals_are_no_flood", "100,000 orders a day"),
    _m("the switch is refreshed too late", LINK, "REFRESH_S: Final = 15", "REFRESH_S: Final = 61",
       DEAD, "test_it_is_refreshed_in_time_for_an_hour", "the venue fires while we trade"),
    _m("the switch stays armed in maintenance", TRADING,
       "            return self._link.disarm(now_ns)\n", "            return []\n",
       DEAD, "test_it_is_disarmed_before_maintenance", "it fires when nobody can refresh it"),
    _m("the switch stays armed at the end", TRADING,
       "            out += self._link.disarm(now_ns)\n", "            pass\n",
       DEAD, "test_it_is_disarmed_at_the_end_when_nothing_is_open", "it cancels what a person places later"),
    _m("the switch is disarmed whatever is open", TRADING, "        if is_flat:\n", "        if True:\n",
       DEAD, "test_it_stays_armed_at_the_end_when_something_may_be_open", "orders nobody looks after"),
    _m("no alarm without an ack", DEADMAN,
       "        if self._asked_ns is None or now_ns - self._asked_ns < ANSWER_NS:\n", "        if True:\n",
       DEAD, "test_no_ack_no_orders_and_a_person_hears_of_it", "armed, one hopes"),
    _m("the switch is never armed", LINK,
       "        self.dead_man.asked(now_ns)\n        return [",
       "        self.dead_man.asked(now_ns)\n        self.dead_man.answered('', now_ns, now_ns)\n"
       "        return [] and [",
       DEAD, "test_a_frozen_gateway_has_nothing_open_after_a_minute", "taken for armed"),
    # --- all together -------------------------------------------------------------------------------------------------
    _m("an id that is named later stays a stranger's", SHARED + "known.py",
       "        if known is not None and name and not known.name:\n", "        if False:\n",
       RESTARTS, "test_nautilus_4051_a_name_that_comes_after_the_id", "who was nobody once is nobody for ever"),
    _m("trades are not looked for", LOOK,
       "            if ours is not None:\n", "            if ours is not None and False:\n",
       LOST, "test_ccxt_2698_timeout_and_instant_fill", "orders alone"),
    _m("only what is open is looked for", LOOK,
       "            open=told_open, closed=told_closed,", "            open=told_open, closed=(),",
       LOST, "test_an_end_that_nobody_told", "what closed is not asked"),
    _m("old terms are believed at once", RECONCILE,
       '            if not self._lasts(order.client_order_id, f"terms {terms}"):\n', "            if False:\n",
       EVENTS, "test_a_change_of_the_venues_own_is_not_undone_by_a_list_that_lags", "the record is always right"),
    _m("ids without a tag", "runtime/desk.py",
       '        return f"{self._tag}-{number}"\n', '        return f"vg-{number}"\n',
       NETS, "test_nautilus_3651_no_id_is_longer_than_18_characters", "ids used again after a restart"),
    _m("a difference of money stops nothing", MONEY,
       "                gate.distrust(index)\n", "                pass\n",
       RESTARTS, "test_nautilus_3104_what_cannot_be_explained_halts_that_market", "said, and traded on"),
    _m("believes one not-found, whole stack", RECONCILE, LASTED, BELIEVES,
       VISIBILITY, "test_no_order_is_closed_without_proof_however_late_rest_is", "the schedules' negative control"),
    _m("an id that is named later is nobody's, in a storm", SHARED + "known.py",
       "        if known is not None and name and not known.name:\n", "        if False:\n",
       "test_storms.py", "test_storms_end_definite_and_equal", "storms must find what they found"),
    _m("the purse is not looked at again", MONEY,
       "            self._desk.gate.balance(Balance(self._port.name, currency, total_1e8))\n", "            pass\n",
       NETS, "test_a_balance_that_was_told_before_its_fill", "the same money twice"),
    _m("cancels wait with the orders", OUTBOUND,
       "        is_sound = self._ways.is_sound(now_ns)\n",
       "        is_sound = self._ways.is_sound(now_ns)\n"
       "        if self._account.paced_until_ns > now_ns:\n            return []\n",
       NETS, "test_tribeca_202_cancels_have_a_budget_of_their_own", "one budget for all"),
    _m("a look gives up a cancel on its way", RECONCILE,
       "        return asked_ns == 0 or picture.asked_ns >= asked_ns + self._deadline_ns + self._visible_ns\n",
       "        return True\n",
       EVENTS, "test_a_look_gives_up_no_cancel_that_is_on_its_way", "open in the list, so it had no effect"),
    *EXCHANGE,
]  # fmt: skip
