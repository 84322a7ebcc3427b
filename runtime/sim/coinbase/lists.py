"""What Coinbase's REST shows of orders, fills and accounts, page by page (venues.md 2.4). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from runtime.sim.coinbase.forms import Bad, configuration_of
from runtime.sim.coinbase.names import product_id
from runtime.sim.coinbase.user import REASONS, STATUSES, TIFS, average_text, fee_of
from runtime.sim.exchange.numbers import UNIT, fixed, parse_time, short
from runtime.sim.market import rfc3339, seeded

if TYPE_CHECKING:
    from runtime.sim.coinbase.venue import CoinbaseVenue
    from runtime.sim.exchange.order import Fill, Order

T = TypeVar("T")
Query = Mapping[str, Sequence[str]]
"""Name → its values: `order_ids=a&order_ids=b` names two."""
FIAT: Final = frozenset({"USD", "EUR", "GBP"})


def one(query: Query, name: str) -> str:
    """The last value of a name, "" where there is none."""
    return query.get(name, [""])[-1]


def many(query: Query, *names: str) -> frozenset[str]:
    """Every value of these names, written once each or with commas between."""
    return frozenset(part for name in names for value in query.get(name, ()) for part in value.split(",") if part)


def limit_of(query: Query, usual: int, most: int) -> int:
    """How many rows are wanted. Raises Bad."""
    text = one(query, "limit")
    if text and not text.isdigit():
        raise Bad("limit is a whole number")
    return min(int(text), most) if text and int(text) else usual


def when(query: Query, name: str, default: int) -> int:
    """A time of the query. Raises Bad."""
    text = one(query, name)
    found = parse_time(text) if text else default
    if found is None:
        raise Bad(f"{name} is no RFC 3339 time")
    return found


def page(rows: Sequence[T], query: Query, key: Callable[[T], str], usual: int, most: int) -> tuple[list[T], str]:
    """The rows behind the cursor, and the next cursor: the key of the last row, "" at the end. Raises Bad."""
    start, cursor, size = 0, one(query, "cursor"), limit_of(query, usual, most)
    if cursor:
        found = [at for at, row in enumerate(rows) if key(row) == cursor]
        if not found:
            raise Bad("cursor is not of this list")
        start = found[0] + 1
    part = list(rows[start : start + size])
    return part, key(part[-1]) if part and start + size < len(rows) else ""


# --- orders ---------------------------------------------------------------------------------------------------------


def rest_order(order: Order) -> dict[str, Any]:
    """One order as the lists show it."""
    pair, spec = order.pair, order.spec
    size = order.qty or order.cum_qty
    done = 100 * order.cum_qty // size if size else 0
    fees = fee_of(order)
    total = order.cum_cost + (fees if spec.side == "buy" else -fees)
    ended = not order.is_open and order.status != "filled"
    return {
        "order_id": order.order_id, "product_id": product_id(order), "user_id": "",
        "order_configuration": configuration_of(order), "side": spec.side.upper(),
        "client_order_id": spec.cl_ord_id, "status": STATUSES[order.status], "time_in_force": TIFS[spec.tif],
        "created_time": rfc3339(order.opened_ns), "completion_percentage": str(done),
        "filled_size": short(order.cum_qty, pair.qty_precision), "average_filled_price": average_text(order),
        "fee": "", "number_of_fills": str(len(order.fills)), "filled_value": short(order.cum_cost, UNIT),
        "pending_cancel": False, "size_in_quote": bool(spec.cash), "total_fees": short(fees, UNIT),
        "size_inclusive_of_fees": False, "total_value_after_fees": short(total, UNIT),
        "trigger_status": "INVALID_ORDER_TYPE", "order_type": spec.order_type.upper(),
        "reject_reason": "REJECT_REASON_UNSPECIFIED", "settled": order.status == "filled", "product_type": "SPOT",
        "reject_message": "", "cancel_message": REASONS.get(order.reason, order.reason) if ended else "",
        "order_placement_source": "RETAIL_ADVANCED", "outstanding_hold_amount": "0",
        "last_fill_time": rfc3339(order.touched_ns) if order.fills else None,
    }  # fmt: skip


def orders(venue: CoinbaseVenue, query: Query, now_ns: int) -> dict[str, Any]:
    """Orders narrowed and paged, the youngest first: 1000 a page at most, 100 unless told. Raises Bad."""
    states, products = many(query, "order_status"), many(query, "product_ids", "product_id")
    ids, side = many(query, "order_ids"), one(query, "order_side")
    begin, end = when(query, "start_date", 0), when(query, "end_date", 2**63)
    seen = venue.engine.as_of(venue.seen_ns(now_ns, "orders/historical/batch"))
    rows = [
        order for order in reversed(seen)
        if (not states or STATUSES[order.status] in states) and begin <= order.opened_ns <= end
        and (not products or product_id(order) in products)
        and (not ids or order.order_id in ids) and (not side or order.spec.side.upper() == side)
    ]  # fmt: skip
    part, cursor = page(rows, query, lambda order: order.order_id, 100, 1000)
    told = [rest_order(order) for order in part]
    return {"orders": told, "sequence": "0", "has_next": bool(cursor), "cursor": cursor}


def fill_row(fill: Fill, order: Order) -> dict[str, Any]:
    """One fill as the list shows it; the commission is in the quote."""
    pair = order.pair
    return {
        "entry_id": f"{fill.number:064x}", "trade_id": fill.exec_id, "order_id": fill.order_id,
        "trade_time": rfc3339(fill.ts_ns), "trade_type": "FILL", "price": short(fill.price, pair.price_precision),
        "size": short(fill.qty, pair.qty_precision), "commission": short(fill.fee, UNIT),
        "product_id": product_id(order), "sequence_timestamp": rfc3339(fill.ts_ns),
        "liquidity_indicator": "MAKER" if fill.maker else "TAKER", "size_in_quote": False, "user_id": "",
        "side": fill.side.upper(), "retail_portfolio_id": "",
    }  # fmt: skip


def fills(venue: CoinbaseVenue, query: Query, now_ns: int) -> dict[str, Any]:
    """Fills narrowed and paged, the youngest first: 3000 a page at most, 100 unless told. Raises Bad."""
    ids, products = many(query, "order_ids", "order_id"), many(query, "product_ids", "product_id")
    trades = many(query, "trade_ids")
    begin, end = when(query, "start_sequence_timestamp", 0), when(query, "end_sequence_timestamp", 2**63)
    known = venue.engine.orders
    rows = [
        fill for fill in reversed(venue.engine.fills_as_of(venue.seen_ns(now_ns, "orders/historical/fills")))
        if (not ids or fill.order_id in ids) and (not trades or fill.exec_id in trades) and begin <= fill.ts_ns <= end
        and (not products or product_id(known[fill.order_id]) in products)
    ]  # fmt: skip
    part, cursor = page(rows, query, lambda fill: fill.exec_id, 100, 3000)
    return {"fills": [fill_row(fill, known[fill.order_id]) for fill in part], "cursor": cursor}


# --- accounts -------------------------------------------------------------------------------------------------------


def account_id(venue: CoinbaseVenue, asset: str) -> str:
    """The id of an asset's wallet, the same in every run of a seed."""
    text = f"{seeded(f'{venue.seed}/wallet/{asset}').getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def accounts(venue: CoinbaseVenue, query: Query) -> dict[str, Any]:
    """A wallet for each asset: 49 a page unless told, 250 at most. Raises Bad."""
    account = venue.engine.account
    made = rfc3339(venue.started_ns)
    rows = [
        {
            "uuid": account_id(venue, asset), "name": f"{asset} Wallet", "currency": asset,
            "available_balance": {"value": fixed(account.free(asset), UNIT), "currency": asset},
            "default": True, "active": True, "created_at": made, "updated_at": made, "deleted_at": None,
            "type": "ACCOUNT_TYPE_FIAT" if asset in FIAT else "ACCOUNT_TYPE_CRYPTO", "ready": True,
            "hold": {"value": fixed(account.held.get(asset, 0), UNIT), "currency": asset},
        }
        for asset in sorted(account.balances)
    ]  # fmt: skip
    part, cursor = page(rows, query, lambda row: str(row["uuid"]), 49, 250)
    return {"accounts": part, "has_next": bool(cursor), "cursor": cursor, "size": len(part)}
