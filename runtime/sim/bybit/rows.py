"""Orders, executions, wallet and metadata as Bybit shows them, on sockets and in lists alike (venues.md 5.4). Pure.

Prices have the tick's decimals, quantities and amounts no zeros behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.exchange.numbers import MS, UNIT, fixed, millis, short
from runtime.sim.exchange.order import Fill, Order
from runtime.sim.ladder import Level
from runtime.sim.market import SimPair

if TYPE_CHECKING:
    from runtime.sim.bybit.venue import BybitVenue

STATUSES: Final = {"new": "New", "partially_filled": "PartiallyFilled", "filled": "Filled", "expired": "Cancelled"}
TIFS: Final = {"gtc": "GTC", "ioc": "IOC", "fok": "FOK"}
REASONS: Final = {
    "post_only": "EC_PostOnlyWillTakeLiquidity", "ioc": "EC_NoImmediateQtyToFill", "fok": "EC_NoImmediateQtyToFill",
    "no_liquidity": "EC_NoImmediateQtyToFill", "user": "EC_PerCancelRequest",
}  # fmt: skip
CANCELS: Final = {"user": "CancelByUser", "self_trade": "CancelBySmp", "timer": "CancelByDCP"}
STP: Final = {
    "none": "None", "cancel_newest": "CancelTaker", "cancel_oldest": "CancelMaker", "cancel_both": "CancelBoth",
}  # fmt: skip


def symbol_of(pair: SimPair) -> str:
    """The venue's own name."""
    return f"{pair.base}{pair.quote}"


def qty(pair: SimPair, lots: int) -> str:
    """A quantity."""
    return short(lots, pair.qty_precision)


def price(pair: SimPair, value: int) -> str:
    """A price."""
    return pair.price_text(value)


def money(amount: int) -> str:
    """An amount of any asset."""
    return short(amount, UNIT)


def levels(pair: SimPair, side: Iterable[Level]) -> list[list[str]]:
    """Pairs of texts; quantity 0 removes."""
    return [[price(pair, at), qty(pair, lots)] for at, lots in side]


def status(order: Order) -> str:
    """One that was canceled after a part of it was filled has a word of its own on spot."""
    if order.status == "canceled":
        return "PartiallyFilledCanceled" if order.cum_qty else "Cancelled"
    return STATUSES[order.status]


def order_row(order: Order) -> dict[str, Any]:
    """One order."""
    pair, spec = order.pair, order.spec
    average = fixed(order.average(pair.price_precision + 2), pair.price_precision + 2) if order.cum_qty else ""
    fees = {asset: money(fee) for asset, fee in order.fees.items()}
    left = order.left if order.is_open else 0
    is_over = order.status == "canceled"
    return {
        "category": "spot", "symbol": symbol_of(pair), "orderId": order.order_id, "orderLinkId": spec.cl_ord_id,
        "blockTradeId": "", "side": spec.side.capitalize(), "orderType": spec.order_type.capitalize(),
        "price": price(pair, order.price), "qty": money(spec.cash) if spec.cash else qty(pair, order.qty),
        "timeInForce": "PostOnly" if spec.post_only else TIFS[spec.tif], "isLeverage": "0", "positionIdx": 0,
        "orderStatus": status(order), "cancelType": CANCELS.get(order.reason, "UNKNOWN") if is_over else "UNKNOWN",
        "rejectReason": REASONS.get(order.reason, "EC_NoError") if is_over else "EC_NoError", "avgPrice": average,
        "leavesQty": qty(pair, left), "leavesValue": money(left * order.price * 10 ** (
            UNIT - pair.price_precision - pair.qty_precision)), "cumExecQty": qty(pair, order.cum_qty),
        "cumExecValue": money(order.cum_cost), "cumExecFee": next(iter(fees.values()), "0"), "cumFeeDetail": fees,
        "stopOrderType": "", "orderIv": "", "marketUnit": "quoteCoin" if spec.cash else "baseCoin",
        "triggerPrice": "", "takeProfit": "", "stopLoss": "", "tpslMode": "", "ocoTriggerBy": "", "tpLimitPrice": "",
        "slLimitPrice": "", "tpTriggerBy": "", "slTriggerBy": "", "triggerDirection": 0, "triggerBy": "",
        "lastPriceOnCreated": "", "reduceOnly": False, "closeOnTrigger": False, "placeType": "",
        "smpType": STP[spec.stp], "smpGroup": 0, "smpOrderId": "", "createdTime": millis(order.opened_ns),
        "updatedTime": millis(max(order.touched_ns, order.closed_ns)),
    }  # fmt: skip


