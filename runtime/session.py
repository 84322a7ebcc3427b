"""One session of the engine, whoever feeds it: takes inputs, keeps the hash, the tape and the books of what happened.

Live, paper and replay differ only in where inputs come from and where Sends go. Outputs are handed on before hash and
tape are updated: an order does not wait for bookkeeping.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from connectors.instrument import Instrument
from connectors.units import SIZE_ONE
from oms.position import Position
from risk.gate import Gate
from risk.limits import Limits, LimitTree, tree_of
from runtime import __version__
from runtime.digest import Digest
from runtime.engine import Engine
from runtime.inputs import Command, Input, Output
from runtime.instance import CALLBACKS
from runtime.sim.paper import Fees
from runtime.spec import AlgoSpec, EngineSpec
from runtime.tape import FORMAT, AlgoEntry, Header, VenueEntry

Watcher = Callable[["Session", Input, int], None]


class Session:
    """Feed it with `step`. `watchers` run after each turn: tape, files of actions, books or guest lines."""

    def __init__(self, spec: EngineSpec, gate: Callable[..., Gate] = Gate) -> None:
        self.engine = Engine(spec, gate)
        self.digest = Digest()
        self.watchers: list[Watcher] = []
        self.is_stopped = False

    def step(self, given: Input, now_ns: int, carry: Callable[[list[Output]], None]) -> None:
        """One turn; `carry` is given the outputs before anything else is done."""
        outputs = self.engine.step(given, now_ns)
        if outputs:
            carry(outputs)
        self.digest.update(self.engine.trace)
        if type(given) is Command and given.name == "stop":
            self.is_stopped = True
        for watcher in self.watchers:
            watcher(self, given, now_ns)

    def summary(self) -> dict[str, Any]:
        """What `replay --json` prints; amounts are integers with their scale in the name."""
        engine = self.engine
        callbacks = dict.fromkeys(CALLBACKS, 0)
        for algo in engine.algos:
            for name, count in algo.callbacks.items():
                callbacks[name] += count
        books = {
            name: {
                "valid": book.valid,
                "reason": book.reason,
                "bids": [list(level) for level in book.bids[:20]],
                "asks": [list(level) for level in book.asks[:20]],
            }
            for name, book in zip(engine.names, engine.books, strict=True)
        }
        return {
            "frames": engine.stats.frames,
            "book_frames": engine.stats.book_frames,
            "dropped_book_frames": engine.stats.dropped,
            "trades": engine.stats.trades,
            "checksums": {"ok": engine.stats.checksums_ok, "failed": engine.stats.checksums_failed},
            "gaps": engine.stats.gaps,
            "resyncs": engine.stats.resyncs,
            "lost": dict(sorted(engine.lost.items())),
            "callbacks": callbacks,
            "actions": engine.desk.actions,
            "approved": engine.desk.approved,
            "denied": {str(reason): count for reason, count in sorted(engine.desk.denied.items())},
            "fills": engine.oms.fills,
            "open_orders": len(engine.oms.orders),
            "anomalies": engine.oms.anomalies,
            "state": str(engine.state),
            "guest_lines": {
                "dropped": sum(algo.guest.logs_dropped for algo in engine.algos),
                "cut": sum(algo.guest.logs_cut for algo in engine.algos),
            },
            "messages_lost": engine.rounds.messages_lost + sum(algo.guest.sent_dropped for algo in engine.algos),
            "disabled": [algo.name for algo in engine.algos if algo.is_faulty],
            "restarts": {algo.name: algo.restarts for algo in engine.algos if algo.restarts},
            "unsandboxed": [algo.name for algo in engine.algos if not algo.guest.is_sandboxed],
            "books": books,
            "positions": self._positions(),
            "pnl": self._pnl(),
            "hash": self.digest.hexdigest(),
        }

    def _positions(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for (algo, instrument), position in sorted(self.engine.oms.positions.items()):
            key = self.engine.names[instrument]
            at = found.setdefault(key, {"position_1e8": 0, "algos": {}})
            at["position_1e8"] += position.qty_1e8
            at["algos"][self.engine.algos[algo].name] = {
                "position_1e8": position.qty_1e8,
                "avg_entry_1e9": position.avg_entry_1e9,
            }
        return found

    def _pnl(self) -> dict[str, Any]:
        """Per quote currency: currencies are not added up."""
        by_quote: dict[str, list[Position]] = {}
        for (_, index), position in self.engine.oms.positions.items():
            instrument = self.engine.instruments[index]
            by_quote.setdefault(instrument.quote if instrument else "?", []).append(position)
        return {
            quote: {
                "realized_1e9": sum(p.realized_1e17 for p in positions) // SIZE_ONE,
                "unrealized_1e9": sum(p.unrealized_1e17() for p in positions) // SIZE_ONE,
                "session_1e9": sum(p.session_1e17() for p in positions) // SIZE_ONE,
                "fees_1e9": sum(p.fees_1e9 for p in positions),
            }
            for quote, positions in sorted(by_quote.items())
        }


def header_of(spec: EngineSpec, paths: dict[str, str], predictor: str = "") -> Header:
    """The tape's head for a session of `spec`; `paths` says where each algo's module lay, by algo name."""
    tree = tree_of(spec.limits)
    return Header(
        venuegate_tape=FORMAT,
        package=__version__,
        venues=tuple(
            VenueEntry(
                venue.venue.name,
                venue.depth,
                tuple(map(_fields, venue.instruments.values())),
                venue.pools,
                venue.chain,
                venue.on_paper,
                venue.audit_ns,
                venue.is_ticking,
                dict(venue.options),
            )
            for venue in spec.venues
        ),
        symbols=spec.symbols,
        limits=_fields(tree.account),
        scopes=tree.scopes,
        instruments=tree.instruments,
        promoted=tree.promoted,
        origins=tree.origins,
        fees=_fields(spec.fees),
        balances={venue: dict(amounts) for venue, amounts in spec.balances.items()},
        tag=spec.tag,
        algos=tuple(_entry(algo, paths.get(algo.name, "")) for algo in spec.algos),
        predictor=predictor,
        memory=spec.memory,
        is_paper=spec.is_paper,
        is_sim=spec.is_sim,
    )


def _entry(algo: AlgoSpec, path: str) -> AlgoEntry:
    guest = algo.guest
    return AlgoEntry(
        algo.name, algo.symbols, guest.sha256, path, str(guest.generation), algo.venues, algo.params, algo.label,
        algo.restarts,
    )  # fmt: skip


def limits_from(header: Header) -> LimitTree:
    """Raises TypeError, as the next two do, for a header that holds something else."""
    return LimitTree(Limits(**header.limits), header.scopes, header.instruments, header.promoted, header.origins)


def fees_from(header: Header) -> Fees:
    return Fees(**header.fees)


def instruments_from(entry: VenueEntry) -> dict[str, Instrument]:
    known = [msgspec.convert(fields, Instrument) for fields in entry.instruments]
    return {instrument.symbol: instrument for instrument in known}


def _fields(struct: msgspec.Struct) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}
