"""A fill that says the order's total as it is now ends the order by that total, not by the one that we knew before.

Which of an amend's news and the first fill after it comes first no venue promises (OKX tells both in one message, Bybit
on two topics). An order that is told as filled while half of it lives is an order lost, and room in the limits that is
not there.
"""

from __future__ import annotations

from decimal import Decimal

from connectors.events import ExecType
from connectors.exchange.told import Kind
from tests.connectors.test_exchange_trading import amend, kinds, open_order, reports
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
    assert _trade(tiny, "0.5", None, "1") == [(ExecType.TRADE, 10**8, 10**8)]
    assert not known.is_done
