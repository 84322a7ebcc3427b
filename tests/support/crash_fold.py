"""What must be true after a kill, from the journal's log rows alone: written from docs/gate.md, not from the gate.

`Fold` takes rows in order, over as many lives of the session as the journal holds, and knows from them what no restart
may forget. It also looks at every approval: nothing passes a rate, a position's limit, a halt or a latch that stands
in the rows before it, on whichever side of a kill they are.
"""

from collections import Counter
from typing import Any, Final

from tests.support.crash_world import ALGOS, SYMBOLS

SECOND: Final = 10**9
DAY: Final = 86_400 * SECOND
FINISHED: Final = ("canceled", "rejected", "expired")
MONEY: Final = ("DAILY_LOSS", "DRAWDOWN")
Key = tuple[Any, ...]


class Money:
    """One position: average cost, to the last 1e-17."""

    def __init__(self) -> None:
        self.position = self.cost = self.realized = 0
        self.open = {1: 0, -1: 0}

    def trade(self, side: int, qty: int, px: int, fee: int) -> None:
        self.realized -= fee * 10**8
        closed = min(qty, abs(self.position)) if self.position * side < 0 else 0
        if closed:
            out = self.cost * closed // abs(self.position)  # what the floor leaves stays in the cost
            self.realized += out - closed * px if side > 0 else closed * px - out
            self.cost = 0 if qty > closed else self.cost - out
        self.position += side * qty
        self.cost += (qty - closed) * px

    @property
    def worst(self) -> int:
        return max(self.position + self.open[1], self.open[-1] - self.position, 0)


class Order:
    """One approved order, as the rows tell of it."""

    def __init__(self, algo: str, market: str, row: dict[str, Any]) -> None:
        self.algo, self.market, self.order_id = algo, market, row["order_id"]
        self.side, self.qty, self.is_market = row["side"], row["qty_1e8"], row["order_type"] == "market"
        self.px = 0 if self.is_market else row["px_1e9"]
        self.most = self.leaves = self.qty
        self.filled = self.refused = self.end = 0
        self.asked: list[tuple[int, int]] = []  # unanswered amends: price, total
        self.execs: set[str] = set()


