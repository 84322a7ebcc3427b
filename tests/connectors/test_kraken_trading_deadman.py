"""The dead-man's switch of the trading session: armed before any order, refreshed, disarmed in time, loud when not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from connectors.events import VenueStatus
from connectors.exchange.deadman import DeadMan
from connectors.session import PRIVATE
from tests.support.kraken_account import Desk, answer, asked, notices, reports, said
from tests.support.kraken_frames import SECOND, of, status

TOKEN = "{secret:ws_token}"  # noqa: S105 - the placeholder that net.py fills


def test_it_is_armed_again_every_fifteen_seconds() -> None:
    desk = Desk().ready()
    times = []
    for _ in range(240):
        times += [desk.now_ns] * len(said(desk.wait(0.5), "cancel_all_orders_after"))
    gaps = {(later - earlier) / SECOND for earlier, later in pairwise(times)}
    assert gaps == {15}


def test_without_an_answer_it_is_an_alarm_and_no_order_leaves() -> None:
    desk = Desk().ready()
    desk.is_arming = False
    out = desk.wait(21)
    assert any("not armed" in text for text in notices(out, "error"))
    assert "not armed" in str(desk.why)
    (rejected,) = reports(desk.new())
    assert rejected.text.startswith("never sent: the dead-man's switch")
    requests = said(desk.wait(10), "cancel_all_orders_after")
    assert requests, "it is asked for again"
    desk.hear(desk.yes(requests[-1]))
    assert desk.why == ""


def test_an_answer_that_comes_late_arms_from_when_it_was_asked() -> None:
    """The first arming is answered after 50 s: ten seconds are left of it, not sixty."""
    desk = Desk()
    desk.is_arming = False
    desk.serve(desk.start())
    live = desk.subscribe(desk.opened())
    (first,) = said(live, "cancel_all_orders_after")
    desk.wait(50)
    desk.hear(desk.yes(first))
    assert desk.why == ""
    desk.wait(11)
    assert desk.why != ""


def test_sixty_seconds_count_from_the_asking() -> None:
    """Not from the answer: Kraken's own end must come later than ours."""
    switch = DeadMan("kraken", 60, 15)
    switch.opened()
    switch.asked(0)
    assert switch.answered("", 0, 4 * SECOND) == []
    assert switch.why(60 * SECOND - 1) == ""
    assert switch.why(60 * SECOND) != ""


def test_a_refusal_is_an_alarm() -> None:
    desk = Desk()
    desk.is_arming = False
    desk.serve(desk.start())
    (arming,) = said(desk.subscribe(desk.opened()), "cancel_all_orders_after")
    out = desk.hear(answer("cancel_all_orders_after", arming["req_id"], error="EService:Busy"))
    assert any("EService:Busy" in text for text in notices(out, "error"))
    assert "EService:Busy" in str(desk.why)


@pytest.mark.parametrize("way", ["says", "frame"])
def test_it_is_disarmed_before_maintenance_and_armed_after(way: str) -> None:
    desk = Desk().ready()

    def word(system: str) -> list[object]:
        if way == "says":
            return list(desk.took(desk.session.says(system, desk.now_ns)))
        out = desk.hear(status(system))
        assert of(VenueStatus, out) == [VenueStatus("kraken", system)]
        return list(out)

    (disarming,) = said(word("maintenance"))  # type: ignore[arg-type]
    assert disarming["params"]["timeout"] == 0
    desk.hear(desk.yes(disarming))
    assert desk.why == "kraken says: maintenance"
    assert said(desk.wait(60), "cancel_all_orders_after") == []
    word("online")
    assert desk.why == "the dead-man's switch is not armed yet"
    desk.wait(1)
    assert desk.why == ""


def test_cancel_only_is_not_ready_and_stays_armed() -> None:
    desk = Desk().ready()
    desk.took(desk.session.says("cancel_only", desk.now_ns))
    assert desk.why == "kraken says: cancel_only"
    assert said(desk.wait(16), "cancel_all_orders_after")
    desk.took(desk.session.says("post_only", desk.now_ns))
    assert desk.why == ""


def test_a_flat_end_disarms_it() -> None:
    desk = Desk().ready()
    (disarming,) = said(desk.took(desk.session.stop(desk.now_ns, is_flat=True)))
    assert disarming["params"] == {"timeout": 0, "token": TOKEN}
    assert desk.why == "the session has ended"
    assert desk.wait(60) == []


def test_an_end_with_orders_open_leaves_it_armed() -> None:
    desk = Desk().ready()
    out = desk.took(desk.session.stop(desk.now_ns, is_flat=False))
    assert said(out) == []
    assert any("stays armed" in text for text in notices(out))
    assert said(desk.wait(60)) == []


def test_a_flat_end_without_a_link_disarms_over_rest() -> None:
    desk = Desk().ready()
    desk.took(desk.session.close(desk.now_ns, PRIVATE))
    out = desk.took(desk.session.stop(desk.now_ns, is_flat=True))
    assert [(method, form) for _, method, form in asked(out)] == [("CancelAllOrdersAfter", "timeout=0")]


def test_what_was_never_armed_is_not_disarmed() -> None:
    desk = Desk()
    desk.serve(desk.start())
    assert asked(desk.took(desk.session.stop(desk.now_ns, is_flat=True))) == []
