"""Signatures: the published answers, each kind of key, and what happens to secrets that cannot sign."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from connectors.errors import ConfigError
from connectors.session import Unsigned
from connectors.venues.binance.auth import seal, sign, signature

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"  # noqa: S105 - of the documentation
SECRETS = {"key": KEY, "secret": SECRET}
MS = 10**6


def request(body: bytes, now_ms: int, path: str = "/api/v3/order", method: str = "POST") -> Unsigned:
    return Unsigned(method=method, path=path, body=body, host="api.binance.com", nonce=1, now_ns=now_ms * MS + 999_999)


def frame(params: dict[str, object], method: str = "order.place") -> bytes:
    return json.dumps({"id": 1, "method": method, "params": params}, separators=(",", ":")).encode()


def pem(key: PrivateKeyTypes) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def test_the_published_request_over_http() -> None:
    """rest-api/request-security: the query as it is sent, the signature last."""
    query = b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
    signed = sign(request(query, 1499827319559), SECRETS)
    assert signed.headers == {"X-MBX-APIKEY": KEY}
    assert signed.body is None
    assert signed.path == (
        f"/api/v3/order?{query.decode()}&timestamp=1499827319559"
        "&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    )


def test_the_published_request_on_the_socket() -> None:
    """web-socket-api/request-security: the parameters by name, the key among them."""
    data = frame(
        {
            "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01000000",
            "price": "52000.00", "recvWindow": 100, "timestamp": "{time_ms}", "apiKey": KEY, "signature": "{sign}",
        }
    )  # fmt: skip
    params = json.loads(seal(data, SECRETS, 1645423376532 * MS))["params"]
    assert params["signature"] == "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"
    assert params["timestamp"] == "1645423376532"


def test_the_subscription() -> None:
    data = frame({"apiKey": KEY, "timestamp": "{time_ms:-250}", "signature": "{sign}"})
    sealed = seal(data, SECRETS, 1747385641886 * MS)
    assert json.loads(sealed)["params"] == {
        "apiKey": KEY,
        "timestamp": "1747385641636",
        "signature": "681110a6057ad58657af22f5640fab9dd17418834cdfccdc81be8b0f7b2cde3e",
    }
    assert sealed == data.replace(b"{time_ms:-250}", b"1747385641636").replace(
        b"{sign}", b"681110a6057ad58657af22f5640fab9dd17418834cdfccdc81be8b0f7b2cde3e"
    )


@pytest.mark.parametrize("data", [b'{"id":1,"method":"ping"}', b"[]", b"not json"])
def test_what_has_no_places_is_left_alone(data: bytes) -> None:
    assert seal(data, SECRETS, 1) == data


def test_questions_get_a_window_and_public_ones_no_signature() -> None:
    signed = sign(request(b"", 1000, "/api/v3/openOrders", "GET"), SECRETS)
    fields = parse_qs(urlsplit(signed.path).query)
    assert list(fields) == ["recvWindow", "timestamp", "signature"]
    public = sign(request(b"", 1000, "/api/v3/time", "GET"), SECRETS)
    assert (public.path, public.headers) == ("/api/v3/time", {})


def test_an_ed25519_key() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    for secret in (pem(key), pem(key).replace("\n", "\\n")):
        key.public_key().verify(base64.b64decode(signature("a=1&b=2", secret)), b"a=1&b=2")


def test_an_rsa_key_and_a_signature_in_a_query() -> None:
    """Base64 has signs that a query escapes."""
    key = rsa.generate_private_key(65537, 2048)
    signed = sign(request(b"a=1", 1000), {"key": KEY, "secret": pem(key)})
    payload, _, _ = urlsplit(signed.path).query.partition("&signature=")
    (made,) = parse_qs(urlsplit(signed.path).query)["signature"]
    key.public_key().verify(base64.b64decode(made), payload.encode(), padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN PRIVATE KEY-----\nbm90aGluZw==\n-----END PRIVATE KEY-----\n",
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
)
def test_a_secret_that_cannot_sign_is_not_shown(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        signature("a=1", secret)
    assert secret.splitlines()[1] not in str(caught.value)
    assert "Ed25519" in caught.value.mend
    assert caught.value.__cause__ is None
