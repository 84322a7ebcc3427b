"""Orders at OKX, as the private socket and REST both take them: items with their own codes (venues.md 4.3). Pure.

An answer says that an order was taken, not what became of it: that is the orders channel's to tell. `code` is 0 when
every item was taken, 1 when none was, 2 otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from runtime.sim.exchange.desk import Asked
from runtime.sim.exchange.numbers import UNIT, millis, scaled
from runtime.sim.exchange.order import NewSpec, Order
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.market import SimPair
from runtime.sim.okx.words import NEUTRAL, NO_INSTRUMENT, OF_REQUESTS, TIMED_OUT, UNKNOWN_OUTCOME, WHOLE, words

if TYPE_CHECKING:
    from runtime.sim.okx.venue import OkxVenue

OPS: Final = frozenset(NEUTRAL)
MOST: Final = 20
TYPES: Final = {"market": "ioc", "limit": "gtc", "post_only": "gtc", "fok": "fok", "ioc": "ioc"}
STP: Final = {"": "", "cancel_maker": "cancel_oldest", "cancel_taker": "cancel_newest", "cancel_both": "cancel_both"}
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}")
Told = dict[str, Any]


class Request(msgspec.Struct, frozen=True):
    """One request. `act` carries it out, `refuse` answers it when it is refused as a whole: code, msg, data."""

    venue: OkxVenue
    op: str
    args: list[Any]
    exp_time: object = None
    is_rest: bool = False

    def act(self, asked: Asked) -> Told:
        """Does what is asked. Raises Refused for the whole of it."""
        is_batch = self.op.startswith("batch")
        if not self.args or len(self.args) > (MOST if is_batch else 1):
            return {"code": "60013", "msg": "Invalid args", "data": []}
        if "trade" not in self.venue.access.permissions:
            raise Refused(Refusal.PERMISSION)
        late = self._is_late(asked.now_ns)
        if late is None:
            return {"code": "51000", "msg": "Parameter expTime error", "data": []}
        if late:
            return self._same(*TIMED_OUT)
        limited = self.venue.rates.check(self.op, [self._symbol(item) for item in self.args], asked.now_ns)
        if limited is not None:
            return {"code": limited[0], "msg": limited[1], "data": []}
        return self._sum([self._item(item, asked) for item in self.args])

    def refuse(self, refused: Refused) -> Told:
        """What is answered when the request is refused, or when nobody is to know what became of it."""
        code, text = words(refused, self.op)
        if self.is_rest and refused.refusal is Refusal.BUSY:
            code, text = UNKNOWN_OUTCOME
        if refused.refusal in WHOLE or code.startswith(OF_REQUESTS):
            return {"code": code, "msg": text, "data": []}
        return self._same(code, text)

    def _is_late(self, now_ns: int) -> bool | None:
        """Whether its time is over; None where that is no time."""
        if self.exp_time is None:
            return False
        text = str(self.exp_time)
        return int(text) * 10**6 < self.venue.clock(now_ns) if text.isdigit() and len(text) < 16 else None

    def _symbol(self, item: Any) -> str:
        return self.venue.names.meant(item) if isinstance(item, dict) else ""

    def _same(self, code: str, text: str) -> Told:
        rows = [self._row(item if isinstance(item, dict) else {}, code, text) for item in self.args]
        return self._sum(rows)

    def _sum(self, rows: list[Told]) -> Told:
        bad = sum(row["sCode"] != "0" for row in rows)
        code = "0" if not bad else "1" if bad == len(rows) else "2"
        return {"code": code, "msg": "All operations failed" if code == "1" and len(rows) > 1 else "", "data": rows}

    def _row(self, item: dict[str, Any], code: str, text: str, order: Order | None = None) -> Told:
        row = {
            "clOrdId": order.spec.cl_ord_id if order else str(item.get("clOrdId", "")),
            "ordId": order.order_id if order else str(item.get("ordId", "")),
            "ts": millis(self.venue.clock(self.venue.now_ns)), "sCode": code, "sMsg": text,
        }  # fmt: skip
        kind = NEUTRAL[self.op]
        more = {"tag": str(item.get("tag", ""))} if kind == "new" else {}
        return row | more | ({"reqId": str(item.get("reqId", ""))} if kind == "amend" else {})

    def _item(self, item: Any, asked: Asked) -> Told:
        """One order of the request."""
        if not isinstance(item, dict):
            return self._row({}, "51000", "Parameter args error")
        symbol = self.venue.names.meant(item)
        if not symbol:
            return self._row(item, *NO_INSTRUMENT)
        try:
            acts: dict[str, Callable[[dict[str, Any], str, Asked], Order]] = {
                "new": self._new, "amend": self._amend, "cancel": self._cancel,
            }  # fmt: skip
            return self._row(item, "0", "", acts[NEUTRAL[self.op]](item, symbol, asked))
        except Refused as refused:
            return self._row(item, *words(refused, self.op))

    def _new(self, item: dict[str, Any], symbol: str, asked: Asked) -> Order:
        return self.venue.desk.place(new_spec(item, symbol, self.venue.pairs[symbol]), asked)

    def _find(self, item: dict[str, Any], symbol: str) -> Order:
        order_id, client_id = item.get("ordId", ""), item.get("clOrdId", "")
        if not isinstance(order_id, str) or not isinstance(client_id, str) or not (order_id or client_id):
            raise Refused(Refusal.ARGUMENT, "ordId")
        return self.venue.engine.find(order_id=order_id, cl_ord_id="" if order_id else client_id, symbol=symbol)

    def _cancel(self, item: dict[str, Any], symbol: str, asked: Asked) -> Order:
        order = self._find(item, symbol)
        self.venue.desk.cancel(order, asked)
        return order

    def _amend(self, item: dict[str, Any], symbol: str, asked: Asked) -> Order:
        order, req_id = self._find(item, symbol), item.get("reqId", "")
        if not isinstance(req_id, str) or len(req_id) > 32:
            raise Refused(Refusal.ARGUMENT, "reqId")
        if "newSz" not in item and "newPx" not in item:
            raise Refused(Refusal.ARGUMENT, "newSz")
        pair = order.pair
        qty = number(item["newSz"], pair.qty_precision, Refusal.SIZE_GRID, "newSz") if item.get("newSz") else 0
        price = number(item["newPx"], pair.price_precision, Refusal.PRICE_GRID, "newPx") if item.get("newPx") else 0
        if self.venue.faults.fires("amend_fails", asked.age_ns, asked.index, asked.method):
            self.venue.amend_failed(order, req_id, ends=item.get("cxlOnFail") is True)
            return order
        before, order.spec = order.spec, with_extra(order.spec, reqId=req_id)
        try:
            self.venue.desk.amend(order, asked, qty=qty, price=price)
        except Refused:
            order.spec = before
            if item.get("cxlOnFail") is True and order.is_open:
                self.venue.engine.cancel(order, asked.now_ns, "amend")
            raise
        return order


def with_extra(spec: NewSpec, **more: str) -> NewSpec:
    """The same order with more of the venue's own fields."""
    return msgspec.structs.replace(spec, extra={**spec.extra, **more})


