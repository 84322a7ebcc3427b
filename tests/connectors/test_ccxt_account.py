"""A hosted exchange's account: fills, streams that come, break or do not exist, looks, the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.events import Balance, Doubt, ExecReport, ExecType, Movement, Notice, OrderStatus, Picture, Ready
from connectors.session import PRIVATE, REST, Reconnect
from connectors.venues.ccxt.trading import LOOK_NS, PAGE, SILENCE_NS
from tests.support.ccxt_world import BTC, ETH, NAME, SECOND, T0, World, fill, kinds, of, order

# --- fills -----------------------------------------------------------------------------------------------------------


def test_fills_come_by_their_own_ids_and_each_counts_once() -> None:
    world = World().resting()
    out = world.say({"op": "fills", "fills": [fill()]})
    (report,) = of(ExecReport, out)
    assert (report.exec_type, report.last_qty_1e8, report.last_px_1e9) == (ExecType.TRADE, 400_000, 62_000 * 10**9)
    assert (report.fee_1e9, report.leaves_qty_1e8, report.exec_id) == (248_000_000, 600_000, f"{BTC}-77")
    moved = {(one.currency, one.kind): one.amount_1e8 for one in of(Movement, out)}
    assert moved == {("BTC", "base"): 400_000, ("USDT", "quote"): -248 * 10**8, ("USDT", "fee"): -24_800_000}
    assert not of(ExecReport, world.say({"op": "fills", "fills": [fill()]}))
    out = world.say({"op": "fills", "fills": [fill(id="78", amount="0.006", cost="372", fees=[])]})
    assert [one.leaves_qty_1e8 for one in of(ExecReport, out)] == [0]


def test_a_fill_before_the_answer_waits_for_the_id() -> None:
    world = World()
    world.place()
    assert not of(ExecReport, world.say({"op": "fills", "fills": [fill()]}))
    out = world.answer({"id": "8231"})
    assert kinds(out) == [ExecType.NEW, ExecType.TRADE]


def test_an_order_that_is_closed_before_its_fills_are_told_waits_and_is_then_looked_at() -> None:
    world = World().resting()
    out = world.say({"op": "orders", "orders": [order(status="closed", filled="0.01")]})
    assert not of(ExecReport, out), "fills are never guessed from an order's state"
    out = world.wait(LOOK_NS + SECOND)
    assert of(Doubt, out)
    out = world.say({"op": "fills", "fills": [fill(amount="0.01", cost="620")]})
    assert [one.last_qty_1e8 for one in of(ExecReport, out) if one.exec_type is ExecType.TRADE] == [10**6]


@pytest.mark.parametrize(
    ("status", "kind"),
    [("canceled", ExecType.CANCELED), ("expired", ExecType.EXPIRED), ("rejected", ExecType.CANCELED)],
)
def test_an_order_ends_by_its_own_stream(status: str, kind: ExecType) -> None:
    """What was acknowledged can be rejected no more."""
    world = World().resting()
    assert kinds(world.say({"op": "orders", "orders": [order(status=status)]})) == [kind]


def test_an_order_that_the_stream_rejects_before_any_answer() -> None:
    world = World()
    world.place()
    assert kinds(world.say({"op": "orders", "orders": [order(status="rejected")]})) == [ExecType.REJECTED]
    assert not of(ExecReport, world.answer({"id": "8231"})), "its answer comes too late to say anything"


def test_of_orders_that_are_not_ours_only_the_money_is_told() -> None:
    world = World()
    world.say({"op": "orders", "orders": [order(id="5", name="by hand")]})
    out = world.say({"op": "fills", "fills": [fill(order="5")]})
    assert not of(ExecReport, out)
    assert {one.client_order_id for one in of(Movement, out)} == {""}
    assert len(of(Movement, out)) == 3


def test_a_fill_without_its_id_is_no_fill() -> None:
    world = World().resting()
    out = world.say({"op": "fills", "fills": [fill(id=""), fill()]})
    assert kinds(out) == [ExecType.TRADE], "the others count"
    assert of(Doubt, out)


def test_balances_are_told() -> None:
    out = World().say({"op": "balance", "total": {"USDT": "1000.123456789", "BTC": "0"}})
    assert [(one.currency, one.total_1e8) for one in of(Balance, out)] == [("BTC", 0), ("USDT", 100_012_345_678)]


# --- links -----------------------------------------------------------------------------------------------------------


def test_a_lost_link_stops_orders_but_not_what_went_as_a_call() -> None:
    world = World().resting()
    world.place(2)
    out = world.close()
    assert not of(ExecReport, out), "calls have their own way"
    assert of(Doubt, out)
    assert world.why == "the private link is down"
    assert kinds(world.answer({"id": "8232"}, method="create_order")) == [ExecType.NEW]
    world.cancel()
    assert world.methods() == ["cancel_order"]
    world.asked.clear()
    world.watched.clear()
    world.open()
    assert world.watched == ["orders", "fills", "balance"]
    assert world.why == "", "the key was proved"


def test_a_link_that_says_nothing_is_dead() -> None:
    world = World()
    out = world.wait(SILENCE_NS + 2 * SECOND, alive=False)
    assert [one.link for one in of(Reconnect, out)] == [PRIVATE]
    assert world.why
    assert not of(Reconnect, world.wait(10 * SECOND, alive=False)), "said once"


@pytest.mark.parametrize("channel", ["orders", "fills"])
def test_where_a_stream_does_not_exist_the_account_is_looked_at_while_an_order_lives(channel: str) -> None:
    world = World(missing=(channel,))
    assert not of(Doubt, world.wait(3 * LOOK_NS)), "nothing lives"
    world.resting()
    looks = of(Doubt, world.wait(4 * LOOK_NS))
    assert len(looks) == 4
    world.session.over(NAME)
    assert not of(Doubt, world.wait(3 * LOOK_NS))


def test_a_missing_balance_stream_is_no_reason_to_look() -> None:
    world = World(missing=("balance",)).resting()
    assert not of(Doubt, world.wait(3 * LOOK_NS))


def test_a_stream_that_broke_is_dialled_anew_and_one_that_may_not_be_seen_halts() -> None:
    world = World()
    out = world.say({"op": "failed", "channel": "fills", "error": "ExchangeError", "text": "an odd message"})
    assert [one.reason for one in of(Reconnect, out)] == ["fills ended"]
    assert of(Doubt, out)
    world.say({"op": "failed", "channel": "orders", "error": "AuthenticationError", "text": "expired"})
    assert world.why


GARBAGE = st.binary(max_size=60) | st.sampled_from(
    [b"{}", b"[" * 5000, b'{"op":"orders"}', b'{"op":"fills","fills":[{}]}', b'{"op":"orders","orders":[{"id":"1"}]}',
     b'{"op":"balance","total":{"USDT":"NaN"}}', b'{"op":"fills","fills":[{"id":"1","order":"8231","symbol":"A/B"}]}']
)  # fmt: skip


@given(GARBAGE)
def test_no_bytes_of_the_feed_raise_and_what_cannot_be_read_makes_a_look(raw: bytes) -> None:
    world = World().resting()
    out = world.say(raw)
    if raw not in (b'{"op":"orders","orders":[{"id":"1"}]}',):
        assert of(Doubt, out)
    assert not {ExecType.CANCELED, ExecType.REJECTED, ExecType.TRADE} & set(kinds(out))
    world.wait(SECOND)


@given(raw=st.binary(max_size=40), status=st.integers(0, 999))
def test_no_answer_raises(raw: bytes, status: int) -> None:
    world = World()
    world.place()
    world.session.receive(b"1 %d\n" % status + raw, world.now_ns, REST)
    world.session.receive(raw, world.now_ns, REST)
    world.look()
    number, *_ = world.asked[-1]
    world.session.receive(f"{number} {status}\n".encode() + raw, world.now_ns, REST)
    world.wait(SECOND)


# --- looks -----------------------------------------------------------------------------------------------------------


def answers(world: World, lists: dict[tuple[str, str], list[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Answers a look's calls as they are asked; each as it left. `lists`: what (method, market) has, page by page."""
    while world.asked:
        _, method, call = world.asked[0]
        yield method, call
        if method == "fetch_balance":
            world.answer({"USDT": "1000", "BTC": "0.004"})
        else:
            pages = lists.get((method, call["symbol"]), [])
            world.answer(pages.pop(0) if pages else [])


