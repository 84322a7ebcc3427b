"""How a request to Kraken's REST is signed, and what in its answers is secret. Pure: secret, nonce and request go in.

https://docs.kraken.com/api/docs/guides/spot-rest-auth: `API-Sign` is the base64 of HMAC-SHA512, keyed with the decoded
secret, over the path and SHA-256 of (nonce, body); the body is exactly what is sent, and holds the nonce.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from connectors.errors import ConfigError
from connectors.session import Signed, Unsigned

_TOKEN_PATH = "/0/private/GetWebSocketsToken"  # noqa: S105 - a path


class _Token(msgspec.Struct):
    token: str = ""


class _TokenAnswer(msgspec.Struct):
    result: _Token = msgspec.field(default_factory=_Token)


_decode = msgspec.json.Decoder(_TokenAnswer).decode


def sign(request: Unsigned, secrets: Mapping[str, str]) -> Signed:
    """Every private request posts; its body is form-encoded or one JSON object.

    Raises ConfigError for a secret that is no base64, and names no part of it.
    """
    number, body = b"%d" % request.nonce, request.body
    if body.startswith(b"{"):
        kind = "application/json"
        rest = body[1:].lstrip()
        body = b'{"nonce":"%s"%s%s' % (number, b"" if rest.startswith(b"}") else b",", rest)
    else:
        kind = "application/x-www-form-urlencoded"
        body = b"nonce=" + number + (b"&" + body if body else b"")
    try:
        raw = b64decode(secrets["secret"], validate=True)
    except ValueError:
        raise ConfigError("the API secret is not base64", place="kraken", mend="copy the private key whole") from None
    digest = hmac.digest(raw, request.path.encode() + sha256(number + body).digest(), "sha512")
    headers = {"API-Key": secrets["key"], "API-Sign": b64encode(digest).decode(), "Content-Type": kind}
    return Signed(request.path, headers, body)


def secrets_in(path: str, body: bytes) -> dict[str, str]:
    """The token that opens the private socket, where this answer holds one."""
    if path != _TOKEN_PATH:
        return {}
    try:
        token = _decode(body).result.token
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return {"ws_token": token} if token else {}
