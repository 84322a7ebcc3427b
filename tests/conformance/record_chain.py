"""Records a chain with a fork, and the same without: `python -m tests.conformance.record_chain`.

A session of ours and the simulated chain in virtual time, bytes carried by hand. Somebody trades before and after;
in the forked one also in the blocks that a reorganisation then removes, whose heights are empty in the straight one.
"""

from pathlib import Path
from typing import Final

from connectors.session import Output, Reconnect, Send, SessionPlan, WakeAt
from connectors.venues.evm import ARBITRUM
from connectors.venues.evm.session import ChainSession
from runtime.certify import accept
from runtime.config import paper_limits
from runtime.conformance.pools import FORKED, STRAIGHT
from runtime.conformance.tapes import Tape
from runtime.deploy import Guests, spec_of
from runtime.inputs import Frame, Input, LinkUp, Timer
from runtime.session import header_of
from runtime.sim.paper import Fees
from runtime.tape import TapeWriter
from tests.conformance.record import T0, origins
from tests.conformance.record_swaps import FOLDER, MADE
from tests.support.virtual import SECOND, STEP_NS
from tests.support.virtual_chain import V2, V3_DEARER, VirtualChain, _Carrier, chain_plan, venue_spec

NAME: Final = ARBITRUM.name
KEPT: Final = (2, 6)  # blocks with a trade
LOST: Final = (3, 4)  # the same, of those that are removed; the fork begins below the first
END: Final = 8


class Recorder(_Carrier):
    """One session, its tape, and the chain it follows."""

    def __init__(self, path: Path, *, is_forked: bool) -> None:
        plan = chain_plan((V3_DEARER, V2))
        self.now_ns, self.wake_ns, self.is_forked = T0, T0, is_forked
        self.chain = VirtualChain(plan, T0, is_alive=False)
        self.chain.is_paused = True
        symbols = list(dict.fromkeys(pool.symbol for pool in plan.pools))
        known = venue_spec(plan, symbols)
        spec = spec_of([known], symbols, Guests(), paper_limits(), fees=Fees(), tag="vgtape")
        self.tape = TapeWriter(path, header_of(spec, {}))
        self.session = ChainSession(
            SessionPlan(
                symbols=tuple(enumerate(symbols)), depth=known.depth, chain=plan, instruments=dict(
                    enumerate(known.instruments.values())
                ),
                pools=tuple((len(symbols) + slot, pool) for slot, pool in enumerate(known.pools)),
            )
        )  # fmt: skip

    def give(self, given: Input, outputs: list[Output]) -> None:
        self.tape.append(given, self.now_ns)
        for output in outputs:
            match output:
                case WakeAt(at_ns):
                    self.wake_ns = min(self.wake_ns, at_ns)
                case Send(name, data):
                    self.chain.links[name].send(data, self.now_ns)
                case Reconnect(_, reason):
                    raise AssertionError(f"the session wants to dial again: {reason}")

    def link_up(self, name: str) -> None:
        self.give(LinkUp(NAME, name), self.session.open(self.now_ns, name))

    def link_said(self, name: str, frame: bytes) -> None:
        self.give(Frame(NAME, name, frame), self.session.receive(frame, self.now_ns, name))

    def block(self, number: int) -> None:
        """The next one: with a trade, empty, or after a fork that takes the last ones back."""
        if number in KEPT or (self.is_forked and number in LOST):
            self.chain.trade(V3_DEARER, 900 + 10 * number, is_buy=number % 2 == 0)
            self.chain.trade(V2, 700 + 10 * number, is_buy=number % 3 == 0)
        self.chain.mine()
        if self.is_forked and number == LOST[-1]:
            self.chain.now_ns = self.now_ns
            self.wait(0.1)
            self.chain.reorg(len(LOST))

    def wait(self, seconds: float) -> None:
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns += STEP_NS
            self.carry_links(self.now_ns)
            if self.now_ns >= self.wake_ns:
                self.wake_ns = self.now_ns + 10**12
                self.give(Timer(), self.session.tick(self.now_ns))

    def run(self) -> None:
        self.wait(0.5)
        for number in range(1, END + 1):
            self.block(number)
            self.wait(0.25)
        if self.session.lost:
            raise AssertionError(f"nothing is shown at the end: {self.session.lost}")
        self.tape.close("")


def record(folder: Path) -> list[Path]:
    """Writes both tapes into `folder`; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name in (FORKED, STRAIGHT):
        path = folder / name
        path.unlink(missing_ok=True)
        Recorder(path, is_forked=name == FORKED).run()
        made.append(path)
    return made


def main() -> None:
    paths = record(FOLDER)
    goldens = [Tape(path, ARBITRUM).golden for path in paths]
    accept(ARBITRUM, FOLDER)
    what = dict.fromkeys(paths, f"{END} blocks of runtime/sim/evm, followed by our session in virtual time")
    what |= dict.fromkeys(goldens, "what our session answered, input by input: accepted by `record_chain.py`")
    origins(FOLDER, what, MADE)
    print(", ".join(f"{path.name}: {path.stat().st_size} bytes" for path in (*paths, *goldens)))


if __name__ == "__main__":
    main()
