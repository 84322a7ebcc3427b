"""The simulated Coinbase's API key and its look at JWTs: ES256 and EdDSA, of REST and of sockets (venues.md 2.3). Pure.

A token says who asks (`sub`, `kid`), for how long (`exp` at most 120 s after `nbf`) and, over REST, what for: `uri`, or
`uris` in the form of Ed25519 keys, is `METHOD host/path` without a query. A socket's token has neither.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from runtime.sim.market import NS, seeded

LIFE_S: Final = 120
AHEAD_S: Final = 5
"""How far `nbf` may lie ahead of the venue's clock: a guess of ours, clocks are never equal."""
ISSUERS: Final = ("cdp", "coinbase-cloud")
HOST: Final = "api.coinbase.com"
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PERMISSIONS: Final = ("view", "trade", "transfer")


class Unauthorized(Exception):  # noqa: N818 - not an error of ours: what the venue answers
    """A token it does not take; the text is for whoever looks for the cause, the venue tells no client."""


class Access:
    """The one key of the account.

    `secret` is PEM of a P-256 key, or base64 of an Ed25519 seed (32 bytes, or 64 with the public key behind it); ""
    makes one of `kind` (`ES256`, `EdDSA`) from the seed. Raises ValueError for a secret or a permission that is none.
    """

    def __init__(
        self, key: str = "", secret: str = "", *, seed: int, kind: str = "ES256",
        permissions: tuple[str, ...] = ("view", "trade"),
    ) -> None:  # fmt: skip
        if unknown := set(permissions) - set(PERMISSIONS):
            raise ValueError(f"no permission {min(unknown)!r}; there are {', '.join(PERMISSIONS)}")
        rng = seeded(f"{seed}/coinbase-key")
        self.permissions = permissions
        org, own = (_uuid(rng.getrandbits(128)) for _ in range(2))
        self.secret = secret or _make_secret(kind, rng.getrandbits(256))
        pem = "-----BEGIN" in self.secret
        self.key = key or (f"organizations/{org}/apiKeys/{own}" if pem else own)
        self.kind = "ES256" if pem else "EdDSA"
        self._public = _public(self.secret)

    def check(self, token: object, now_ns: int, asked: tuple[str, str, str] | None = None) -> None:
        """`asked`: (method, host, path) of a REST request, None on a socket. Raises Unauthorized."""
        parts = token.split(".") if isinstance(token, str) else []
        if len(parts) != 3:
            raise Unauthorized("no token")
        header, claims = _json(parts[0]), _json(parts[1])
        if header.get("alg") != self.kind or header.get("typ", "JWT") != "JWT":
            raise Unauthorized(f"alg {header.get('alg')!r}, typ {header.get('typ')!r}: the key signs {self.kind}")
        if header.get("kid") != self.key or claims.get("sub") != self.key:
            raise Unauthorized("kid and sub name the key")
        nonce = header.get("nonce")
        if not isinstance(nonce, str) or not nonce:
            raise Unauthorized("no nonce")
        self._verify(f"{parts[0]}.{parts[1]}".encode(), _bytes(parts[2]))
        if claims.get("iss") not in ISSUERS:
            raise Unauthorized(f"iss {claims.get('iss')!r}")
        _check_times(claims.get("nbf"), claims.get("exp"), now_ns)
        _check_uri(claims, asked)

    def _verify(self, signed: bytes, signature: bytes) -> None:
        try:
            if isinstance(self._public, ed25519.Ed25519PublicKey):
                self._public.verify(signature, signed)
            else:
                if len(signature) != 64:
                    raise Unauthorized("an ES256 signature has 64 bytes")
                r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
                self._public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise Unauthorized("the signature is not this key's") from None


def _check_times(nbf: object, exp: object, now_ns: int) -> None:
    if type(nbf) is not int or type(exp) is not int:
        raise Unauthorized("nbf and exp are whole seconds")
    if exp - nbf > LIFE_S:
        raise Unauthorized(f"exp lies {exp - nbf} s after nbf, at most {LIFE_S}")
    if nbf * NS > now_ns + AHEAD_S * NS:
        raise Unauthorized("not valid yet")
    if exp * NS <= now_ns:
        raise Unauthorized("expired")


def _check_uri(claims: dict[str, Any], asked: tuple[str, str, str] | None) -> None:
    told = [claims["uri"]] if "uri" in claims else claims.get("uris", [])
    if asked is None:
        if told:
            raise Unauthorized("a socket's token has no uri")
        return
    method, host, path = asked
    # a client that is pointed at plain HTTP may leave the scheme in: it takes away `https://` alone (ccxt 4.5.90)
    good = {f"{method} {front}{at}{path}" for at in (host, HOST) for front in ("", "http://")}
    if not isinstance(told, list) or len(told) != 1 or told[0] not in good:
        raise Unauthorized(f"uri {told!r} is not of {method} {host}{path}")


def _make_secret(kind: str, number: int) -> str:
    if kind == "EdDSA":
        seed = number.to_bytes(32)
        public = ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key()
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return base64.b64encode(seed + raw).decode()
    if kind != "ES256":
        raise ValueError(f"no kind of key {kind!r}; there are ES256 and EdDSA")
    key = ec.derive_private_key(number % (_ORDER - 1) + 1, ec.SECP256R1())
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _public(secret: str) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    if "-----BEGIN" in secret:
        try:
            key = serialization.load_pem_private_key(secret.replace("\\n", "\n").encode(), None)
        except (ValueError, TypeError) as error:
            raise ValueError(f"the API secret is no PEM of a private key: {error}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("the API secret's PEM is not of a P-256 key")
        return key.public_key()
    try:
        raw = base64.b64decode(secret, validate=True)
    except binascii.Error:
        raise ValueError("the API secret is neither PEM nor base64") from None
    if len(raw) not in {32, 64}:
        raise ValueError(f"the API secret is base64 of {len(raw)} bytes, not of 32 or 64")
    return ed25519.Ed25519PrivateKey.from_private_bytes(raw[:32]).public_key()


def _uuid(number: int) -> str:
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _bytes(part: str) -> bytes:
    try:
        return base64.b64decode(part.replace("-", "+").replace("_", "/") + "=" * (-len(part) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Unauthorized("not base64") from None


def _json(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise Unauthorized("not JSON") from None
    if not isinstance(found, dict):
        raise Unauthorized("no JSON object")
    return found
