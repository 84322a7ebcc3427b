"""A hosted exchange's key and orders: what leaves, how it is answered, refused, or not answered at all."""

from __future__ import annotations

import pytest

from connectors.errors import ConfigError
from connectors.events import Doubt, ExecReport, ExecType, Notice, RejectCode
from connectors.exchange.requests import GRACE_NS
from connectors.orders import AmendOrder, Approved, CancelAll
from connectors.session import Stop, TradingPlan
from connectors.venues.ccxt.trading import DEADLINE_NS, PROOF_NS, CcxtTrading
from tests.support.ccxt_world import BTC, ETH, NAME, SECOND, World, kinds, of, order

# --- the key ---------------------------------------------------------------------------------------------------------


def test_the_key_is_proved_by_the_balance_and_until_then_nothing_leaves() -> None:
    world = World(ready=False)
    assert world.why == "the private link is down"
    world.open()
    assert world.why == "the key was not accepted yet"
    assert world.watched == ["orders", "fills", "balance"]
    assert [(one.exec_type, one.text) for one in of(ExecReport, world.place())] == [
        (ExecType.REJECTED, "never sent: the key was not accepted yet")
    ]
    world.wait(SECOND)
    assert world.methods() == ["fetch_balance"]
    world.answer({"USDT": "1"})
    assert world.why == ""
    assert not world.wait(3 * PROOF_NS) or "fetch_balance" not in world.methods(), "once is enough"


@pytest.mark.parametrize("error", ["AuthenticationError", "PermissionDenied", "AccountSuspended"])
def test_a_key_that_is_refused_ends_the_session(error: str) -> None:
    world = World(ready=False)
    world.open()
    world.wait(SECOND)
    out = world.refuse(error, "invalid api key")
    assert [one.reason for one in of(Stop, out)] == [f"the key is not accepted ({error}: invalid api key)"]
    assert world.why
    world.wait(3 * PROOF_NS)
    assert not world.asked, "a key that was refused is not tried again"


def test_a_balance_that_is_not_told_is_asked_for_again() -> None:
    world = World(ready=False)
    world.open()
    world.wait(SECOND)
    world.answer(b"no answer: RequestTimeout", 0)
    world.wait(PROOF_NS)
    assert "no balance" in of(Notice, world.refuse("ExchangeNotAvailable"))[0].text
    world.wait(PROOF_NS)
    assert "cannot be read" in of(Notice, world.answer(b"<html>", 200))[0].text
    assert world.why
    world.wait(PROOF_NS)
    world.answer({})
    assert world.why == ""


def test_a_key_that_is_refused_later_halts() -> None:
    world = World().resting()
    world.place(2)
    out = world.refuse("PermissionDenied", "trading is off", "create_order")
    assert kinds(out) == [ExecType.REJECTED]
    assert not of(Stop, out), "what is open must be looked after"
    assert "PermissionDenied" in world.why
    world.cancel()
    assert world.methods() == ["cancel_order"], "a cancel leaves all the same"


def test_options_that_it_has_not() -> None:
    with pytest.raises(ConfigError, match="no option 'tier'"):
        CcxtTrading(TradingPlan(((0, BTC),), [None], "vg", {"tier": "pro"}), "ccxt_x")


# --- orders out ------------------------------------------------------------------------------------------------------


def test_an_order_leaves_as_a_call_and_its_answer_is_its_acknowledgement() -> None:
    world = World()
    world.place()
    ((number, method, call),) = world.asked
    assert (number, method) == ("1", "create_order")
    assert call["params"] == {"clientOrderId": NAME, "timeInForce": "GTC"}
    (report,) = of(ExecReport, world.answer({"id": "8231"}))
    assert (report.exec_type, report.venue_order_id) == (ExecType.NEW, "8231")
    assert not of(ExecReport, world.say({"op": "orders", "orders": [order()]})), "told once"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("InsufficientFunds", RejectCode.INSUFFICIENT_BALANCE), ("InvalidOrder", RejectCode.INVALID_PARAMS),
        ("OrderImmediatelyFillable", RejectCode.INVALID_PARAMS), ("RateLimitExceeded", RejectCode.RATE_LIMIT),
        ("MarketClosed", RejectCode.EXCHANGE_BUSY),
    ],
)  # fmt: skip
def test_what_is_refused_for_certain_is_rejected(error: str, code: RejectCode) -> None:
    world = World()
    world.place()
    (report,) = of(ExecReport, world.refuse(error))
    assert (report.exec_type, report.reject_code, report.text) == (ExecType.REJECTED, code, f"{error}: so it says")


@pytest.mark.parametrize("error", ["DuplicateOrderId", "NetworkError", "ExchangeError", "SomethingNew"])
def test_what_may_have_been_carried_out_is_unknown(error: str) -> None:
    world = World()
    world.place()
    out = world.refuse(error)
    assert kinds(out) == [ExecType.UNKNOWN]
    assert of(Doubt, out)


