"""What every guest of a session must be shown, turn by turn, worked out a second time from the outside.

Into `Walk` go the session's inputs as the plan means them and, of what the engine wrote, its actions with their
verdicts and the venues' reports. Out comes, for every callback, its place in the order and the full content of every
record; the guests' own log must say the same, and nothing else. Nothing of the engine's records is read.
"""

from collections import Counter, deque
from itertools import takewhile
from typing import Any, ClassVar, Final

from connectors.events import ExecReport, ExecType
from runtime.inputs import ActionRecord, GuestLine, Input, Trace
from tests.support.nbbo_reference import book
from tests.support.referee import Call, Fields, calls
from tests.support.session_commands import Commands
from tests.support.session_markets import Algo, Order, View, pool_tables
from tests.support.session_money import ACKED, DEAD, PARTIAL, Entry, next_order
from tests.support.session_records import Mismatch, Nested, differences, fees, flat, mesh_id, nothing
from tests.support.session_script import Played

SECOND: Final = 10**9
DAY_NS: Final = 86_400 * SECOND
INFO: Final = 2
MAKER_PPM, TAKER_PPM = 2_500, 4_000
ONE_1E8: Final = 10**8
CODES: Final = {  # facts/ABI.md; every other reason is 100
    "MAX_POSITION": 101, "KILL_SWITCH": 102, "PRICE_COLLAR": 103, "DAILY_LOSS": 104, "BAD_VENUE": 105,
    "STALE_VENUE": 106,
}  # fmt: skip
SHOWN_LIMITS: Final = "max_position_1e8", "max_daily_loss_1e9", "max_order_notional_1e9", "max_order_rate"
UNKNOWN: Final = dict.fromkeys(
    ("tick_size_1e9", "lot_size_1e8", "min_qty_1e8", "min_notional_1e9", "price_precision", "qty_precision"), 0
)
VENUE_REFUSED: Final = 2  # INVALID_PARAMS: Kraken's refusals of a crossing post-only order and of an unknown one
NEW, CANCEL, _, INTENT = range(4)
MARKET, CHASE = 1, 1  # an order's type, an intent's policy


