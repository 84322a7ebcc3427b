"""Following a chain on one endpoint: a snapshot at a block's hash, then block after block, never a state in between.

A head whose parent is our tip is the next block. Its bloom proves which pools it left alone; of the others the logs are
asked for by the block's hash (EIP-234), which gives all of them or an error, and are applied in order. Only then is the
block the new tip and its states are handed on: no book is of a half block, a missed notification costs nothing, and a
node that keeps a pool's logs back is found out (the bloom said there may be some: the state is compared). Of one that
keeps back some of several, `audit.py` finds out later.

What does not fit, the table in `blocks.py` sorts: a reorg rolls back to the parent, a missing block is fetched by its
hash, anything else ends in a new snapshot. From the moment it is noticed until the states are right again everything
is lost: the session says so to the engine.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import QuoteError
from connectors.amm.tickmath import MAX_TICK, MIN_TICK
from connectors.chain import PROBED, ChainPlan, PoolPlan
from connectors.errors import WireError
from connectors.onchain.jsonrpc import is_null
from connectors.onchain.states import Probed, State
from connectors.venues.evm.abi import Reading
from connectors.venues.evm.batch import Batch
from connectors.venues.evm.blocks import Block, Blocks, Place
from connectors.venues.evm.endpoint import Endpoint
from connectors.venues.evm.logs import Log, log_of_json
from connectors.venues.evm.reading import apply, concerns, drifts, source
from connectors.venues.evm.readings import alone, comparing, reading
from connectors.venues.evm.rpc import Head, bloom_bits, head_of, may_hold

HEADS_QUEUED_MAX: Final = 256
FILLED_MAX: Final = 16  # missing blocks fetched one by one before a new snapshot is cheaper
DRIFT_S: Final = 2
EDGE_TICKS: Final = 2_560  # nearer than ten bitmap words to the edge of what we know: read more

_decode_logs = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Watcher(Protocol):
    """Who hears of it: the session."""

    def on_block(self, block: Block, now_ns: int) -> None:
        """The chain is at this block."""

    def on_lost(self, reason: str, now_ns: int) -> None:
        """What was shown is not the chain's any more, or nobody knows."""

    def on_failed(self, reason: str, now_ns: int) -> None:
        """This endpoint cannot be followed now."""