@pytest.mark.parametrize("body", [b"no answer: RequestTimeout: 20 s", b"never left: the exchange is not connected"])
def test_silence_is_unknown_once_and_never_sent_again(body: bytes) -> None:
    world = World()
    world.place()
    out = world.answer(body, 0)
    assert kinds(out) == [ExecType.UNKNOWN]
    assert of(Doubt, out)
    out = world.wait(2 * DEADLINE_NS)
    assert not of(ExecReport, out)
    assert "create_order" not in world.methods()


def test_no_answer_at_all_is_unknown_at_the_deadline_and_a_late_one_is_proof() -> None:
    world = World()
    world.place()
    assert not of(ExecReport, world.wait(DEADLINE_NS))
    assert kinds(world.wait(GRACE_NS)) == [ExecType.UNKNOWN]
    assert kinds(world.answer({"id": "8231"})) == [ExecType.NEW]


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b"\xff", b'{"id":7}'])
def test_an_answer_that_cannot_be_read_is_doubt(body: bytes) -> None:
    world = World()
    world.place()
    assert kinds(world.answer(body)) == [ExecType.UNKNOWN]


def test_after_a_rate_limit_orders_wait_and_cancels_do_not() -> None:
    world = World().resting()
    world.place(2)
    world.refuse("RateLimitExceeded", method="create_order")
    assert "asked for less" in of(ExecReport, world.place(3))[0].text
    world.cancel()
    assert world.methods() == ["cancel_order"]


def test_amends_are_refused_here() -> None:
    world = World().resting()
    amend = AmendOrder(NAME, 0, 0, 1, 1, 62_001 * 10**9, 10**6, "vg1a2b3c-2")
    (report,) = of(ExecReport, world.session.amend(Approved(amend, 2, world.now_ns, 40), world.now_ns))
    assert report.exec_type is ExecType.REPLACE_REJECTED
    assert report.text.startswith("never sent: amends are not offered through ccxt")
    assert not world.asked


def test_there_is_no_cancel_all() -> None:
    world = World().resting()
    approved = Approved(CancelAll("ccxt_x", "vg1a2b3c-4"), 4, world.now_ns, 1)
    with pytest.raises(ValueError, match="cancel order by order"):
        world.session.cancel_all(approved, world.now_ns)


# --- cancels ---------------------------------------------------------------------------------------------------------


def test_a_cancel_goes_by_the_exchanges_id_and_what_comes_of_it_the_stream_says() -> None:
    world = World().resting()
    world.cancel()
    assert world.asked == [("9", "cancel_order", {"id": "8231", "symbol": BTC})]
    assert not of(ExecReport, world.answer({}))
    out = world.say({"op": "orders", "orders": [order(status="canceled")]})
    assert kinds(out) == [ExecType.CANCELED]
    assert not of(ExecReport, world.wait(10 * SECOND))


def test_a_cancel_of_which_nothing_comes_is_doubt() -> None:
    world = World().resting()
    world.cancel()
    world.answer({})
    out = world.wait(GRACE_NS)
    assert kinds(out) == [ExecType.UNKNOWN]
    assert of(Doubt, out)


def test_a_refused_cancel_makes_a_look() -> None:
    world = World().resting()
    world.cancel()
    out = world.refuse("OrderNotFound")
    assert kinds(out) == [ExecType.CANCEL_REJECTED]
    assert of(Doubt, out)


@pytest.mark.parametrize("teller", ["answer", "stream", "look"])
def test_a_cancel_waits_for_the_id_whoever_tells_it(teller: str) -> None:
    world = World()
    world.place()
    out = world.cancel()
    assert not of(ExecReport, out)
    assert world.methods() == ["create_order"]
    if teller == "answer":
        world.answer({"id": "8231"})
    elif teller == "stream":
        world.say({"op": "orders", "orders": [order()]})
    else:
        world.look()
        assert world.methods() == ["create_order", "fetch_open_orders"]
        for symbol in (BTC, ETH):
            world.answer([order()] if symbol == BTC else [], method="fetch_open_orders")
        for _ in (BTC, ETH):
            world.answer([], method="fetch_closed_orders")
        for _ in (BTC, ETH):
            world.answer([], method="fetch_my_trades")
        world.answer({}, method="fetch_balance")
    assert [one for one in world.asked if one[1] == "cancel_order"] == [
        ("9", "cancel_order", {"id": "8231", "symbol": BTC})
    ]


def test_a_cancel_whose_order_was_refused_is_not_sent() -> None:
    world = World()
    world.place()
    world.cancel()
    assert kinds(world.refuse("InvalidOrder")) == [ExecType.REJECTED]
    out = world.wait(2 * DEADLINE_NS)
    assert not of(ExecReport, out)
    assert not world.methods()


def test_a_cancel_that_waits_in_vain_says_so() -> None:
    world = World()
    out = world.cancel(name="vg1a2b3c-77")  # of an earlier session
    assert of(Doubt, out), "somebody should look"
    out = world.wait(DEADLINE_NS)
    (report,) = of(ExecReport, out)
    assert report.exec_type is ExecType.CANCEL_REJECTED
    assert "id of this order is not known" in report.text
    assert not world.asked