def number(value: object, decimals: int, finer: Refusal, name: str) -> int:
    """A text in units of 10^-decimals, above zero. Raises Refused: what is no text is no number here."""
    found = scaled(value, 40) if isinstance(value, str) else None
    if found is None or found <= 0:
        raise Refused(Refusal.ARGUMENT, name)
    exact = scaled(value, decimals)
    if exact is None:
        raise Refused(finer)
    return exact


def new_spec(item: dict[str, Any], symbol: str, pair: SimPair) -> NewSpec:
    """The order that an item asks for. Raises Refused."""
    side, kind, client_id = item.get("side"), item.get("ordType"), item.get("clOrdId", "")
    if item.get("tdMode") != "cash":
        raise Refused(Refusal.ARGUMENT, "tdMode")
    if side not in {"buy", "sell"}:
        raise Refused(Refusal.ARGUMENT, "side")
    if not isinstance(kind, str) or kind not in TYPES:
        raise Refused(Refusal.ARGUMENT, "ordType")
    if client_id != "" and not (isinstance(client_id, str) and _CLIENT_ID.fullmatch(client_id)):
        raise Refused(Refusal.ARGUMENT, "clOrdId")
    tag, target, stp = item.get("tag", ""), item.get("tgtCcy", ""), item.get("stpMode", "")
    if not isinstance(tag, str) or len(tag) > 16 or target not in {"", "base_ccy", "quote_ccy"} or stp not in STP:
        raise Refused(Refusal.ARGUMENT, "tag, tgtCcy or stpMode")
    is_market = kind == "market"
    if is_market and not target:
        target = "quote_ccy" if side == "buy" else "base_ccy"  # venues.md 4.3
    in_cash = is_market and target == "quote_ccy"
    qty = 0 if in_cash else number(item.get("sz"), pair.qty_precision, Refusal.SIZE_GRID, "sz")
    steps = number(item.get("sz"), 8, Refusal.SIZE_GRID, "sz") if in_cash else 0
    price = 0 if is_market else number(item.get("px"), pair.price_precision, Refusal.PRICE_GRID, "px")
    if price % pair.tick:
        raise Refused(Refusal.PRICE_GRID)
    return NewSpec(
        symbol=symbol, side="buy" if side == "buy" else "sell", order_type="market" if is_market else "limit",
        qty=qty, cash=steps * 10 ** (UNIT - 8), price=price, tif=TYPES[kind], post_only=kind == "post_only",
        cl_ord_id=client_id, stp=STP[stp],
        extra={"ordType": kind, "tag": tag, "tgtCcy": target if is_market else ""},
    )  # fmt: skip
