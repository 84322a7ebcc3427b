"""Orders, trades, balances and metadata as Binance's lists show them (venues.md 3.2 to 3.4). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.binance import names
from runtime.sim.exchange.account import Account
from runtime.sim.exchange.numbers import MS, UNIT, fixed
from runtime.sim.exchange.order import Fill, Order
from runtime.sim.market import SimPair

if TYPE_CHECKING:
    from runtime.sim.binance.venue import BinanceVenue

ZERO: Final = "0.00000000"
EXPIRED: Final = {
    "ioc": "UNFILLED_IOC_QUANTITY_EXPIRED", "fok": "UNFILLED_FOK_ORDER_EXPIRED",
    "no_liquidity": "INSUFFICIENT_LIQUIDITY",
}  # fmt: skip
STATUSES: Final = {"new": "NEW", "partially_filled": "PARTIALLY_FILLED", "filled": "FILLED", "expired": "EXPIRED"}
STP: Final = {
    "none": "NONE", "cancel_newest": "EXPIRE_TAKER", "cancel_oldest": "EXPIRE_MAKER", "cancel_both": "EXPIRE_BOTH",
}  # fmt: skip
SYSTEMS: Final = {"online": "TRADING", "cancel_only": "CANCEL_ONLY"}


def status(order: Order) -> str:
    """The venue's word; what nobody asked to end has expired."""
    if order.status != "canceled":
        return STATUSES[order.status]
    if order.reason == "self_trade":
        return "EXPIRED_IN_MATCH"
    return "CANCELED" if order.reason == "user" else "EXPIRED"


def kind(order: Order) -> str:
    """LIMIT, LIMIT_MAKER or MARKET."""
    return "LIMIT_MAKER" if order.spec.post_only else order.spec.order_type.upper()


def terms(order: Order) -> dict[str, Any]:
    """What every answer about an order says of it."""
    pair, spec = order.pair, order.spec
    cash = names.money(spec.cash) if spec.cash else ZERO
    return {
        "price": names.price(pair, order.price), "origQty": names.qty(pair, order.qty),
        "executedQty": names.qty(pair, order.cum_qty), "origQuoteOrderQty": cash,
        "cummulativeQuoteQty": names.money(order.cum_cost), "status": status(order), "timeInForce": spec.tif.upper(),
        "type": kind(order), "side": spec.side.upper(),
    }  # fmt: skip


def ids(order: Order) -> dict[str, Any]:
    """Who it is."""
    return {
        "symbol": names.symbol_of(order.pair), "orderId": int(order.order_id), "orderListId": -1,
        "clientOrderId": order.spec.cl_ord_id,
    }  # fmt: skip


def order_row(order: Order) -> dict[str, Any]:
    """As order.status, openOrders and allOrders show it."""
    return (
        ids(order)
        | terms(order)
        | {
            "stopPrice": ZERO, "icebergQty": ZERO, "time": order.opened_ns // MS,
            "updateTime": max(order.touched_ns, order.closed_ns) // MS, "isWorking": True,
            "workingTime": order.opened_ns // MS, "selfTradePreventionMode": STP[order.spec.stp],
        }
    )  # fmt: skip


def fill_row(fill: Fill) -> dict[str, Any]:
    """As myTrades shows it; ids of trades are unique within a symbol."""
    return {
        "symbol": names.symbol_of(fill.pair), "id": fill.trade_id, "orderId": int(fill.order_id), "orderListId": -1,
        "price": names.price(fill.pair, fill.price), "qty": names.qty(fill.pair, fill.qty),
        "quoteQty": names.money(fill.cost), "commission": names.money(fill.fee), "commissionAsset": fill.fee_asset,
        "time": fill.ts_ns // MS, "isBuyer": fill.side == "buy", "isMaker": fill.maker, "isBestMatch": True,
    }  # fmt: skip


