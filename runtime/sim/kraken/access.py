"""Keys, signatures, nonces, tokens and permissions of the one account (venues.md 1.8). Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from runtime.sim.kraken.wire import Refuse
from runtime.sim.market import NS, seeded

TOKEN_S: Final = 900
TRADING_PERMISSIONS: Final = (
    "query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades", "query-ledger",
    "create-ws-token",
)  # fmt: skip
PERMISSIONS: Final = frozenset({
    *TRADING_PERMISSIONS, "add-funds", "withdraw-funds", "earn-funds", "export-data", "add-withdraw-address",
    "update-withdraw-address",
})  # fmt: skip
NEEDS: Final = {
    "add_order": "modify-trades", "amend_order": "modify-trades", "edit_order": "modify-trades",
    "batch_add": "modify-trades", "GetWebSocketsToken": "create-ws-token", "Balance": "query-funds",
    "BalanceEx": "query-funds", "TradeBalance": "query-funds", "OpenOrders": "query-open-trades",
    "ClosedOrders": "query-closed-trades", "QueryOrders": "query-open-trades", "TradesHistory": "query-closed-trades",
    "QueryTrades": "query-closed-trades", "OrderAmends": "query-open-trades", "Ledgers": "query-ledger",
}  # fmt: skip
"""What a request needs; cancels need modify-trades or close-trades."""
LOCKOUT_AFTER: Final = 10
LOCKOUT_NS: Final = 60 * NS


def sign(secret: str, path: str, nonce: str, body: bytes) -> str:
    """base64(HMAC-SHA512(base64decode(secret), path + SHA256(nonce + body))) (Kraken docs, guides/spot-rest-auth)."""
    inner = hashlib.sha256(nonce.encode() + body).digest()
    return base64.b64encode(hmac.new(base64.b64decode(secret), path.encode() + inner, hashlib.sha512).digest()).decode()


class Access:
    """The account's API key. Raises ValueError for a secret that is no base64 or a permission that does not exist."""

    def __init__(
        self, key: str, secret: str, *, seed: int, permissions: tuple[str, ...], nonce_window: int = 0
    ) -> None:
        if unknown := set(permissions) - PERMISSIONS:
            raise ValueError(f"no permission {min(unknown)!r}; there are {', '.join(sorted(PERMISSIONS))}")
        rng = seeded(f"{seed}/key")
        self.key = key or base64.b64encode(rng.randbytes(42)).decode()
        self.secret = secret or base64.b64encode(rng.randbytes(64)).decode()
        try:
            base64.b64decode(self.secret, validate=True)
        except binascii.Error:
            raise ValueError("the API secret is not base64") from None
        self.permissions = permissions
        self.nonce_window = nonce_window
        self.last_nonce = 0
        self._rng = seeded(f"{seed}/tokens")
        self._tokens: dict[str, int] = {}
        self._bad = 0
        self._locked_ns = 0

    def check(self, headers: Mapping[str, str], path: str, nonce: object, body: bytes, now_ns: int) -> None:
        """Key, signature and nonce of a private call, in this order. Raises Refuse."""
        if now_ns < self._locked_ns:
            raise Refuse("EGeneral:Temporary lockout")
        given = headers.get("api-sign", "")
        if headers.get("api-key", "") != self.key:
            self._count_bad(now_ns)
            raise Refuse("EAPI:Invalid key")
        text = str(nonce if nonce is not None else "")
        if not hmac.compare_digest(given.encode(), sign(self.secret, path, text, body).encode()):
            self._count_bad(now_ns)
            raise Refuse("EAPI:Invalid signature")
        if not text.isdigit() or int(text) >= 2**64 or int(text) <= self.last_nonce - self.nonce_window:
            self._count_bad(now_ns)
            raise Refuse("EAPI:Invalid nonce")
        self.last_nonce = max(self.last_nonce, int(text))
        self._bad = 0

    def _count_bad(self, now_ns: int) -> None:
        self._bad += 1
        if self._bad >= LOCKOUT_AFTER:
            self._bad, self._locked_ns = 0, now_ns + LOCKOUT_NS

    def permission_error(self, method: str) -> str:
        """The venue's word when the key may not do that, else nothing."""
        need = NEEDS.get(method, "")
        if method.startswith(("cancel", "batch_cancel")):
            missing = not {"modify-trades", "close-trades"} & set(self.permissions)
        else:
            missing = bool(need) and need not in self.permissions
        return "EGeneral:Permission denied" if missing else ""

    def token(self, now_ns: int) -> str:
        """A new token, to be used within 900 s."""
        token = base64.urlsafe_b64encode(self._rng.randbytes(32)).decode().rstrip("=")
        self._tokens[token] = now_ns + TOKEN_S * NS
        return token

    def holds(self, token: str, now_ns: int) -> bool:
        """Whether a token is good for a new subscription."""
        return self._tokens.get(token, 0) > now_ns
