"""Files that a session writes beside its tape: actions with verdicts, fills, books, guest lines. One JSON a line."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from connectors.errors import ConfigError
from connectors.events import ExecReport, ExecType
from risk.denial import Denied, DenyReason
from risk.market import Market
from runtime.abi import ActionKind
from runtime.inputs import ActionRecord, BookSeen, GuestLine, Input
from runtime.session import Session
from runtime.texts import plain, plain_bytes

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")
ORDER_TYPES = ("limit", "market", "ioc", "fok", "post_only")
_GRID = ("tick_size_1e9", "lot_size_1e8", "min_qty_1e8", "min_notional_1e9")
_OF_STATES = (DenyReason.KILL_SWITCH, DenyReason.REDUCE_ONLY)
_encode = msgspec.json.Encoder().encode


@contextmanager
def sinks(
    session: Session, *, actions: Path | None, fills: Path | None, books: Path | None, guest_log: Path | None
) -> Iterator[None]:
    """Opens the files asked for and writes to them until the end of the block. Raises ConfigError."""
    _check_apart([path for path in (actions, fills, books, guest_log) if path is not None])
    with ExitStack() as stack:
        for path, write in ((actions, _actions), (fills, _fills), (books, _books), (guest_log, _guest_log)):
            if path is not None:
                file = stack.enter_context(closing(_Sink(path)))
                session.watchers.append(lambda s, given, now, f=file, w=write: w(f, s, given, now))  # type: ignore[misc]
        yield


class _Sink:
    """A file whose disk may fill up. Every method raises ConfigError naming it; BrokenPipeError passes (`| head`)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise self._error(error, "name a file in a folder that exists") from None

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._error(error, "make room or name another file") from None

    def close(self) -> None:
        try:
            self._file.close()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._error(error, "make room or name another file") from None

    def _error(self, error: OSError, mend: str) -> ConfigError:
        return ConfigError(f"cannot be written: {error.strerror}", place=str(self._path), mend=mend)


def _check_apart(paths: list[Path]) -> None:
    """Two writers in one file would write over each other."""
    for n, path in enumerate(paths):
        for other in paths[:n]:
            is_same = path.resolve() == other.resolve() or (
                path.exists() and other.exists() and path.samefile(other)
            )  # fmt: skip
            if is_same and not path.is_char_device():
                raise ConfigError("is asked for twice", place=str(path), mend="give each its own file")


def action_row(session: Session, record: ActionRecord, now_ns: int) -> dict[str, Any]:
    """One action as people, tests and the journal read it; quantities ×1e8, prices ×1e9.

    A denial says besides whose limit it was and where that was read, what would have been observed without the action,
    the market it was judged at with its grid, and who had halted it.
    """
    order_id, px_1e9, qty_1e8, side, kind, order_type, venue_id, pool_idx, symbol_idx, ttl_ms = record.action
    row: dict[str, Any] = {
        "n": record.n,
        "now_ns": now_ns,
        "algo": session.engine.algos[record.algo].name,
        "by": record.by,
        "kind": ActionKind(kind).name.lower() if kind < len(ActionKind) else str(kind),
        "order_id": order_id,
        "side": side,
        "px_1e9": px_1e9,
        "qty_1e8": qty_1e8,
        "order_type": ORDER_TYPES[order_type] if order_type < len(ORDER_TYPES) else str(order_type),
        "venue_id": venue_id,
        "pool_idx": pool_idx,
        "symbol_idx": symbol_idx,
    }
    if kind == ActionKind.INTENT:
        row["ttl_ms"] = ttl_ms  # the last two bytes are nobody else's
    denied = record.denied
    if denied is None and record.approval == 0:
        return row | {"verdict": "ended"}  # a cancel of an intent that had nothing open
    if denied is None:
        return row | {"verdict": "approved", "approval": record.approval, "client_order_id": record.client_order_id}
    return row | {
        "verdict": "denied", "reason": str(denied.reason), "code": int(denied.code), "limit": denied.limit,
        "observed": denied.observed, "rule": denied.rule, "scope": denied.scope, "key": denied.key,
        "before": denied.before, "headroom": denied.headroom,
        "origin": session.engine.gate.tree.origin(denied.scope, denied.key) if denied.key else "",
        **_surroundings(session, record.n, denied),
    }  # fmt: skip


def _surroundings(session: Session, n: int, denied: Denied) -> dict[str, Any]:
    """Of a denied action: its market, that market's currencies and grid, and the cause of a state."""
    engine, found = session.engine, {}
    seen = next((aside for aside in engine.asides if isinstance(aside, BookSeen) and aside.n == n), None)
    if seen is not None:
        market = engine.gate.markets[seen.market]
        found = {"market": market.name, "base": market.base, "quote": market.quote, **grid_of(market)}
        if seen.reducing_1e8:
            found["reducing_1e8"] = seen.reducing_1e8
    cause = engine.gate.states.cause(denied.scope) if denied.reason in _OF_STATES else None
    if cause is not None:
        found["cause"] = {
            "state": str(cause.state), "what": cause.what, "who": cause.who, "since_ns": cause.since_ns
        }  # fmt: skip
    return found


def grid_of(market: Market) -> dict[str, Any]:
    """`grid`: of which steps prices and quantities there are, and the least of them; nothing before it is known."""
    if market.instrument is None:
        return {}
    return {"grid": {key: getattr(market.instrument, key) for key in _GRID}}


def _actions(file: _Sink, session: Session, given: Input, now_ns: int) -> None:
    del given
    for record in session.engine.trace:
        if isinstance(record, ActionRecord):
            file.write(_encode(action_row(session, record, now_ns)) + b"\n")


def _fills(file: _Sink, session: Session, given: Input, now_ns: int) -> None:
    del given
    engine = session.engine
    for record in engine.trace:
        if isinstance(record, ExecReport) and record.exec_type is ExecType.TRADE:
            order = engine.oms.orders.get(record.client_order_id) or engine.oms.finished[record.client_order_id]
            row = {
                "now_ns": now_ns,
                "algo": engine.algos[order.algo].name,
                "symbol": engine.names[order.instrument].partition(":")[2],
                "venue": engine.names[order.instrument].partition(":")[0],
                "order_id": order.order_id,
                "client_order_id": order.client_order_id,
                "exec_id": record.exec_id,
                "side": order.side,
                "px_1e9": record.last_px_1e9,
                "qty_1e8": record.last_qty_1e8,
                "fee_1e9": record.fee_1e9,
            }
            file.write(_encode(row) + b"\n")


def _books(file: _Sink, session: Session, given: Input, now_ns: int) -> None:
    del given, now_ns
    engine = session.engine
    for index in engine.touched:
        book = engine.books[index]
        row: dict[str, Any] = {"bids": book.bids[:20], "asks": book.asks[:20]}
        if len(engine.books) > 1:
            row["venue"], _, row["symbol"] = engine.names[index].partition(":")
        file.write(_encode(row) + b"\n")


def guest_line(session: Session, record: GuestLine, now_ns: int) -> str:
    """One line that a guest logged; terminals show it, so nothing in it steers one."""
    name = plain(session.engine.algos[record.algo].name)
    return f"{now_ns} {name} {LEVELS[record.level]} {plain_bytes(record.text)}"


def _guest_log(file: _Sink, session: Session, given: Input, now_ns: int) -> None:
    del given
    for record in session.engine.trace:
        if isinstance(record, GuestLine):
            file.write(f"{guest_line(session, record, now_ns)}\n".encode())
