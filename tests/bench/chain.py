"""What one turn costs, as ratios to a floor measured in the same run.

    uv run python -m tests.bench.chain [--rounds N]

Floor: msgspec's typed decode of the frame and one raw (unchecked) call of the same guest; no host, no book, nothing
checked. Our turn: `Engine.step` on the same frame, hash included. Frames are real (../shared/data, Kraken ETH/USD,
depth 25) where that folder is present, else the embedded venue's. Each figure is the best of several rounds, taken in
turns with the floor, so that a busy machine slows both.

The venue's answers to orders are frames of their own: on the lines "orders" they are fed outside the timed part; the
lines "with the paper venue" time an order that is answered, filled or cancelled within the same turn.
"""

import argparse
import gc
import json
import time
from collections.abc import Callable
from pathlib import Path

from connectors.events import ExecReport, ExecType
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder
from connectors.session import OrderEncoder
from connectors.venues.kraken import VENUE, wire
from connectors.venues.kraken.orders import KrakenOrders
from risk.limits import Limits
from runtime.digest import Digest
from runtime.engine import Engine
from runtime.host import AlgoHost
from runtime.inputs import Frame
from runtime.port import VenueSpec
from runtime.sim.kraken import KrakenSim
from runtime.sim.market import Market
from runtime.sim.paper import PaperOutput, PaperVenue
from runtime.spec import AlgoSpec, EngineSpec
from runtime.tape import Header, TapeWriter
from tests.support.data import data_folder
from tests.support.guests import every

LIMITS = Limits(
    max_position_1e8=10**12,
    max_order_notional_1e9=10**18,
    max_order_rate=1_000_000,
    price_collar_bps=1000,
    max_daily_loss_1e9=10**18,
)
Frames = list[tuple[int, bytes]]


class SilentVenue(PaperVenue):
    """Encodes, and answers nothing within the turn: as a venue at the other end of a wire."""

    _encoder: OrderEncoder

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> list[PaperOutput]:
        return [self._encoder.submit(approved, now_ns)]

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> list[PaperOutput]:
        return [self._encoder.amend(approved, now_ns)]

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> list[PaperOutput]:
        return [self._encoder.cancel(approved, now_ns)]


def real_frames() -> tuple[Frames, Instrument] | None:
    folder = data_folder()
    if folder is None:
        return None
    rows = map(json.loads, (folder / "kraken_v2_crossbook/kraken_ethusd_sample.jsonl").read_text().splitlines())
    return [(row["recv_ns"], row["raw"].encode()) for row in rows], Instrument.parse("kraken", "ETH/USD:2:8")


def sim_frames(count: int = 1200) -> tuple[Frames, Instrument]:
    """The embedded venue's BTC/USD at depth 25, in virtual time."""
    sim = KrakenSim(Market(seed=7))
    connection, _ = sim.connect(0)
    request = '{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":25},"req_id":1}'
    frames: Frames = [(0, str(frame).encode()) for frame in connection.receive(request, 0)]
    now_ns = 0
    while len(frames) < count:
        now_ns += 7_000_000
        frames += [(now_ns, str(frame).encode()) for _, sent in sim.tick(now_ns) for frame in sent]
    return frames, Instrument.parse("kraken", "BTC/USD:1:8")


