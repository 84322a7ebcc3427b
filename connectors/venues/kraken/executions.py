"""Kraken's executions and balances, read. https://docs.kraken.com/api/docs/websocket-v2/executions

Most messages name an order by Kraken's id alone; only `pending_new` and snapshots say whose it is.
"""

from decimal import Decimal
from typing import Final

from connectors.events import Balance, Movement, RejectCode
from connectors.exchange.amounts import amount_1e8
from connectors.exchange.told import Kind, Told
from connectors.session import Output
from connectors.units import rfc3339_ns
from connectors.venues.kraken import private

VENUE: Final = "kraken"
_SIDES: Final = {"buy": 1, "sell": -1, "": 0}
_POST_ONLY: Final = "post only"
_KINDS: Final = {
    "pending_new": Kind.NEW,
    "new": Kind.NEW,
    "trade": Kind.TRADE,
    "filled": Kind.FILLED,
    "canceled": Kind.CANCELED,
    "expired": Kind.EXPIRED,
    "amended": Kind.AMENDED,
    "restated": Kind.AMENDED,
    "iceberg_refill": Kind.STATUS,
    "status": Kind.STATUS,
}


def translate(item: private.Execution) -> Told:
    """Raises WireError for a time that is none."""
    reason = item.reason or item.cancel_reason
    return Told(
        kind=_KINDS.get(item.exec_type, item.exec_type), venue_id=item.order_id, name=item.cl_ord_id,
        is_named=item.exec_type == "pending_new", symbol=item.symbol, side=_SIDES[item.side], qty=item.order_qty,
        px=item.limit_price, cum=item.cum_qty, exec_id=item.exec_id, last_qty=item.last_qty, last_px=item.last_price,
        cost=item.cost, fees=tuple((fee.asset, fee.qty) for fee in item.fees), reason=reason,
        code=RejectCode.INVALID_PARAMS if _POST_ONLY in reason.lower() else RejectCode.UNKNOWN,
        ts_ns=rfc3339_ns(item.timestamp) if item.timestamp else 0,
    )  # fmt: skip


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
