"""The trading session against the simulated Binance, written by somebody else from the same documentation.

Pure on both sides: bytes are carried over by hand, sealed and signed as the doors do it, in virtual time. Whatever goes
wrong on the way, in the end every order is what the venue says it is, every execution was told, and no order ended
without proof.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from connectors.events import Doubt, ExecReport, ExecType, Movement, Picture, Ready
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder, OrderType
from connectors.session import PRIVATE, REST, Output, Reconnect, Send, Stop, TradingPlan, Unsigned
from connectors.venues.binance import VENUE
from runtime.sim.binance import BinanceVenue
from runtime.sim.frames import Close, Ping
from tests.support.binance_frames import SECOND, T0, of

MS = 10**6
OVER = {ExecType.REJECTED, ExecType.CANCELED, ExecType.EXPIRED}


class World:
    """One session and one venue."""

    def __init__(self, *faults: str, seed: int = 5, **options: Any) -> None:
        self.venue = BinanceVenue(now_ns=T0, seed=seed, faults=list(faults), rate_hz=0, **options)
        pair = self.venue.pairs["BTC/USDT"]
        self.tick = 10 ** (9 - pair.price_precision)
        metadata = Instrument.parse("binance", f"BTC/USDT:{pair.price_precision}:{pair.qty_precision}")
        assert VENUE.trading is not None
        self.trading = VENUE.trading
        self.session = self.trading.session(TradingPlan(((0, "BTC/USDT"),), [metadata], "vg-", {}))
        self.now_ns, self.approvals = T0, 0
        self.socket: Any = None
        self.redial_ns: int | None = None
        self.why: str | None = None
        self.out: list[Output] = []
        self.answers: list[bytes] = []
        self.carry(self.session.start(self.now_ns))
        self.dial()

    def dial(self) -> None:
        self.redial_ns = None
        if self.venue.refusal(self.now_ns, self.venue.LINKS["private"]) is not None:
            self.redial_ns = self.now_ns + SECOND
            return
        self.socket = self.venue.connect(self.now_ns, self.venue.LINKS["private"])
        self.carry(self.session.open(self.now_ns, PRIVATE))

    def cut(self) -> None:
        if self.socket is not None:
            self.venue.disconnect(self.socket)
            self.socket = None
            self.redial_ns = self.now_ns + SECOND
            self.carry(self.session.close(self.now_ns, PRIVATE))

    def carry(self, outputs: list[Output]) -> None:
        """As the engine does: where there is doubt, and whenever orders may leave again, it looks."""
        self.out += outputs
        for output in outputs:
            if isinstance(output, Ready):
                self.why = output.why
            if isinstance(output, Doubt) or (isinstance(output, Ready) and not output.why):
                self.carry(self.session.look(0, self.now_ns))
            elif isinstance(output, Send) and output.link == REST:
                self.ask(output.data)
            elif isinstance(output, Send) and self.socket is not None:
                assert self.trading.seal is not None
                secrets = self.venue.credentials
                data = output.data.replace(b"{secret:key}", secrets["key"].encode())
                self.socket.receive(self.trading.seal(data, secrets, self.now_ns).decode(), self.now_ns)
            elif isinstance(output, Reconnect):
                self.cut()

    def ask(self, data: bytes) -> None:
        head, _, body = data.partition(b"\n")
        number, method, path, *skew = head.decode().split()
        at_ns = self.now_ns + (int(skew[0]) * MS if skew else 0)
        request = Unsigned(method=method, path=path, body=body, host="api.binance.com", nonce=1, now_ns=at_ns)
        signed = self.trading.sign(request, self.venue.credentials)
        lower = {name.lower(): value for name, value in signed.headers.items()}
        answer = self.venue.rest(method, signed.path, lower, signed.body or b"", self.now_ns)
        frame = f"{number} 0\nthe connection was cut".encode()
        if not answer.is_lost:
            frame = f"{number} {answer.status}\n".encode() + answer.body
        self.venue.later(self.now_ns + 5 * MS + answer.delay_ns, lambda _: self.answers.append(frame))

    def wait(self, seconds: float) -> None:
        """Twenty milliseconds at a time; the session's tick twice a second."""
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns += 20 * MS
            self.venue.advance(self.now_ns)
            answers, self.answers = self.answers, []
            for frame in answers:
                self.carry(self.session.receive(frame, self.now_ns, REST))
            while self.socket is not None and (frames := self.socket.take()):
                for frame in frames:
                    self.hear(frame)
                    if self.socket is None:
                        break
            if self.redial_ns is not None and self.now_ns >= self.redial_ns:
                self.dial()
            if self.now_ns // (20 * MS) % 25 == 0:
                self.carry(self.session.tick(self.now_ns))

    def hear(self, frame: Any) -> None:
        if isinstance(frame, Close):
            self.cut()
        elif isinstance(frame, Ping):
            self.socket.pong(frame.payload, self.now_ns)
        else:
            data = frame.encode() if isinstance(frame, str) else frame
            self.carry(self.session.receive(data, self.now_ns, PRIVATE))

    def approve(self, order: Any) -> Approved[Any]:
        self.approvals += 1
        return Approved(order, approval=self.approvals, now_ns=self.now_ns, checks=31)

    def touch(self) -> tuple[int, int]:
        book = self.venue.market.book("BTC/USDT")
        return book.bids.price(0) * self.tick, book.asks.price(0) * self.tick

    def new(self, name: str, px: int, kind: OrderType = OrderType.LIMIT, qty: int = 1_000_000, side: int = 1) -> None:
        order = NewOrder(name, 0, 0, 1, side, 0 if kind is OrderType.MARKET else px, qty, int(kind))
        self.carry(self.session.submit(self.approve(order), self.now_ns))

    def amend(self, name: str, px: int, qty: int) -> None:
        self.carry(self.session.amend(self.approve(AmendOrder(name, 0, 0, 1, 1, px, qty, "a")), self.now_ns))

    def cancel(self, name: str) -> None:
        self.carry(self.session.cancel(self.approve(CancelOrder(name, 0, 0, 1, "c")), self.now_ns))

    def reports(self, name: str) -> list[ExecReport]:
        return [one for one in of(ExecReport, self.out) if one.client_order_id == name]

    def fills(self) -> dict[str, int]:
        """exec_id → quantity, as reports and pictures told it."""
        told = {one.exec_id: one.last_qty_1e8 for one in of(ExecReport, self.out) if one.exec_id}
        for picture in of(Picture, self.out):
            told |= {trade.exec_id: trade.qty_1e8 for trade in picture.trades}
        return told

    def ends(self) -> dict[str, str]:
        """Name → how it ended, as reports, and after them the last picture, told it."""
        found: dict[str, str] = {}
        for one in of(ExecReport, self.out):
            if one.exec_type in OVER:
                found[one.client_order_id] = str(one.exec_type)
            elif one.exec_type is ExecType.TRADE and one.leaves_qty_1e8 == 0:
                found[one.client_order_id] = "filled"
        last = of(Picture, self.out)[-1]
        return {one.client_order_id: str(one.status) for one in last.closed} | found