def placed(order: Order, fills: Iterable[Fill], answer: str, now_ns: int) -> dict[str, Any]:
    """The answer to a new order: ACK, RESULT or FULL."""
    told = ids(order) | {"transactTime": now_ns // MS}
    if answer == "ACK":
        return told
    told |= terms(order) | {
        "workingTime": now_ns // MS, "selfTradePreventionMode": STP[order.spec.stp],
    }  # fmt: skip
    if answer == "FULL":
        told["fills"] = [
            {
                "price": names.price(fill.pair, fill.price), "qty": names.qty(fill.pair, fill.qty),
                "commission": names.money(fill.fee), "commissionAsset": fill.fee_asset, "tradeId": fill.trade_id,
            }
            for fill in fills
        ]  # fmt: skip
    return told


def canceled(order: Order, cancel_id: str, now_ns: int) -> dict[str, Any]:
    """The answer to a cancel: `clientOrderId` is the cancel's own."""
    told = ids(order) | {"origClientOrderId": order.spec.cl_ord_id, "clientOrderId": cancel_id}
    return told | {"transactTime": now_ns // MS} | terms(order) | {"selfTradePreventionMode": STP[order.spec.stp]}


def balances(account: Account, assets: Iterable[str]) -> list[tuple[str, str, str]]:
    """(asset, free, locked)."""
    return [
        (asset, names.money(account.free(asset)), names.money(account.held.get(asset, 0))) for asset in sorted(assets)
    ]


def account(venue: BinanceVenue, now_ns: int, *, omits_zero: bool) -> dict[str, Any]:
    """account.status."""
    own, rules = venue.engine.account, venue.engine.rules
    rows = [
        {"asset": asset, "free": free, "locked": locked} for asset, free, locked in balances(own, own.balances)
        if not omits_zero or free != ZERO or locked != ZERO
    ]  # fmt: skip
    rate = {"maker": fixed(rules.maker_ppm * 100, 8), "taker": fixed(rules.taker_ppm * 100, 8)}
    return {
        "makerCommission": rules.maker_ppm // 100, "takerCommission": rules.taker_ppm // 100, "buyerCommission": 0,
        "sellerCommission": 0, "commissionRates": {**rate, "buyer": ZERO, "seller": ZERO},
        "canTrade": "spot" in venue.access.permissions, "canWithdraw": "withdrawals" in venue.access.permissions,
        "canDeposit": True, "brokered": False, "requireSelfTradePrevention": False, "preventSor": False,
        "updateTime": now_ns // MS, "accountType": "SPOT", "balances": rows, "permissions": ["SPOT"], "uid": 354937868,
    }  # fmt: skip


def symbol_info(pair: SimPair, state: str) -> dict[str, Any]:
    """One symbol of exchangeInfo; a value of 0 in a filter means that it is off."""
    tick = names.price(pair, pair.tick)
    least = names.money(pair.cost_min * 10 ** (UNIT - pair.cost_precision))
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": names.qty(pair, pair.qty_min), "maxQty": "9000000.00000000",
         "stepSize": names.qty(pair, 1)},
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {"filterType": "MARKET_LOT_SIZE", "minQty": ZERO, "maxQty": "1000000.00000000", "stepSize": ZERO},
        {"filterType": "NOTIONAL", "minNotional": least, "applyMinToMarket": True,
         "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    ]  # fmt: skip
    return {
        "symbol": names.symbol_of(pair), "status": state, "baseAsset": pair.base, "baseAssetPrecision": 8,
        "quoteAsset": pair.quote, "quotePrecision": 8, "quoteAssetPrecision": 8, "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8, "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"], "icebergAllowed": False,
        "ocoAllowed": False, "otoAllowed": False, "opoAllowed": False, "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False, "cancelReplaceAllowed": True, "amendAllowed": True, "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True, "isMarginTradingAllowed": False, "filters": filters, "permissions": [],
        "permissionSets": [["SPOT"]], "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }  # fmt: skip


def exchange_info(venue: BinanceVenue, pairs: Iterable[SimPair], now_ns: int) -> dict[str, Any]:
    """exchangeInfo: limits and symbols."""
    states: Mapping[str, str] = venue.engine.pair_status
    symbols = []
    for pair in pairs:
        word = states[pair.symbol] if venue.engine.system == "online" else venue.engine.system
        symbols.append(symbol_info(pair, SYSTEMS.get(word, "HALT")))
    return {
        "timezone": "UTC", "serverTime": venue.clock(now_ns) // MS, "rateLimits": venue.limits.limits(),
        "exchangeFilters": [], "symbols": symbols,
    }  # fmt: skip
