"""Looks at the account over REST: one picture of four answers, all pages, all names; what fails, and what it costs."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.events import ExecType, Movement, OrderStatus, Picture, VenueOrder, VenueTrade
from connectors.orders import OrderType
from connectors.session import PRIVATE, REST
from tests.support.kraken_account import (
    PX,
    QTY,
    Desk,
    answer,
    asked,
    execution,
    kinds,
    movements,
    n,
    notices,
    picture,
    reports,
    traded,
)
from tests.support.kraken_frames import SECOND, of

SINCE = 1_786_874_000 * SECOND + 5


def ready(**options: str) -> Desk:
    desk = Desk(**options).ready()
    desk.wait(60)
    return desk


def rest_order(name: str | None = "vg-1", status: str = "open", **fields: Any) -> dict[str, Any]:
    descr = {"pair": "XBTUSD", "aclass": "forex", "type": "buy", "ordertype": "limit", "price": "62807.0",
             "price2": "0", "leverage": "none", "order": "buy", "close": "", **fields.pop("descr", {})}  # fmt: skip
    named = {} if name is None else {"cl_ord_id": name}
    return {"refid": None, "userref": 0, "status": status, "opentm": n("1786874644.123456"), "starttm": 0,
            "expiretm": 0, "descr": descr, "vol": "0.01250000", "vol_exec": "0.00000000", "cost": "0.0",
            "fee": "0.0", "price": "0.0", "misc": "", "oflags": "fciq", **named, **fields}  # fmt: skip


def rest_trade(order_id: str = "O1", second: int = 1, **fields: Any) -> dict[str, Any]:
    return {"ordertxid": order_id, "postxid": "P", "pair": "XXBTZUSD", "time": n(f"1786874645.{second:04d}"),
            "type": "buy", "ordertype": "limit", "price": "62800.50000", "cost": "314.00250", "fee": "0.78501",
            "vol": "0.00500000", "margin": "0.00000", "misc": "", "trade_id": 7, "maker": True, **fields}  # fmt: skip


def look(desk: Desk, since_ns: int = SINCE) -> list[Any]:
    out = desk.look(since_ns)
    return out + desk.serve(out)


# --- one picture -----------------------------------------------------------------------------------------------------


def test_four_questions_one_after_the_other_make_one_picture() -> None:
    desk = ready()
    asked_ns = desk.now_ns
    out = desk.look(SINCE)
    for method, form in (
        ("OpenOrders", ""),
        ("ClosedOrders", "start=1786873999&closetime=close&ofs=0"),
        ("TradesHistory", "start=1786873999&consolidate_taker=false&ofs=0"),
        ("BalanceEx", ""),
    ):
        ((number, *question),) = asked(out)
        assert question == [method, form]
        desk.now_ns += SECOND
        out = desk.reply(number, desk.book[method])
    assert picture(out) == Picture(
        venue="kraken", asked_ns=asked_ns, since_ns=SINCE, open=(), closed=(), trades=(), balances=()
    )


OPENED = 1_786_874_644_123_456_000


def venue_order(name: str, venue_id: str, status: OrderStatus, **fields: Any) -> VenueOrder:
    """What `rest_order` says."""
    return VenueOrder(**{
        "client_order_id": name, "venue_order_id": venue_id, "instrument": 0, "symbol": "BTC/USD", "side": 1,
        "order_type": int(OrderType.LIMIT), "px_1e9": PX, "qty_1e8": QTY, "cum_qty_1e8": 0, "status": status,
        "opened_ns": OPENED, **fields})  # fmt: skip


def test_what_is_open() -> None:
    """Ours and others', of any type, at markets that are followed and one that is not, with numbers too fine for it."""
    desk = ready()
    desk.book["OpenOrders"] = {"open": {
        "O1": rest_order(vol_exec="0.00500000"),
        "O2": rest_order(None, oflags="fciq,post", descr={"pair": "XBT/USD", "type": "sell"}),
        "O3": rest_order("x", "pending", descr={"pair": "ETHUSD", "ordertype": "stop-loss", "price": "1797.25"}),
        "O4": rest_order("y", descr={"pair": "FETUSD", "price": "0.12345678901"}, vol="1.123456789"),
    }}  # fmt: skip
    assert picture(look(desk)).open == (
        venue_order("vg-1", "O1", OrderStatus.OPEN, cum_qty_1e8=500_000),
        venue_order("", "O2", OrderStatus.OPEN, side=-1, order_type=int(OrderType.POST_ONLY)),
        venue_order("x", "O3", OrderStatus.OPEN, instrument=1, symbol="ETH/USD", order_type=-1,
                    px_1e9=1797_250_000_000),
        venue_order("y", "O4", OrderStatus.OPEN, instrument=-1, symbol="FETUSD", px_1e9=123_456_789,
                    qty_1e8=112_345_678),
    )  # fmt: skip


