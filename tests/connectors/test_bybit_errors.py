"""Bybit's codes: the closed table of the sheet, and what nobody knows."""

from __future__ import annotations

import pytest

from connectors.events import RejectCode
from connectors.exchange.verdict import Next
from connectors.venues.bybit.answers import read
from connectors.venues.bybit.errors import TABLE, classify, classify_on_socket, code_of

REFUSED = [10001, 10002, 170131, 170132, 170133, 170134, 170136, 170137, 170140, 170148, 170217, 170218,
           170312, 170313, 170810, 170139, 170142, 170143, 170213, 170190, 170212, 10404]  # fmt: skip
UNKNOWN = [10016, 10019, 170007, 170146, 170147, 170310, 170311, 170001, 10014, 170141, 20006]
SLOWER = [10006, 10429, 429, 170222, 170005, 10403, 10018, 403]
OVER = [10003, 10004, 10005, 10010, 10027, 10028]


@pytest.mark.parametrize(
    ("codes", "what"),
    [(REFUSED, Next.DEFINITE), (UNKNOWN, Next.UNKNOWN), (SLOWER, Next.BACK_OFF), (OVER, Next.HALT)],
)
def test_the_table(codes: list[int], what: Next) -> None:
    for code in codes:
        verdict = classify(f"{code}: whatever it says")
        assert (verdict.next, verdict.is_listed) == (what, True), code


def test_what_guests_are_told() -> None:
    assert classify("170131: Balance insufficient").code is RejectCode.INSUFFICIENT_BALANCE
    assert classify("170137: decimals").code is RejectCode.INVALID_PARAMS
    assert classify("10006: Too many visits!").code is RejectCode.RATE_LIMIT
    assert classify("10004: sign").code is RejectCode.AUTH
    assert all(verdict.is_listed for verdict in TABLE.values())


@pytest.mark.parametrize("text", ["", "x", "99999: new", "OK", "1701310: longer", "status 502: <html>"])
def test_a_code_that_nobody_knows_decides_nothing(text: str) -> None:
    assert classify(text).next is Next.UNKNOWN
    assert not classify(text).is_listed


def test_the_trade_socket_means_sessions_by_10003() -> None:
    """Of the key REST has said what it is."""
    assert classify_on_socket("10003: too many sessions").next is Next.BACK_OFF
    assert classify_on_socket("10005: permission").next is Next.HALT


def test_answers_of_rest() -> None:
    good = read(200, b'{"retCode":0,"retMsg":"OK","result":{"a":1},"retExtInfo":{},"time":1}')
    assert (good.error, bytes(good.result), good.is_silent) == ("", b'{"a":1}', False)
    no = read(200, b'{"retCode":10006,"retMsg":"Too many visits!","result":{}}')
    assert (no.error, no.is_silent) == ("10006: Too many visits!", False)
    for status, body in ((0, b"no answer"), (502, b"<html>"), (200, b"{"), (500, b'{"retCode":0}'), (200, b"[" * 9999)):
        assert read(status, body).is_silent
    shut_out = read(403, b"<html>access too frequent</html>")
    assert (code_of(shut_out.error), shut_out.is_silent) == (403, False)
