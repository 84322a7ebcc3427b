"""The account's channels: orders, account, balance_and_position (venues.md 4.3). Pure. Every number is a text.

A fill is one event of the order's, with what it is by now and what this fill was. Fees are negative when paid.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.exchange.numbers import UNIT, millis, short
from runtime.sim.okx.public import push

if TYPE_CHECKING:
    from runtime.sim.exchange.order import Fill, Order, Told
    from runtime.sim.okx.connection import OkxConnection
    from runtime.sim.okx.venue import OkxVenue

STATES: Final = {
    "new": "live", "partially_filled": "partially_filled", "filled": "filled", "canceled": "canceled",
    "expired": "canceled",
}  # fmt: skip
SOURCES: Final = {
    "user": "1", "fok": "13", "ioc": "14", "timer": "20", "post_only": "31", "self_trade": "32", "no_liquidity": "14",
    "amend": "1",
}  # fmt: skip
"""Why an order was canceled (OKX docs, ws-order-channel: cancelSource); "0" is the system."""


def average_text(order: Order) -> str:
    """The mean price of what was filled, "" before the first fill."""
    places = order.pair.price_precision + 6
    return short(order.average(places), places) if order.cum_qty else ""


def fee_of(order: Order) -> tuple[str, str]:
    """(what was paid in all, negative; in which currency): of what is received."""
    pair = order.pair
    asset = pair.base if order.spec.side == "buy" else pair.quote
    return short(-order.fees.get(asset, 0), UNIT), asset


def order_row(venue: OkxVenue, order: Order, fill: Fill | None = None) -> dict[str, Any]:
    """One order as REST shows it, with its last fill."""
    pair, spec, extra = order.pair, order.spec, order.spec.extra
    fee, fee_ccy = fee_of(order)
    px, sz = pair.price_precision, pair.qty_precision
    source = SOURCES.get(order.reason, "0") if STATES[order.status] == "canceled" else ""
    return {
        "instType": "SPOT", "instId": venue.names.ids[spec.symbol], "instIdCode": venue.names.codes[spec.symbol],
        "ordId": order.order_id, "clOrdId": spec.cl_ord_id, "tag": extra.get("tag", ""), "ccy": "",
        "px": short(order.price, px) if spec.order_type == "limit" else "",
        "sz": short(spec.cash, UNIT) if spec.cash else short(order.qty, sz), "ordType": type_of(order),
        "side": spec.side, "posSide": "net", "tdMode": "cash", "tgtCcy": extra.get("tgtCcy", ""),
        "state": STATES[order.status],
        "accFillSz": short(order.cum_qty, sz), "avgPx": average_text(order),
        "fillPx": short(fill.price, px) if fill else "", "fillSz": short(fill.qty, sz) if fill else "0",
        "fillTime": millis(fill.ts_ns) if fill else "", "tradeId": fill.exec_id if fill else "",
        "fee": fee, "feeCcy": fee_ccy, "rebate": "0", "rebateCcy": pair.quote if spec.side == "buy" else pair.base,
        "pnl": "0", "lever": "", "reduceOnly": "false", "category": "normal", "source": "", "cancelSource": source,
        "cancelSourceReason": "", "cTime": millis(order.opened_ns),
        "uTime": millis(order.closed_ns or order.touched_ns),
        "quickMgnType": "", "stpId": "", "stpMode": "cancel_maker", "attachAlgoOrds": [], "algoId": "",
        "algoClOrdId": "", "tradeQuoteCcy": pair.quote,
    }  # fmt: skip


def type_of(order: Order) -> str:
    """The ordType that an order was placed with; one placed by hand in the engine has the word that says the same."""
    spec = order.spec
    usual = "market" if spec.order_type == "market" else "post_only" if spec.post_only else spec.tif
    return str(spec.extra.get("ordType") or {"gtc": "limit"}.get(usual, usual))


def last_fill(venue: OkxVenue, order: Order) -> Fill | None:
    """The fill that REST shows beside an order."""
    return venue.engine.fills[order.fills[-1]] if order.fills else None


def order_frame(connection: OkxConnection, arg: str, told: Told, now_ns: int) -> str:
    """One event of the orders channel."""
    venue, fill = connection.venue, told.fill
    row = order_row(venue, told.order, fill)
    is_amended = told.kind == "amended"
    extra = told.order.spec.extra
    row |= {
        "execType": ("M" if fill.maker else "T") if fill else "", "fillFee": short(-fill.fee, UNIT) if fill else "0",
        "fillFeeCcy": fill.fee_asset if fill else "", "fillNotionalUsd": short(fill.cost, UNIT) if fill else "",
        "notionalUsd": "", "lastPx": "", "code": "0", "msg": "", "reqId": extra.get("reqId", "") if is_amended else "",
        "amendResult": "0" if is_amended else "", "amendSource": "1" if is_amended else "",
    }  # fmt: skip
    del now_ns
    return push(with_uid(arg, venue.access.uid), [row])


def failed_amend_frame(connection: OkxConnection, arg: str, order: Order, req_id: str) -> str:
    """An amendment that was acknowledged and did not come about: the order is as it was."""
    venue = connection.venue
    row = order_row(venue, order, None)
    row |= {
        "execType": "", "fillFee": "0", "fillFeeCcy": "", "fillNotionalUsd": "", "notionalUsd": "", "lastPx": "",
        "code": "51503", "msg": "Order modification failed as the order has been filled, canceled or does not exist.",
        "reqId": req_id, "amendResult": "-1", "amendSource": "1",
    }  # fmt: skip
    return push(with_uid(arg, venue.access.uid), [row])


def with_uid(arg: str, uid: str) -> str:
    """The channel's argument as private messages repeat it: with the account's number."""
    return f'{arg[:-1]},"uid":"{uid}"}}'


# --- balances -------------------------------------------------------------------------------------------------------


def account_row(venue: OkxVenue, assets: Iterable[str], now_ns: int) -> dict[str, Any]:
    """Balances as /account/balance and the account channel show them; of the dollars all that is in dollars."""
    account, at = venue.engine.account, millis(venue.clock(now_ns))
    total = sum(account.balances.get(asset, 0) for asset in ("USD", "USDT", "USDC"))
    details = []
    for asset in sorted(assets):
        cash, free, held = account.balances.get(asset, 0), account.free(asset), account.held.get(asset, 0)
        text, free_text, held_text = (short(amount, UNIT) for amount in (cash, free, held))
        details.append({
            "ccy": asset, "eq": text, "cashBal": text, "uTime": at, "availBal": free_text, "availEq": free_text,
            "frozenBal": held_text, "ordFrozen": held_text, "eqUsd": "", "disEq": "", "isoEq": "0", "liab": "",
            "interest": "", "crossLiab": "", "isoLiab": "", "upl": "", "uplLiab": "", "mgnRatio": "",
            "notionalLever": "", "maxLoan": "", "spotInUseAmt": "", "stgyEq": "0", "twap": "0",
        })  # fmt: skip
    return {
        "uTime": at, "totalEq": short(total, UNIT), "isoEq": "0", "adjEq": "", "ordFroz": "", "imr": "", "mmr": "",
        "mgnRatio": "", "notionalUsd": "", "borrowFroz": "", "upl": "", "details": details,
    }  # fmt: skip


def account_frames(connection: OkxConnection, assets: frozenset[str], now_ns: int, first: str = "") -> list[str]:
    """What the two channels say of these assets; `first`: a snapshot for the one that was just subscribed."""
    venue, frames = connection.venue, []
    account, at = venue.engine.account, millis(venue.clock(now_ns))
    for key in ("account", "balance_and_position"):
        arg = connection.channels.get(key)
        if arg is None or first not in {"", key}:
            continue
        arg = with_uid(arg, venue.access.uid)
        kind = "snapshot" if first else "event_update"
        if key == "account":
            row = account_row(venue, assets, now_ns)
            frames.append(push(arg, [row], eventType=kind, curPage=1, lastPage=True))
        else:
            now = {asset: account.balances.get(asset, 0) for asset in sorted(assets)}
            moved = [asset for asset in now if first or connection.cash.get(asset) != now[asset]]
            connection.cash |= now
            if not moved:
                continue
            rows = [{"ccy": asset, "cashBal": short(now[asset], UNIT), "uTime": at} for asset in moved]
            data = {"pTime": at, "eventType": kind if first else "filled", "balData": rows, "posData": [], "trades": []}
            frames.append(push(arg, [data]))
    return frames
