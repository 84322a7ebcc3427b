"""Gateways that are wrong on purpose: the two of RELIABILITY's findings. The tests that kill must find them out."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from connectors.events import ExecType, RejectCode, VenueTrade
from connectors.session import Send
from oms import reconcile
from oms.manager import Order
from runtime.inputs import VenueOutput
from runtime.journal.chain import Row
from runtime.journal.store import Done, Journal
from runtime.live import Live
from runtime.memory import SessionMemory

LATE_S: Final = 0.02


def _nothing(live: Live, journal: Journal) -> None:
    del live, journal


def send_first(live: Live, journal: Journal) -> None:
    """The bytes leave at once; the record is written a little later, as whoever buffers his log does."""
    import asyncio

    loop = asyncio.get_running_loop()
    exit_: Any = live._exit
    outbox: Any = exit_._outbox

    def offer(output: VenueOutput, *_kind: object, **_more: object) -> None:
        if isinstance(output.output, Send):
            outbox._send(output)

    outbox.offer = offer
    append = journal.append

    def later(
        rows: Sequence[Row], memory: SessionMemory | None = None, on_durable: Done | None = None, *, now_ns: int = 0
    ) -> None:
        loop.call_later(LATE_S, lambda: append(rows, memory, on_durable, now_ns=now_ns))

    wrong: Any = journal
    wrong.append = later


def believe_one_not_found(live: Live, journal: Journal) -> None:
    """What the first picture lacks is taken for what never arrived."""
    del live, journal
    absent = reconcile._Look._absent

    def believing(look: Any, order: Order, trades: list[VenueTrade], known_1e8: int) -> None:
        if trades or order.is_heard or not order.sent_ns:
            absent(look, order, trades, known_1e8)
            return
        look._report(order, ExecType.REJECTED, "not found", None, reject_code=RejectCode.NETWORK)

    wrong: Any = reconcile._Look
    wrong._absent = believing


WRONG: Final[dict[str, Callable[[Live, Journal], None]]] = {
    "": _nothing, "send first": send_first, "believe one not found": believe_one_not_found,
}  # fmt: skip
