"""What Kraken's tests do not reach of the shared session: acceptance that is no answer, ends that wait for their
trades, full states, orders over HTTP."""

from __future__ import annotations

from decimal import Decimal

import pytest

from connectors.errors import ConfigError
from connectors.events import Doubt, ExecReport, ExecType, Movement, Notice, OrderStatus, Picture, Ready, RejectCode
from connectors.exchange.record import OTHER_TYPE, RecordOrder
from connectors.exchange.requests import GRACE_NS
from connectors.exchange.session import check_options
from connectors.exchange.told import Kind, Told
from connectors.exchange.verdict import Next, Verdict
from connectors.orders import AmendOrder, Approved, CancelOrder
from connectors.session import PRIVATE, REST, TRADE, Output, Send
from tests.support.trading_tiny import DEADLINE_NS, NAME, SECOND, WORDS, Tiny

LATE_NS = DEADLINE_NS + GRACE_NS


def reports(out: list[Output]) -> list[ExecReport]:
    return [one for one in out if isinstance(one, ExecReport)]


def kinds(out: list[Output]) -> list[ExecType]:
    return [one.exec_type for one in reports(out)]


def doubts(out: list[Output]) -> list[str]:
    return [one.why for one in out if isinstance(one, Doubt)]


def cancel(tiny: Tiny, now_ns: int, number: int = 2) -> list[Output]:
    return tiny.cancel(Approved(CancelOrder(NAME, 0, 0, 1, "vgabcdef-2"), number, now_ns, 1), now_ns)


def amend(tiny: Tiny, now_ns: int, number: int = 3, qty_1e8: int = 2 * 10**8) -> list[Output]:
    order = AmendOrder(NAME, 0, 0, 1, 1, 60_000 * 10**9, qty_1e8, "vgabcdef-3")
    return tiny.amend(Approved(order, number, now_ns, 31), now_ns)


def open_order() -> Tiny:
    tiny = Tiny()
    tiny.sends()
    tiny.requests.accepted(tiny.request(), 0, "77")
    assert kinds(tiny.fold(1, kind=Kind.NEW)) == [ExecType.NEW]
    return tiny


# --- acceptance that is no answer -------------------------------------------------------------------------------------


def test_accepted_and_nothing_follows_is_doubt_and_a_look() -> None:
    tiny = Tiny()
    tiny.sends()
    assert tiny.requests.accepted(tiny.request(), SECOND, "77") == []
    assert tiny.beat(SECOND + GRACE_NS - 1) == []
    out = tiny.beat(SECOND + GRACE_NS)
    assert kinds(out) == [ExecType.UNKNOWN]
    assert doubts(out) == ["new: taken, and nothing came of it"]
    assert kinds(tiny.fold(30 * SECOND, kind=Kind.NEW)) == [ExecType.NEW], "late, and proof all the same"


@pytest.mark.parametrize("is_stream_first", [False, True])
def test_stream_and_acceptance_in_either_order_are_one_order(is_stream_first: bool) -> None:
    tiny = Tiny()
    tiny.sends()
    request = tiny.request()
    out = [] if is_stream_first else tiny.requests.accepted(request, 0, "77")
    out += tiny.fold(1, kind=Kind.NEW)
    if is_stream_first:
        assert tiny.requests.of(1) == [], "nobody waits for the answer any more"
    assert kinds(out) == [ExecType.NEW]
    assert tiny.beat(60 * SECOND) == []


def test_accepted_and_refused_by_the_stream() -> None:
    """Bybit takes an order that it cannot place, and says so on the other stream."""
    tiny = Tiny()
    tiny.sends()
    tiny.requests.accepted(tiny.request(), 0, "77")
    (said,) = reports(tiny.fold(1, kind=Kind.REJECTED, reason="no funds", code=RejectCode.INSUFFICIENT_BALANCE))
    assert (said.exec_type, said.reject_code) == (ExecType.REJECTED, RejectCode.INSUFFICIENT_BALANCE)
    assert tiny.beat(60 * SECOND) == []


def test_an_order_that_began_is_not_refused_any_more() -> None:
    tiny = open_order()
    assert kinds(tiny.fold(2, kind=Kind.REJECTED, reason="?")) == [ExecType.CANCELED]


