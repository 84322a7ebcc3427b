"""Trading requests in flight: each is answered once, by Kraken's response or by the executions, or it is doubt.

Whichever comes first answers; the other is then nothing new. A cancel that Kraken took is not a cancelled order: that,
the executions say, or a look has to. No answer by the deadline and two seconds more, or a cut link: UNKNOWN, told once
for each order, and a look is asked for. An answer that comes later still counts, for proof is proof.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final

import msgspec

from connectors.events import ExecType, Notice, RejectCode
from connectors.session import PRIVATE, REST, Output
from connectors.venues.kraken import private
from connectors.venues.kraken.account import Account, report
from connectors.venues.kraken.errors import Next, classify, throttled_until_ns
from connectors.venues.kraken.known import Known
from connectors.venues.kraken.rest import Reply

SECOND: Final = 10**9
GRACE_NS: Final = 2 * SECOND  # after the deadline, or after the response: the other message is on its way
LATE_NS: Final = 60 * SECOND  # how long an answer may be late and still be understood
PACE_NS: Final = 5 * SECOND
GONE: Final = "EOrder:Unknown order"
_AFTER: Final = ("amend", "cancel", "cancel_all")  # what is said of an order that is there
_REFUSED: Final = {
    "new": ExecType.REJECTED,
    "amend": ExecType.REPLACE_REJECTED,
    "cancel": ExecType.CANCEL_REJECTED,
    "cancel_all": ExecType.CANCEL_REJECTED,
}
_METHODS: Final = {"add_order": "new", "batch_add": "new", "amend_order": "amend", "cancel_order": "cancel",
                   "cancel_all": "cancel_all"}  # fmt: skip


class Stage(Enum):
    """WAITING for any answer; ACCEPTED: the venue took it, executions are to follow; LATE: UNKNOWN was told."""

    WAITING = auto()
    ACCEPTED = auto()
    LATE = auto()


class Request(msgspec.Struct, eq=False):
    """One approval on its way. `orders`: whom it is about: one, or for cancel_all every one that lived then."""

    kind: str
    orders: list[Known]
    due_ns: int
    link: str = PRIVATE
    px_1e9: int = 0
    qty_1e8: int = 0
    stage: Stage = Stage.WAITING


class Requests:
    """By the number they were sent with: the approval's, for a batch the first one's."""

    def __init__(self, account: Account, *, is_validating: bool) -> None:
        self._account = account
        self._is_validating = is_validating
        self._open: dict[int, list[Request]] = {}

    def sent(self, number: int, *requests: Request) -> None:
        self._open[number] = list(requests)

    def _all(self) -> Iterator[Request]:
        return (request for several in self._open.values() for request in several)

    def has_new(self) -> bool:
        """Whether an order is under way whose Kraken id we may not know yet."""
        return any(request.kind == "new" and request.stage is Stage.WAITING for request in self._all())

    def is_asked_over_rest(self, kind: str, known: Known) -> bool:
        """Whether such a request about this order is on its way there, and may still be answered in time."""
        return any(
            request.kind == kind and request.link == REST and request.stage is Stage.WAITING and known in request.orders
            for request in self._all()
        )

    def _drop(self, gone: Request) -> None:
        for number, several in self._open.items():
            if gone in several:
                several.remove(gone)
                if not several:
                    del self._open[number]
                return

    # --- responses ---------------------------------------------------------------------------------------------------

    def answer(self, answer: private.Answer, now_ns: int) -> list[Output]:
        """A response on the private link. Raises msgspec's errors for a result of another form."""
        several = self._open.get(answer.req_id) if answer.req_id is not None else None
        kind = _METHODS.get(answer.method)
        if not several or kind is None or several[0].kind != kind:
            is_moot = kind in _AFTER and answer.error.startswith(GONE)  # what it was about had ended before it came
            if answer.error and not is_moot:
                what = f"{answer.method} {answer.req_id}" if answer.req_id is not None else answer.method
                return [Notice("warning", f"kraken: an answer nobody waits for: {what}: {answer.error}")]
            return []
        if answer.method == "batch_add":
            return self._batch(several, answer, now_ns)
        request = several[0]
        if answer.error or answer.success is not True:
            return self._refused(request, answer.error or "no reason given", now_ns)
        return self._taken(request, private.decode_result(answer.result), now_ns)

    def _batch(self, several: list[Request], answer: private.Answer, now_ns: int) -> list[Output]:
        """By name, else by place where every one has its place. One that is not mentioned stays in flight."""
        try:
            results = private.decode_results(answer.result)
        except msgspec.ValidationError:
            results = []
            if answer.success is True:
                results = private.decode_batch(answer.result).orders
        if not results:
            text = answer.error or "no reason given"
            return [out for request in tuple(several) for out in self._refused(request, text, now_ns)]
        named = {result.cl_ord_id: result for result in results if result.cl_ord_id}
        has_places = len(results) == len(several)
        out: list[Output] = []
        for place, request in enumerate(tuple(several)):
            found = named.get(request.orders[0].name)
            if found is None and has_places and not results[place].cl_ord_id:
                found = results[place]
            if found is None:
                continue
            if found.error or not found.order_id:
                out += self._refused(request, found.error or answer.error or "no reason given", now_ns)
            else:
                out += self._taken(request, found, now_ns)
        return out

    def _taken(self, request: Request, result: private.Result, now_ns: int) -> list[Output]:
        """The venue said yes."""
        if request.kind in ("cancel", "cancel_all"):
            return self._accepted(request, now_ns)
        self._drop(request)
        known = request.orders[0]
        if request.kind == "amend":
            return self.replaced(known, request.px_1e9, request.qty_1e8, now_ns)
        if self._is_validating:
            return self._ended(known, ExecType.CANCELED, "validated only: nothing was placed")
        self._account.orders.bind(known, result.order_id)
        return self.acknowledged(known, 0, now_ns)

    def _accepted(self, request: Request, now_ns: int) -> list[Output]:
        request.orders = [known for known in request.orders if not known.is_done]
        if not request.orders:
            self._drop(request)
        elif request.stage is not Stage.LATE:
            request.stage = Stage.ACCEPTED
            request.due_ns = now_ns + GRACE_NS
        return []

    def _refused(self, request: Request, text: str, now_ns: int) -> list[Output]:
        """The venue said no, or something that may be no."""
        verdict, account = classify(text), self._account
        out: list[Output] = []
        if not verdict.is_listed:
            out.append(Notice("error", f"kraken refused a {request.kind} with words that nobody knows: {text}"))
        self._drop(request)
        if verdict.next is Next.UNKNOWN:
            account.look_why = text
            return out + self._doubt(request, text)
        if verdict.next is Next.HALT:
            out += account.halt(text, text)
        elif verdict.next is Next.TOKEN:
            account.token_why = text
        elif verdict.next is Next.BACK_OFF:
            self._slower(request, text, now_ns)
        for known in request.orders:
            if known.is_done:
                continue
            if request.kind == "new":
                out += self._ended(known, ExecType.REJECTED, text, verdict.code)
            else:
                out.append(report(known, _REFUSED[request.kind], text, verdict.code))
        if request.kind == "cancel" and request.orders and not request.orders[0].is_done:
            account.look_why = f"{request.orders[0].name}: {text}"  # it ended unseen, or never began
        return out

    def _slower(self, request: Request, text: str, now_ns: int) -> None:
        if text.startswith("EOrder:Rate limit"):  # of this pair alone
            for known in request.orders:
                self._account.engine.overrun(known.instrument, now_ns)
        else:
            self.slower(text, now_ns)

    def slower(self, text: str, now_ns: int) -> None:
        """The venue asked for less; a text that does not ask for that changes nothing."""
        if classify(text).next is not Next.BACK_OFF:
            return
        # whatever it names as the end, a minute is the most that is believed
        until_ns = min(max(throttled_until_ns(text), now_ns + PACE_NS), now_ns + 12 * PACE_NS)
        self._account.paced_until_ns = max(self._account.paced_until_ns, until_ns)

    def rest_answer(self, request: Request, reply: Reply, now_ns: int) -> list[Output]:
        """The answer to a cancel that went over REST. While the link is down nothing else will say what it did."""
        if not any(one is request for one in self._all()):
            return []
        account = self._account
        if reply.is_silent:
            self._drop(request)
            account.look_why = f"{request.kind}: {reply.error}"
            return self._doubt(request, reply.error)
        if reply.error:
            return self._refused(request, reply.error, now_ns)
        try:
            count = private.decode_cancelled(reply.result).count
        except msgspec.MsgspecError as error:
            self._drop(request)
            account.look_why = f"{request.kind}: {error}"
            return self._doubt(request, str(error))
        account.look_why = f"{request.kind} over REST"
        if count == 0 and request.kind == "cancel":
            return self._refused(request, GONE, now_ns)
        return self._accepted(request, now_ns)

    # --- executions --------------------------------------------------------------------------------------------------

    def acknowledged(self, known: Known, ts_ns: int, now_ns: int) -> list[Output]:
        """The order is at the venue: by its response, or by an execution."""
        for request in tuple(self._all()):
            if request.kind == "new" and known in request.orders:
                self._drop(request)
        if known.is_acked or known.is_done:
            return []
        known.is_acked = True
        known.since_ns = now_ns
        return [report(known, ExecType.NEW, ts_ns=ts_ns)]

    def amended(self, known: Known, px_1e9: int, qty_1e8: int, now_ns: int) -> list[Output]:
        """An execution says so: the answer to the first amend in flight that asked for this, or news."""
        for request in tuple(self._all()):
            same = (request.px_1e9, request.qty_1e8) == (px_1e9, qty_1e8)
            if request.kind == "amend" and known in request.orders and same:
                self._drop(request)
                return self.replaced(known, px_1e9, qty_1e8, now_ns)
        if (known.px_1e9, known.qty_1e8) == (px_1e9, qty_1e8):
            return []  # the response was first
        return self.replaced(known, px_1e9, qty_1e8, now_ns)

    @staticmethod
    def replaced(known: Known, px_1e9: int, qty_1e8: int, now_ns: int) -> list[Output]:
        known.px_1e9, known.qty_1e8, known.since_ns = px_1e9, qty_1e8, now_ns
        if known.is_done:
            return []
        return [msgspec.structs.replace(report(known, ExecType.REPLACED), px_1e9=px_1e9, qty_1e8=qty_1e8)]

    def over(self, known: Known) -> None:
        """It ended: nothing of it is awaited any more."""
        self._account.orders.end(known)
        self._forget(known)

    def _forget(self, known: Known) -> None:
        for request in tuple(self._all()):
            if known in request.orders:
                request.orders.remove(known)
                if not request.orders:
                    self._drop(request)

    def seen(self, known: Known, now_ns: int, *, is_over: bool) -> list[Output]:
        """The account's record shows it: it reached the venue, and where it is over nothing of it is awaited.

        That it is over the record tells, not this: what the executions may still say of it counts.
        """
        if is_over:
            self._forget(known)
            return []
        is_new = any(request.kind == "new" and known in request.orders for request in self._all())
        return self.acknowledged(known, 0, now_ns) if is_new else []

    def _ended(
        self, known: Known, exec_type: ExecType, text: str, code: RejectCode = RejectCode.UNKNOWN
    ) -> list[Output]:
        self.over(known)
        return [report(known, exec_type, text, code)]

    # --- silence -----------------------------------------------------------------------------------------------------

    def overdue(self, now_ns: int) -> list[Output]:
        """What was not answered in time, and is now doubt."""
        out: list[Output] = []
        for request in tuple(self._all()):
            if now_ns < request.due_ns:
                continue
            if request.stage is Stage.LATE:
                self._drop(request)
                continue
            why = "no answer" if request.stage is Stage.WAITING else "taken, and nothing came of it"
            request.stage, request.due_ns = Stage.LATE, request.due_ns + LATE_NS
            self._account.look_why = f"{request.kind}: {why}"
            out += self._doubt(request, f"{request.kind}: {why}")
        return out

    def lost(self, why: str) -> list[Output]:
        """The private link is gone: nothing on it will be answered. What went over REST still is."""
        gone = [request for request in self._all() if request.link == PRIVATE]
        doubted: dict[int, Known] = {}
        for request in gone:
            self._drop(request)
            if request.stage is not Stage.LATE:
                doubted.update((id(known), known) for known in _alive(request.orders))
        if gone:
            self._account.look_why = why
        return [report(known, ExecType.UNKNOWN, why) for known in doubted.values()]

    @staticmethod
    def _doubt(request: Request, why: str) -> list[Output]:
        return [report(known, ExecType.UNKNOWN, why) for known in _alive(request.orders)]


def _alive(orders: Iterable[Known]) -> list[Known]:
    return [known for known in orders if not known.is_done]
