"""Every word of refusal that our fact sheet has, and what the caller does next."""

from __future__ import annotations

import pytest

from connectors.events import RejectCode
from connectors.exchange.verdict import Next
from connectors.venues.coinbase.answers import read
from connectors.venues.coinbase.errors import TABLE, classify, reason


@pytest.mark.parametrize(
    ("text", "then", "code"),
    [
        ("INSUFFICIENT_FUND", Next.DEFINITE, RejectCode.INSUFFICIENT_BALANCE),
        ("PREVIEW_INSUFFICIENT_FUND", Next.DEFINITE, RejectCode.INSUFFICIENT_BALANCE),
        ("INVALID_LIMIT_PRICE_POST_ONLY", Next.DEFINITE, RejectCode.INVALID_PARAMS),
        ("PREVIEW_INVALID_LIMIT_PRICE_POSTONLY", Next.DEFINITE, RejectCode.INVALID_PARAMS),
        ("UNSUPPORTED_ORDER_CONFIGURATION: words", Next.DEFINITE, RejectCode.INVALID_PARAMS),
        ("PREVIEW_INVALID_BASE_SIZE_TOO_SMALL", Next.DEFINITE, RejectCode.INVALID_PARAMS),
        ("UNKNOWN_CANCEL_ORDER", Next.DEFINITE, RejectCode.INVALID_PARAMS),
        ("INVALID_ARGUMENT: order_ids is a list", Next.DEFINITE, RejectCode.INVALID_PARAMS),
        ("unknown: order with this orderID was not found: NOT_FOUND", Next.DEFINITE, RejectCode.INVALID_PARAMS),
        ("COMMANDER_REJECTED_NEW_ORDER", Next.DEFINITE, RejectCode.UNKNOWN),
        ("UNTRADABLE_PRODUCT", Next.DEFINITE, RejectCode.EXCHANGE_BUSY),
        ("rate_limit_exceeded: Rate limit exceeded", Next.BACK_OFF, RejectCode.RATE_LIMIT),
        ("UNKNOWN_FAILURE_REASON", Next.UNKNOWN, RejectCode.EXCHANGE_BUSY),
        ("UNKNOWN_CANCEL_FAILURE_REASON", Next.UNKNOWN, RejectCode.EXCHANGE_BUSY),
        ("INTERNAL: something broke", Next.UNKNOWN, RejectCode.EXCHANGE_BUSY),
        ("Unauthorized", Next.RENEW, RejectCode.AUTH),
        ("PERMISSION_DENIED: Missing required scopes", Next.HALT, RejectCode.AUTH),
    ],
)
def test_words(text: str, then: Next, code: RejectCode) -> None:
    verdict = classify(text)
    assert (verdict.next, verdict.code, verdict.is_listed) == (then, code, True)


@pytest.mark.parametrize("text", ["", "a_word_of_tomorrow", "Insufficient patience", "status 500: <html>", "PREVIEW_"])
def test_words_that_nobody_knows_decide_nothing(text: str) -> None:
    verdict = classify(text)
    assert (verdict.next, verdict.is_listed) == (Next.UNKNOWN, False)


def test_every_listed_word_is_found_in_a_sentence() -> None:
    for word, verdict in TABLE.items():
        assert classify(f"{word}: some words") == verdict
        assert classify(f"PREVIEW_{word}") == verdict


@pytest.mark.parametrize(
    ("fields", "words", "text"),
    [
        (("UNKNOWN_FAILURE_REASON", "INSUFFICIENT_FUND"), "", "INSUFFICIENT_FUND"),
        (("UNKNOWN_FAILURE_REASON", ""), "why", "UNKNOWN_FAILURE_REASON: why"),
        (("", "", ""), "", ""),
        (("", ""), "why", "why"),
        (("UNKNOWN_CANCEL_ORDER",), "", "UNKNOWN_CANCEL_ORDER"),
        (("A", "A", "B"), "A", "A: B"),
    ],
)
def test_reasons_that_say_nothing_are_left_out(fields: tuple[str, ...], words: str, text: str) -> None:
    assert reason(*fields, words=words) == text


@pytest.mark.parametrize(
    ("status", "body", "error", "is_silent"),
    [
        (200, b'{"orders":[]}', "", False),
        (200, b"OK", "status 200: OK", True),
        (401, b"Unauthorized\n", "Unauthorized", False),
        (401, b"", "Unauthorized", False),
        (429, b"<html>slow down</html>", "rate_limit_exceeded: <html>slow down</html>", False),
        (400, b'{"error":"INVALID_ARGUMENT","error_details":"x","message":"y"}', "INVALID_ARGUMENT: y", False),
        (403, b'{"error":"PERMISSION_DENIED","code":7,"message":"m","details":[]}', "PERMISSION_DENIED: m", False),
        (400, b'{"errors":[{"id":"invalid_request","message":"m"}]}', "invalid_request: m", False),
        (403, b"<html>cloudflare</html>", "status 403: <html>cloudflare</html>", True),
        (400, b"{}", "status 400: {}", True),
        (500, b'{"error":"INTERNAL"}', 'status 500: {"error":"INTERNAL"}', True),
        (301, b"", "status 301: ", True),
    ],
)
def test_answers_of_http(status: int, body: bytes, error: str, is_silent: bool) -> None:
    reply = read(status, body)
    assert (reply.error, reply.is_silent) == (error, is_silent)