def test_an_amend_that_was_taken_is_made_or_not_by_the_stream() -> None:
    tiny = open_order()
    amend(tiny, SECOND)
    assert tiny.requests.accepted(tiny.request(3), SECOND) == []
    out = tiny.fold(2 * SECOND, kind=Kind.AMEND_REJECTED, reason="finished", code=RejectCode.INVALID_PARAMS)
    assert kinds(out) == [ExecType.REPLACE_REJECTED]
    assert tiny.fold(2 * SECOND, kind=Kind.AMEND_REJECTED) == [], "told twice"
    amend(tiny, 3 * SECOND, 4)
    tiny.requests.accepted(tiny.request(4), 3 * SECOND)
    (said,) = reports(tiny.fold(4 * SECOND, kind=Kind.STATE, qty=Decimal(2), px=Decimal(60_000)))
    assert (said.exec_type, said.qty_1e8) == (ExecType.REPLACED, 2 * 10**8)
    assert tiny.beat(60 * SECOND) == []


def test_an_older_state_takes_no_amend_back() -> None:
    tiny = open_order()
    assert kinds(tiny.fold(5, kind=Kind.STATE, qty=Decimal(2), px=Decimal(60_000))) == [ExecType.REPLACED]
    assert tiny.fold(4, kind=Kind.STATE, qty=Decimal(1), px=Decimal(60_000)) == []
    assert tiny.fold(5, kind=Kind.STATE, qty=Decimal(2), px=Decimal(60_000)) == [], "no news"


def test_each_link_loses_its_own() -> None:
    tiny = Tiny(TRADE)
    tiny.sends()
    assert tiny.requests.lost("the stream is gone", PRIVATE) == []
    out = tiny.finish(tiny.requests.lost("the way of orders is gone", TRADE), 1)
    assert kinds(out) == [ExecType.UNKNOWN]
    assert doubts(out) == ["the way of orders is gone"]


# --- ends and their trades --------------------------------------------------------------------------------------------


def test_an_end_waits_for_the_trades_that_it_knows_of() -> None:
    tiny = Tiny(lag_ns=SECOND)
    tiny.sends()
    assert kinds(tiny.fold(1, kind=Kind.CANCELED, cum=Decimal("0.5"))) == []
    assert tiny.beat(SECOND) == []
    out = tiny.traded(SECOND, "t1", "0.5")
    assert kinds(out) == [ExecType.NEW, ExecType.TRADE, ExecType.CANCELED]
    assert not doubts(out)
    assert tiny.beat(60 * SECOND) == []


@pytest.mark.parametrize(("kind", "told"), [(Kind.CANCELED, [ExecType.CANCELED]), (Kind.FILLED, [])])
def test_trades_that_never_come_make_a_look(kind: Kind, told: list[ExecType]) -> None:
    """What ended is told as ended; that it filled, its trades have to tell."""
    tiny = Tiny(lag_ns=SECOND)
    tiny.sends()
    tiny.requests.taken(tiny.request(), 0, "77")
    tiny.fold(1, kind=kind, cum=Decimal(1))
    out = tiny.beat(1 + SECOND)
    assert kinds(out) == told
    assert len(doubts(out)) == 1


def test_without_a_lag_an_end_is_told_at_once() -> None:
    tiny = open_order()
    out = tiny.fold(2, kind=Kind.CANCELED, cum=Decimal("0.5"))
    assert kinds(out) == [ExecType.CANCELED]
    assert doubts(out)


def test_trades_without_a_sum_are_added_up() -> None:
    tiny = open_order()
    first, second = reports(tiny.traded(2, "a", "0.25") + tiny.traded(3, "b", "0.25"))
    assert [first.cum_qty_1e8, second.cum_qty_1e8] == [25_000_000, 50_000_000]
    assert reports(tiny.traded(4, "b", "0.25")) == [], "told twice"


def test_a_trade_that_the_record_told_first_ends_no_order_too_early() -> None:
    """Half is in the record; its trade comes late, without a sum: it is that half, and not the other."""
    tiny = open_order()
    half = RecordOrder(
        venue_id="77", name=NAME, symbol="BTC/USDT", side=1, order_type=0, qty=Decimal(1), cum=Decimal("0.5"),
        status=OrderStatus.OPEN,
    )  # fmt: skip
    tiny.record = [half]
    look(tiny, 2)
    (late,) = reports(tiny.traded(3, "a", "0.5"))
    assert (late.cum_qty_1e8, late.leaves_qty_1e8) == (50_000_000, 50_000_000)
    assert kinds(tiny.fold(4, kind=Kind.CANCELED, cum=Decimal("0.5"))) == [ExecType.CANCELED]


def test_money_of_a_market_whose_currencies_nobody_knows_is_not_told() -> None:
    tiny = Tiny()
    trade = {"kind": Kind.TRADE, "name": "", "last_qty": Decimal(1), "last_px": Decimal(9), "exec_id": "x"}
    assert tiny.fold(1, **{**trade, "symbol": "SOLUSDT"}) == [Ready("tiny", "")]
    out = tiny.fold(1, **{**trade, "symbol": "SOL/USDT", "fees": (("BNB", Decimal("0.1")),), "exec_id": "y"})
    moved = [(one.currency, one.kind, one.amount_1e8) for one in out if isinstance(one, Movement)]
    assert moved == [("SOL", "base", 10**8), ("USDT", "quote", -9 * 10**8), ("BNB", "fee", -(10**7))]


