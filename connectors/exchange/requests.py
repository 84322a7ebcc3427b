"""Trading requests in flight: each is answered once, by the venue's response or by its stream, or it is doubt.

Whichever comes first answers; the other is then nothing new. At some venues a response is the engine's word (`taken`);
at others (OKX, Bybit) it says only that the request was accepted (`accepted`), and the stream decides. A cancel that
was taken is never a cancelled order: that, the stream says, or a look has to. No answer by the deadline and two seconds
more, or a cut link: UNKNOWN, told once for each order, and a look is asked for. An answer that comes later still
counts, for proof is proof.
"""

from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import Final

import msgspec

from connectors.events import ExecType, Notice, RejectCode
from connectors.exchange.account import Account, report
from connectors.exchange.known import Known
from connectors.exchange.verdict import Next, Verdict
from connectors.session import PRIVATE, REST, Output

SECOND: Final = 10**9
GRACE_NS: Final = 2 * SECOND  # after the deadline, or after the response: the other message is on its way
LATE_NS: Final = 60 * SECOND  # how long an answer may be late and still be understood
_REFUSED: Final = {
    "new": ExecType.REJECTED,
    "amend": ExecType.REPLACE_REJECTED,
    "cancel": ExecType.CANCEL_REJECTED,
    "cancel_all": ExecType.CANCEL_REJECTED,
}


class Stage(Enum):
    """WAITING for any answer; ACCEPTED: the venue took it, its stream is to say more; LATE: UNKNOWN was told."""

    WAITING = auto()
    ACCEPTED = auto()
    LATE = auto()


class Request(msgspec.Struct, eq=False):
    """One approval on its way. `kind`: new, amend, cancel, cancel_all. `orders`: whom it is about: one, or for
    cancel_all every one that lived then."""

    kind: str
    orders: list[Known]
    due_ns: int
    link: str = PRIVATE
    px_1e9: int = 0
    qty_1e8: int = 0
    stage: Stage = Stage.WAITING