class Fold:
    """`names`: the two venues, the first being every algo's own. Give it all rows, in order."""

    def __init__(self, names: tuple[str, str], *, is_paper: bool) -> None:
        self.names, self.is_paper = names, is_paper
        self.limits: dict[Key, Any] = {}
        self.algo_money: dict[Key, Money] = {}
        self.money: dict[str, Money] = {}
        self.open: dict[str, Order] = {}
        self.finished: dict[str, Order] = {}
        self.times: dict[str, dict[str, list[int]]] = {"orders": {}, "cancels": {}}
        self.equals: list[Key] = []
        self.repeats: list[Key] = []
        self.refusals: list[Key] = []
        self.repeat_latched: dict[str, tuple[int, int]] = {}
        self.latches: dict[Key, tuple[int, int]] = {}  # scope, quote, reason → observed, when
        self.drifts: set[str] = set()
        self.causes: dict[str, tuple[str, str, str, int]] = {}
        self.sha: dict[str, str] = {}
        self.orders_of: dict[str, int] = {}
        self.grants: set[str] = set()
        self.overridden: set[str] = set()
        self.promoted: set[str] = set()
        self.totals: dict[str, dict[str, int]] = {}
        self.approvals = self.day_end = self.now = self.at_ns = self.state_ns = self.swept_ns = 0
        self.seen = Counter[str]()  # how often what happened, to know that it did

    def take(self, kind: str, now_ns: int, body: dict[str, Any]) -> None:
        """One row."""
        if kind == "session":
            self._begins(body)
            return
        if kind != "limit":  # those of a start stand at the machine's time, not at the session's
            self.now, self.at_ns = max(self.now, now_ns), now_ns
        if kind == "state":
            self.state_ns = now_ns
        self.seen[kind] += 1
        handler = getattr(self, f"_on_{kind}", None)
        if handler is not None:
            handler(body)

    def _begins(self, body: dict[str, Any]) -> None:
        """Another life: the limits that it was started with; on paper the venue's orders died with the process."""
        was, self.limits = self.limits, {(s, k): v for s, said in body["limits"].items() for k, v in said.items()}
        self._forget_windows(was)
        self.sha = {algo["name"]: algo["sha256"] for algo in body["algos"]}
        self.finished = {}
        self.dies()

    def dies(self) -> None:
        """The process is gone, and on paper the venue's orders with it."""
        for name in list(self.open) if self.is_paper else ():
            self._finish(name)

    def _forget_windows(self, was: dict[Key, Any]) -> None:
        """What a limit counts over time, it counts from the moment on that somebody says it."""
        for scope in {scope for scope, _ in (*was, *self.limits)}:
            if (scope, "max_order_rate") not in self.limits or (scope, "max_order_rate") not in was:
                for kind in self.times.values():
                    kind.pop(scope, None)

    # --- people, and what the gate did by itself -------------------------------------------------------------------

    def _on_command(self, body: dict[str, Any]) -> None:
        if body["name"] == "arm":
            scope = body.get("target", "all") or "all"
            is_all = scope == "all"
            self.latches = {key: seen for key, seen in self.latches.items() if not (is_all or key[0] == scope)}
            kind, _, name = scope.partition(":")
            armed = set(ALGOS) if is_all else {name} if kind == "algo" else set()
            self.repeats = [one for one in self.repeats if one[1] not in armed]
            self.refusals = [one for one in self.refusals if one[1] not in armed]
            self.drifts = {one for one in self.drifts if not is_all and name not in (one, *one.split(":", 1))}
            for algo in armed & set(self.repeat_latched):
                del self.repeat_latched[algo]

    def _on_switch(self, body: dict[str, Any]) -> None:
        if body["after"] == "ACTIVE":
            self.causes.pop(body["scope"], None)
        else:
            self.causes[body["scope"]] = body["after"], body["what"], body["who"], self.at_ns
        self._count(f"{body['what'].split(':')[0]} {body['scope'].split(':')[0]}")

    def _on_latch(self, body: dict[str, Any]) -> None:
        self._count(body["reason"])
        if body["reason"] in MONEY:
            self.latches[body["scope"], body["quote"], body["reason"]] = body["observed"], self.at_ns
        elif body["reason"] == "POSITION_DRIFT":
            self.drifts.add(body["scope"].removeprefix("instrument:"))
        else:
            self.repeat_latched[body["scope"].removeprefix("algo:")] = body["limit"], body["observed"]

    def _on_limit(self, body: dict[str, Any]) -> None:
        was, key = dict(self.limits), (body["scope"], body["key"])
        if key == ("account", "promoted"):
            self.promoted = set(body["after"] or ())
            return
        self.limits.pop(key, None)
        if body["after"] is not None:
            self.limits[key] = body["after"]
        self._forget_windows(was)

    def _on_override(self, body: dict[str, Any]) -> None:
        self.grants.add(body["grant"])
        self.overridden.add(body["client_order_id"])

    def _on_promote(self, body: dict[str, Any]) -> None:
        self.promoted.add(body["sha256"])

    def _on_roll(self, body: dict[str, Any]) -> None:
        self.day_end = body["day_end_ns"]

    def _refused(self, algo: str) -> None:
        """Of a halted algo nothing is counted; the row of a storm stands before the refusals that made it."""
        state, what, _, since = self.causes.get(f"algo:{algo}", ("ACTIVE", "", "", 0))
        if state == "HALTED":
            window_ns = self.limits["account", "refusal_window_ns"]
            lately = sum(one == algo and self.at_ns - at < window_ns for at, one in self.refusals)
            if since < self.at_ns or not what.startswith("refusal storm: ") or lately >= int(what.split()[2]):
                return
        self.refusals.append((self.at_ns, algo))

    def _count(self, what: str) -> None:
        self.seen[what] += 1

    # --- actions ---------------------------------------------------------------------------------------------------

    def _on_action(self, row: dict[str, Any]) -> None:
        now_ns = self.at_ns
        algo = row["algo"]
        if row["verdict"] == "denied":
            self._count(row["reason"])
            if row["reason"] != "UNKNOWN_ORDER":
                self._refused(algo)
            return
        assert row["approval"] > self.approvals, "an approval's number was given before"
        self.approvals = row["approval"]  # those between are cancel-alls
        if row["kind"] == "cancel":
            name = row["client_order_id"]
            if row["by"] == "gateway":
                self.swept_ns = now_ns
            self._message("cancels", self.open.get(name) or self.finished[name], now_ns, is_bound=False)
            return
        if row["kind"] == "amend":
            self._amended(self.open[row["client_order_id"]], row, now_ns)
            return
        venue = self.names[1] if row["venue_id"] == 2 else self.names[0]
        order = Order(algo, f"{venue}:{SYMBOLS[row['symbol_idx']]}", row)
        name = row["client_order_id"]
        assert name not in self.open, f"{name} is twice there"
        self._message("orders", order, now_ns, is_bound=True)
        before = self._worsts(order)
        self.open[name] = order
        self._reserve(order, order.leaves)
        if name not in self.overridden:
            self._bounded(order, before, now_ns)
        self.equals.append((now_ns, algo, order.market, order.side, order.px, order.qty, self._type(row)))
        if ("canary", "max_orders") in self.limits and self.sha[algo] not in self.promoted:
            self.orders_of[self.sha[algo]] = self.orders_of.get(self.sha[algo], 0) + 1

    @staticmethod
    def _type(row: dict[str, Any]) -> int:
        return ("limit", "market", "ioc", "fok", "post_only").index(row["order_type"])

    def _amended(self, order: Order, row: dict[str, Any], now_ns: int) -> None:
        self._message("orders", order, now_ns, is_bound=True)
        before = self._worsts(order)
        order.asked.append((row["px_1e9"], row["qty_1e8"]))
        order.most = max(order.most, row["qty_1e8"])
        self._leave(order, max(order.most - order.filled, 0))
        self._bounded(order, before, now_ns)

    def scopes(self, order: Order) -> list[str]:
        """Those that say a limit count; an algo's own come last."""
        venue, _, symbol = order.market.partition(":")
        of_market = ["account", f"venue:{venue}", f"instrument:{symbol}", f"instrument:{order.market}"]
        return [*of_market, f"algo:{order.algo}"]

    def _message(self, kind: str, order: Order, now_ns: int, *, is_bound: bool) -> None:
        for scope in self.scopes(order):
            limit = self.limits.get((scope, "max_order_rate"))
            if limit is None:
                continue
            times = self.times[kind].setdefault(scope, [])
            lately = sum(now_ns - at < SECOND for at in times)
            assert not is_bound or lately < limit, f"{scope}: {lately + 1} messages in a second, {limit} may be"
            times.append(now_ns)

    def _worsts(self, order: Order) -> tuple[int, int]:
        return self._at(order.market).worst, self._own(order).worst

    def _bounded(self, order: Order, before: tuple[int, int], now_ns: int) -> None:
        """What makes the worst case worse keeps within every limit, and passes no halt and no latch."""
        base, quote = order.market.partition(":")[2].split("/")
        more = [after - was for was, after in zip(before, self._worsts(order), strict=True)]
        for scope in self.scopes(order):
            is_own = scope.startswith("algo:")
            if more[is_own] <= 0:
                continue
            limit = self.limits.get((scope, "max_position_1e8"))
            if limit is not None:
                held = sum(
                    money.worst for key, money in (self.algo_money if is_own else self.money).items()
                    if self._lies(scope, key) and self._base(key) == base
                )  # fmt: skip
                assert held <= limit, f"{scope}: worst case {held} of {base}, {limit} may be"
            for reason in MONEY:
                _, at = self.latches.get((scope, quote, reason), (0, now_ns))
                assert at >= now_ns or more[0] <= 0, (
                    f"{scope} is latched by {reason}, and {order.market} was let through"
                )
        for scope in ("all", *self.scopes(order)):
            state, _, _, since = self.causes.get(scope, ("ACTIVE", "", "", 0))
            is_more = state == "HALTED" or (state == "REDUCING" and more[scope.startswith("algo:")] > 0)
            assert not is_more or since >= now_ns, f"{scope} is {state}, and {order.market} was let through"

    def _base(self, key: Any) -> str:
        market: str = key if isinstance(key, str) else key[1]
        return market.partition(":")[2].split("/")[0]

    @staticmethod
    def _lies(scope: str, key: Any) -> bool:
        kind, _, name = scope.partition(":")
        if kind == "algo":
            return bool(key[0] == name)
        venue, _, symbol = key.partition(":")
        return kind == "account" or name in {"venue": (venue,), "instrument": (symbol, key)}[kind]

    # --- reports ---------------------------------------------------------------------------------------------------

    def _on_report(self, row: dict[str, Any]) -> None:
        now_ns = self.at_ns
        name, kind = row["client_order_id"], row["exec_type"]
        order, is_open = self.open.get(name) or self.finished.get(name), name in self.open
        if order is None:
            return
        if is_open and kind in ("rejected", "replace_rejected"):
            self._refused(order.algo)
        if kind == "trade" and row["exec_id"] not in order.execs:
            self._traded(order, row, now_ns)
            cum, leaves = row.get("cum_qty_1e8", 0), row.get("leaves_qty_1e8", 0)
            order.end = cum if cum and not leaves else order.end
            whole = order.end or max(order.qty, cum + leaves)
            if is_open:
                self._leave(order, max(order.most - order.filled, 0))
            if is_open and order.filled >= whole:
                self._finish(name)
        elif is_open and (kind == "replace_rejected" or (kind == "replaced" and row.get("qty_1e8"))):
            self._answered(order, row)
            if not order.asked and order.filled >= order.qty:
                self._finish(name)
        elif is_open and kind in FINISHED and row.get("cum_qty_1e8", 0) > order.filled:
            order.asked, order.refused = [], 0  # executions that were not told yet stay open
            order.end = order.most = row["cum_qty_1e8"]
            self._leave(order, order.most - order.filled)
        elif is_open and kind in FINISHED:
            self._finish(name)

    def _answered(self, order: Order, row: dict[str, Any]) -> None:
        """An amend took effect, or one was refused, nobody says which: the largest counts until all are answered."""
        if row["exec_type"] == "replace_rejected":
            order.refused += 1
        else:
            px, order.qty = row.get("px_1e9", 0), row["qty_1e8"]
            order.px = px or order.px
            meant = [one for one in order.asked if one[1] == order.qty and px in (0, one[0])]
            if meant:
                order.asked.remove(meant[0])
        if order.refused >= len(order.asked):
            order.asked, order.refused = [], 0
        order.most = max([order.qty, *(total for _, total in order.asked)])
        self._leave(order, max(order.most - order.filled, 0))

    def _traded(self, order: Order, row: dict[str, Any], now_ns: int) -> None:
        qty, px, fee = row["last_qty_1e8"], row["last_px_1e9"], row.get("fee_1e9", 0)
        order.execs.add(row["exec_id"])
        if not order.filled:
            self.repeats.append((now_ns, order.algo, order.market, order.side))
        order.filled += qty
        for money in (self._at(order.market), self._own(order)):
            money.trade(order.side, qty, px, fee)
        venue, _, symbol = order.market.partition(":")
        base, quote = symbol.split("/")
        moved = self.totals.setdefault(venue, {})
        moved[base] = moved.get(base, 0) + order.side * qty * 10**9
        moved[quote] = moved.get(quote, 0) - order.side * qty * px - fee * 10**8

    def _at(self, market: str) -> Money:
        return self.money.setdefault(market, Money())

    def _own(self, order: Order) -> Money:
        return self.algo_money.setdefault((order.algo, order.market), Money())

    def _reserve(self, order: Order, more: int) -> None:
        for money in (self._at(order.market), self._own(order)):
            money.open[order.side] += more

    def _leave(self, order: Order, leaves: int) -> None:
        self._reserve(order, leaves - order.leaves)
        order.leaves = leaves

    def _finish(self, name: str) -> None:
        self._leave(self.open[name], 0)
        self.finished[name] = self.open.pop(name)