def play(world: World, seed: int, orders: int = 8) -> list[str]:
    """Some orders of every kind, lowered, cancelled, filled."""
    rng = random.Random(seed)
    names: list[str] = []
    prices: dict[str, int] = {}
    for k in range(orders):
        bid, ask = world.touch()
        kind = rng.choice(list(OrderType))
        names.append(f"vg-{seed}-{k}")
        prices[names[-1]] = rng.choice((bid - 10**12, bid, ask))
        world.new(names[-1], prices[names[-1]], kind)
        world.wait(rng.choice((0.02, 0.06, 0.3)))
        if rng.random() < 0.4:
            name = rng.choice(names)
            world.amend(name, prices[name], 500_000)
        if rng.random() < 0.4:
            world.cancel(rng.choice(names))
        world.wait(rng.choice((0.02, 0.3, 2)))
    return names


FAULTS = [
    "ack_lost", "ack_lost,on=order.cancel", "ack_late=800,times=3", "ack_late=9000", "response_lost",
    "executions_first,times=0", "engine_late=1000,times=0", "engine_late=6000", "rate_limit,times=2", "refuse",
    "busy_live,times=3", "login_refused,times=1", "fill_before_ack", "fill_after_cancel_ack",
    "cancel_reject_after_fill", "partial_then_cancel", "duplicate_fill", "reordered_fill", "dropped_fill",
    "executions_late=1500", "executions_off@3", "delayed_visibility=5", "gateway_error,times=3", "rest_lost,times=3",
    "rest_late=2000", "http_429,times=2", "rest_rate_limit,times=2", "close@4", "reset@4", "half_frame@4",
    "garbage_frame@4", "mute@4", "no_pong", "clock_skew=2000", "shutdown@4",
]  # fmt: skip


