"""What holds after every turn of the engine, whatever came in; held against the engine's records from outside.

Always: the gate's and the OMS's accounts agree, and so does what guests are shown; approvals rise and nothing is sent
without one; in a scope that is halted nothing is open but what a cancel is on its way for, and nothing new passes; a
`kill` of all or a venue is one cancel-all for each venue where something is open, and nothing else sends one; each
message is accounted for once; an intent gets no more than it asked for; the point of exit never finds a difference.

Where reports of one order come in order and once (`is_ordered`): position and open orders together never pass a
scope's `max_position`, and no two open orders of the account could trade with each other. A cancel's ack that
overtakes executions, or an amend's told twice, frees what is still at risk. Where they come at once (`is_prompt`): in
a scope that is halted nothing is open at all.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

from connectors.events import ExecReport, ExecType, RejectCode
from connectors.orders import Action, OrderType
from risk.happenings import Switched
from risk.states import TradingState
from runtime import abi
from runtime.abi import ActionKind, GuestStatus
from runtime.engine import Engine
from runtime.inputs import ActionRecord, Command, Input
from runtime.instance import AlgoInstance
from runtime.view import SymbolView
from tests.support.puppet import Puppet

POSITION = Struct("<q")
ENDS = frozenset({RejectCode.KILL_SWITCH, RejectCode.DAILY_LOSS_LIMIT})


class ViolationError(Exception):
    """Something that must hold did not."""


class StormGuest(Puppet):
    """A puppet that counts its messages and keeps no records; `answers(guest, callback, records)` is what it does."""

    def __init__(
        self, index: int, *callbacks: str, answers: Callable[["StormGuest", str, tuple[Any, ...]], list[Action]]
    ) -> None:
        super().__init__(*callbacks, name=f"g{index}")
        self.index = index
        self.messages_sent = self.messages_heard = 0
        self._does = answers

    def send(self, receiver: int, payload: bytes) -> None:
        self.messages_sent += 1
        super().send(receiver, payload)

    def _called(self, callback: str, *records: Any) -> list[Action]:
        self.messages_heard += callback == "on_message"
        return self._does(self, callback, records)


class AskedIntent:
    """An intent that was let through: what it asked for, and got."""

    def __init__(self, qty_1e8: int) -> None:
        self.qty_1e8 = qty_1e8
        self.got_1e8 = 0
        self.executions: set[tuple[str, str]] = set()
        self.is_over = False  # its guest was told so


class Invariants:
    """`check` after every turn, `rejected` whenever a guest hears on_reject. Raises ViolationError."""

    def __init__(self, engine: Engine, guests: Sequence[StormGuest], *, is_prompt: bool, is_ordered: bool) -> None:
        self._engine = engine
        self._guests = guests
        self._is_prompt = is_prompt
        self._is_ordered = is_ordered
        self._halted: set[str] = set()
        self._open: dict[str, int] = {}  # client order id → market, after the turn before
        self._approval = self._action = 0
        self._approved: dict[str, set[str]] = {"add_order": set(), "amend_order": set(), "cancel_order": set()}
        self._sent: set[str] = set()
        self._intents: dict[tuple[int, int], AskedIntent] = {}
        self._intent_of: dict[str, AskedIntent] = {}
        self._rejects: list[tuple[int, tuple[int, int]]] = []  # how long the trace was, and the intent that ended

    def rejected(self, algo: int, order_id: int, code: int) -> None:
        """These codes end an intent of this id, unless they are the answer to another action with it."""
        trace = self._engine.trace
        last = trace[-1] if trace else None
        is_answer = (
            isinstance(last, ActionRecord)
            and last.denied is not None
            and (last.algo, last.action[0], last.denied.code) == (algo, order_id, code)
        )
        if code in ENDS and not is_answer:
            self._rejects.append((len(trace), (algo, order_id)))

    def check(self, given: Input) -> None:
        scope = (given.target or "all") if isinstance(given, Command) and given.name in ("kill", "arm") else ""
        is_kill = isinstance(given, Command) and given.name == "kill"
        if is_kill:
            self._halted.add(scope)
        elif scope:
            self._halted = set() if scope == "all" else self._halted - {scope}
        self._trace()
        self._money()
        self._orders()
        self._asides(scope if is_kill else "")
        self._stopped(scope if is_kill else "")
        if self._engine.tap.difference:
            raise ViolationError(f"the point of exit: {self._engine.tap.difference}")
        for algo in self._engine.algos:
            self._table(algo)
        self._messages()
        live_orders = self._engine.gate.account.live.items()
        self._open = {name: live.instrument for name, live in live_orders if not live.is_over}

    def _scopes(self, algo: int, market: int) -> set[str]:
        """Those an order lies in, from the session's own names."""
        engine = self._engine
        venue, _, rest = engine.names[market].partition(":")
        symbol = next((port.pools[market].symbol for port in engine.ports.values() if market in port.pools), rest)
        return {
            "all", f"venue:{venue}", f"instrument:{symbol}", f"instrument:{engine.names[market]}",
            f"algo:{engine.algos[algo].name}",
        }  # fmt: skip

    # --- what went out ---------------------------------------------------------------------------------------------

    def _trace(self) -> None:
        """The turn's records in order, each told intent's end between them."""
        rejects, self._rejects = self._rejects, []
        at = 0
        for n, record in enumerate(self._engine.trace):
            while at < len(rejects) and rejects[at][0] <= n:
                self._end_intent(rejects[at][1])
                at += 1
            if isinstance(record, ActionRecord):
                self._record(record)
            elif isinstance(record, ExecReport):
                self._report(record)
            elif isinstance(record, bytes):
                self._bytes(record)
        for _, key in rejects[at:]:
            self._end_intent(key)

    def _end_intent(self, key: tuple[int, int]) -> None:
        if key in self._intents:
            self._intents[key].is_over = True

    def _record(self, record: ActionRecord) -> None:
        if record.n <= self._action:
            raise ViolationError(f"action {record.n} after {self._action}")
        self._action = record.n
        kind, key = record.action[4], (record.algo, record.action[0])
        is_later = record.by == "intent"  # one more order of an intent
        if is_later and self._intents[key].is_over:
            raise ViolationError(f"intent {key} is asked again after its guest was told that it is over")
        if not record.approval:
            return
        if record.approval <= self._approval:
            raise ViolationError(f"approval {record.approval} after {self._approval}")
        self._approval = record.approval
        if kind != ActionKind.CANCEL:
            oms = self._engine.oms
            order = oms.orders.get(record.client_order_id) or oms.finished[record.client_order_id]
            if stopped := self._scopes(record.algo, order.instrument) & self._halted:
                raise ViolationError(f"approved though killed, {stopped}: {record.action}")
        method = {ActionKind.CANCEL: "cancel_order", ActionKind.AMEND: "amend_order"}.get(ActionKind(kind), "add_order")
        self._approved[method].add(record.client_order_id)
        if kind == ActionKind.INTENT and not is_later:
            self._intents[key] = AskedIntent(record.action[2])
        if kind == ActionKind.INTENT or is_later:
            self._intent_of[record.client_order_id] = self._intents[key]

    def _bytes(self, data: bytes) -> None:
        """No order leaves without its approval, none twice."""
        if b"_order" not in data:
            return
        request = json.loads(data)
        name = request["params"]["cl_ord_id"]
        name = name[0] if isinstance(name, list) else name
        if name not in self._approved[request["method"]]:
            raise ViolationError(f"{request['method']} of {name} was sent without an approval")
        if request["method"] == "add_order":
            if name in self._sent:
                raise ViolationError(f"{name} was sent twice")
            self._sent.add(name)

    def _report(self, report: ExecReport) -> None:
        """What an intent's orders got, each execution once."""
        intent = self._intent_of.get(report.client_order_id)
        execution = (report.client_order_id, report.exec_id)
        if intent is None or report.exec_type is not ExecType.TRADE or execution in intent.executions:
            return
        intent.executions.add(execution)
        intent.got_1e8 += report.last_qty_1e8
        if intent.got_1e8 > intent.qty_1e8:
            raise ViolationError(f"an intent of {intent.qty_1e8} got {intent.got_1e8}")

    # --- accounts --------------------------------------------------------------------------------------------------

    def _money(self) -> None:
        """Positions of gate and OMS, and the gate's sums of what is open."""
        engine, account = self._engine, self._engine.gate.account
        held, buys, sells = Counter[int](), Counter[int](), Counter[int]()
        for (_, market), position in engine.oms.positions.items():
            held[market] += position.qty_1e8
        for live in account.live.values():
            (buys if live.side > 0 else sells)[live.instrument] += live.leaves_1e8
        owns = Counter({key: position.qty_1e8 for key, position in engine.oms.positions.items()})
        for market, exposure in enumerate(account.exposures):
            if exposure.position_1e8 != held[market]:
                raise ViolationError(f"market {market}: gate holds {exposure.position_1e8}, OMS {held[market]}")
            if (exposure.open_buy_1e8, exposure.open_sell_1e8) != (buys[market], sells[market]):
                raise ViolationError(f"market {market}: the sums of what is open are not those of its orders")
            for algo, own in enumerate(account.owns):
                if own[market].position_1e8 != owns[algo, market]:
                    raise ViolationError(f"market {market}: gate holds other than the OMS of algo {algo}")
        if self._is_ordered:
            self._positions(held, buys, sells)

    def _positions(self, held: Counter[int], buys: Counter[int], sells: Counter[int]) -> None:
        """Each scope's position, summed over its markets of one base currency, is within what it says."""
        engine = self._engine
        worst = defaultdict[tuple[str, str], int](int)
        algos: dict[int, list[Counter[int]]] = {a: [Counter(), Counter(), Counter()] for a in range(len(engine.algos))}
        for (algo, market), position in engine.oms.positions.items():
            algos[algo][0][market] = position.qty_1e8
        for live in engine.gate.account.live.values():
            algos[live.algo][1 if live.side > 0 else 2][live.instrument] += live.leaves_1e8
        for market in range(len(engine.names)):
            base = engine.gate.markets[market].symbol.partition("/")[0]
            longest = max(held[market] + buys[market], sells[market] - held[market], 0)
            for scope in self._scopes(0, market) - {"all", f"algo:{engine.algos[0].name}"} | {"account"}:
                worst[scope, base] += longest
            for algo, (own, own_buys, own_sells) in algos.items():
                longest = max(own[market] + own_buys[market], own_sells[market] - own[market], 0)
                worst[f"algo:{engine.algos[algo].name}", base] += longest
        said = {scope.label: scope.values.get("max_position_1e8") for scope in engine.gate.tree.scopes}
        said["account"] = engine.gate.tree.account.max_position_1e8
        for (scope, base), total in worst.items():
            most = said.get(scope)
            if most is not None and total > most:
                raise ViolationError(f"{scope}: worst case {total} {base} of {most}")

    def _orders(self) -> None:
        """The same orders are open for gate and OMS; intents wait or have one open."""
        engine, account = self._engine, self._engine.gate.account
        untold = {name for name, live in account.live.items() if live.is_over}
        for live in (account.live[name] for name in untold):  # over, and counted for what was not told of it yet
            if live.leaves_1e8 != live.end_1e8 - live.filled_1e8 or live.leaves_1e8 <= 0:
                raise ViolationError(f"{live.client_order_id} is over and counts {live.leaves_1e8}")
        alive = {name: live for name, live in account.live.items() if not live.is_over}
        if engine.oms.orders.keys() != alive.keys():
            raise ViolationError(f"open for one alone: {engine.oms.orders.keys() ^ alive.keys()}")
        if {(live.algo, live.order_id): name for name, live in alive.items()} != account.open_ids:
            raise ViolationError("the gate's ids are not those of its open orders")
        counts = Counter(live.algo for live in alive.values())
        if counts != Counter(account.open_counts):
            raise ViolationError(f"open orders {dict(counts)}, counted {account.open_counts}")
        intents = engine.desk.intents.open
        waiting = {key for key, intent in intents.items() if intent.is_waiting}
        if waiting != engine.gate.reserved:
            raise ViolationError(f"intents waiting {waiting}, ids reserved {engine.gate.reserved}")
        if not intents.keys() <= waiting | account.open_ids.keys():
            raise ViolationError("an intent neither waits nor has an order open")
        if self._is_ordered:
            self._crossing()

    def _crossing(self) -> None:
        """No two open orders of the account could trade with each other."""
        highest, lowest = dict[int, int](), dict[int, int]()
        for order in self._engine.oms.orders.values():
            market, is_market = order.instrument, order.order_type == OrderType.MARKET
            if order.side > 0:
                highest[market] = max(highest.get(market, 0), 2**64 if is_market else order.px_1e9)
            else:
                lowest[market] = min(lowest.get(market, 2**64), 0 if is_market else order.px_1e9)
        for market in highest.keys() & lowest.keys():
            if highest[market] >= lowest[market]:
                raise ViolationError(f"market {market}: own orders cross, {highest[market]} ≥ {lowest[market]}")

    # --- what is halted --------------------------------------------------------------------------------------------

    def _asides(self, killed: str) -> None:
        """What the gate halted by itself is halted; a cancel-all is for whole venues alone, one each."""
        engine = self._engine
        scopes = [one.scope for one in engine.asides if isinstance(one, Switched) and one.after is TradingState.HALTED]
        self._halted |= {*scopes}
        sent = [record for record in engine.trace if isinstance(record, bytes) and b'"cancel_all"' in record]
        whole = [scope for scope in {*scopes, killed} if scope == "all" or scope.startswith("venue:")]
        encoding = [f"venue:{port.name}" for port in engine.ports.values() if port.spec.venue.orders is not None]
        there = {f"venue:{engine.names[market].partition(':')[0]}" for market in self._open.values()} & {*encoding}
        meant = {venue for venue in encoding if "all" in whole or venue in whole}
        if whole == [killed] and len(sent) != len(there & meant):
            raise ViolationError(f"kill of {killed}: {len(sent)} cancel-alls for {there & meant}")
        if len(sent) > len(meant) * len(whole):
            raise ViolationError(f"{len(sent)} cancel-alls, and {whole} was halted")

    def _stopped(self, killed: str) -> None:
        """What is open in a halted scope was asked to be gone in the turn it was killed, and no intent is left."""
        engine = self._engine
        intents = [key for key, intent in engine.desk.intents.open.items() if self._is_in(intent.algo, intent.market)]
        live = {
            name: one for name, one in engine.gate.account.live.items() if self._is_in(one.algo, one.instrument)
        }  # fmt: skip
        if intents or (self._is_prompt and live):
            raise ViolationError(f"killed, and open: {[*live]}, intents {intents}")
        cancelled = {
            record.client_order_id
            for record in engine.trace
            if isinstance(record, ActionRecord) and record.by == "gateway" and record.approval
        }
        by_all = killed == "all" or killed.startswith("venue:")
        for name, one in live.items():
            has_encoder = engine.ports[engine.names[one.instrument].partition(":")[0]].spec.venue.orders is not None
            is_meant = killed in self._scopes(one.algo, one.instrument)
            if is_meant and name not in cancelled and not (by_all and has_encoder):
                raise ViolationError(f"killed, and not cancelled: {name}")

    def _is_in(self, algo: int, market: int) -> bool:
        return not self._halted.isdisjoint(self._scopes(algo, market))

    # --- what guests are shown -------------------------------------------------------------------------------------

    def _table(self, algo: AlgoInstance) -> None:
        unseen = sum(self._view(algo, view) for view in algo.views)
        if unseen != algo.deployment.unseen:
            raise ViolationError(f"{algo.name}: {unseen} finished orders to be shown, counted {algo.deployment.unseen}")

    def _view(self, algo: AlgoInstance, view: SymbolView) -> int:
        """Position and order table of one symbol as its guest reads them; returns how many rows are DEAD."""
        engine, buffer, table = self._engine, view.state.buffer, view.state._table
        markets = [market for market, symbol in algo.symbol_of.items() if symbol == view.symbol_id]
        positions = engine.oms.positions
        held = sum(positions[algo.index, market].qty_1e8 for market in markets if (algo.index, market) in positions)
        if POSITION.unpack_from(buffer)[0] != held:
            raise ViolationError(f"{algo.name}: shown {POSITION.unpack_from(buffer)[0]}, holds {held}")
        count = buffer[abi.ORDER_CT_AT]
        if count != len(table) or count > abi.ORDERS_MAX:
            raise ViolationError(f"{algo.name}: {count} rows, {len(table)} orders")
        dead = 0
        for slot, order in enumerate(table):
            row = abi.OPEN_ORDER.unpack_from(buffer, abi.ORDERS_AT + slot * abi.ORDER_BYTES)
            facts = (order.order_id, order.px_1e9, order.side * order.qty_1e8, order.filled_1e8, order.side)
            if order.slot != slot or row[:5] != facts:
                raise ViolationError(f"{algo.name}: row {slot} is {row}, the order {order.slot} {facts}")
            if (row[5] == GuestStatus.DEAD) != order.is_finished:
                raise ViolationError(f"{algo.name}: row {slot} is {row}, the order {order.state}")
            dead += order.is_finished
        if dead != view.state.dead:
            raise ViolationError(f"{algo.name}: {dead} rows are DEAD, counted {view.state.dead}")
        shown = {order.client_order_id for order in table}
        for live in engine.gate.account.live.values():
            is_its = live.algo == algo.index and live.instrument in markets and not live.is_over
            if is_its and live.client_order_id not in shown:
                raise ViolationError(f"{algo.name}: {live.client_order_id} is open and not shown")
        return dead

    # --- messages --------------------------------------------------------------------------------------------------

    def _messages(self) -> None:
        """Each message sent was handed over, dropped and counted, or waits."""
        rounds, guests = self._engine.rounds, self._guests
        sent = sum(guest.messages_sent for guest in guests)
        known = sum(guest.messages_heard + guest.sent_dropped for guest in guests)
        known += rounds.messages_lost + len(rounds._mail)
        if sent != known:
            raise ViolationError(f"{sent} messages sent, {known} accounted for")
        waiting = Counter(sender.index for sender, _, _ in rounds._mail)
        if any(algo.mail_waiting != waiting[algo.index] for algo in self._engine.algos):
            raise ViolationError("messages waiting are not those counted by sender")
