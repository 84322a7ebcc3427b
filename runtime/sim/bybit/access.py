"""The key, its signatures and time windows (venues.md 5.3). Pure."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from runtime.sim.exchange.numbers import MS, iso_ms, scaled
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.market import seeded

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PERMISSIONS: Final = ("SpotTrade", "AccountTransfer", "SubMemberTransfer", "Withdraw", "Order", "Position",
                      "OptionsTrade", "ExchangeHistory")  # fmt: skip
_GROUPS: Final = {
    "Spot": ("SpotTrade",), "Wallet": ("AccountTransfer", "SubMemberTransfer", "Withdraw"),
    "ContractTrade": ("Order", "Position"), "Options": ("OptionsTrade",), "Exchange": ("ExchangeHistory",),
}  # fmt: skip


class Access:
    """One key. `read_only`: it may look, not trade. Raises ValueError for a permission that does not exist."""

    def __init__(self, seed: int, permissions: tuple[str, ...], *, read_only: bool) -> None:
        if unknown := set(permissions) - set(PERMISSIONS):
            raise ValueError(f"no permission {min(unknown)!r}; there are {', '.join(PERMISSIONS)}")
        rng = seeded(f"{seed}/bybit/key")
        self.key = "".join(rng.choices(ALPHABET, k=18))
        self.secret = "".join(rng.choices(ALPHABET, k=36))
        self.permissions, self.read_only = permissions, read_only

    def check_signature(self, key: str, payload: str, signature: str) -> None:
        """Lower-case hex of HMAC-SHA256. Raises Refused: KEY, SIGN."""
        if key != self.key:
            raise Refused(Refusal.KEY)
        good = hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(good.encode(), signature.encode()):
            raise Refused(Refusal.SIGN)

    def check_time(self, stamp: object, window: object, now_ns: int) -> None:
        """Within the window behind the server's time, less than 1 s ahead. Raises Refused: TIME."""
        at, wide = scaled(stamp, 0), scaled(window if window not in (None, "") else 5000, 0)
        now = now_ns // MS
        if at is None or wide is None or not now - wide <= at < now + 1000:
            raise Refused(Refusal.TIME, f"req_timestamp[{stamp}],server_timestamp[{now}],recv_window[{window}]")

    def check_login(self, args: Any, now_ns: int) -> None:
        """`[key, expires_ms, signature of GET/realtime + expires]`. Raises Refused: ARGUMENT, KEY, SIGN, TIME."""
        if not isinstance(args, list) or len(args) != 3:
            raise Refused(Refusal.ARGUMENT, "args")
        key, expires, signature = args
        at = scaled(expires, 0)
        if at is None:
            raise Refused(Refusal.ARGUMENT, "expires")
        self.check_signature(str(key), f"GET/realtime{expires}", str(signature))
        if at <= now_ns // MS:
            raise Refused(Refusal.TIME, f"expires[{expires}]")

    def check_trade(self) -> None:
        """Raises Refused: PERMISSION."""
        if self.read_only or "SpotTrade" not in self.permissions:
            raise Refused(Refusal.PERMISSION)

    def info(self, ts_ns: int) -> dict[str, Any]:
        """GET /v5/user/query-api."""
        groups = {name: [one for one in words if one in self.permissions] for name, words in _GROUPS.items()}
        empty: dict[str, list[str]] = {"Derivatives": [], "CopyTrading": [], "BlockTrade": [], "NFT": []}
        return {
            "id": "16651472", "note": "simulated", "apiKey": self.key, "readOnly": int(self.read_only), "secret": "",
            "permissions": groups | empty, "ips": ["127.0.0.1"], "type": 1, "deadlineDay": 88,
            "expiredAt": iso_ms(ts_ns)[:19] + "Z", "createdAt": iso_ms(ts_ns)[:19] + "Z", "unified": 0, "uta": 1,
            "userID": 53888001, "inviterID": 0, "vipLevel": "No VIP", "mktMakerLevel": "0", "affiliateID": 0,
            "isMaster": True, "parentUid": "0",
        }  # fmt: skip
