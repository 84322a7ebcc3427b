"""How requests to OKX are signed. Pure: secrets, time and request go in.

https://www.okx.com/docs-v5/en/#overview-rest-authentication: `OK-ACCESS-SIGN` is the base64 of HMAC-SHA256, keyed with
the secret as it stands, over timestamp, method, path with its query, and body. The timestamp is RFC 3339 with
milliseconds; OKX takes it within 30 s of its own. https://www.okx.com/docs-v5/en/#overview-websocket-login: the same of
`<seconds>GET/users/self/verify`, valid for 30 s.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from connectors.exchange.skew import fill_times
from connectors.session import Signed, Unsigned
from connectors.units import rfc3339_of_ms

_SIGN: Final = b"{sign}"
_LOGIN_PATH: Final = b"GET/users/self/verify"
_STAMP: Final = re.compile(rb'"timestamp":"([0-9]{1,12})"')
_PUBLIC: Final = "/api/v5/public/"


def sign(request: Unsigned, secrets: Mapping[str, str]) -> Signed:
    """Whatever text the secret is can sign. Public questions leave without a key."""
    is_query = request.method != "POST"
    path = f"{request.path}?{request.body.decode()}" if is_query and request.body else request.path
    if request.path.startswith(_PUBLIC):
        return Signed(path, {})
    stamp = rfc3339_of_ms(request.now_ns // 1_000_000)
    text = f"{stamp}{request.method}{path}".encode() + (b"" if is_query else request.body)
    headers = {
        "OK-ACCESS-KEY": secrets["key"],
        "OK-ACCESS-SIGN": _signed(text, secrets),
        "OK-ACCESS-TIMESTAMP": stamp,
        "OK-ACCESS-PASSPHRASE": secrets["passphrase"],
        "Content-Type": "application/json",
    }
    return Signed(path, headers, None if is_query else request.body)


def seal(data: bytes, secrets: Mapping[str, str], now_ns: int) -> bytes:
    """A login frame with its time and signature; every other frame as it is."""
    if _SIGN not in data:
        return data
    timed = fill_times(data, now_ns)
    stamp = _STAMP.search(timed)
    text = (stamp[1] if stamp is not None else b"") + _LOGIN_PATH
    return timed.replace(_SIGN, _signed(text, secrets).encode())


def _signed(text: bytes, secrets: Mapping[str, str]) -> str:
    return b64encode(hmac.digest(secrets["secret"].encode(), text, "sha256")).decode()
