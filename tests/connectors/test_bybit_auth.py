"""Signatures: the sheet's own vectors, keys of RSA, and the frames that are left as they are."""

from __future__ import annotations

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from connectors.errors import ConfigError
from connectors.session import Unsigned
from connectors.venues.bybit.auth import seal, sign

SECRETS = {"key": "XXXXXXXXXX", "secret": "BYBITSECRETEXAMPLE0000000000000000"}
LOGIN = b'{"req_id":"2000000001","op":"auth","args":["XXXXXXXXXX",{expires_ms:10000},"{sign}"]}'


def unsigned(method: str, path: str, body: bytes, ms: int) -> Unsigned:
    return Unsigned(method=method, path=path, body=body, host="api.bybit.com", nonce=7, now_ns=ms * 10**6 + 999_999)


def test_a_question_is_signed_as_documented() -> None:
    signed = sign(unsigned("GET", "/v5/order/realtime", b"category=spot&symbol=BTCUSDT", 1658384314791), SECRETS)
    assert signed.path == "/v5/order/realtime?category=spot&symbol=BTCUSDT"
    assert signed.body is None
    assert signed.headers == {
        "X-BAPI-API-KEY": "XXXXXXXXXX",
        "X-BAPI-TIMESTAMP": "1658384314791",
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": "b55d8d4279dafd9de33ba514d0196b77208c87e3784ed1e15a198e6f1ba82f1e",
    }
    assert sign(unsigned("GET", "/v5/user/query-api", b"", 1), SECRETS).path == "/v5/user/query-api"


def test_a_request_is_signed_as_documented() -> None:
    signed = sign(unsigned("POST", "/v5/order/cancel-all", b'{"category":"spot"}', 1658385579423), SECRETS)
    assert (signed.path, signed.body) == ("/v5/order/cancel-all", b'{"category":"spot"}')
    assert signed.headers["X-BAPI-SIGN"] == "709e99677249188a4c88e95d58cb227c9ec16c2db8766ca49d2f81d7b78ac0aa"
    assert signed.headers["Content-Type"] == "application/json"


def test_a_login_is_signed_as_it_leaves() -> None:
    """The door fills in the key before, the time and the signature here."""
    found = seal(LOGIN, SECRETS, (1662350400000 - 10000) * 10**6)
    assert found == (
        b'{"req_id":"2000000001","op":"auth","args":["XXXXXXXXXX",1662350400000,'
        b'"df2490bf5359ab63839f0d477c9fca24313e04ef634621055168416db1088ef7"]}'
    )
    skewed = LOGIN.replace(b"expires_ms:10000", b"expires_ms:+10250")
    assert b",1662350400250," in seal(skewed, SECRETS, (1662350400000 - 10000) * 10**6)


@pytest.mark.parametrize(
    "frame", [b'{"op":"ping"}', b'{"reqId":"7","op":"order.create","args":[{}]}', b"", b'"{sign}"']
)
def test_every_other_frame_is_left_as_it_is(frame: bytes) -> None:
    assert seal(frame, SECRETS, 10**18) == frame


def test_a_key_of_rsa() -> None:
    """Base64 of RSASSA-PKCS1-v1_5 over the same text; another kind of key is refused without a word of it."""
    private = rsa.generate_private_key(65537, 2048)

    def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
        kind = serialization.PrivateFormat.PKCS8
        return key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()).decode()

    signed = sign(unsigned("GET", "/v5/market/time", b"", 1658384314791), {"key": "K" * 10, "secret": pem(private)})
    text = b"1658384314791" + b"K" * 10 + b"5000"
    signature = b64decode(signed.headers["X-BAPI-SIGN"], validate=True)
    private.public_key().verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    for secret in (pem(ec.generate_private_key(ec.SECP256R1())), "-----BEGIN PRIVATE KEY-----\nAAAA\n"):
        with pytest.raises(ConfigError, match="no RSA private key") as caught:
            sign(unsigned("GET", "/v5/market/time", b"", 1), {"key": "K" * 10, "secret": secret})
        assert "AAAA" not in str(caught.value)