def execution_row(fill: Fill, order: Order, rate_ppm: int) -> dict[str, Any]:
    """One execution; `order` as it stood just then."""
    pair = fill.pair
    return {
        "category": "spot", "symbol": symbol_of(pair), "isLeverage": "0", "orderId": fill.order_id,
        "orderLinkId": order.spec.cl_ord_id, "side": fill.side.capitalize(), "orderPrice": price(pair, order.price),
        "orderQty": qty(pair, order.qty), "leavesQty": qty(pair, order.left),
        "orderType": fill.order_type.capitalize(), "stopOrderType": "", "execFee": money(fill.fee),
        "execId": fill.exec_id, "execPrice": price(pair, fill.price), "execQty": qty(pair, fill.qty),
        "execType": "Trade", "execValue": money(fill.cost), "execTime": millis(fill.ts_ns), "isMaker": fill.maker,
        "feeRate": short(rate_ppm, 6), "feeCurrency": fill.fee_asset, "tradeIv": "", "markIv": "", "markPrice": "",
        "indexPrice": "", "underlyingPrice": "", "blockTradeId": "", "closedSize": "", "marketUnit": "",
        "seq": fill.number,
    }  # fmt: skip


def wallet(venue: BybitVenue, assets: Iterable[str]) -> dict[str, Any]:
    """The account with these coins of it; `locked` is what spot orders hold."""
    own = venue.engine.account
    coins = [
        {
            "coin": asset, "equity": money(own.balances.get(asset, 0)), "usdValue": "",
            "walletBalance": money(own.balances.get(asset, 0)), "free": "", "locked": money(own.held.get(asset, 0)),
            "spotHedgingQty": "0", "borrowAmount": "0", "availableToBorrow": "", "availableToWithdraw": "",
            "accruedInterest": "0", "totalOrderIM": "0", "totalPositionIM": "0", "totalPositionMM": "0",
            "unrealisedPnl": "0", "cumRealisedPnl": "0", "bonus": "0", "collateralSwitch": True,
            "marginCollateral": True, "spotBorrow": "0",
        }
        for asset in sorted(assets)
    ]  # fmt: skip
    rates = dict.fromkeys(("accountIMRate", "accountMMRate", "totalInitialMargin", "totalMaintenanceMargin"), "0")
    totals = dict.fromkeys(
        ("totalEquity", "totalWalletBalance", "totalMarginBalance", "totalAvailableBalance", "totalPerpUPL"), ""
    )
    return {"accountType": "UNIFIED", "accountLTV": "0"} | rates | totals | {"coin": coins}


def instrument(pair: SimPair, state: str) -> dict[str, Any]:
    """One row of instruments-info."""
    lot, least = qty(pair, 1), money(pair.cost_min * 10 ** (UNIT - pair.cost_precision))
    return {
        "symbol": symbol_of(pair), "baseCoin": pair.base, "quoteCoin": pair.quote, "innovation": "0", "status": state,
        "marginTrading": "none", "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": lot, "quotePrecision": "0.00000001", "minOrderQty": qty(pair, pair.qty_min),
            "maxOrderQty": "17000", "minOrderAmt": least, "maxOrderAmt": "8000000", "maxLimitOrderQty": "17000",
            "maxMarketOrderQty": "8500", "postOnlyMaxLimitOrderSize": "60000",
        },
        "priceFilter": {"tickSize": price(pair, pair.tick)},
        "riskParameters": {"priceLimitRatioX": "0.05", "priceLimitRatioY": "0.05"}, "symbolType": "",
    }  # fmt: skip


def day(venue: BybitVenue, pair: SimPair) -> dict[str, Any]:
    """The day's figures of a ticker."""
    figures = venue.history[pair.symbol].day
    change = (figures.close - figures.open) * 10_000 // figures.open
    return {
        "symbol": symbol_of(pair), "lastPrice": price(pair, figures.close), "highPrice24h": price(pair, figures.high),
        "lowPrice24h": price(pair, figures.low), "prevPrice24h": price(pair, figures.open),
        "volume24h": qty(pair, figures.volume),
        "turnover24h": short(figures.turnover, pair.price_precision + pair.qty_precision),
        "price24hPcnt": short(change, 4), "usdIndexPrice": "",
    }  # fmt: skip


def at_ms(ts_ns: int) -> int:
    """Unix milliseconds."""
    return ts_ns // MS
