"""Keys, signatures and time windows of the one account (venues.md 3.3). Pure.

There are two keys, of the two kinds that differ: HMAC-SHA256, and Ed25519, which alone may log on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime.sim.binance.words import missing
from runtime.sim.exchange.numbers import MS, scaled
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.market import seeded

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PERMISSIONS: Final = ("reading", "spot", "withdrawals", "internal_transfer", "universal_transfer", "margin", "futures",
                      "options", "fix_api")  # fmt: skip
RECV_WINDOW_MS: Final = 5_000
MAX_WINDOW_MS: Final = 60_000


def sorted_text(params: Mapping[str, Any]) -> str:
    """The parameters of a WebSocket request as they are signed: by name, without the signature."""
    return "&".join(f"{name}={text_of(params[name])}" for name in sorted(params) if name != "signature")


def text_of(value: object) -> str:
    """A parameter as a text: a number as it was written."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


class Access:
    """Both keys. Raises ValueError for a permission that does not exist."""

    def __init__(self, seed: int, permissions: tuple[str, ...]) -> None:
        if unknown := set(permissions) - set(PERMISSIONS):
            raise ValueError(f"no permission {min(unknown)!r}; there are {', '.join(PERMISSIONS)}")
        self.permissions = permissions
        rng = seeded(f"{seed}/binance/key")
        self.key, self.secret, self.ed25519_key = ("".join(rng.choices(ALPHABET, k=64)) for _ in range(3))
        self._private = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
        self.ed25519_secret = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    def check_key(self, key: str) -> None:
        """Raises Refused for a key that is not ours."""
        if key not in (self.key, self.ed25519_key):
            raise Refused(Refusal.KEY if len(key) != len(self.key) else Refusal.PERMISSION)

    def check_signature(self, key: str, payload: str, signature: str) -> None:
        """Raises Refused: KEY, PERMISSION, SIGN."""
        self.check_key(key)
        if key == self.key:
            good = hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
            if not hmac.compare_digest(good.encode(), signature.encode()):
                raise Refused(Refusal.SIGN)
            return
        try:
            self._private.public_key().verify(base64.b64decode(signature, validate=True), payload.encode())
        except (InvalidSignature, binascii.Error):
            raise Refused(Refusal.SIGN) from None

    def check_time(self, params: Mapping[str, Any], now_ns: int) -> None:
        """The timestamp lies within recvWindow behind the server's time, or less than 1 s ahead. Raises."""
        stamp, window = scaled(params.get("timestamp"), 0), scaled(params.get("recvWindow", RECV_WINDOW_MS), 3)
        if stamp is None:
            raise missing("timestamp")
        if window is None or not 0 <= window <= MAX_WINDOW_MS * 1000:
            raise missing("recvWindow")
        stamp_ns = stamp * 1000 if stamp > 10**14 else stamp * MS
        now_ns = now_ns // MS * MS
        if stamp_ns >= now_ns + 1000 * MS:
            raise Refused(Refusal.TIME, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now_ns - stamp_ns > window * 1000:
            raise Refused(Refusal.TIME)

    def check_permission(self, name: str) -> None:
        """Raises Refused."""
        if name not in self.permissions:
            raise Refused(Refusal.PERMISSION)

    def restrictions(self, ts_ns: int) -> dict[str, Any]:
        """GET /sapi/v1/account/apiRestrictions."""
        may = {name: name in self.permissions for name in PERMISSIONS}
        return {
            "ipRestrict": True, "createTime": ts_ns // MS, "enableReading": may["reading"],
            "enableWithdrawals": may["withdrawals"], "enableInternalTransfer": may["internal_transfer"],
            "enableMargin": may["margin"], "enableFutures": may["futures"],
            "permitsUniversalTransfer": may["universal_transfer"], "enableVanillaOptions": may["options"],
            "enableFixApiTrade": may["fix_api"], "enableFixReadOnly": may["fix_api"],
            "enableSpotAndMarginTrading": may["spot"], "enablePortfolioMarginTrading": False,
        }  # fmt: skip
