"""The simulated OKX's API key: signatures of requests and of logins, with the passphrase (venues.md 4.3). Pure.

Both signatures are base64(HMAC-SHA256(secret, …)): over timestamp + method + path with its query + body for a request,
over timestamp + "GET" + "/users/self/verify" for a login. A request's timestamp is ISO 8601 with milliseconds, a
login's whole seconds; both may be 30 s off.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from runtime.sim.exchange.numbers import parse_time
from runtime.sim.market import NS, seeded

WINDOW_NS: Final = 30 * NS
PERMISSIONS: Final = ("read_only", "trade", "withdraw")
VERIFY: Final = "GET/users/self/verify"


class Denied(Exception):  # noqa: N818 - not an error of ours: what the venue answers
    """The venue's code and its words."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code, self.text = code, text


def sign(secret: str, text: str) -> str:
    """base64(HMAC-SHA256(secret, text))."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


class Access:
    """The one key of the account. Raises ValueError for a permission that does not exist."""

    def __init__(
        self, key: str = "", secret: str = "", passphrase: str = "", *, seed: int,
        permissions: tuple[str, ...] = ("read_only", "trade"),
    ) -> None:  # fmt: skip
        if unknown := set(permissions) - set(PERMISSIONS):
            raise ValueError(f"no permission {min(unknown)!r}; there are {', '.join(PERMISSIONS)}")
        rng = seeded(f"{seed}/okx-key")
        text = f"{rng.getrandbits(128):032x}"
        self.key = key or f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        self.secret = secret or f"{rng.getrandbits(128):032X}"
        self.passphrase = passphrase or f"Pass-{rng.getrandbits(32):08x}"
        self.permissions = permissions
        self.uid = str(rng.randrange(10**14, 10**15))

    def check(self, headers: Mapping[str, str], method: str, target: str, body: bytes, now_ns: int) -> None:
        """A request of REST; `target` is the path with its query. Raises Denied."""
        given = {name: headers.get(f"ok-access-{name}", "") for name in ("key", "passphrase", "sign", "timestamp")}
        for name, code in (("key", "50103"), ("passphrase", "50104"), ("sign", "50106"), ("timestamp", "50107")):
            if not given[name]:
                raise Denied(code, f'Request header "OK-ACCESS-{name.upper()}" cannot be empty.')
        stamp = given["timestamp"]
        at_ns = parse_time(stamp)
        if at_ns is None or not stamp.endswith("Z"):
            raise Denied("50112", "Invalid OK-ACCESS-TIMESTAMP")
        if abs(now_ns - at_ns) > WINDOW_NS:
            raise Denied("50102", "Timestamp request expired")
        if given["key"] != self.key:
            raise Denied("50111", "Invalid OK-ACCESS-KEY")
        if given["passphrase"] != self.passphrase:
            raise Denied("50105", 'Request header "OK-ACCESS-PASSPHRASE" incorrect.')
        wanted = sign(self.secret, f"{stamp}{method}{target}{body.decode('utf-8', 'replace')}")
        if not hmac.compare_digest(given["sign"].encode(), wanted.encode()):
            raise Denied("50113", "Invalid Sign")

    def check_login(self, args: object, now_ns: int) -> None:
        """A login's one argument. Raises Denied."""
        given: dict[str, Any] = args[0] if isinstance(args, list) and len(args) == 1 else {}
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise Denied("60009", "Login failed.")
        stamp = given.get("timestamp", "")
        if not stamp.isdigit() or len(stamp) > 12:
            raise Denied("60004", "Invalid timestamp")
        if given.get("apiKey", "") != self.key:
            raise Denied("60005", "Invalid apiKey")
        if abs(now_ns - int(stamp) * NS) > WINDOW_NS:
            raise Denied("60006", "Timestamp request expired")
        if not hmac.compare_digest(given.get("sign", "").encode(), sign(self.secret, f"{stamp}{VERIFY}").encode()):
            raise Denied("60007", "Invalid sign")
        if given.get("passphrase", "") != self.passphrase:
            raise Denied("60024", "Wrong passphrase")
