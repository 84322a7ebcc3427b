"""Orders on their way out of a session: what may leave, by which way, and what is then in flight.

What does not leave is reported as certain never to have left. A cancel is never refused: while the way of orders is
down, or it cannot be written for it, it goes over REST, once until that is answered.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final, Protocol

from connectors.events import ExecReport, ExecType, RejectCode
from connectors.exchange.account import Account, report
from connectors.exchange.known import Known, ordered
from connectors.exchange.requests import GRACE_NS, Request, Requests
from connectors.exchange.rest import Rest
from connectors.exchange.skew import Skew
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder
from connectors.session import REST, OrderEncoder, Output, Send

SECOND: Final = 10**9


class UnsendableError(ValueError):
    """An encoder's word, in a sentence: this cannot be written now. Whatever ValueError it raises means that: it never
    left, that is certain."""


class Ways(Protocol):
    """What a venue's session says of its ways out."""

    def why(self, now_ns: int) -> str:
        """Why no new order and no amend may leave; "": they may."""

    def pay(self, kind: str, orders: Sequence[Known], now_ns: int) -> str:
        """Counts what a request costs. Of new and amend: why it is too much, and then nothing is counted; "".

        Cancels are counted, and leave whatever this says.
        """

    def is_sound(self, now_ns: int) -> bool:
        """Whether a cancel may go the encoder's way: REST is the other one."""

    def cancel_by_rest(self, approved: Approved[CancelOrder], known: Known, request: Request, now_ns: int) -> Send:
        """`rest.ask` or `rest.expect`, carrying the request. May raise UnsendableError."""

    def cancel_all_by_rest(self, approved: Approved[CancelAll], request: Request, now_ns: int) -> Send: ...


