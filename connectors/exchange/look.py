"""One look at the account, put together into one `Picture`: open orders, closed orders, trades, what is there.

One question after the other, each only when its price can be paid. Open orders are asked for first: an order in both
lists closed between the two questions. A page that shifts while it is turned shows entries twice: that changes nothing.

Every `want` ends in a Picture that was asked for at or after it. One at a time: who asks while one is under way gets
another after it, from the earlier of the times. A request that fails ends the look with one Notice, and it begins
again by itself after 5, 10 … 120 s; nobody has to ask twice.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from connectors.errors import WireError
from connectors.events import Notice, Picture, RejectCode
from connectors.exchange.account import Account
from connectors.exchange.known import Known
from connectors.exchange.record import Pages, RecordOrder, order_of, trade_of
from connectors.exchange.requests import Requests
from connectors.exchange.rest import Purse, Question, Reply, Rest
from connectors.exchange.told import Told, fee_in_quote, legs, price_of, said, size_of
from connectors.exchange.verdict import Next, Verdict
from connectors.session import Output, WakeAt

SECOND: Final = 10**9
ANSWER_NS: Final = 30 * SECOND
RETRY_FIRST_NS: Final = 5 * SECOND
RETRY_MAX_NS: Final = 120 * SECOND
PAGES_MAX: Final = 400  # a look that needs more asks from too early


class Part(NamedTuple):
    """One list of the account. `name`: what its question is called. `ask(pages)`: (head, body) of the next page's
    question. `read(pages, result)`: keeps what a page says; True where the list is whole. Raises msgspec's errors and
    WireError for a page that cannot be read."""

    name: str
    ask: Callable[[Pages], tuple[str, str]]
    read: Callable[[Pages, msgspec.Raw], bool]


class Look:
    """Asks, reads, and says what was seen. `parts`: what to ask, open orders before closed ones."""

    def __init__(
        self,
        account: Account,
        rest: Rest,
        requests: Requests,
        parts: Callable[[], Sequence[Part]],
        *,
        purse: Purse,
        classify: Callable[[str], Verdict],
    ) -> None:
        self._account = account
        self._rest = rest
        self._requests = requests
        self._parts = parts
        self._purse = purse
        self._classify = classify
        self._wanted_ns: int | None = None  # since when, of the look after this one
        self._since_ns = 0  # of the look under way, by our clock
        self._now: Pages | None = None
        self._asking: Sequence[Part] = ()
        self._question: Question | None = None
        self._not_before_ns = 0
        self._failures = 0

    def want(self, since_ns: int) -> None:
        """A picture is wanted of everything since then; `tick` begins it."""
        self._wanted_ns = since_ns if self._wanted_ns is None else min(self._wanted_ns, since_ns)

    def owns(self, question: Question) -> bool:
        """Whether the answer to this question is for `answered`, be it too late."""
        return isinstance(question.carry, Look)

    def tick(self, now_ns: int) -> list[Output]:
        """Begins what is wanted, asks what can be paid, gives up what has no answer."""
        if self._account.halted:
            return []
        if self._question is not None:
            if now_ns - self._question.sent_ns < ANSWER_NS:
                return []
            self._rest.forget(self._question)
            return self._failed(f"no answer to {self._question.name}", now_ns)
        if self._now is None:
            if self._wanted_ns is None:
                return []
            if now_ns < self._not_before_ns:
                return [WakeAt(self._not_before_ns)]
            self._asking = self._parts()
            self._since_ns, self._wanted_ns = self._wanted_ns, None
            self._now = Pages(max(self._since_ns - self._rest.behind_ns, 0))
        return self._ask(self._now, now_ns)

    def _ask(self, pages: Pages, now_ns: int) -> list[Output]:
        part = self._asking[pages.stage]
        wait_ns = self._purse.wait_ns(part.name, now_ns)
        if wait_ns:
            return [WakeAt(now_ns + wait_ns)]
        if pages.asked_ns < 0:
            pages.asked_ns = now_ns
        head, body = part.ask(pages)
        self._question, send = self._rest.ask(part.name, head, body, now_ns, carry=self)
        return [send]

    def answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        """One answer; the last one makes the picture. An answer to a question long given up is none."""
        pages = self._now
        if question is not self._question or pages is None:
            return []
        self._question = None
        if reply.error:
            return self._refused(f"{question.name}: {reply.error}", reply, now_ns)
        try:
            is_whole = self._asking[pages.stage].read(pages, reply.result)
            pages.page += 1
            pages.turned += 1
            if pages.turned > PAGES_MAX:
                return self._failed(f"more than {PAGES_MAX} pages", now_ns)
            if is_whole:
                pages.stage += 1
                pages.begin()
            if pages.stage < len(self._asking):
                return self.tick(now_ns)
            out = self._picture(pages, now_ns)
        except (msgspec.MsgspecError, WireError, ValueError, RecursionError) as error:
            return self._failed(f"{question.name}: {error}", now_ns)
        self._now, self._failures, self._not_before_ns = None, 0, 0
        return out + self.tick(now_ns)

    def _refused(self, why: str, reply: Reply, now_ns: int) -> list[Output]:
        if not reply.is_silent:
            verdict = self._classify(reply.error)
            if verdict.next is Next.HALT:
                self._now = None
                return self._account.halt(reply.error, why)
            if verdict.code is RejectCode.RATE_LIMIT:
                self._purse.overrun(now_ns)
        return self._failed(why, now_ns)

    def _failed(self, why: str, now_ns: int) -> list[Output]:
        """The whole look fails: a picture of parts is none."""
        self._question = None
        if self._now is not None:
            self.want(self._since_ns)
            self._now = None
        wait_ns = min(RETRY_FIRST_NS << self._failures, RETRY_MAX_NS)
        self._failures = min(self._failures + 1, 8)
        self._not_before_ns = now_ns + wait_ns
        text = f"{self._account.venue}: a look at the account failed, {why}; again in {wait_ns // SECOND} s"
        return [Notice("warning", text), WakeAt(self._not_before_ns)]

    # --- the picture -------------------------------------------------------------------------------------------------

    def _picture(self, pages: Pages, now_ns: int) -> list[Output]:
        account = self._account
        still = {venue_id: order for venue_id, order in pages.open.items() if venue_id not in pages.closed}
        told_open = tuple(order_of(account.index(order.symbol), order) for order in still.values())
        told_closed = tuple(order_of(account.index(order.symbol), order) for order in pages.closed.values())
        seen = [(self._remember(order), False) for order in still.values()]
        seen += [(self._remember(order), True) for order in pages.closed.values()]
        trades = []
        money: list[tuple[str, list[Output]]] = []
        for exec_id, told in sorted(pages.trades.items(), key=lambda one: (one[1].ts_ns, one[0])):
            known = self._whose(told)
            ours = known if known is not None and known.is_ours else None
            money.append((exec_id, legs(account.venue, told, ours) if told.symbol else []))
            if ours is not None:
                fee, _ = fee_in_quote(account.venue, told, ours, price_of(ours.instrument, said(told.last_px)))
                trades.append(trade_of(told, ours, fee))
        picture = Picture(
            venue=account.venue, asked_ns=pages.asked_ns, since_ns=self._since_ns,
            open=told_open, closed=told_closed, trades=tuple(trades),
            balances=tuple(sorted(pages.totals.items())),
        )  # fmt: skip
        out = [one for exec_id, moved in money if moved and account.is_new_money(exec_id) for one in moved]
        for known, is_over in seen:
            out += self._requests.seen(known, now_ns, is_over=is_over) if known.is_ours else []
        return [*out, picture]

    def _whose(self, told: Told) -> Known | None:
        """Of an order that is in neither list, its trade may say whose it is."""
        account = self._account
        if told.name:
            return account.orders.heard(told.venue_id, told.name, account.index(told.symbol), told.symbol)
        return account.orders.find(told.venue_id)

    def _remember(self, order: RecordOrder) -> Known:
        """So that executions of it have a name from now on."""
        index = self._account.index(order.symbol)
        known = self._account.orders.heard(order.venue_id, order.name, index, order.symbol)
        if index >= 0:
            if known.qty_1e8 == 0:
                known.qty_1e8, known.side = size_of(index, order.qty), order.side
                known.px_1e9 = price_of(index, order.px)
            known.cum_1e8 = max(known.cum_1e8, size_of(index, order.cum))
        return known