def test_a_word_that_nobody_knows_is_loud_and_makes_a_look() -> None:
    tiny = open_order()
    out = tiny.fold(2, kind="mmp_canceled")
    assert any(isinstance(one, Notice) and "'mmp_canceled'" in one.text for one in out)
    assert doubts(out)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_what_refusals_lead_to() -> None:
    said = {}
    for code, verdict in WORDS.items():
        tiny = Tiny()
        tiny.sends()
        tiny.account.is_trusted = True
        out = tiny.finish(tiny.requests.refused(tiny.request(), f"{code}: no", verdict, 0), 0)
        said[verdict.next] = (kinds(out), bool(doubts(out)), tiny.renewed, tiny.account.halted,
                              tiny.account.paced_until_ns)  # fmt: skip
    no = [ExecType.REJECTED]
    assert said == {
        Next.DEFINITE: (no, False, "", "", 0),
        Next.UNKNOWN: ([ExecType.UNKNOWN], True, "", "", 0),
        Next.BACK_OFF: (no, False, "", "", 30 * SECOND),
        Next.RENEW: (no, False, "4: no", "", 0),
        Next.HALT: (no, False, "", "5: no", 0),
    }


def test_who_was_told_to_slow_down_sends_cancels_all_the_same() -> None:
    tiny = open_order()
    tiny.account.slower(0, 600 * SECOND)
    (refused,) = reports(tiny.sends(SECOND, number=5))
    assert (refused.exec_type, refused.reject_code) == (ExecType.REJECTED, RejectCode.RATE_LIMIT)
    assert refused.text == "never sent: tiny asked for less, for 60 s more", "a minute is the most that is believed"
    assert kinds(amend(tiny, SECOND)) == [ExecType.REPLACE_REJECTED]
    assert [one for one in cancel(tiny, SECOND) if isinstance(one, Send)] == [Send(PRIVATE, b"cancel 2", 2)]


def test_what_cannot_be_written_never_left() -> None:
    tiny = open_order()
    tiny.encoder.why = "its id at tiny is not known yet"
    assert reports(tiny.sends(number=5))[0].text == "never sent: its id at tiny is not known yet"
    assert kinds(amend(tiny, 1)) == [ExecType.REPLACE_REJECTED]
    tiny.no_rest = "nor there"
    (refused,) = reports(out := cancel(tiny, 1))
    assert (refused.exec_type, refused.text) == (ExecType.CANCEL_REJECTED, f"never sent: {tiny.encoder.why}")
    assert doubts(out), "it has to be found before it can be cancelled"
    assert tiny.requests.of(2) == tiny.requests.of(5) == []


def test_a_cancel_that_cannot_be_written_for_its_way_goes_over_rest() -> None:
    tiny = open_order()
    tiny.encoder.why = "its market has no metadata yet"
    (sent,) = [one for one in cancel(tiny, 1) if isinstance(one, Send)]
    assert sent.link == REST
    assert tiny.request(2).link == REST
    assert cancel(tiny, 2, number=6) == [], "once"


# --- orders over HTTP -------------------------------------------------------------------------------------------------


def test_an_answer_over_http_finds_its_order() -> None:
    tiny = Tiny(REST)
    (sent,) = [one for one in tiny.sends() if isinstance(one, Send)]
    assert sent == Send(REST, b"1 POST /new\n{}", 1)
    assert tiny.rest.answered(b"2 200\n{}") is None
    found = tiny.rest.answered(b"1 200\n{}")
    assert found is not None
    question, reply = found
    assert (question.carry, reply.error) == (tiny.request(), "")
    assert tiny.rest.answered(b"1 200\n{}") is None, "one answer each"


@pytest.mark.parametrize("frame", [b"1 0\nno answer: cut", b"1 0\nnever left: no route", b"1 502\n<html>"])
def test_no_answer_over_http_is_doubt(frame: bytes) -> None:
    tiny = Tiny(REST)
    tiny.sends()
    found = tiny.rest.answered(frame)
    assert found is not None
    assert found[1].is_silent
    assert kinds(tiny.requests.doubt(tiny.request(), found[1].error)) == [ExecType.UNKNOWN]
    assert tiny.requests.of(1) == []


