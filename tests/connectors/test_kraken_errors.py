"""Every error text of Kraken's documentation: what is done next, and what the guest is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.events import RejectCode
from connectors.exchange.verdict import Next
from connectors.venues.kraken.errors import TABLE, classify, throttled_until_ns

FUNDS, PARAMS, RATE = RejectCode.INSUFFICIENT_BALANCE, RejectCode.INVALID_PARAMS, RejectCode.RATE_LIMIT
BUSY, AUTH = RejectCode.EXCHANGE_BUSY, RejectCode.AUTH
TEXTS = [
    ("EOrder:Insufficient funds", Next.DEFINITE, FUNDS),
    ("EOrder:Insufficient margin", Next.DEFINITE, FUNDS),
    ("EOrder:Margin allowance exceeded", Next.DEFINITE, FUNDS),
    ("EOrder:Margin level too low", Next.DEFINITE, FUNDS),
    ("EOrder:Order minimum not met", Next.DEFINITE, PARAMS),
    ("EOrder:Cost minimum not met", Next.DEFINITE, PARAMS),
    ("EOrder:Tick size check failed", Next.DEFINITE, PARAMS),
    ("EOrder:Invalid price", Next.DEFINITE, PARAMS),
    ("EOrder:Orders limit exceeded", Next.DEFINITE, RATE),
    ("EOrder:Scheduled orders limit exceeded", Next.DEFINITE, RATE),
    ("EOrder:Positions limit exceeded", Next.DEFINITE, PARAMS),
    ("EOrder:Reduce only:No position exists", Next.DEFINITE, PARAMS),
    ("EOrder:Reduce only:Position is closed", Next.DEFINITE, PARAMS),
    ("EOrder:Reduce only:Non-PC", Next.DEFINITE, PARAMS),
    ("EOrder:Post only order", Next.DEFINITE, PARAMS),
    ("Post only order", Next.DEFINITE, PARAMS),
    ("EOrder:Invalid order", Next.DEFINITE, PARAMS),
    ("EOrder:Unknown order", Next.DEFINITE, PARAMS),
    ("EOrder:Rate limit exceeded", Next.BACK_OFF, RATE),
    ("EOrder:Domain rate limit exceeded", Next.BACK_OFF, RATE),
    ("EAPI:Rate limit exceeded", Next.BACK_OFF, RATE),
    ("EService: Throttled: 1786874700", Next.BACK_OFF, RATE),
    ("Exceeded msg rate", Next.BACK_OFF, RATE),
    ("EAPI:Invalid nonce", Next.BACK_OFF, AUTH),
    ("EGeneral:Invalid arguments", Next.DEFINITE, PARAMS),
    ("EGeneral:Invalid arguments:no_mpp order option is only available when ordertype = market", Next.DEFINITE, PARAMS),
    ("EBM:limit exceeded:CAL", Next.DEFINITE, PARAMS),
    ("EService:Deadline elapsed", Next.DEFINITE, BUSY),
    ("EService:Market in cancel_only mode", Next.DEFINITE, BUSY),
    ("EService:Market in post_only mode", Next.DEFINITE, BUSY),
    ("EService:Market in limit_only mode", Next.DEFINITE, BUSY),
    ("EService:Unavailable", Next.UNKNOWN, BUSY),
    ("EService:Busy", Next.UNKNOWN, BUSY),
    ("EGeneral:Internal error", Next.UNKNOWN, BUSY),
    ("EGeneral:Internal error:503", Next.UNKNOWN, BUSY),
    ("EGeneral:Permission denied", Next.HALT, AUTH),
    ("EGeneral:Temporary lockout", Next.HALT, AUTH),
    ("EAPI:Invalid key", Next.HALT, AUTH),
    ("EAPI:Invalid signature", Next.HALT, AUTH),
    ("ESession:Invalid session", Next.RENEW, AUTH),
    ("Token(s) not found", Next.RENEW, AUTH),
    ("Currency pair not supported XBT/USD", Next.DEFINITE, PARAMS),
    ("Subscription depth not supported", Next.DEFINITE, PARAMS),
    ("Subscription book depth must be an integer", Next.DEFINITE, PARAMS),
    ("Already subscribed", Next.DEFINITE, PARAMS),
    ("Unsupported event", Next.DEFINITE, PARAMS),
    ("Unsupported field: 'price' for the given msg type: add order", Next.DEFINITE, PARAMS),
    ("Limit_price field must be a number_float", Next.DEFINITE, PARAMS),
    ("Cash_order_qty field must be a number_float", Next.DEFINITE, PARAMS),
    ("Invalid time_in_force: fok", Next.DEFINITE, PARAMS),
]


@pytest.mark.parametrize(("text", "what", "code"), TEXTS)
def test_every_documented_text(text: str, what: Next, code: RejectCode) -> None:
    assert classify(text)[:3] == (what, code, True)


def test_the_table_holds_no_text_that_is_not_tried_here() -> None:
    tried = [text for text, _, _ in TEXTS]
    alias = {"EService:Throttled"}
    assert [prefix for prefix in TABLE if not any(text.startswith(prefix) for text in tried)] == sorted(alias)


@given(st.text())
def test_what_is_not_listed_decides_nothing(text: str) -> None:
    verdict = classify(text)
    if not verdict.is_listed:
        assert (verdict.next, verdict.code) == (Next.UNKNOWN, RejectCode.UNKNOWN)


@pytest.mark.parametrize("text", ["EOrder:", "EOrder:Something new", "eorder:insufficient funds", "", "EService:"])
def test_the_beginning_of_a_text_is_not_the_text(text: str) -> None:
    assert not classify(text).is_listed


@pytest.mark.parametrize(
    ("text", "until_ns"),
    [
        ("EService: Throttled: 1786874700", 1_786_874_700 * 10**9),
        ("EService: Throttled", 0),
        ("EService: Throttled: soon", 0),
        ("EService: Throttled: 99999999999999999999", 0),
        ("EService: Throttled: ٣", 0),
    ],
)
def test_until_when_it_is_throttled(text: str, until_ns: int) -> None:
    assert throttled_until_ns(text) == until_ns