def test_what_closed() -> None:
    """Closed with something left of it is not filled: what is left will not trade."""
    desk = ready()
    desk.book["ClosedOrders"] = {"count": 4, "closed": {
        "C1": rest_order("vg-2", "closed", vol_exec="0.0125", descr={"ordertype": "market", "price": "0"}),
        "C2": rest_order("vg-3", "canceled", reason="User requested", timeinforce="IOC"),
        "C3": rest_order("vg-4", "expired", timeinforce="FOK"),
        "C4": rest_order("vg-5", "closed", vol_exec="0.01"),
    }}  # fmt: skip
    assert picture(look(desk)).closed == (
        venue_order("vg-2", "C1", OrderStatus.FILLED, cum_qty_1e8=QTY, px_1e9=0, order_type=int(OrderType.MARKET)),
        venue_order("vg-3", "C2", OrderStatus.CANCELED, reason="User requested", order_type=int(OrderType.IOC)),
        venue_order("vg-4", "C3", OrderStatus.EXPIRED, order_type=int(OrderType.FOK)),
        venue_order("vg-5", "C4", OrderStatus.CANCELED, cum_qty_1e8=1_000_000),
    )


def test_trades_of_ours_and_everybodys_money() -> None:
    desk = ready()
    desk.book["OpenOrders"] = {"open": {"O1": rest_order(), "O2": rest_order(None)}}
    desk.book["ClosedOrders"] = {"count": 1, "closed": {"C1": rest_order("vg-2", "closed", vol_exec="0.0125")}}
    desk.book["TradesHistory"] = {"count": 3, "trades": {
        "T2": rest_trade("C1", 2), "T1": rest_trade("O1", 1), "T3": rest_trade("O2", 3, type="sell"),
    }}  # fmt: skip
    out = look(desk)
    assert picture(out).trades == tuple(
        VenueTrade(
            exec_id=exec_id, venue_order_id=order_id, client_order_id=name, instrument=0, side=1, qty_1e8=500_000,
            px_1e9=62_800_500_000_000, fee_1e9=785_010_000, ts_venue_ns=1_786_874_645_000_000_000 + k * 10**5,
        )
        for k, exec_id, order_id, name in ((1, "T1", "O1", "vg-1"), (2, "T2", "C1", "vg-2"))
    )  # fmt: skip
    assert movements(out)[:3] == [
        ("T1", "BTC", "base", 500_000), ("T1", "USD", "quote", -31_400_250_000), ("T1", "USD", "fee", -78_501_000),
    ]  # fmt: skip
    whose = {one.ref: one.client_order_id for one in of(Movement, out)}
    assert whose == {"T1": "vg-1", "T2": "vg-2", "T3": ""}


def test_balances_by_the_names_of_the_socket() -> None:
    desk = ready()
    desk.book["BalanceEx"] = {
        "ZUSD": {"balance": "25435.21", "hold_trade": "8249.76"}, "XXBT": {"balance": "1.2435000009"},
        "XXDG": {"balance": "7"}, "USD.F": {"balance": "3"},
    }  # fmt: skip
    assert picture(look(desk)).balances == (
        ("BTC", 124_350_000), ("DOGE", 700_000_000), ("USD", 2_543_521_000_000), ("USD.F", 300_000_000),
    )  # fmt: skip


def test_money_is_told_once_by_socket_and_record() -> None:
    desk = ready().live()
    from_socket = movements(desk.executions(traded("0.005", "0.005")))
    desk.book["TradesHistory"] = {"count": 1, "trades": {"T1": rest_trade()}}
    assert movements(look(desk)) == []
    other = ready()
    other.book = desk.book
    assert movements(look(other)) == from_socket, "and the same, whoever tells it"