class Turn:
    """An engine that places an order on every n-th book; `run` returns seconds a book frame."""

    def __init__(
        self, frames: Frames, instrument: Instrument, nth: int, *, answered: bool = False, order_type: int = 0
    ) -> None:
        host = AlgoHost(every(nth, order_type=order_type), name="bench")
        self.frames = frames
        self.answered = answered
        self.engine = Engine(
            EngineSpec(
                venues=(VenueSpec(venue=VENUE, depth=25, instruments={instrument.symbol: instrument}),),
                symbols=(instrument.symbol,), limits=LIMITS, algos=(AlgoSpec("bench", host, (instrument.symbol,)),),
            )
        )  # fmt: skip
        self.digest = Digest()
        self.orders = 0
        if not answered:
            encoder = KrakenOrders(self.engine.instruments)
            self.engine.desk.papers[:] = [SilentVenue(encoder, [], [], self.engine.spec.fees, {})]

    def run(self) -> float:
        engine, digest, frames = self.engine, self.digest, self.frames
        spent, books_before, clock = 0.0, engine.stats.book_frames, time.perf_counter
        for recv_ns, raw in frames:
            begin = clock()
            engine.step(Frame("kraken", "public", raw), recv_ns)
            digest.update(engine.trace)
            spent += clock() - begin
            if not self.answered and len(engine.oms.orders) >= 31:
                self._answer(recv_ns)
        return spent / (engine.stats.book_frames - books_before)

    def _answer(self, now_ns: int) -> None:
        """The venue's cancels, as frames of their own would bring them: untimed."""
        for order in list(self.engine.oms.orders.values()):
            self.engine.trace.clear()
            for kind in (ExecType.NEW, ExecType.CANCELED):
                report = ExecReport(client_order_id=order.client_order_id, exec_type=kind, instrument=order.instrument)
                self.engine.desk.reports([report], now_ns)
            self.orders += 1
        algo = self.engine.algos[0]
        algo.deployment.unseen -= algo.views[0].state.sweep()  # else all that follows is denied: the table is full


def floor(frames: Frames) -> Callable[[], float]:
    """Typed decode and one raw call of the same guest."""
    host = AlgoHost(every(1), name="floor")
    calls, at, slots = host.raw_call()
    raws = [raw for _, raw in frames if raw.startswith(b'{"channel":"book"')]
    decode, refuel = wire.decode_book, calls.refuel

    def run() -> float:
        clock = time.perf_counter
        spent = 0.0
        for index, raw in enumerate(raws):
            begin = clock()
            decode(raw)
            slots[0], slots[2] = host.book_ptr, host.state_ptr
            calls.call(at, 2)
            spent += clock() - begin
            if not index & 63:
                refuel()
        return spent / len(raws)

    return run


def tape_cost(frames: Frames, folder: Path) -> Callable[[], float]:
    def run() -> float:
        path = folder / "bench.tape.zst"
        path.unlink(missing_ok=True)
        writer = TapeWriter(
            path,
            Header(venuegate_tape=2, package="", venues=(), symbols=(), limits={}, fees={}, tag=""),
        )
        begin = time.perf_counter()
        for recv_ns, raw in frames:
            writer.append(Frame("kraken", "public", raw), recv_ns)
        writer.close("")
        return (time.perf_counter() - begin) / len(frames)

    return run


def measure(rounds: int, folder: Path) -> dict[str, float]:
    """Best seconds a frame of each line, all taken in turns."""
    frames, instrument = real_frames() or sim_frames()
    runs: dict[str, Callable[[], float]] = {
        "floor": floor(frames),
        "order on every frame": Turn(frames, instrument, 1).run,
        "orders on 5 % of frames": Turn(frames, instrument, 20).run,
        "no order": Turn(frames, instrument, 0).run,
        "order on every frame, with the paper venue": Turn(frames, instrument, 1, answered=True, order_type=2).run,
        "tape line and compression": tape_cost(frames, folder),
    }
    best = dict.fromkeys(runs, float("inf"))
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in runs.items():
                best[name] = min(best[name], run())
    finally:
        gc.enable()
    return best


def main() -> None:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        best = measure(rounds, Path(folder))
    goals = {"order on every frame": 10.0, "orders on 5 % of frames": 6.0}
    print("one turn on a Kraken book frame, hash included; best of", rounds)
    for name, seconds in best.items():
        ratio = seconds / best["floor"]
        goal = ""
        if name in goals:
            goal = f"   goal ≤ {goals[name]:g} ×: {'reached' if ratio <= goals[name] else 'missed'}"
        print(f"  {name:<44} {seconds * 1e6:6.2f} µs  {ratio:5.2f} × floor{goal}")


if __name__ == "__main__":
    main()