def test_doubt_is_told_once_and_not_of_what_is_settled() -> None:
    """Silence by the deadline, and the door's own silence later; or a look that found it between the two."""
    tiny = Tiny(REST)
    tiny.sends()
    request = tiny.request()
    assert kinds(tiny.beat(LATE_NS)) == [ExecType.UNKNOWN]
    assert tiny.requests.doubt(request, "no answer: none within 15 s") == []
    other = Tiny(REST)
    other.sends()
    request = other.request()
    other.fold(1, kind=Kind.NEW)
    assert other.requests.doubt(request, "no answer") == []
    assert other.requests.refused(request, "1: no", WORDS["1"], 2) == []
    assert other.requests.taken(request, 2, "77") == other.requests.accepted(request, 2) == []
    assert other.account.look_why == ""


def test_while_its_way_is_closed_a_cancel_goes_over_rest_once() -> None:
    tiny = open_order()
    tiny.sound, tiny.not_ready = False, "the link is down"
    (first,) = [one for one in cancel(tiny, 1) if isinstance(one, Send)]
    assert first == Send(REST, b"1000000001 DELETE /order\nid=" + NAME.encode(), 2)
    assert cancel(tiny, 2, number=6) == []
    found = tiny.rest.answered(b"1000000001 200\n{}")
    assert found is not None
    assert found[0].carry is tiny.request(2)


# --- looks, options ---------------------------------------------------------------------------------------------------


def look(tiny: Tiny, now_ns: int) -> list[Output]:
    """One question, answered."""
    (asked,) = [one for one in tiny.look(0, now_ns) if isinstance(one, Send)]
    found = tiny.rest.answered(asked.data.partition(b" ")[0] + b" 200\n{}")
    assert found is not None
    assert tiny.looks.owns(found[0])
    return tiny.finish(tiny.looks.answered(*found, now_ns), now_ns)


def test_a_picture_of_orders_and_trades_that_only_their_trades_name() -> None:
    tiny = Tiny()
    tiny.sends()
    tiny.record = [
        RecordOrder(venue_id="1", name="", symbol="SOLUSDT", side=-1, order_type=OTHER_TYPE, qty=Decimal(3),
                    cum=Decimal(0), status=OrderStatus.OPEN),
        RecordOrder(venue_id="2", name="vgother1-9", symbol="BTC/USDT", side=1, order_type=0, qty=Decimal(3),
                    cum=Decimal(1), status=OrderStatus.FILLED),
    ]  # fmt: skip
    tiny.trades = [
        Told(kind=Kind.TRADE, venue_id="77", name=NAME, symbol="BTC/USDT", side=1, exec_id="t1", last_qty=Decimal(1),
             last_px=Decimal(60_000), fees=(("BTC", Decimal("0.001")),), ts_ns=5),
    ]  # fmt: skip
    out = look(tiny, SECOND)
    (picture,) = [one for one in out if isinstance(one, Picture)]
    assert [(one.instrument, one.symbol) for one in picture.open] == [(-1, "SOLUSDT")]
    assert [one.status for one in picture.closed] == [OrderStatus.CANCELED], "what is left of it will not trade"
    (trade,) = picture.trades
    assert (trade.client_order_id, trade.fee_1e9) == (NAME, 60 * 10**9)
    assert [one.kind for one in out if isinstance(one, Movement)] == ["base", "quote", "fee"]


def test_a_session_that_has_ended_says_so_and_sends_nothing() -> None:
    tiny = Tiny()
    tiny.is_stopped = True
    assert tiny.finish([], 0) == [Ready("tiny", "the session has ended")]
    assert reports(tiny.sends())[0].text == "never sent: the session has ended"
    with pytest.raises(ValueError, match="tiny cannot cancel everything"):
        tiny.cancel_all_by_rest(None, None, 0)  # type: ignore[arg-type]


def test_an_option_that_is_none_is_named() -> None:
    check_options("tiny", {"mode": "a"}, {"mode": ("a", "b")})
    with pytest.raises(ConfigError, match="no option 'made'"):
        check_options("tiny", {"made": "a"}, {"mode": ("a", "b")})
    with pytest.raises(ConfigError, match="mode is 'c'"):
        check_options("tiny", {"mode": "c"}, {"mode": ("a", "b")})


def test_words_that_nobody_knows_are_loud() -> None:
    tiny = Tiny()
    tiny.sends()
    verdict = Verdict(Next.UNKNOWN, RejectCode.UNKNOWN, is_listed=False)
    out = tiny.requests.refused(tiny.request(), "9: what?", verdict, 0)
    assert any(isinstance(one, Notice) and "words that nobody knows: 9: what?" in one.text for one in out)
    assert kinds(out) == [ExecType.UNKNOWN]
