"""A fill that says the order's total as it is now ends the order by that total, not by the one that we knew before.

Which of an amend's news and the first fill after it comes first no venue promises (OKX tells both in one message, Bybit
on two topics). An order that is told as filled while half of it lives is an order lost, and room in the limits that is
not there.
"""

from __future__ import annotations

from decimal import Decimal

from connectors.events import ExecType
from connectors.exchange.told import Kind
from tests.connectors.test_exchange_trading import amend, doubts, kinds, open_order, reports
from tests.support import bybit_account as bybit
from tests.support import okx_account as okx
from tests.support.trading_tiny import SECOND, Tiny


def _trade(tiny: Tiny, qty: str, cum: str | None, total: str, exec_id: str = "t1") -> list[tuple[ExecType, int, int]]:
    cumulated = Decimal(cum) if cum is not None else None
    out = tiny.fold(
        2 * SECOND, kind=Kind.TRADE, exec_id=exec_id, last_qty=Decimal(qty), last_px=Decimal(60_000), cum=cumulated,
        qty=Decimal(total),
    )  # fmt: skip
    return [(one.exec_type, one.cum_qty_1e8, one.leaves_qty_1e8) for one in reports(out)]


def test_a_fill_before_the_amends_own_news_leaves_what_was_added() -> None:
    for cum in ("1", None):
        tiny = open_order()
        amend(tiny, SECOND)  # from 1 to 2
        assert _trade(tiny, "1", cum, "2") == [(ExecType.TRADE, 10**8, 10**8)], "half of it lives"
        out = tiny.fold(3 * SECOND, kind=Kind.STATE, qty=Decimal(2), px=Decimal(60_000))
        assert kinds(out) == [ExecType.REPLACED], "the amend is answered"
        assert _trade(tiny, "1", "2", "2", "t2") == [(ExecType.TRADE, 2 * 10**8, 0)]


def test_a_fill_before_the_news_of_a_lowered_total_ends_it() -> None:
    tiny = open_order()
    amend(tiny, SECOND, qty_1e8=5 * 10**7)
    assert _trade(tiny, "0.5", "0.5", "0.5") == [(ExecType.TRADE, 5 * 10**7, 0)]
    assert tiny.beat(60 * SECOND) == []


def test_a_late_fill_with_an_older_total_ends_nothing() -> None:
    """Counted here, not by the venue: what it counts up to may be younger than what it says of the total."""
    tiny = open_order()
    tiny.fold(SECOND, kind=Kind.STATE, qty=Decimal(2), px=Decimal(60_000))
    known = tiny.account.orders.named("vgabcdef-1")
    assert known is not None
    known.cum_1e8 = 10**8  # a look saw more
    assert _trade(tiny, "0.5", None, "1") == [(ExecType.TRADE, 0, 0)], "how much that makes is not said"
    assert not known.is_done
    assert _trade(tiny, "0.5", None, "2", "t2") == [(ExecType.TRADE, 10**8, 10**8)]
    assert _trade(tiny, "0.5", None, "2", "t3") == [(ExecType.TRADE, 15 * 10**7, 5 * 10**7)], "all that was seen came"


def test_okx_tells_an_amend_and_its_fill_in_one_message() -> None:
    desk = okx.Desk().ready()
    desk.resting()
    (request,) = okx.said(desk.amend(qty_1e8=2 * okx.QTY), "amend-order")
    desk.hear(okx.answer(request, (okx.TAG + "-1", "O1", "0")))
    both = okx.filled(
        okx.TAG + "-1", "0.0125", "0.0125", sz="0.025", state="partially_filled", amendResult="0", reqId=request["id"]
    )
    told = okx.reports(desk.hear(okx.orders(both)))
    assert [one.exec_type for one in told] == [ExecType.REPLACED, ExecType.TRADE]
    assert told[0].qty_1e8 == 2 * okx.QTY
    assert told[1].leaves_qty_1e8 == okx.QTY
    assert okx.reports(desk.wait(5)) == [], "the amend is answered"
    (last,) = okx.reports(desk.hear(okx.orders(okx.filled(
        okx.TAG + "-1", "0.0125", "0.025", "T2", sz="0.025", state="filled"
    ))))  # fmt: skip
    assert last.leaves_qty_1e8 == 0


def test_bybit_tells_a_fill_before_the_amend() -> None:
    desk = bybit.Desk().up().live()
    desk.amend(px=62_000 * 10**9, qty=2_000_000)
    desk.taken(desk.approvals, orderId="id-vg1a2b3c-1", orderLinkId="vg1a2b3c-1")
    filled = bybit.execution(name="vg1a2b3c-1", execQty="0.01", orderQty="0.02", leavesQty="0.01")
    out = desk.topic("execution", filled)
    (trade,) = okx.reports(out)
    assert (trade.exec_type, trade.cum_qty_1e8, trade.leaves_qty_1e8) == (ExecType.TRADE, 1_000_000, 1_000_000)


def test_filled_with_less_than_we_knew_of_is_looked_at() -> None:
    """A lowered total whose own news never came (Bybit: it filled first): nobody else would end the order."""
    tiny = open_order()
    amend(tiny, SECOND, qty_1e8=5 * 10**7)
    assert _trade(tiny, "0.5", None, "0.5") == [(ExecType.TRADE, 5 * 10**7, 5 * 10**7)]
    out = tiny.fold(2 * SECOND, kind=Kind.FILLED, qty=Decimal("0.5"), cum=Decimal("0.5"))
    assert len(doubts(out)) == 1


def test_filled_as_its_trades_said_is_no_reason_to_look() -> None:
    for lowered in (False, True):
        tiny = open_order()
        if lowered:
            amend(tiny, SECOND, qty_1e8=5 * 10**7)
        total = "0.5" if lowered else "1"
        _trade(tiny, total, total, total)
        assert tiny.fold(2 * SECOND, kind=Kind.FILLED, qty=Decimal(total), cum=Decimal(total)) == []