class Follower:
    """`start` on an endpoint, then `saw` each of its heads. All that it asked before a `start` or `stop` is void."""

    def __init__(self, plan: ChainPlan, watcher: Watcher) -> None:
        self.blocks = Blocks()
        self.endpoint: Endpoint | None = None
        self._plan = plan
        self._watcher = watcher
        self._at: dict[str, list[int]] = {}  # the contract that logs → the pools it tells of
        self._first: dict[str, int] = {}  # the pairs of one pool share the state that the first of them has
        for key, pool in enumerate(plan.pools):
            self._at.setdefault(source(pool).lower(), []).append(key)
            self._first.setdefault(pool.address, key)
        self._bits = {address: bloom_bits(address) for address in self._at}
        self._drifting = [key for key, pool in enumerate(plan.pools) if drifts(pool)]
        self._drifted_s = 0
        self._queue: deque[Head] = deque()
        self._is_busy = False
        self._filled = 0
        self._epoch = 0
        self.is_settled = False  # the tip is the chain's, as far as anybody knows

    def start(self, endpoint: Endpoint) -> None:
        self.stop()
        self.endpoint = endpoint

    def stop(self) -> None:
        self._epoch += 1
        self.endpoint = None
        self.blocks.clear()
        self._queue.clear()
        self._is_busy = False
        self._filled = 0
        self.is_settled = False

    def saw(self, head: Head, now_ns: int) -> None:
        """A head of the endpoint's, in the order in which it told them."""
        if any(head.hash == queued.hash for queued in self._queue):
            return
        self._queue.append(head)
        if len(self._queue) > HEADS_QUEUED_MAX:
            self._watcher.on_failed(f"{HEADS_QUEUED_MAX} heads came before one was read", now_ns)
            return
        self._pump(now_ns)

    # --- one head after the other ----------------------------------------------------------------------------------

    def _pump(self, now_ns: int) -> None:
        epoch = self._epoch
        while self._queue and not self._is_busy and epoch == self._epoch:
            if self.blocks.tip is None:
                newest = self._queue[-1]
                self._queue.clear()
                self._snapshot(newest, now_ns)
            else:
                self._take(self._queue.popleft(), self.blocks.tip, now_ns)

    def _take(self, head: Head, tip: Block, now_ns: int) -> None:
        place = self.blocks.place(head)
        if place is Place.NEXT:
            self._filled = 0
            self._advance(head, tip, now_ns)
        elif place is Place.FORK:
            self._unsettled(f"reorg at block {head.number}", now_ns)
            self._advance(head, self.blocks.roll_back(head.parent, now_ns), now_ns)
        elif place is Place.BACK:
            self._unsettled(f"reorg at block {head.number}", now_ns)
            block = self.blocks.roll_back(head.hash, now_ns)
            self._settled(block, now_ns)
        elif place is Place.GAP:
            self._gap(head, tip, now_ns)
        elif not self.is_settled:  # the newest block is the one we have, after all
            self._settled(self.blocks.roll_back(head.hash, now_ns), now_ns)

    def _settled(self, block: Block, now_ns: int) -> None:
        self.is_settled = True
        self._watcher.on_block(block, now_ns)

    def _unsettled(self, reason: str, now_ns: int) -> None:
        self.is_settled = False
        self._watcher.on_lost(reason, now_ns)

    def _gap(self, head: Head, tip: Block, now_ns: int) -> None:
        """Blocks are missing between: fetched by hash, newest first, until one fits."""
        self._unsettled(f"blocks between {tip.head.number} and {head.number} are missing", now_ns)
        self._filled += 1
        if self._filled > FILLED_MAX or head.number - tip.head.number > FILLED_MAX:
            self.blocks.clear()  # too many: a snapshot at the newest
            self._queue.appendleft(head)
            return
        self._is_busy = True

        def filled(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            parent = head_of(result) if result is not None and not is_null(result) else None
            self._is_busy = False
            if parent is None or parent.hash != head.parent:
                self._watcher.on_failed(
                    f"block {head.parent} cannot be had: {why_not or 'unknown to the node'}", now_ns
                )
                return
            self._queue.extendleft((head, parent))  # the parent first
            self._pump(now_ns)

        self._ask("eth_getBlockByHash", [head.parent, False], filled, now_ns)

    # --- reading pools ---------------------------------------------------------------------------------------------

    def _snapshot(self, head: Head, now_ns: int) -> None:
        self._is_busy = True
        self._filled = 0
        self._read(range(len(self._plan.pools)), head, {}, now_ns)

    def _read(self, keys: Iterable[int], head: Head, states: dict[int, State], now_ns: int) -> None:
        """Reads these pools at this block; with `states` of the others it is the new tip."""
        pools = self._plan.pools
        shared: dict[int, list[int]] = {}
        for key in keys:
            first = key if pools[key].kind in PROBED else self._first[pools[key].address]
            shared.setdefault(first, []).append(key)

        def done(results: dict[int, State], why_not: str, now_ns: int) -> None:
            if why_not:
                self._watcher.on_failed(f"block {head.number} cannot be read: {why_not}", now_ns)
                return
            for first, sharing in shared.items():
                states.update(dict.fromkeys(sharing, results[first]))
            self._finish(head, states, now_ns)

        readings = {key: reading(self._plan, pools[key], states.get(key, "")) for key in shared}
        self._batch(readings, head, done, now_ns)

    def _finish(self, head: Head, states: dict[int, State], now_ns: int) -> None:
        block = Block(head, states, now_ns)
        self.blocks.add(block)
        self._is_busy = False
        self._settled(block, now_ns)
        self._pump(now_ns)

    # --- a block's logs --------------------------------------------------------------------------------------------

    def _advance(self, head: Head, before: Block, now_ns: int) -> None:
        touched = [address for address, bits in self._bits.items() if may_hold(head.bloom, bits)]
        due = self._due(head)
        if not touched and not due:
            block = Block(head, before.states, now_ns)
            self.blocks.add(block)
            self._settled(block, now_ns)
            return
        self._is_busy = True
        if not touched:
            self._apply(head, before, due, [], [], now_ns)
            return

        def got(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            try:
                logs = self._logs(result, why_not, head)
            except WireError as error:
                self._watcher.on_failed(f"logs of block {head.number} cannot be had: {error}", now_ns)
            else:
                self._apply(head, before, due, touched, logs, now_ns)

        self._ask("eth_getLogs", [{"blockHash": head.hash, "address": touched}], got, now_ns)

    def _logs(self, raw: msgspec.Raw | None, why_not: str, head: Head) -> list[Log]:
        """Raises WireError for a log of another block or contract, and for one that is there twice."""
        if raw is None:
            raise WireError(why_not)
        try:
            found = _decode_logs(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(f"no list of logs: {error}") from error
        logs = sorted(map(log_of_json, found), key=lambda log: log.index)
        if len({log.index for log in logs}) < len(logs):
            raise WireError("a log is there twice")
        for log in logs:
            if log.block_hash != head.hash or log.is_removed or log.address not in self._at:
                raise WireError(f"log {log.index} of {log.address} in block {log.block_hash} was not asked for")
        return logs

    def _due(self, head: Head) -> list[int]:
        """Pools whose state may change without a log are looked at every few seconds: probed, or compared."""
        if not self._drifting or 0 <= head.time_s - self._drifted_s < DRIFT_S:
            return []
        self._drifted_s = head.time_s
        return self._drifting

    def _apply(
        self, head: Head, before: Block, due: list[int], touched: list[str], logs: list[Log], now_ns: int
    ) -> None:
        """The pools in `touched` without any log must be as they were: that is compared before it is believed."""
        states = dict(before.states)
        silent = set(touched) - {log.address for log in logs}
        unread: dict[int, None] = dict.fromkeys(key for key in due if isinstance(states[key], str | Probed))
        for log in logs:
            for key in self._at[log.address]:
                after = _after(self._plan.pools[key], states[key], log)
                if after is None:
                    unread[key] = None
                else:
                    states[key] = after

        def compared(results: dict[int, str], why_not: str, now_ns: int) -> None:
            different = {key: text for key, text in results.items() if text}
            unread.update(dict.fromkeys(key for key in due if self._first[self._plan.pools[key].address] in different))
            wrong = why_not or next((text for key, text in different.items() if key not in due), "")
            if wrong:
                self._watcher.on_failed(f"a log of block {head.number} was kept back: {wrong}", now_ns)
            elif unread:
                self._read(unread, head, states, now_ns)
            else:
                self._finish(head, states, now_ns)

        unsure = [key for address in sorted(silent) for key in self._at[address]]
        comparisons = comparing(self._plan, states, [*unsure, *due])
        if comparisons:
            self._batch(comparisons, head, compared, now_ns)
        else:
            compared({}, "", now_ns)

    # --- asking ----------------------------------------------------------------------------------------------------

    def _ask(self, method: str, params: list[object], then: Callable[..., None], now_ns: int) -> None:
        if self.endpoint is not None:
            self.endpoint.ask(method, params, self._current(then), now_ns)

    def _batch(self, readings: Mapping[int, Reading[Any]], head: Head, done: Callable[..., None], now_ns: int) -> None:
        if self.endpoint is not None:
            epoch = self._epoch
            batch = Batch(
                self.endpoint, self._plan.multicall, head.hash, readings, self._current(done), alone=alone(self._plan),
                is_patient=self.blocks.tip is None,  # then every pool is read for the first time
                is_wanted=lambda: epoch == self._epoch,
            )  # fmt: skip
            batch.start(now_ns)

    def _current(self, then: Callable[..., None]) -> Callable[..., None]:
        """`then`, unless a `start` or `stop` came in between."""
        epoch = self._epoch
        return lambda *given: then(*given) if epoch == self._epoch else None


def _after(pool: PoolPlan, state: State, log: Log) -> State | None:
    """The pool's state after this log; None: it must be read."""
    if not concerns(pool, log):
        return state
    if isinstance(state, str | Probed):
        return None  # whatever it was that kept it from being shown may be over
    try:
        after = apply(pool, state, log)
    except (QuoteError, WireError):
        return None
    return None if isinstance(after, Concentrated) and _is_at_edge(after) else after


def _is_at_edge(pool: Concentrated) -> bool:
    """Whether the price came near the end of the ticks that were read."""
    ticks = pool.ticks
    return (ticks.low > MIN_TICK and pool.tick - ticks.low < EDGE_TICKS) or (
        ticks.high < MAX_TICK and ticks.high - pool.tick < EDGE_TICKS
    )
