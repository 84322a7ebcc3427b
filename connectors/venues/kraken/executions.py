"""Kraken's executions and balances as reports and movements. https://docs.kraken.com/api/docs/websocket-v2/executions

* Most messages name an order by Kraken's id alone. An id that nobody has heard of is held for two seconds: the answer
  that names it may be on its way. After that a look is asked for.
* `filled` repeats what its trades said; where it says more, a trade was missed, and a look finds it.
* A snapshot is no news: orders and trades in it may be of earlier sessions. It teaches names and tells money.
* An order that is not ours is money only.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from connectors.errors import WireError
from connectors.events import Balance, ExecReport, ExecType, Movement, Notice, RejectCode
from connectors.session import Output
from connectors.units import rfc3339_ns
from connectors.venues.kraken import private
from connectors.venues.kraken.account import VENUE, Account, report
from connectors.venues.kraken.amounts import (
    amount_1e8,
    fee_1e9,
    fee_of_base_1e9,
    near_price_1e9,
    price_1e9,
    size_1e8,
    value_1e8,
)
from connectors.venues.kraken.known import Known
from connectors.venues.kraken.requests import GRACE_NS, Requests

HELD_MAX: Final = 256
_SIDES: Final = {"buy": 1, "sell": -1, "": 0}
_POST_ONLY: Final = "post only"


class ExecutionReader:
    """One session's reader. `now_ns` is when a message came."""

    def __init__(self, account: Account, requests: Requests) -> None:
        self._account = account
        self._requests = requests
        self._held: list[tuple[int, private.Execution]] = []
        self._asked: dict[str, None] = {}  # ids that nobody knew, and a look was asked for
        self._handlers: dict[str, Callable[[private.Execution, Known, int], list[Output]]] = {
            "pending_new": self._new,
            "new": self._new,
            "trade": self._trade,
            "filled": self._filled,
            "canceled": self._ended,
            "expired": self._ended,
            "amended": self._amended,
            "restated": self._amended,
            "iceberg_refill": self._status,
            "status": self._status,
        }

    def read(self, message: private.Executions, now_ns: int) -> tuple[list[Output], str]:
        """What it says; and of items that cannot be read, the first one's problem: the others count all the same."""
        out: list[Output] = []
        problem = ""
        for item in message.data:
            try:
                out += self._remember(item) if message.type == "snapshot" else self._read(item, now_ns)
            except WireError as error:
                problem = problem or f"execution of order {item.order_id}: {error}"
        return out, problem

    def _read(self, item: private.Execution, now_ns: int) -> list[Output]:
        known = self._whose(item)
        if known is None:
            return self._hold(item, now_ns)
        handler = self._handlers.get(item.exec_type)
        if handler is None:
            self._account.look_why = f"an execution of kind {item.exec_type!r:.40}, not known here"
            return [Notice("warning", f"kraken: {self._account.look_why}")]
        return handler(item, known, now_ns) + self._release(known, now_ns)

    def _whose(self, item: private.Execution) -> Known | None:
        orders = self._account.orders
        if item.cl_ord_id or item.exec_type == "pending_new":
            return orders.heard(item.order_id, item.cl_ord_id, self._account.names.index(item.symbol), item.symbol)
        return orders.find(item.order_id)

    # --- ids that nobody knows ---------------------------------------------------------------------------------------

    def _hold(self, item: private.Execution, now_ns: int) -> list[Output]:
        if item.exec_type == "trade":
            self._legs(item, None)  # one that cannot be read is complained of now
        if item.order_id not in self._asked and len(self._held) < HELD_MAX:
            self._held.append((now_ns, item))
            return []
        if item.order_id not in self._asked:
            self._account.look_why = "executions of orders that nobody here has heard of"
        return self._money(item, None) if item.exec_type == "trade" else []

    def _release(self, known: Known, now_ns: int) -> list[Output]:
        """What came of it before its name did."""
        if not self._held or not known.venue_id:
            return []
        mine = [item for _, item in self._held if item.order_id == known.venue_id]
        self._held = [one for one in self._held if one[1].order_id != known.venue_id]
        out: list[Output] = []
        for item in mine:
            handler = self._handlers.get(item.exec_type)
            out += handler(item, known, now_ns) if handler is not None else []
        return out

    def named(self, now_ns: int) -> list[Output]:
        """A response gave orders their ids: what was held for them."""
        ids = dict.fromkeys(item.order_id for _, item in self._held)
        found = [self._account.orders.find(venue_id) for venue_id in ids]
        return [out for known in found if known is not None for out in self._release(known, now_ns)]

    def tick(self, now_ns: int) -> list[Output]:
        """Held for long enough: nobody here knows that order."""
        wait_ns = 10 * GRACE_NS if self._requests.has_new() else GRACE_NS
        old = [item for held_ns, item in self._held if now_ns - held_ns >= wait_ns]
        if not old:
            return []
        self._held = [one for one in self._held if now_ns - one[0] < wait_ns]
        for item in old:
            if len(self._asked) >= HELD_MAX:
                del self._asked[next(iter(self._asked))]
            self._asked[item.order_id] = None
        out: list[Output] = []
        for item in old:
            if item.exec_type == "trade":
                out += self._money(item, None)
        ids = ", ".join(dict.fromkeys(item.order_id for item in old))
        self._account.look_why = f"executions of orders that nobody here has heard of: {ids:.120}"
        return [*out, Notice("warning", f"kraken: {self._account.look_why}")]

    # --- one kind of execution each ----------------------------------------------------------------------------------

    def _remember(self, item: private.Execution) -> list[Output]:
        """Of a snapshot, which says of an open order all there is."""
        symbol = item.symbol
        known = self._account.orders.heard(item.order_id, item.cl_ord_id, self._account.names.index(symbol), symbol)
        if item.exec_type == "trade":
            self._learn(item, known)
            return self._money(item, known)
        known.qty_1e8 = _size(known, item.order_qty) if item.order_qty is not None else known.qty_1e8
        known.px_1e9 = _price(known, item.limit_price) if item.limit_price is not None else known.px_1e9
        self._learn(item, known)
        if item.cum_qty is not None:
            known.cum_1e8 = max(known.cum_1e8, _size(known, item.cum_qty))
        return []

    @staticmethod
    def _learn(item: private.Execution, known: Known) -> None:
        known.side = known.side or _SIDES[item.side]
        if not known.symbol:
            known.symbol = item.symbol
        if item.order_qty is not None and known.qty_1e8 == 0:
            known.qty_1e8 = _size(known, item.order_qty)
        if item.limit_price is not None and known.px_1e9 == 0:
            known.px_1e9 = _price(known, item.limit_price)

    def _new(self, item: private.Execution, known: Known, now_ns: int) -> list[Output]:
        self._learn(item, known)
        return self._requests.acknowledged(known, _time(item), now_ns) if known.is_ours else []

    def _status(self, item: private.Execution, known: Known, now_ns: int) -> list[Output]:
        del now_ns
        self._learn(item, known)
        return []

    def _trade(self, item: private.Execution, known: Known, now_ns: int) -> list[Output]:
        self._learn(item, known)
        if not known.is_ours:
            return self._money(item, known)
        if known.instrument < 0 or known.qty_1e8 == 0:
            # an order of ours of which we know too little to say what is left of it
            self._account.look_why = f"a trade of {known.name}, of which too little is known here"
            return [*self._money(item, known), Notice("warning", f"kraken: {self._account.look_why}")]
        qty, px = size_1e8(_said(item.last_qty)), price_1e9(_said(item.last_price))
        cum = size_1e8(item.cum_qty) if item.cum_qty is not None else known.cum_1e8 + qty
        fee, notices = _fee_in_quote(item, known, px)
        ts_ns = _time(item)
        out = self._money(item, known)  # whatever cannot be read was found before this: nothing is told by half
        if not self._account.is_new_report(item.exec_id):
            return out
        out += self._requests.acknowledged(known, 0, now_ns)
        if cum > known.cum_1e8 + qty:
            self._account.look_why = f"a trade of {known.name} before {item.exec_id} was not told"
            notices.append(Notice("warning", f"kraken: {self._account.look_why}"))
        known.cum_1e8 = max(known.cum_1e8, cum)
        out.append(
            ExecReport(
                client_order_id=known.name, exec_type=ExecType.TRADE, instrument=known.instrument,
                venue_order_id=known.venue_id, exec_id=item.exec_id, last_qty_1e8=qty, last_px_1e9=px,
                cum_qty_1e8=cum, leaves_qty_1e8=max(known.qty_1e8 - cum, 0), fee_1e9=fee, ts_venue_ns=ts_ns,
            )
        )  # fmt: skip
        if cum >= known.qty_1e8:
            self._requests.over(known)
        return [*out, *notices]

    def _filled(self, item: private.Execution, known: Known, now_ns: int) -> list[Output]:
        del now_ns
        self._learn(item, known)
        if not known.is_ours:
            self._account.orders.end(known)
            return []
        cum = _size(known, item.cum_qty) if item.cum_qty is not None else known.qty_1e8
        if cum > known.cum_1e8:
            self._account.look_why = f"{known.name} is filled, and not all of its trades were told"
            return [Notice("warning", f"kraken: {self._account.look_why}")]
        self._requests.over(known)
        return []

    def _ended(self, item: private.Execution, known: Known, now_ns: int) -> list[Output]:
        del now_ns
        self._learn(item, known)
        if known.is_done or not known.is_ours:
            self._account.orders.end(known)
            return []
        cum = _size(known, item.cum_qty) if item.cum_qty is not None else known.cum_1e8
        ts_ns = _time(item)
        out: list[Output] = []
        if cum > known.cum_1e8:
            self._account.look_why = f"{known.name} ended, and not all of its trades were told"
            out.append(Notice("warning", f"kraken: {self._account.look_why}"))
            known.cum_1e8 = cum
        self._requests.over(known)
        reason = item.reason or item.cancel_reason
        code = RejectCode.INVALID_PARAMS if _POST_ONLY in reason.lower() else RejectCode.UNKNOWN
        exec_type = ExecType.EXPIRED if item.exec_type == "expired" else ExecType.CANCELED
        return [*out, report(known, exec_type, reason, code, ts_ns)]

    def _amended(self, item: private.Execution, known: Known, now_ns: int) -> list[Output]:
        px = _price(known, item.limit_price) if item.limit_price is not None else known.px_1e9
        qty = _size(known, item.order_qty) if item.order_qty is not None else known.qty_1e8
        if known.is_ours and qty:
            return self._requests.amended(known, px, qty, now_ns)
        known.px_1e9, known.qty_1e8 = px, qty
        return []

    # --- money -------------------------------------------------------------------------------------------------------

    def _money(self, item: private.Execution, known: Known | None) -> list[Output]:
        """The legs and fees of one trade, whosever it is, told once."""
        legs = self._legs(item, known)
        return legs if self._account.is_new_money(item.exec_id) else []

    @staticmethod
    def _legs(item: private.Execution, known: Known | None) -> list[Output]:
        """Raises WireError for a trade without what every trade has."""
        symbol = item.symbol or (known.symbol if known is not None else "")
        side = _SIDES[item.side] or (known.side if known is not None else 0)
        if not item.exec_id or not symbol or not side:
            raise WireError(f"a trade of order {item.order_id} without exec_id, symbol or side")
        qty, px = amount_1e8(_said(item.last_qty)), near_price_1e9(_said(item.last_price))
        base, _, quote = symbol.partition("/")
        if item.cost is None:
            paid = value_1e8(-side * qty, px)
        else:
            paid = amount_1e8(item.cost.copy_negate() if side > 0 else item.cost)
        name = known.name if known is not None and known.is_ours else ""
        legs = [(base, "base", side * qty), (quote, "quote", paid)]
        for paid_in in dict.fromkeys(fee.asset for fee in item.fees):  # one movement a currency, or one counts as told
            fees = sum(amount_1e8(fee.qty.copy_negate()) for fee in item.fees if fee.asset == paid_in)
            legs += [(paid_in, "fee", fees)] if fees else []
        ts_ns = _time(item)
        return [Movement(VENUE, item.exec_id, currency, kind, amount, name, ts_ns) for currency, kind, amount in legs]


