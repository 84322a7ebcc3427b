"""What the trading session of every central exchange does alike: orders out, looks, and whether the venue is ready.

A venue's own session is this with its links, its words and its prices: it says why nothing may leave, what a request
costs, how a cancel goes over REST, and what frames mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from connectors.errors import ConfigError
from connectors.events import Doubt, Ready
from connectors.exchange.account import Account
from connectors.exchange.executions import Executions
from connectors.exchange.known import Known
from connectors.exchange.look import Look, Part
from connectors.exchange.outbound import Outbound
from connectors.exchange.requests import Request, Requests
from connectors.exchange.rest import OWN, Purse, Reply, Rest
from connectors.exchange.skew import Skew
from connectors.exchange.verdict import Verdict
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder
from connectors.session import OrderEncoder, Output, Send, TradingPlan

TICK_NS: Final = 10**9 // 2


class ExchangeTrading(ABC):
    """`OrderSession` but for links and frames. Every method of the session's ends with `finish`.

    `read(status, body)`: an answer over HTTP. `classify(text)`: what an error text of it means. `parts`: what a look
    asks for. `first`: the number before the first question's. `trades_lag_ns`: executions.py.
    """

    def __init__(
        self,
        plan: TradingPlan,
        venue: str,
        *,
        encoder: OrderEncoder,
        read: Callable[[int, bytes], Reply],
        classify: Callable[[str], Verdict],
        purse: Purse,
        parts: Callable[[], Sequence[Part]],
        deadline_ns: int,
        first: int = OWN,
        submit_many: Callable[[Sequence[Approved[NewOrder]], int], Send] | None = None,
        batch_max: int = 1,
        skew: Skew | None = None,
        trades_lag_ns: int = 0,
    ) -> None:
        self.account = Account(venue, plan)
        self.rest = Rest(read, purse, first=first, skew=skew)
        self.requests = Requests(self.account)
        self.executions = Executions(self.account, self.requests, trades_lag_ns=trades_lag_ns)
        self.looks = Look(self.account, self.rest, self.requests, parts, purse=purse, classify=classify)
        self.out = Outbound(
            self.account, self.rest, self.requests, encoder, self,
            deadline_ns=deadline_ns, submit_many=submit_many, batch_max=batch_max, skew=skew,
        )  # fmt: skip
        self.is_stopped = False
        self._told: str | None = None  # the last Ready

    # --- what a venue says of itself ---------------------------------------------------------------------------------

    @abstractmethod
    def why_not(self, now_ns: int) -> str:
        """Why no new order may be sent: key, links, what the venue says of itself; ""."""

    @abstractmethod
    def renew(self, why: str, now_ns: int) -> list[Output]:
        """The link's token or login is no good, in these words: another one."""

    @abstractmethod
    def pay(self, kind: str, orders: Sequence[Known], now_ns: int) -> str:
        """`Ways.pay`."""

    @abstractmethod
    def is_sound(self, now_ns: int) -> bool:
        """`Ways.is_sound`."""

    @abstractmethod
    def cancel_by_rest(self, approved: Approved[CancelOrder], known: Known, request: Request, now_ns: int) -> Send:
        """`Ways.cancel_by_rest`."""

    def cancel_all_by_rest(self, approved: Approved[CancelAll], request: Request, now_ns: int) -> Send:
        """`Ways.cancel_all_by_rest`; a venue without has none."""
        del approved, request, now_ns
        raise ValueError(f"{self.account.venue} cannot cancel everything by one message")

    # --- alike everywhere --------------------------------------------------------------------------------------------

    def finish(self, out: list[Output], now_ns: int) -> list[Output]:
        """What the parts asked each other for; and whether the venue is ready, where that changed."""
        account = self.account
        if account.renew_why:
            why, account.renew_why = account.renew_why, ""
            out += self.renew(why, now_ns)
        if account.look_why:
            out.append(Doubt(account.venue, account.look_why))
            account.look_why = ""
        if not self.is_stopped:
            out += self.looks.tick(now_ns)
        why = self.why(now_ns)
        if why != self._told:
            self._told = why
            out.append(Ready(account.venue, why))
        return out

    def why(self, now_ns: int) -> str:
        """Why no new order may be sent; "": it may."""
        if self.is_stopped:
            return "the session has ended"
        return self.account.halted or self.why_not(now_ns)

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> list[Output]:
        return self.finish(self.out.submit(approved, now_ns), now_ns)

    def submit_many(self, approved: Sequence[Approved[NewOrder]], now_ns: int) -> list[Output]:
        return self.finish(self.out.submit_many(approved, now_ns), now_ns)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> list[Output]:
        return self.finish(self.out.amend(approved, now_ns), now_ns)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> list[Output]:
        return self.finish(self.out.cancel(approved, now_ns), now_ns)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> list[Output]:
        return self.finish(self.out.cancel_all(approved, now_ns), now_ns)

    def over(self, client_order_id: str) -> None:
        known = self.account.orders.named(client_order_id)
        if known is not None:
            self.requests.over(known)

    def look(self, since_ns: int, now_ns: int) -> list[Output]:
        self.looks.want(since_ns)
        return self.finish([], now_ns)


def check_options(venue: str, options: Mapping[str, str], allowed: Mapping[str, tuple[str, ...]]) -> None:
    """Raises ConfigError for an option that the venue does not have, or a text that it does not take."""
    for name, text in options.items():
        if name not in allowed:
            mend = f"choose one of {', '.join(allowed)}" if allowed else "it has none"
            raise ConfigError(f"no option {name!r}", place=f"{venue} options", mend=mend)
        if allowed[name] and text not in allowed[name]:
            mend = f"choose one of {', '.join(allowed[name])}"
            raise ConfigError(f"{name} is {text!r}", place=f"{venue} option {name}", mend=mend)
