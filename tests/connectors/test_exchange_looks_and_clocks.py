"""A look's lists go by the venue's clock: where ours is ahead of it, what happened since lies earlier there."""

from __future__ import annotations

import pytest

from connectors.events import Picture
from tests.support import bybit_account as bybit
from tests.support import okx_account as okx
from tests.support.okx_frames import SECOND, T0, of


@pytest.mark.parametrize("ahead_s", [-40, 40])
def test_okx_is_asked_from_early_enough_by_its_own_clock(ahead_s: int) -> None:
    """An order made at T0 by our clock, whose fill OKX dates T0 − 40 s: a list from T0 on would not have it."""
    desk = okx.Desk()
    desk.begin(skew_ms=1000 * ahead_s)
    desk.log_in()
    out = desk.look(since_ns=T0)
    (picture,) = of(Picture, out)
    assert picture.since_ns == T0, "by our clock, whatever was asked for"
    ((_, _, query),) = okx.asked(out, "/fills")
    begin_ms = int(dict(part.split("=") for part in query.split("&"))["begin"])
    assert begin_ms <= T0 // 10**6 + min(1000 * ahead_s, 0)


def test_bybit_is_asked_from_early_enough_by_its_own_clock() -> None:
    desk = bybit.Desk()
    desk.start(time_ms=desk.now_ns // 10**6 - 40_000)
    desk.keep(desk.session.look(desk.now_ns, desk.now_ns))
    for _ in range(2):
        desk.answered("/v5/order/realtime", {"list": [], "nextPageCursor": ""})
    (query,) = [body for path, body in desk.rest.values() if path.endswith("/v5/order/history")]
    start_ms = int(dict(part.split("=") for part in query.split("&"))["startTime"])
    assert start_ms <= desk.now_ns // 10**6 - 40_000


def test_a_look_that_failed_asks_from_no_earlier_the_next_time() -> None:
    """The allowance is of one look, not added up."""
    desk = okx.Desk()
    desk.begin(skew_ms=-40_000)
    desk.log_in()
    begins = []
    out = desk.seen(desk.session.look(T0, desk.now_ns))
    for _ in range(3):
        (request,) = okx.asked(out, "/orders-pending")
        desk.reply(request, code="50001", words="unavailable", status=503)
        out = []
        while not okx.asked(out, "/orders-pending"):
            out = desk.wait(0.5)
    (request,) = okx.asked(out, "/orders-pending")
    out = desk.reply(request)
    out = desk.reply(okx.asked(out, "/orders-history")[0])
    ((_, _, query),) = okx.asked(out, "/fills")
    begins.append(int(dict(part.split("=") for part in query.split("&"))["begin"]))
    assert begins[0] > (T0 - 50 * SECOND) // 10**6
