"""Signatures of REST requests against published and worked answers, and what is taken out of answers."""

import pytest

from connectors.errors import ConfigError
from connectors.session import Signed, Unsigned
from connectors.venues.kraken.auth import secrets_in, sign

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="  # noqa: S105 - docs
NONCE = 1616492376594
TOKEN_PATH = "/0/private/GetWebSocketsToken"  # noqa: S105 - a path
FORM = "application/x-www-form-urlencoded"


def signed_by(path: str, body: bytes, secret: str = SECRET, nonce: int = NONCE) -> Signed:
    request = Unsigned(method="POST", path=path, body=body, host="api.kraken.com", nonce=nonce, now_ns=0)
    return sign(request, {"key": "key", "secret": secret})


@pytest.mark.parametrize(
    ("path", "body", "signed", "signature", "kind"),
    [
        ("/0/private/AddOrder", b"ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
         b"nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
         "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==", FORM),
        (TOKEN_PATH, b"", b"nonce=1616492376594",
         "+mRDmY9Ks0Moc1zjv/BjfvYa98buO0x1yHChZR5onlfAzAUbfIYlLggUZzdQ0RsmXm4Sh+Q8iAIZdo2wSeHeiA==", FORM),
        ("/0/private/CancelAllOrdersAfter", b'{"timeout":60}', b'{"nonce":"1616492376594","timeout":60}',
         "qlFH3khhXmJkSaDEEpBhO6FSQRhNDoNixgdYM+HQ8njs6AtB4zJkpLTwrdc8l+NAU7gxoBeeFAMiOPwtl7XyIA==",
         "application/json"),
    ],
)  # fmt: skip
def test_known_answers(path: str, body: bytes, signed: bytes, signature: str, kind: str) -> None:
    """The first is Kraken's own example, the others were worked out by hand."""
    headers = {"API-Key": "key", "API-Sign": signature, "Content-Type": kind}
    assert signed_by(path, body) == Signed(path, headers, signed)


def test_an_empty_json_object_stays_one() -> None:
    assert signed_by("/0/private/CancelAll", b"{}", nonce=7).body == b'{"nonce":"7"}'


def test_a_secret_that_is_no_base64_is_not_named() -> None:
    with pytest.raises(ConfigError, match="not base64") as found:
        signed_by("/0/private/CancelAll", b"", "geheim!!")
    assert "geheim" not in str(found.value)


@pytest.mark.parametrize(
    ("path", "body", "secrets"),
    [
        (TOKEN_PATH, b'{"error":[],"result":{"token":"1Dwc4lzS","expires":900}}', {"ws_token": "1Dwc4lzS"}),
        (TOKEN_PATH, b'{"error":["EGeneral:Permission denied"]}', {}),
        (TOKEN_PATH, b'{"error":[],"result":{"token":7}}', {}),
        (TOKEN_PATH, b"<html>", {}),
        (TOKEN_PATH, b"[" * 100_000, {}),
        ("/0/private/BalanceEx", b'{"error":[],"result":{"token":"1Dwc4lzS"}}', {}),
    ],
)
def test_the_token_is_the_one_secret_in_answers(path: str, body: bytes, secrets: dict[str, str]) -> None:
    assert secrets_in(path, body) == secrets