def test_an_order_that_closed_between_two_questions_is_closed() -> None:
    desk = ready()
    desk.book["OpenOrders"] = {"open": {"O1": rest_order()}}
    desk.book["ClosedOrders"] = {"count": 1, "closed": {"O1": rest_order(status="canceled")}}
    seen = picture(look(desk))
    assert (seen.open, [one.venue_order_id for one in seen.closed]) == ((), ["O1"])


@pytest.mark.parametrize("pair", ["XXBTZUSD", "XBTUSD", "XBT/USD", "BTC/USD", "BTCUSD", "XBTZUSD"])
def test_any_name_of_a_market(pair: str) -> None:
    desk = ready()
    desk.book["OpenOrders"] = {"open": {"O1": rest_order(descr={"pair": pair})}}
    assert [(one.instrument, one.symbol) for one in picture(look(desk)).open] == [(0, "BTC/USD")]


def test_numbers_are_read_from_their_text() -> None:
    """A time that no double holds, a size that rounding would change."""
    desk = ready()
    order = rest_order(opentm=n("1786874644.123456789"), vol="92233720368.54775807")
    desk.book["OpenOrders"] = {"open": {"O1": order}}
    (seen,) = picture(look(desk)).open
    assert (seen.opened_ns, seen.qty_1e8) == (1_786_874_644_123_456_789, 2**63 - 1)


# --- pages -----------------------------------------------------------------------------------------------------------


class Paged(Desk):
    """A Kraken that turns pages of fifty, the newest first; `grow`: how many trades come in between two pages."""

    def __init__(self, trades: int, grow: int = 0, shrink: int = 0) -> None:
        super().__init__(tier="pro")
        self.ids = [f"T{k:04d}" for k in range(trades)]
        self.grow = grow
        self.shrink = shrink
        self.pages = 0

    def serve(self, outputs: list[Any]) -> list[Any]:
        out: list[Any] = []
        todo = asked(outputs)
        while todo:
            number, method, form = todo.pop(0)
            result = self.book.get(method)
            if method == "TradesHistory":
                offset = int(form.rpartition("ofs=")[2])
                page = self.ids[::-1][offset : offset + 50]
                result = {"trades": {i: rest_trade("O1", int(i[1:]) % 9000) for i in page}, "count": len(self.ids)}
                self.ids += [f"T{len(self.ids) + k:04d}" for k in range(self.grow)]
                if self.shrink:
                    self.ids, self.shrink = self.ids[: -self.shrink], 0  # the newest: all others move forward
                self.pages += 1
            more = self.reply(number, result)
            out += more
            todo += asked(more)
        return out


@pytest.mark.parametrize(("count", "grow"), [(50, 0), (51, 0), (230, 0), (230, 3), (120, 20)])
def test_every_page_is_turned_though_it_shifts(count: int, grow: int) -> None:
    desk = Paged(count, grow)
    desk.book["OpenOrders"] = {"open": {"O1": rest_order()}}
    desk.serve(desk.start())
    desk.look(0)
    out = desk.wait(120)
    before = {f"T{k:04d}" for k in range(count)}
    seen = of(Picture, out)[0]
    ids = [one.exec_id for one in seen.trades]
    assert before <= set(ids)
    assert len(ids) == len(set(ids))


def test_a_list_that_is_shorter_than_its_count_is_read_again() -> None:
    desk = Paged(120, shrink=30)
    desk.book["OpenOrders"] = {"open": {"O1": rest_order()}}
    desk.serve(desk.start())
    desk.look(0)
    seen = of(Picture, desk.wait(240))[0]
    assert set(desk.ids) <= {one.exec_id for one in seen.trades}


# --- what it costs, what fails ---------------------------------------------------------------------------------------


def test_a_look_that_cannot_be_paid_waits() -> None:
    """Starter: 15 at most, a third of one back in a second; never more than that is spent."""
    desk = ready()
    spent, last = 0.0, desk.now_ns
    costs = {"TradesHistory": 4}
    pictures = 0
    for _ in range(600):
        out = desk.look(SINCE) if pictures < 5 else []
        out += desk.serve(out) + desk.wait(0.5)
        spent = max(spent - (desk.now_ns - last) / SECOND * 0.33, 0.0)
        last = desk.now_ns
        pictures += len(of(Picture, out))
        spent += sum(costs.get(method, 1) for _, method, _ in asked(out))
        assert spent <= 15
    assert pictures >= 5