class Outbound:
    """One session's. `deadline_ns`: how long after its approval the venue may still act on a request. `submit_many`:
    writes up to `batch_max` new orders at one market as one message."""

    def __init__(
        self,
        account: Account,
        rest: Rest,
        requests: Requests,
        encoder: OrderEncoder,
        ways: Ways,
        *,
        deadline_ns: int,
        submit_many: Callable[[Sequence[Approved[NewOrder]], int], Send] | None = None,
        batch_max: int = 1,
        skew: Skew | None = None,
    ) -> None:
        self._account = account
        self._rest = rest
        self._requests = requests
        self._encoder = encoder
        self._ways = ways
        self._deadline_ns = deadline_ns
        self._submit_many = submit_many or (lambda several, now_ns: encoder.submit(several[0], now_ns))
        self._batch_max = batch_max if submit_many is not None else 1
        self._skew = skew

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> list[Output]:
        order = approved.order
        known = ordered(order, self._account.symbols.get(order.instrument, ""), now_ns)
        why, code = self._held_back("new", [known], now_ns)
        if not why:
            try:
                send = self._encoder.submit(approved, now_ns)
            except ValueError as error:
                why, code = str(error), RejectCode.INVALID_PARAMS
        if why:
            return [_never_sent(order, why, code)]
        self._account.orders.sent(known)
        return [self._leaves(approved.approval, send, now_ns, self._request("new", [known], approved.now_ns))]

    def submit_many(self, approved: Sequence[Approved[NewOrder]], now_ns: int) -> list[Output]:
        """Neighbours at one market in one message, as many as the venue takes."""
        out: list[Output] = []
        for _, group in groupby(approved, key=lambda one: one.order.instrument):
            several = list(group)
            for first in range(0, len(several), self._batch_max):
                part = several[first : first + self._batch_max]
                out += self._batch(part, now_ns) if len(part) > 1 else self.submit(part[0], now_ns)
        return out

    def _batch(self, several: Sequence[Approved[NewOrder]], now_ns: int) -> list[Output]:
        symbol = self._account.symbols.get(several[0].order.instrument, "")
        orders = [ordered(one.order, symbol, now_ns) for one in several]
        why, code = self._held_back("new", orders, now_ns)
        if not why:
            try:
                send = self._submit_many(several, now_ns)
            except ValueError as error:
                why, code = str(error), RejectCode.INVALID_PARAMS
        if why:
            return [_never_sent(one.order, why, code) for one in several]
        for known in orders:
            self._account.orders.sent(known)
        both = zip(orders, several, strict=True)
        requests = [self._request("new", [known], one.now_ns) for known, one in both]
        return [self._leaves(several[0].approval, send, now_ns, *requests)]

    def _request(self, kind: str, orders: list[Known], approved_ns: int) -> Request:
        """One that is not answered when it is due is doubt: the venue cannot act on it, and its word has come."""
        return Request(kind, orders, approved_ns + self._deadline_ns + GRACE_NS)

    def _leaves(self, number: int, send: Send, now_ns: int, *requests: Request) -> Send:
        for request in requests:
            request.link = send.link
        self._requests.sent(number, *requests)
        if send.link == REST:
            self._rest.expect(number, requests[0].kind, now_ns, requests[0])
        return send if self._skew is None else self._skew.into(send)

    def _held_back(self, kind: str, orders: Sequence[Known], now_ns: int) -> tuple[str, RejectCode]:
        """Why no order and no amend leaves; where it may, it is paid."""
        why = self._ways.why(now_ns)
        if why:
            return why, RejectCode.NETWORK
        if self._account.paced_until_ns > now_ns:
            wait_s = (self._account.paced_until_ns - now_ns) // SECOND + 1
            return f"{self._account.venue} asked for less, for {wait_s} s more", RejectCode.RATE_LIMIT
        return self._ways.pay(kind, orders, now_ns), RejectCode.RATE_LIMIT

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> list[Output]:
        order = approved.order
        known = self._of(order)
        why, code = self._held_back("amend", [known], now_ns)
        if not why:
            try:
                send = self._encoder.amend(approved, now_ns)
            except ValueError as error:
                why, code = str(error), RejectCode.INVALID_PARAMS
        if why:
            return [report(known, ExecType.REPLACE_REJECTED, f"never sent: {why}", code)]
        request = self._request("amend", [known], approved.now_ns)
        request.px_1e9, request.qty_1e8 = order.px_1e9, order.qty_1e8
        return [*_named(known, send), self._leaves(approved.approval, send, now_ns, request)]

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> list[Output]:
        known = self._of(approved.order)
        is_sound = self._ways.is_sound(now_ns)
        request = self._request("cancel", [known], approved.now_ns)
        send, why = None, ""
        if is_sound:
            try:
                send = self._leaves(approved.approval, self._encoder.cancel(approved, now_ns), now_ns, request)
            except ValueError as error:  # REST may have another word for the order, or for its market
                why = str(error)
        if send is None:
            if self._requests.is_asked_over_rest("cancel", known):
                return []
            request.link = REST
            try:
                send = self._ways.cancel_by_rest(approved, known, request, now_ns)
            except ValueError as error:
                why = why or str(error)
                self._account.look_why = f"{known.name}: {why}"
                return [report(known, ExecType.CANCEL_REJECTED, f"never sent: {why}", RejectCode.INVALID_PARAMS)]
            self._requests.sent(approved.approval, request)
        self._ways.pay("cancel", [known], now_ns)
        return [*_named(known, send), send]

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> list[Output]:
        living = list(self._account.orders.live())
        self._ways.pay("cancel_all", living, now_ns)
        request = self._request("cancel_all", living, approved.now_ns)
        if self._ways.is_sound(now_ns):
            return [self._leaves(approved.approval, self._encoder.cancel_all(approved, now_ns), now_ns, request)]
        request.link = REST
        self._requests.sent(approved.approval, request)
        return [self._ways.cancel_all_by_rest(approved, request, now_ns)]

    def _of(self, order: AmendOrder | CancelOrder) -> Known:
        """Of an earlier session, it may be one that nobody here has heard of."""
        known = self._account.orders.named(order.client_order_id)
        if known is not None:
            return known
        symbol = self._account.symbols.get(order.instrument, "")
        return self._account.orders.heard("", order.client_order_id, order.instrument, symbol)


def _named(known: Known, send: Send) -> list[Output]:
    """Bytes that name an order by the venue's id are checked against the id that the engine was told. Of an order in
    doubt it may have been told none: a look, or a state that is no news, taught it to us alone."""
    if known.told_id == known.venue_id or b'"%s"' % known.venue_id.encode() not in send.data:
        return []
    return [report(known, ExecType.UNKNOWN, f"its id there is {known.venue_id}")]


def _never_sent(order: NewOrder, why: str, code: RejectCode) -> ExecReport:
    return ExecReport(
        client_order_id=order.client_order_id, exec_type=ExecType.REJECTED, instrument=order.instrument,
        reject_code=code, text=f"never sent: {why}",
    )  # fmt: skip
