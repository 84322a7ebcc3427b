"""How requests to OKX are signed: known answers of the sheet (facts/venues.md §4.3), and what is left alone."""

from __future__ import annotations

import json
import re

from connectors.session import Signed, Unsigned
from connectors.units import rfc3339_ns
from connectors.venues.okx import VENUE
from connectors.venues.okx.auth import seal, sign

SECRETS = {"key": "k" * 12, "secret": "22582BD0CFF14C41EDBF1AB98506286D", "passphrase": "p" * 9}
STAMP = "2020-12-08T09:08:57.715Z"
ORDER = b'{"instId":"BTC-USDT","tdMode":"cash","clOrdId":"b15","side":"buy","ordType":"limit","px":"2.15","sz":"2"}'


def signed(method: str, path: str, body: bytes) -> Signed:
    request = Unsigned(method=method, path=path, body=body, host="openapi.okx.com", nonce=1, now_ns=rfc3339_ns(STAMP))
    return sign(request, SECRETS)


def test_a_question_is_signed_with_its_query() -> None:
    made = signed("GET", "/api/v5/account/balance", b"ccy=BTC")
    assert made.path == "/api/v5/account/balance?ccy=BTC"
    assert made.body is None
    assert made.headers["OK-ACCESS-SIGN"] == "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY="
    assert made.headers["OK-ACCESS-TIMESTAMP"] == STAMP
    assert made.headers["OK-ACCESS-KEY"] == SECRETS["key"]
    assert made.headers["OK-ACCESS-PASSPHRASE"] == SECRETS["passphrase"]


def test_a_request_is_signed_with_its_body() -> None:
    made = signed("POST", "/api/v5/trade/order", ORDER)
    assert (made.path, made.body) == ("/api/v5/trade/order", ORDER)
    assert made.headers["OK-ACCESS-SIGN"] == "dI6rrL9rXW/HdaPKJ/6LC1OgvH4/PYju6R3CqixMTNQ="


def test_a_question_without_a_query_has_none() -> None:
    assert signed("GET", "/api/v5/account/config", b"").path == "/api/v5/account/config"


def test_public_questions_leave_without_the_key() -> None:
    assert signed("GET", "/api/v5/public/instruments", b"instType=SPOT") == Signed(
        "/api/v5/public/instruments?instType=SPOT", {}
    )


def test_a_login_is_sealed_as_it_leaves() -> None:
    frame = b'{"op":"login","args":[{"apiKey":"k","passphrase":"p","timestamp":"{time_s}","sign":"{sign}"}]}'
    sealed = json.loads(seal(frame, SECRETS, 1_704_876_947_999_000_000))
    assert sealed["args"][0] == {
        "apiKey": "k", "passphrase": "p", "timestamp": "1704876947",
        "sign": "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU=",
    }  # fmt: skip


def test_the_venues_clock_counts_in_a_login() -> None:
    frame = b'{"op":"login","args":[{"timestamp":"{time_s:-12}","sign":"{sign}"}]}'
    assert json.loads(seal(frame, SECRETS, 1_704_876_959_000_000_000)) == {
        "op": "login",
        "args": [{"timestamp": "1704876947", "sign": "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU="}],
    }


def test_other_frames_leave_as_they_are() -> None:
    for frame in (b"ping", b'{"op":"order","args":[{"clOrdId":"{time_s}"}]}', b""):
        assert seal(frame, SECRETS, 1) == frame


def test_nothing_signed_holds_the_secret() -> None:
    made = signed("POST", "/api/v5/trade/order", ORDER)
    assert not re.search(SECRETS["secret"], str(made.headers) + str(made.body))
    assert VENUE.trading is not None
    assert VENUE.trading.more_secrets == ("passphrase",)