def test_one_at_a_time_and_the_next_one_after_it() -> None:
    """Who asks while one is under way is answered by one that begins later, from the earlier time."""
    desk = ready(tier="pro")
    first = desk.look(SINCE)
    assert asked(desk.look(SINCE - 9 * SECOND)) == []
    assert asked(desk.look(SINCE)) == []
    desk.now_ns += SECOND
    out = desk.serve(first)
    seen = of(Picture, out + desk.wait(30))
    assert [one.since_ns for one in seen] == [SINCE, SINCE - 9 * SECOND]
    assert seen[1].asked_ns > seen[0].asked_ns


@pytest.mark.parametrize("at", ["OpenOrders", "ClosedOrders", "TradesHistory", "BalanceEx"])
@pytest.mark.parametrize("how", ["silence", "error", "form", "nothing"])
def test_a_request_that_fails_fails_the_look_and_it_begins_again(at: str, how: str) -> None:
    """No picture of parts; Ready is what it was; one warning; and after a while the whole look."""
    desk = ready(tier="pro")
    was = desk.why
    out = desk.look(SINCE)
    while asked(out)[0][1] != at:
        out = desk.reply(asked(out)[0][0], desk.book[asked(out)[0][1]])
    number = asked(out)[0][0]
    if how == "silence":
        out = desk.silent(number)
    elif how == "error":
        out = desk.reply(number, error="EService:Busy")
    elif how == "form":
        out = desk.reply(number, {"open": 7, "closed": 7, "trades": 7, "ZUSD": 7})
    else:
        out = desk.wait(31, serving=False)
    assert of(Picture, out) == []
    assert len(notices(out, "warning")) == 1
    assert desk.why == was
    assert len(of(Picture, desk.wait(20))) == 1


def test_an_order_in_a_state_that_nobody_knows_fails_the_look() -> None:
    desk = ready()
    desk.book["OpenOrders"] = {"open": {"O1": rest_order(status="haunted")}}
    out = look(desk)
    assert of(Picture, out) == []
    assert any("haunted" in text for text in notices(out, "warning"))


def test_a_full_counter_waits_for_longer() -> None:
    desk = ready()
    desk.reply(asked(desk.look(SINCE))[0][0], error="EAPI:Rate limit exceeded")
    assert asked(desk.wait(9)) == []
    assert asked(desk.wait(60)) != []


def test_no_rights_is_the_end() -> None:
    desk = ready()
    desk.reply(asked(desk.look(SINCE))[0][0], error="EGeneral:Permission denied")
    assert desk.why == "EGeneral:Permission denied"
    assert asked(desk.wait(120)) == []


def test_answers_that_nobody_asked_for_are_nothing() -> None:
    desk = ready()
    for frame in (b"99 200\n{}", b"", b"x", b"99999999999999999999 200\n{}", b"-1 0\n", b"1 2000\n{}", b"\xff 0\n"):
        assert desk.took(desk.session.receive(frame, desk.now_ns, REST)) == []


# --- what it settles -------------------------------------------------------------------------------------------------


def test_an_order_in_the_record_reached_the_venue() -> None:
    desk = ready()
    desk.new()
    desk.book["OpenOrders"] = {"open": {"O1": rest_order()}}
    out = look(desk)
    assert kinds(out) == [("vg-1", "new")]
    assert kinds(desk.wait(20)) == []
    assert kinds(desk.executions(traded("0.005", "0.005"))) == [("vg-1", "trade")]


def test_an_order_that_is_not_in_the_record_is_still_unknown() -> None:
    """One "not found" decides nothing."""
    desk = ready()
    desk.new()
    assert kinds(look(desk)) == []
    assert kinds(desk.wait(60)) == [("vg-1", "unknown")]


def test_a_cancel_that_the_record_confirms_is_awaited_no_longer() -> None:
    desk = ready().live()
    desk.cancel()
    desk.hear(answer("cancel_order", desk.approvals, {"order_id": "O1"}))
    desk.book["ClosedOrders"] = {"count": 1, "closed": {"O1": rest_order(status="canceled")}}
    assert reports(look(desk)) == [], "the picture says it"
    assert kinds(desk.wait(20)) == []
    (late,) = reports(desk.executions(execution("canceled", cum_qty=n("0"))))
    assert late.exec_type is ExecType.CANCELED, "and what the executions say still counts"


def test_a_look_needs_no_link() -> None:
    desk = ready()
    desk.took(desk.session.close(desk.now_ns, PRIVATE))
    assert len(of(Picture, look(desk))) == 1