def test_a_look_reads_each_markets_lists_and_makes_one_picture() -> None:
    world = World().resting()
    world.look()
    closed = order(id="8000", name="vg1a2b3c-0", status="closed", filled="0.01")
    lists = {
        ("fetch_open_orders", BTC): [[order(filled="0.004")]],
        ("fetch_closed_orders", BTC): [[closed, order()]],  # open ones among them: nobody's closed orders
        ("fetch_my_trades", BTC): [[fill(), fill(id="70", order="8000", amount="0.01", cost="620")]],
        ("fetch_open_orders", ETH): [[order(id="9", name="", symbol=ETH, side="sell", amount="2")]],
    }
    seen = list(answers(world, lists))
    assert [(method, call.get("symbol")) for method, call in seen] == [
        ("fetch_open_orders", BTC), ("fetch_open_orders", ETH), ("fetch_closed_orders", BTC),
        ("fetch_closed_orders", ETH), ("fetch_my_trades", BTC), ("fetch_my_trades", ETH), ("fetch_balance", None),
    ]  # fmt: skip
    (picture,) = of(Picture, world.all)
    assert [(one.client_order_id, one.instrument, one.cum_qty_1e8) for one in picture.open] == [
        (NAME, 0, 400_000), ("", 1, 0),
    ]  # fmt: skip
    assert [(one.venue_order_id, one.status) for one in picture.closed] == [("8000", OrderStatus.FILLED)]
    assert sorted(one.exec_id for one in picture.trades) == [f"{BTC}-70", f"{BTC}-77"]
    assert dict(picture.balances) == {"USDT": 1000 * 10**8, "BTC": 400_000}
    (told,) = [one for one in seen if one[0] == "fetch_my_trades" and one[1]["symbol"] == BTC]
    assert (told[1]["limit"], told[1]["since"] <= (world.now_ns - 60 * SECOND) // 10**6) == (PAGE, True)


def test_a_full_page_is_followed_by_the_next_from_where_it_ended() -> None:
    world = World()
    world.look()
    at = T0 // 10**6
    pages = [
        [fill(id=str(n), order="5", ms=at + n) for n in range(PAGE)],
        [fill(id=str(n), order="5", ms=at + n) for n in range(PAGE - 1, 2 * PAGE - 1)],
        [fill(id=str(2 * PAGE - 2), order="5", ms=at + 2 * PAGE - 2)],
    ]
    since = [
        call["since"] for method, call in answers(world, {("fetch_my_trades", BTC): pages})
        if method == "fetch_my_trades" and call["symbol"] == BTC
    ]  # fmt: skip
    assert since[1:] == [at + PAGE - 1, at + 2 * PAGE - 2]
    assert of(Picture, world.all)


def test_pages_that_say_the_same_for_ever_end() -> None:
    world = World()
    world.look()
    same = [fill(id=str(n), order="5") for n in range(PAGE)]
    calls = [one for one in answers(world, {("fetch_my_trades", BTC): [same] * 9}) if one[0] == "fetch_my_trades"]
    assert len(calls) == 3
    assert of(Picture, world.all)


def test_an_order_placed_by_its_cost_is_somebodys_and_spoils_no_look() -> None:
    world = World()
    world.look()
    bought = order(id="4", name="", type="market", amount=None, filled="0.5", price=None, status="closed")
    list(answers(world, {("fetch_closed_orders", BTC): [[bought]]}))
    (picture,) = of(Picture, world.all)
    assert [one.qty_1e8 for one in picture.closed] == [50_000_000]


@pytest.mark.parametrize("status", ["", "weird"])
def test_a_look_that_cannot_be_read_is_no_picture_and_is_tried_again(status: str) -> None:
    world = World()
    world.look()
    world.answer([order(status=status)])
    assert not of(Picture, world.all)
    assert "a look at the account failed" in of(Notice, world.all)[-1].text
    assert world.wait(6 * SECOND)
    assert world.methods() == ["fetch_open_orders"]


def test_a_look_that_is_refused_for_its_key_halts() -> None:
    world = World()
    world.look()
    world.refuse("AuthenticationError")
    assert world.why


# --- the end ---------------------------------------------------------------------------------------------------------


def test_the_end_says_what_is_left_open() -> None:
    world = World().resting()
    out = world.session.stop(world.now_ns, is_flat=False)
    assert "orders may be open" in of(Notice, out)[0].text
    assert [one.why for one in of(Ready, out)] == ["the session has ended"]
    assert world.session.tick(world.now_ns) == []
    assert world.session.stop(world.now_ns, is_flat=True) == []