@pytest.mark.parametrize("fault", ["", *FAULTS])
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3, 4))])
def test_in_the_end_everything_is_what_the_venue_says(fault: str, seed: int) -> None:
    world = World(*([fault] if fault else []), seed=seed)
    world.wait(5)
    names = play(world, seed)
    world.venue.faults.clear()
    world.wait(45)
    world.carry(world.session.look(0, world.now_ns))
    world.wait(10)
    last = of(Picture, world.out)[-1]
    by_name = {order.spec.cl_ord_id: order for order in world.venue.engine.orders.values()}
    ends = world.ends()
    for name in names:
        truth, told = by_name.get(name), world.reports(name)
        if truth is None:  # it never reached the engine: nobody may have seen it there
            assert not {ExecType.NEW, ExecType.TRADE} & {one.exec_type for one in told}, (name, told)
            continue
        if truth.is_open:
            assert name not in ends, (name, truth, told)
            assert name in {one.client_order_id for one in last.open}
        else:
            assert ends[name] in ("filled", "canceled", "expired"), (name, truth.status, told)
            assert (ends[name] == "filled") == (truth.status == "filled")
    digits = 8 - world.venue.pairs["BTC/USDT"].qty_precision
    venue_fills = {f"BTCUSDT-{fill.trade_id}": fill.qty * 10**digits for fill in world.venue.engine.fills.values()}
    assert world.fills() == venue_fills
    counted = Counter(one.exec_id for one in of(ExecReport, world.out) if one.exec_id)
    assert all(count == 1 for count in counted.values())
    assert {one.ref for one in of(Movement, world.out) if one.kind == "base"} >= set(venue_fills)
    assert world.why == ""


def test_an_ed25519_key_works_alike() -> None:
    world = World(key_type="ed25519")
    world.wait(5)
    bid, _ = world.touch()
    world.new("vg-1", bid - 10**12)
    world.wait(1)
    world.cancel("vg-1")
    world.wait(1)
    assert world.ends() == {"vg-1": "canceled"}


@pytest.mark.parametrize("permissions", [("reading", "spot", "withdrawals"), ("reading",), ("spot",)])
def test_keys_that_are_not_used(permissions: tuple[str, ...]) -> None:
    world = World(permissions=permissions)
    world.wait(5)
    assert len(of(Stop, world.out)) == 1
    assert world.why != ""


def test_the_venue_refuses_nothing_for_its_form_or_rate() -> None:
    """Minutes of orders at the limit that we keep ourselves, each lowered and cancelled: no word of Binance's."""
    world = World()
    world.wait(5)
    bid, _ = world.touch()
    far = bid - 10**12
    sent = 0
    for k in range(240):
        before = len(world.out)
        world.new(f"vg-{k}", far, OrderType.POST_ONLY)
        world.wait(0.06)
        if any(b'"order.place"' in send.data for send in of(Send, world.out[before:])):
            sent += 1
            world.amend(f"vg-{k}", far, 500_000)
            world.wait(0.04)
            world.cancel(f"vg-{k}")
        world.wait(0.04)
    world.wait(2)
    told = [one for one in of(ExecReport, world.out) if one.text and one.exec_type is not ExecType.CANCELED]
    assert [one for one in told if not one.text.startswith("never sent: binance takes")] == []
    assert world.venue.engine.open == {}
    assert 50 <= sent < 240