def _fee_in_quote(item: private.Execution, known: Known, px_1e9: int) -> tuple[int, list[Output]]:
    """Fees ×1e9 of the quote; one in a third currency is a movement, and a person is told."""
    base, _, quote = (item.symbol or known.symbol).partition("/")
    total = 0
    out: list[Output] = []
    for fee in item.fees:
        if fee.asset == quote:
            total += fee_1e9(fee.qty)
        elif fee.asset == base:
            total += fee_of_base_1e9(fee.qty, px_1e9)
        elif fee.qty:
            text = f"kraken {known.name}: a fee of {fee.qty} {fee.asset}, neither base nor quote: not in its costs"
            out.append(Notice("warning", text))
    return total, out


def read_balances(message: private.Balances) -> list[Output]:
    """Totals, and ledger entries that no trade explains. Amounts of other wallets than spot are not to trade with."""
    out: list[Output] = []
    for entry in message.data:
        is_main = (entry.wallet_type, entry.wallet_id) == ("spot", "main")
        if is_main:
            here = [part.balance for part in entry.wallets if (part.type, part.id) == ("spot", "main")]
            total = sum(here, Decimal(0)) if entry.wallets else entry.balance  # a snapshot's is of all wallets
            out.append(Balance(VENUE, entry.asset, amount_1e8(total)))
        kind = entry.category or entry.type
        if not entry.ledger_id or kind == "trade" or not is_main:
            continue
        if entry.amount:
            out.append(Movement(VENUE, entry.ledger_id, entry.asset, entry.type or kind, amount_1e8(entry.amount)))
        if entry.fee:
            out.append(Movement(VENUE, entry.ledger_id, entry.asset, "fee", amount_1e8(entry.fee.copy_negate())))
    return out


def _said(number: Decimal | None) -> Decimal:
    if number is None:
        raise WireError("a trade without quantity or price")
    return number


def _size(known: Known, number: Decimal) -> int:
    """Exact at a market that is followed; elsewhere it only has to be near enough."""
    return size_1e8(number) if known.instrument >= 0 else amount_1e8(number)


def _price(known: Known, number: Decimal) -> int:
    return price_1e9(number) if known.instrument >= 0 else near_price_1e9(number)


def _time(item: private.Execution) -> int:
    return rfc3339_ns(item.timestamp) if item.timestamp else 0
