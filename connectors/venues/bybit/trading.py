"""Trading at Bybit for real: approved orders out; answers, executions and balances in. Pure, like every session.

Orders leave on the trade socket, what becomes of them is told on the private one, questions and the cancel of
everything go over REST. The parts: key.py (what the key may do), link.py (login, topics, life of either socket),
answers.py and told.py (what Bybit's messages mean), picture.py (what a look asks for), limits.py (rates).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import Balance, Notice
from connectors.exchange.amounts import amount_1e8
from connectors.exchange.key import KeyCheck
from connectors.exchange.known import Known
from connectors.exchange.requests import Request
from connectors.exchange.rest import OWN, Question, Reply
from connectors.exchange.session import TICK_NS, ExchangeTrading, check_options
from connectors.exchange.skew import Skew
from connectors.orders import Approved, CancelAll, CancelOrder, NewOrder
from connectors.session import PRIVATE, REST, TRADE, Output, Send, TradingPlan, WakeAt
from connectors.venues.bybit import key, limits, private
from connectors.venues.bybit.answers import Answers, read
from connectors.venues.bybit.errors import CLOCK, RESTARTING, SHUT_OUT, classify, code_of
from connectors.venues.bybit.link import Link
from connectors.venues.bybit.orders import BATCH_MAX, CANCEL, DEADLINE_NS, SMP_TYPES, BybitOrders
from connectors.venues.bybit.picture import ACCOUNT, Lists
from connectors.venues.bybit.told import Translator

VENUE: Final = "bybit"
OPTIONS: Final = {
    "batch": ("true", "false"),  # read where orders are put together, by the engine
    "smp_type": SMP_TYPES,
}
TIME: Final = "time"
TIME_ANSWER_NS: Final = 5 * 10**9
TRADES_LAG_NS: Final = 3 * 10**9  # orders and executions are two topics
SOCKET_NUMBERS: Final = 2 * OWN  # of logins, subscriptions and pings; questions over REST are numbered below
_LOGGED_IN: Final = frozenset({0, 20001})  # 20001: it was already
_UNREADABLE: Final = (msgspec.MsgspecError, WireError, ValueError, RecursionError)


class BybitTrading(ExchangeTrading):
    """`OrderSession` for Bybit spot. Raises ConfigError for an option that it does not know.

    Options: `smp_type` (orders.py), `batch` (true: orders of one turn at one market go in one message).
    """

    def __init__(self, plan: TradingPlan) -> None:
        check_options(VENUE, plan.options, OPTIONS)
        self._encoder = BybitOrders(plan.instruments, plan.options)
        self._limits = limits.Limits(VENUE)
        self._skew = Skew(VENUE)
        self._translator = Translator(plan)
        super().__init__(
            plan, VENUE, encoder=self._encoder, read=read, classify=classify, purse=self._limits,
            parts=Lists(self._translator).parts, deadline_ns=DEADLINE_NS, submit_many=self._write_many,
            batch_max=BATCH_MAX, skew=self._skew, trades_lag_ns=TRADES_LAG_NS,
        )  # fmt: skip
        self._answers = Answers(self.account, self.requests, self._limits, self._skew)
        self._key = KeyCheck(self.account, self.rest, key.QUESTIONS, key.refused)
        self._links = {name: Link(VENUE, name, self._number, self._skew) for name in (PRIVATE, TRADE)}
        self._last_number = SOCKET_NUMBERS
        self._time: Question | None = None
        self._system = "online"

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _write_many(self, several: Sequence[Approved[NewOrder]], now_ns: int) -> Send:
        self._answers.batch(list(several))
        return self._encoder.submit_many(several, now_ns)

    # --- the links ---------------------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> list[Output]:
        """Bybit's time before anything is signed with ours."""
        return self.finish([*self._ask_time(now_ns), WakeAt(now_ns + TICK_NS)], now_ns)

    def open(self, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        found = self._links.get(link)
        if found is None:
            return []
        return self.finish(found.open(now_ns) if not self.account.halted else [], now_ns)

    def close(self, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        """What is in flight on either is doubt: what becomes of it is told on one, and answered on the other."""
        if link not in self._links:
            return []
        self._links[link].close()
        return self.finish(self.requests.lost(f"the {link} link went down", TRADE), now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        if self.is_stopped:
            return []
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        for link in self._links.values():
            was_open = link.is_open
            out += link.tick(now_ns)
            if was_open and not link.is_open:
                out += self.requests.lost(f"the {link.name} link was given up", TRADE)
        out += self._tick_time(now_ns) + self._key.tick(now_ns)
        out += self.requests.overdue(now_ns) + self.executions.tick(now_ns)
        return self.finish(out, now_ns)

    def renew(self, why: str, now_ns: int) -> list[Output]:
        """No verdict here asks for it: a login that is no good is tried anew by its link."""
        del now_ns
        return [Notice("warning", f"{VENUE}: {why}")]

    # --- Bybit's time ------------------------------------------------------------------------------------------------

    def _ask_time(self, now_ns: int) -> list[Output]:
        self._skew.asked(now_ns)
        self._time, send = self.rest.ask(TIME, "GET /v5/market/time", "", now_ns)
        return [send]

    def _tick_time(self, now_ns: int) -> list[Output]:
        out: list[Output] = []
        if self._time is not None and now_ns - self._time.sent_ns >= TIME_ANSWER_NS:
            self._time = None
            out += self._ask_key(now_ns)
        if self._skew.is_due(now_ns) and self._time is None and not self._limits.wait_ns(TIME, now_ns):
            out += self._ask_time(now_ns)
        return out

    def _ask_key(self, now_ns: int) -> list[Output]:
        return [] if self._key.is_asked else self._key.start(now_ns)

    def _time_answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        out: list[Output] = []
        if question is self._time:
            self._time = None
        if reply.error:
            out.append(Notice("warning", f"{VENUE}: its time could not be asked: {reply.error}"))
        else:
            nano = private.decode_time(reply.result).time_nano
            if not (nano.isascii() and nano.isdigit() and len(nano) <= 19):
                raise WireError(f"a time of {nano:.40} ns")
            out += self._skew.told(question.sent_ns, now_ns, int(nano))
            self._encoder.skew_ms = self._skew.ms
        return out + self._ask_key(now_ns)

    # --- orders out --------------------------------------------------------------------------------------------------

    def why_not(self, now_ns: int) -> str:
        del now_ns
        if self._key.why:
            return self._key.why
        if self._system != "online":
            return f"bybit says: {self._system}"
        return next((why for link in self._links.values() if (why := link.why())), "")

    def pay(self, kind: str, orders: Sequence[Known], now_ns: int) -> str:
        return self._limits.pay(kind, len(orders), now_ns)

    def is_sound(self, now_ns: int) -> bool:
        del now_ns
        return not self._links[TRADE].why()

    def cancel_by_rest(self, approved: Approved[CancelOrder], known: Known, request: Request, now_ns: int) -> Send:
        del known
        self.rest.expect(approved.approval, limits.CANCEL, now_ns, request)
        head = b"%d POST %s\n" % (approved.approval, CANCEL.encode())
        return self._skew.into(Send(REST, head + self._encoder.cancel_body(approved.order), approved.approval))

    def cancel_all_by_rest(self, approved: Approved[CancelAll], request: Request, now_ns: int) -> Send:
        self.rest.expect(approved.approval, limits.CANCEL_ALL, now_ns, request)
        return self._skew.into(self._encoder.cancel_all(approved, now_ns))

    # --- what comes in -----------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link: str = PRIVATE, /) -> list[Output]:
        read_frame = {PRIVATE: self._private, TRADE: self._trade, REST: self._rest_answer}.get(link)
        if read_frame is None:
            return []
        if link in self._links:
            self._links[link].heard(now_ns)
        try:
            out = read_frame(frame, now_ns)
        except _UNREADABLE as error:
            out = self._unexplained(frame, link, str(error))
        return self.finish(out, now_ns)

    def _unexplained(self, frame: bytes, link: str, why: str) -> list[Output]:
        """Loud; and whatever it may have said, a look at the account finds."""
        self.account.look_why = f"a frame of the {link} link that cannot be read"
        return [Notice("error", f"{VENUE}: unexplained frame of the {link} link {frame[:120]!r}: {why}")]

    def _private(self, frame: bytes, now_ns: int) -> list[Output]:
        message = private.decode_message(frame)
        kind = message.topic.partition(".")[0]
        if kind in ("order", "execution"):
            translate = self._translator.told_order if kind == "order" else self._translator.told_execution
            out, problem = self.executions.read(private.spot_items(message.data), translate, now_ns)
            return out + (self._unexplained(frame, PRIVATE, problem) if problem else [])
        if kind == "wallet":
            return self._wallet(message.data)
        link = self._links[PRIVATE]
        problem = "" if message.success else message.ret_msg or "no reason given"
        if message.op == "pong" or (message.op == "ping" and message.success):
            return []
        if message.op == "auth":
            return link.logged_in(problem, now_ns)
        if message.op == "subscribe":
            return link.subscribed(message.req_id or "", problem, now_ns)
        raise WireError("neither data nor an answer that is known")

    @staticmethod
    def _wallet(data: msgspec.Raw) -> list[Output]:
        return [
            Balance(VENUE, coin.coin, amount_1e8(private.signed(coin.wallet_balance)))
            for wallet in private.decode_wallet_list(data)
            if wallet.account_type == ACCOUNT
            for coin in wallet.coin
        ]

    def _trade(self, frame: bytes, now_ns: int) -> list[Output]:
        answer = private.decode_answer(frame)
        link = self._links[TRADE]
        if answer.op == "pong":
            return []
        if answer.op == "auth":
            problem = "" if answer.ret_code in _LOGGED_IN else f"{answer.ret_code}: {answer.ret_msg}"
            return link.logged_in(problem, now_ns)
        out = self._answers.answer(answer, now_ns) + self.executions.named(now_ns)
        if answer.ret_code == RESTARTING and link.is_open:
            text = f"{answer.ret_code}: {answer.ret_msg}"
            out += [*link.again(text), *self.requests.lost(f"the trade socket says {text}", TRADE)]
        return out

    def _rest_answer(self, frame: bytes, now_ns: int) -> list[Output]:
        found = self.rest.answered(frame)
        if found is None:
            return []
        question, reply = found
        code = code_of(reply.error)
        if code in SHUT_OUT:
            self._limits.shut_out(now_ns)
        elif code == CLOCK:
            self._skew.again()
        if self.looks.owns(question):
            return self.looks.answered(question, reply, now_ns)
        if self._key.owns(question):
            return self._key.answered(question, reply, now_ns)
        if question.name == TIME:
            return self._time_answered(question, reply, now_ns)
        if isinstance(question.carry, Request):
            return self._answers.rest_answer(question.carry, reply, now_ns)
        return []

    # --- status, end -------------------------------------------------------------------------------------------------

    def says(self, system: str, now_ns: int) -> list[Output]:
        self._system = system
        return self.finish([], now_ns)

    def stop(self, now_ns: int, *, is_flat: bool) -> list[Output]:
        """There is no switch that would cancel what is left."""
        if self.is_stopped:
            return []
        out: list[Output] = []
        if not is_flat:
            out.append(Notice("warning", f"{VENUE}: orders may be open, and nothing there cancels them by itself"))
        self.is_stopped = True
        return self.finish(out, now_ns)
