"""Tokens are verified as Coinbase would: with the public key, header and claims read from the bytes.

No known answer is published: signatures of ECDSA are random where others make them (venues.md §2.3).
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from connectors.errors import ConfigError
from connectors.session import Signed, Unsigned
from connectors.venues.coinbase.auth import seal, sign
from runtime.sim.coinbase.jwt import Access, Unauthorized

NAME = "organizations/0a1b/apiKeys/2c3d"
NOW = 1_791_388_800_999_999_999
SECONDS = NOW // 10**9
HOST = "api.coinbase.com"
EC_KEY = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ED_PUBLIC = ED_KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def pem(key: Any, form: Any = serialization.PrivateFormat.TraditionalOpenSSL) -> str:
    return str(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode())


PEM = pem(EC_KEY)
SECRETS = {"key": NAME, "secret": PEM}
ED_SECRET = base64.b64encode(bytes(range(32)) + ED_PUBLIC).decode()


def request(
    method: str = "GET", path: str = "/api/v3/brokerage/accounts", body: bytes = b"", nonce: int = 7
) -> Unsigned:
    return Unsigned(method=method, path=path, body=body, host=HOST, nonce=nonce, now_ns=NOW)


def part(text: str) -> bytes:
    assert "=" not in text
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opened(token: str, public: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token that this key signed. Raises InvalidSignature."""
    header, claims, signature = token.split(".")
    raw, data = part(signature), f"{header}.{claims}".encode()
    if isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(raw, data)
    else:
        assert len(raw) == 64
        r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
        (public or EC_KEY.public_key()).verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA256()))
    return json.loads(part(header)), json.loads(part(claims))


def token_of(signed: Signed) -> str:
    kind, _, token = signed.headers["Authorization"].partition(" ")
    assert kind == "Bearer"
    return token


def test_a_request_carries_a_token_of_its_own() -> None:
    signed = sign(request(body=b"limit=250&cursor=a"), SECRETS)
    header, claims = opened(token_of(signed))
    assert signed.path == "/api/v3/brokerage/accounts?limit=250&cursor=a"
    assert signed.body is None
    nonce = header.pop("nonce")
    assert int(nonce, 16) > 0
    assert len(nonce) == 32
    assert header == {"alg": "ES256", "kid": NAME, "typ": "JWT"}
    assert claims == {
        "sub": NAME, "iss": "cdp", "nbf": SECONDS - 10, "exp": SECONDS + 110,
        "uri": "GET api.coinbase.com/api/v3/brokerage/accounts",
    }  # fmt: skip
    assert claims["exp"] - claims["nbf"] <= 120


def test_a_post_keeps_its_body() -> None:
    signed = sign(request("POST", "/api/v3/brokerage/orders", b'{"a":1}'), SECRETS)
    assert (signed.path, signed.body) == ("/api/v3/brokerage/orders", b'{"a":1}')
    assert opened(token_of(signed))[1]["uri"] == "POST api.coinbase.com/api/v3/brokerage/orders"


def test_the_same_request_is_signed_alike_and_the_next_one_is_not() -> None:
    first, again, other = (token_of(sign(request(nonce=nonce), SECRETS)) for nonce in (7, 7, 8))
    assert first == again
    assert opened(first)[0]["nonce"] != opened(other)[0]["nonce"]


def test_key_files_hold_line_ends_as_two_characters() -> None:
    as_copied = {"key": NAME, "secret": PEM.replace("\n", "\\n")}
    assert "\n" not in as_copied["secret"]
    opened(token_of(sign(request(), as_copied)))


def test_pkcs8_is_read_too() -> None:
    opened(token_of(sign(request(), {"key": NAME, "secret": pem(EC_KEY, serialization.PrivateFormat.PKCS8)})))


@pytest.mark.parametrize(
    "secret",
    [ED_SECRET, base64.b64encode(bytes(range(32))).decode(), pem(ED_KEY, serialization.PrivateFormat.PKCS8)],
)
def test_ed25519_names_the_service_and_has_uris(secret: str) -> None:
    signed = sign(request(), {"key": NAME, "secret": secret})
    header, claims = opened(token_of(signed), ED_KEY.public_key())
    assert header["alg"] == "EdDSA"
    assert claims["aud"] == ["cdp_service"]
    assert claims["uris"] == ["GET api.coinbase.com/api/v3/brokerage/accounts"]
    assert "uri" not in claims


@pytest.mark.parametrize(("place", "ahead_s"), [(b"{jwt}", 0), (b"{jwt:+3500}", 4), (b"{jwt:-2000}", -2)])
def test_a_message_of_a_socket_is_sealed_in_its_place(place: bytes, ahead_s: int) -> None:
    message = json.loads(seal(b'{"type":"subscribe","channel":"user","jwt":"%s"}' % place, SECRETS, NOW))
    _, claims = opened(message.pop("jwt"))
    assert message == {"type": "subscribe", "channel": "user"}
    assert claims.keys() == {"sub", "iss", "nbf", "exp"}
    assert claims["nbf"] == SECONDS + ahead_s - 10


def test_other_messages_are_left_alone() -> None:
    for data in (b'{"type":"subscribe","channel":"heartbeats"}', b"{jwt", b"\xff{jwt:x}"):
        assert seal(data, SECRETS, NOW) == data


def test_another_key_s_signature_is_none() -> None:
    with pytest.raises(InvalidSignature):
        opened(token_of(sign(request(), SECRETS)), ec.derive_private_key(7, ec.SECP256R1()).public_key())


@pytest.mark.parametrize(
    "secret",
    ["", "hunter2hunter2", "c2hvcnQ=", base64.b64encode(bytes(33)).decode(), PEM[:80], "-----BEGIN EC PRIVATE KEY-----",
     pem(ec.derive_private_key(7, ec.SECP384R1())), "ü" * 20],
)  # fmt: skip
def test_what_is_no_key_is_said_without_showing_it(secret: str) -> None:
    with pytest.raises(ConfigError, match="no key that can sign") as caught:
        sign(request(), {"key": NAME, "secret": secret})
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize("kind", ["ES256", "EdDSA"])
def test_the_simulated_venue_takes_our_tokens(kind: str) -> None:
    """It reads them with code of its own."""
    access = Access(seed=3, kind=kind)
    secrets = {"key": access.key, "secret": access.secret}
    path = "/api/v3/brokerage/accounts"
    access.check(token_of(sign(request(path=path, body=b"limit=1"), secrets)), NOW, ("GET", HOST, path))
    access.check(json.loads(seal(b'{"jwt":"{jwt}"}', secrets, NOW))["jwt"], NOW)
    with pytest.raises(Unauthorized):
        access.check(token_of(sign(request(path=path), secrets)), NOW, ("POST", HOST, path))