class Requests:
    """By the number they were sent with: the approval's, for a batch the first one's."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._open: dict[int, list[Request]] = {}

    def sent(self, number: int, *requests: Request) -> None:
        self._open[number] = list(requests)

    def of(self, number: int | None, kind: str = "") -> list[Request]:
        """Those that left under this number, where they are of this kind; []: nobody waits for an answer to it."""
        several = self._open.get(number) if number is not None else None
        if not several or (kind and several[0].kind != kind):
            return []
        return list(several)

    def _all(self) -> Iterator[Request]:
        return (request for several in self._open.values() for request in several)

    def has_new(self) -> bool:
        """Whether an order is under way whose id at the venue we may not know yet."""
        return any(request.kind == "new" and request.stage is Stage.WAITING for request in self._all())

    def is_open(self, asked: Request) -> bool:
        """Whether an answer to it would still say something."""
        return any(request is asked for request in self._all())

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

    def taken(self, request: Request, now_ns: int, venue_id: str = "") -> list[Output]:
        """The venue's engine said yes; of a cancel that is only `accepted`."""
        if not self.is_open(request):
            return []  # its stream, or a look, was first
        if request.kind in ("cancel", "cancel_all"):
            return self.accepted(request, now_ns)
        self._drop(request)
        known = request.orders[0]
        if request.kind == "amend":
            return self.replaced(known, request.px_1e9, request.qty_1e8, now_ns)
        self._account.orders.bind(known, venue_id)
        return self.acknowledged(known, 0, now_ns)

    def accepted(self, request: Request, now_ns: int, venue_id: str = "") -> list[Output]:
        """The venue took the request: what comes of it, its stream says within two seconds, or it is doubt."""
        if not self.is_open(request):
            return []
        if request.kind == "new" and venue_id:
            self._account.orders.bind(request.orders[0], venue_id)
        request.orders = [known for known in request.orders if not known.is_done]
        if not request.orders:
            self._drop(request)
        elif request.stage is not Stage.LATE:
            request.stage = Stage.ACCEPTED
            request.due_ns = now_ns + GRACE_NS
        return []

    def refused(self, request: Request, text: str, verdict: Verdict, now_ns: int) -> list[Output]:
        """The venue said no, or something that may be no."""
        if not self.is_open(request):
            return []
        account = self._account
        out: list[Output] = []
        if not verdict.is_listed:
            words = f"{account.venue} refused a {request.kind} with words that nobody knows: {text}"
            out.append(Notice("error", words))
        if verdict.next is Next.UNKNOWN:
            return out + self.doubt(request, text)
        self._drop(request)
        if verdict.next is Next.HALT:
            out += account.halt(text, text)
        elif verdict.next is Next.RENEW:
            account.renew_why = text
        elif verdict.next is Next.BACK_OFF:
            account.slower(now_ns, verdict.until_ns)
        for known in _alive(request.orders):
            if request.kind == "new":
                out += self.ended(known, ExecType.REJECTED, text, verdict.code)
            else:
                out.append(report(known, _REFUSED[request.kind], text, verdict.code))
        if request.kind == "cancel" and request.orders and not request.orders[0].is_done:
            account.look_why = f"{request.orders[0].name}: {text}"  # it ended unseen, or never began
        return out

    def doubt(self, request: Request, why: str) -> list[Output]:
        """Nobody knows what became of it, and no other answer will say: a look has to. It is told once."""
        if not self.is_open(request):
            return []
        self._drop(request)
        self._account.look_why = why
        return [] if request.stage is Stage.LATE else self._unknown(request, why)

    # --- what the stream says ----------------------------------------------------------------------------------------

    def acknowledged(self, known: Known, ts_ns: int, now_ns: int) -> list[Output]:
        """The order is at the venue: by its response, or by its stream."""
        for request in tuple(self._all()):
            if request.kind == "new" and known in request.orders:
                self._drop(request)
        if known.is_acked or known.is_done:
            return []
        known.is_acked = True
        known.since_ns = now_ns
        return [report(known, ExecType.NEW, ts_ns=ts_ns)]

    def amended(self, known: Known, px_1e9: int, qty_1e8: int, now_ns: int) -> list[Output]:
        """The stream says so: the answer to the first amend in flight that asked for this, or news."""
        for request in tuple(self._all()):
            same = (request.px_1e9, request.qty_1e8) == (px_1e9, qty_1e8)
            if request.kind == "amend" and known in request.orders and same:
                self._drop(request)
                return self.replaced(known, px_1e9, qty_1e8, now_ns)
        if (known.px_1e9, known.qty_1e8) == (px_1e9, qty_1e8):
            return []  # the response was first
        return self.replaced(known, px_1e9, qty_1e8, now_ns)

    def amend_refused(self, known: Known, text: str, code: RejectCode) -> list[Output]:
        """The stream says that an amend was not made: the first one in flight. With none in flight that is no news."""
        for request in tuple(self._all()):
            if request.kind == "amend" and known in request.orders:
                self._drop(request)
                return [] if known.is_done else [report(known, ExecType.REPLACE_REJECTED, text, code)]
        return []

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

        That it is over the record tells, not this: what the stream may still say of it counts.
        """
        if is_over:
            known.is_acked = True  # whatever the stream may still say of its beginning is no news
            self._forget(known)
            return []
        is_new = any(request.kind == "new" and known in request.orders for request in self._all())
        return self.acknowledged(known, 0, now_ns) if is_new else []

    def ended(
        self, known: Known, exec_type: ExecType, text: str, code: RejectCode = RejectCode.UNKNOWN, ts_ns: int = 0
    ) -> list[Output]:
        """It ended in this way: told, and nothing of it is awaited."""
        self.over(known)
        return [report(known, exec_type, text, code, ts_ns)]

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
            out += self._unknown(request, f"{request.kind}: {why}")
        return out

    def lost(self, why: str, link: str = PRIVATE) -> list[Output]:
        """This link is gone: nothing on it will be answered. What went over REST still is."""
        gone = [request for request in self._all() if request.link == link]
        doubted: dict[int, Known] = {}
        for request in gone:
            self._drop(request)
            if request.stage is not Stage.LATE:
                doubted.update((id(known), known) for known in _alive(request.orders))
        if gone:
            self._account.look_why = why
        return [report(known, ExecType.UNKNOWN, why) for known in doubted.values()]

    @staticmethod
    def _unknown(request: Request, why: str) -> list[Output]:
        return [report(known, ExecType.UNKNOWN, why) for known in _alive(request.orders)]


def _alive(orders: Iterable[Known]) -> list[Known]:
    return [known for known in orders if not known.is_done]