class Walk(Commands):
    """Goes through a played session; raises Mismatch at the first record or callback that is not as it must be.

    `order`: every callback as (turn, algo, name). `records` counts compared records by crate and name; `samples`
    keeps the last of each that held anything, as it must be and as it was. `denials`: reasons, `seen`: what happened.
    """

    ROUND: ClassVar[tuple[str, ...]] = ("nbbos", "messages", "beats")

    def __init__(self, played: Played, max_age_ns: int | None = None) -> None:
        super().__init__(played, max_age_ns)
        self.mail: deque[tuple[str, str, bytes]] = deque()
        self.day: int | None = None
        self.second: int | None = None
        self.is_first = self.is_new_second = True
        self.taker = ""  # the order whose request is being answered
        self.acting: Algo | None = None
        self.order: list[tuple[int, str, str]] = []
        self.records = Counter[tuple[str, str]]()
        self.samples: dict[tuple[str, str], tuple[Fields, Fields]] = {}
        self.denials = Counter[str]()

    # --- turns -----------------------------------------------------------------------------------------------------

    def run(self) -> "Walk":
        for turn in self.played.turns:
            self.turn(*turn)
        return self

    def turn(self, now_ns: int, given: Input, meaning: Any, trace: Trace) -> None:
        self.now_ns, self.trace = now_ns, deque(trace)
        self.turn_number += 1
        day = now_ns // DAY_NS
        if self.day is not None and day > self.day:
            self.midnight()
        self.day = day
        self.take(given, meaning)
        self.finish()
        self.skip_requests()
        if self.trace:
            raise Mismatch(f"turn {self.turn_number}: nothing explains {self.trace[0]!r:.200}")

    def skip_requests(self) -> None:
        """What the engine sends to venues is no guest's business."""
        while self.trace and isinstance(self.trace[0], bytes):
            self.trace.popleft()

    def midnight(self) -> None:
        """00:00 UTC: session PnL restarts; the account's too, but a latch stays."""
        self.seen["midnight"] += 1
        for algo in self.algos:
            for view in algo.views:
                view.ledger.restart(view.own.mid_sum)
        for place in self.everywhere():
            place.account.restart(place.mid_sum)

    def finish(self) -> None:
        """What a turn ends with, in the promised order."""
        second = self.now_ns // SECOND
        self.is_first = self.second is None
        self.is_new_second = self.second is None or second > self.second
        self.second = second
        for step in self.ROUND:
            getattr(self, step)()

    def nbbos(self) -> None:
        """Looked at when a source's book changed or was lost, and once a second."""
        for algo in self.algos:
            for view in algo.views:
                if view.market is not None and (view.is_due or self.is_new_second):
                    self.nbbo(algo, view)

    def nbbo(self, algo: Algo, view: View) -> None:
        market, has_news = view.market, view.has_news
        view.is_due = view.has_news = False
        assert market is not None
        if not algo.is_alive or not (market.touched(self.now_ns) or has_news):
            return
        market.update(self.now_ns)
        self.seen["stale"] += None in market.shown
        view.venue_books = flat(algo.crate, "VenueBooks", market.books(self.now_ns))
        self.call(algo, view, "on_nbbo", NbboSnapshot=flat(algo.crate, "NbboSnapshot", market.snapshot(self.now_ns)))
        self.act(algo)

    def messages(self) -> None:
        """What was sent before, in the order sent; answers wait for the next turn."""
        for _ in range(len(self.mail)):
            sender, receiver, payload = self.mail.popleft()
            (algo,) = (algo for algo in self.algos if algo.plan.label == receiver)
            if not algo.is_alive:
                continue
            self.call(algo, algo.views[0], "on_message", Message={"from": sender.encode(), "payload": payload})
            if payload[:1] == b"\1":
                self.mail.append((receiver, sender, payload[::-1]))
            self.act(algo)

    def beats(self) -> None:
        """In the first turn of each second but the session's first."""
        for algo in self.algos:
            if self.is_new_second and not self.is_first and algo.beats and algo.is_alive:
                self.call(algo, algo.views[0], "on_heartbeat")
                self.act(algo)

    def on_book(self, algo: Algo, view: View) -> None:
        shown = view.own.shown
        nested = book(shown.bids, shown.asks, view.symbol_id, shown.recv_ns)
        self.call(algo, view, "on_book", L2Book=flat(algo.crate, "L2Book", nested))
        n = algo.counts["on_book"]
        if algo.is_new and n % 8 == 0 and "peer" in algo.peers:
            self.mail.append((algo.plan.label, "peer", b"\1" + n.to_bytes(8, "little") + b"\2"))
        self.act(algo)

    # --- orders ----------------------------------------------------------------------------------------------------

    def act(self, algo: Algo) -> None:
        self.acting = algo
        self.follow()

    def follow(self, *, is_before_intents: bool = False) -> None:
        """All that the engine wrote up to a guest's line that no action or report explains, or to an intent's order."""
        while self.trace and not isinstance(self.trace[0], GuestLine):
            record = self.trace[0]
            if is_before_intents and isinstance(record, ActionRecord) and record.by == "intent":
                break
            self.trace.popleft()
            if isinstance(record, ActionRecord):
                self.action(record)
            elif isinstance(record, ExecReport):
                self.report(record)
        self.taker = ""
        self.acting = None

    def action(self, record: ActionRecord) -> None:
        algo = self.algos[record.algo]
        order_id, px, qty, side, kind, order_type, venue_id, pool_idx, symbol_idx, _ = record.action
        if record.by == "algo" and self.acting is not algo:
            raise Mismatch(f"turn {self.turn_number}: an action of {algo.plan.name}, which was not called: {record}")
        if record.denied is not None:
            reason = str(record.denied.reason)
            self.denials[reason] += 1
            self.reject(algo, order_id, CODES.get(reason, 100), symbol_idx)
            return
        self.taker = record.client_order_id
        if kind == CANCEL:
            self.orders[record.client_order_id].is_ours = record.by == "gateway"
            self.seen["swept"] += record.by == "gateway"
        elif kind in (NEW, INTENT):
            view = algo.views[symbol_idx]
            place = view.own
            if pool_idx:
                place = view.pools[pool_idx - 1]
            elif venue_id:
                (place,) = (place for place in view.places if place.shown.venue_id == venue_id)
            self.seen["away"] += place is not view.own
            self.seen["pool"] += place.pool is not None
            self.seen["intent"] += kind == INTENT
            if record.by == "intent" or (kind == INTENT and order_type == CHASE):
                asked = px, qty
                px, qty = next_order(self.chases, record, place.shown.touch(), place.meta)
                if record.by == "intent" and asked != (px, qty):
                    raise Mismatch(f"turn {self.turn_number}: an intent asked {asked}, must ask {(px, qty)}")
            entry = Entry(order_id, side, qty, 0 if order_type == MARKET and kind == NEW else px)
            view.table.append(entry)
            self.orders[record.client_order_id] = Order(algo, view, place, entry)

    def report(self, report: ExecReport) -> None:
        order = self.orders[report.client_order_id]
        entry, kind = order.entry, report.exec_type
        self.seen[kind] += 1
        if kind is ExecType.NEW:
            entry.status = ACKED
        elif kind is ExecType.TRADE:
            self.fill(order, report)
        elif kind is ExecType.REPLACED:
            entry.px, entry.qty = report.px_1e9, report.qty_1e8
        elif kind in (ExecType.CANCEL_REJECTED, ExecType.REPLACE_REJECTED):
            if not order.is_ours:
                self.reject(order.algo, entry.order_id, VENUE_REFUSED, order.view.symbol_id)
        else:
            entry.status = DEAD
            if kind is ExecType.REJECTED:
                self.reject(order.algo, entry.order_id, VENUE_REFUSED, order.view.symbol_id)

    def fill(self, order: Order, report: ExecReport) -> None:
        entry, view, qty, px = order.entry, order.view, report.last_qty_1e8, report.last_px_1e9
        entry.filled += qty
        entry.status = DEAD if entry.filled == entry.qty else PARTIAL
        is_taker = report.client_order_id == self.taker
        ppm = TAKER_PPM if is_taker else MAKER_PPM
        fee_1e9 = -(-qty * px * ppm // (ONE_1E8 * 10**6))
        if (report.fee_1e9, report.cum_qty_1e8, report.leaves_qty_1e8) != (
            fee_1e9,
            entry.filled,
            entry.qty - entry.filled,
        ):
            raise Mismatch(
                f"turn {self.turn_number}: {report}, but fee {fee_1e9}, filled {entry.filled} of {entry.qty}"
            )
        self.seen["partial"] += entry.status == PARTIAL
        self.seen["taken" if is_taker else "made"] += 1
        if (order.algo.index, entry.order_id) in self.chases:
            self.chases[order.algo.index, entry.order_id].left -= qty
        view.ledger.fill(entry.side, qty, px, report.fee_1e9)
        order.place.account.fill(entry.side, qty, px, report.fee_1e9)
        self.latch()
        if not order.algo.is_alive:
            return
        fill: Fields = {
            "order_id": entry.order_id, "px_1e9": px, "qty_1e8": qty, "recv_ns": self.now_ns, "side": entry.side,
        }  # fmt: skip
        self.call(order.algo, view, "on_fill", Fill=fill | self.symbol(order.algo, view.symbol_id))

    def reject(self, algo: Algo, order_id: int, code: int, symbol_idx: int) -> None:
        if algo.is_alive:
            symbol_id = symbol_idx if symbol_idx < len(algo.views) else 0
            fields: Fields = {"order_id": order_id, "code": code}
            self.call(algo, None, "on_reject", Reject=fields | self.symbol(algo, symbol_id))

    @staticmethod
    def symbol(algo: Algo, symbol_id: int) -> Fields:
        """Kept in the padding of Fill and Reject, and read from there by the crate since 0.3.1."""
        return {"symbol_id": symbol_id} if algo.crate in ("0.3.2", "0.4.0") else {}

    def latch(self) -> None:
        """All quote currencies here are one; the loss is the whole account's."""
        loss = -sum(place.account.session(place.mid_sum) for place in self.everywhere())
        if not self.is_latched and loss > self.plan.limits["max_daily_loss_1e9"] * ONE_1E8:
            self.is_latched = True
            self.seen["latched"] += 1

    # --- callbacks -------------------------------------------------------------------------------------------------

    def call(self, algo: Algo, view: View | None, callback: str, **own: Fields) -> None:
        """This callback must be the next that any guest heard, with these records and all that it is given besides.

        `view`: whose state it is handed; None for on_reject, which is handed none.
        """
        algo.counts[callback] += 1
        where = f"turn {self.turn_number}, {self.now_ns}, {algo.plan.name}: {callback} {algo.counts[callback]}"
        heard = self.heard(algo, where)
        if (heard.callback, heard.n) != (callback, algo.counts[callback]):
            raise Mismatch(f"{where} must come, {heard.callback} {heard.n} came")
        want = own | self.given(algo, view)
        found = differences(want, heard.records)
        if found:
            raise Mismatch("\n".join([where, *found[:12]]))
        self.order.append((self.turn_number, algo.plan.name, callback))
        for name, fields in want.items():
            self.records[algo.crate, name] += 1
            if name == "Message" or fields != nothing(algo.crate, name):
                self.samples[algo.crate, name] = fields, heard.records[name]
        if view is not None:
            algo.last = view
            self.seen["dead"] += any(entry.status == DEAD for entry in view.table)
            self.sweep(view)

    def sweep(self, view: View) -> None:
        """DEAD stands for exactly one callback that is handed the state."""
        view.table = [entry for entry in view.table if entry.status != DEAD]

    def heard(self, algo: Algo, where: str) -> Call:
        """The next callback in the guests' logs, which must be of this algo."""
        self.skip_requests()
        opening = self.trace[0] if self.trace else None
        if not isinstance(opening, GuestLine) or opening.algo != algo.index:
            raise Mismatch(f"{where} must come, this came: {opening!r:.200}")
        lines = [self.trace.popleft()]
        lines += takewhile(lambda line: self.is_more(line, algo.index), tuple(self.trace))
        for _ in lines[1:]:
            self.trace.popleft()
        assert {line.level for line in lines} == {INFO}
        (call,) = calls(line.text for line in lines)
        return call

    @staticmethod
    def is_more(line: Any, algo: int) -> bool:
        return isinstance(line, GuestLine) and line.algo == algo and b" call n=" not in line.text

    def given(self, algo: Algo, view: View | None) -> dict[str, Fields]:
        """The state, where there is one, and every region of the guest's generation."""
        want: dict[str, Fields] = {}
        if view is not None:
            want["AlgoState"] = flat(algo.crate, "AlgoState", self.algo_state(algo, view))
        about = view or algo.last
        assert about is not None
        for name in algo.given:
            nested = self.region(algo, about, name)
            want[name] = flat(algo.crate, name, nested) if nested is not None else nothing(algo.crate, name)
        if about.market is not None and "VenueBooks" in algo.given:
            unseen = flat(algo.crate, "VenueBooks", about.market.books(self.now_ns)) if not about.venue_books else {}
            want["VenueBooks"] = about.venue_books or unseen
        return want

    def algo_state(self, algo: Algo, view: View) -> Nested:
        limits, meta = self.plan.limits, view.own.meta
        name = view.own.symbol.replace("/", "-") if meta else ""
        risk = {key: limits[key] for key in SHOWN_LIMITS}
        risk["reduce_only"] = int(self.is_reducing(algo, view))
        return view.ledger.nested(view.own.mid_sum) | {
            "orders": [entry.nested() for entry in view.table], "order_ct": len(view.table),
            "symbol": meta or UNKNOWN, "risk": risk, "symbol_id": view.symbol_id, "symbol_name": name.encode(),
            "mesh_id": algo.mesh["self_mesh_id"], "mesh_peer_count": len(algo.peers),
            "mesh_peers": [mesh_id(peer) for peer in algo.peers],
        }  # fmt: skip

    def region(self, algo: Algo, view: View, name: str) -> Nested | None:
        """None: nothing is there for this symbol, or nothing yet."""
        match name:
            case "PoolBooks" | "PoolStateTable" if view.pools:
                return pool_tables(view.pools, view.symbol_id)[name == "PoolStateTable"]
            case "OnlineFeatures":
                return view.own.features
            case "ChainFeeTable":
                return fees(self.fees)
            case "ConfigRegion":
                return algo.config.nested()
            case "MeshTable":
                return algo.mesh
        return None
