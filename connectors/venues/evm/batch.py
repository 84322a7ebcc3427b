"""Readings of many pools, driven together over one endpoint at one block.

A reading (`reading.py`) is a generator that yields stages of calls and is sent their answers. All of a batch advance
stage by stage: the calls of all are put together through Multicall3, or made one by one where the chain has none. Every
call is pinned to the block's hash (EIP-1898), so a batch is of one block or it fails. What nobody wants any more
(`is_wanted`) is asked no further, and `done` is not called.

A call into an old contract may burn all the gas that is left to it, and with it that of the calls behind it: they come
back without an answer though they have one. So readings of such contracts (`alone`) have requests of their own, and
when a pool is read for the first time (`is_patient`) its calls without an answer are made once more, last ones first.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from connectors.errors import PoolRefused, QuoteError, WireError
from connectors.onchain.jsonrpc import text_of
from connectors.venues.evm.abi import Answers, Call, Reading, aggregated, from_hex, separated
from connectors.venues.evm.endpoint import Endpoint
from connectors.venues.evm.rpc import is_revert

CALLS_A_CHUNK: Final = 400
STAGES_MAX: Final = 32  # a reading that never ends would ask for ever

T = TypeVar("T")
Done = Callable[[dict[int, T | str], str, int], None]  # per key the result or why not; or why the batch failed
_Slot = tuple[int, int]  # a call: whose, and which of its stage


class Batch(Generic[T]):
    """Calls `done` once: with all results, or with the reason for which there are none. `start` begins."""

    def __init__(
        self, endpoint: Endpoint, multicall: str, block_hash: str, readings: Mapping[int, Reading[T]], done: Done[T],
        *, is_patient: bool = False, alone: Container[int] = (), is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:  # fmt: skip
        self._endpoint = endpoint
        self._multicall = multicall
        self._at = {"blockHash": block_hash, "requireCanonical": True}
        self._readings = dict(readings)
        self._done = done
        self._is_patient = is_patient and bool(multicall)
        self._alone = alone
        self._is_wanted = is_wanted
        self._results: dict[int, T | str] = {}
        self._stages = 0
        self._calls: dict[int, list[Call]] = {}  # of this stage, by reading
        self._answers: dict[_Slot, bytes | None] = {}
        self._due = 0  # requests without an answer yet
        self._is_second = False  # the calls without an answer are being made once more
        self._has_failed = False

    def start(self, now_ns: int) -> None:
        self._advance(dict.fromkeys(self._readings), now_ns)

    def _advance(self, given: Mapping[int, Answers | None], now_ns: int) -> None:
        """Sends each reading its answers, collects what it asks next."""
        self._stages += 1
        self._calls = {key: calls for key, answers in given.items() if (calls := self._step(key, answers))}
        self._answers, self._is_second = {}, False
        if not self._calls:
            self._done(self._results, "", now_ns)
        elif self._stages > STAGES_MAX:
            self._fail(f"a pool asked for more than {STAGES_MAX} rounds", now_ns)
        else:
            self._ask(self._chunks(), now_ns)

    def _step(self, key: int, answers: Answers | None) -> list[Call]:
        reading = self._readings[key]
        try:
            calls = next(reading) if answers is None else reading.send(answers)
            while not calls:  # a stage may have nothing to ask
                calls = reading.send([])
        except StopIteration as stop:
            self._results[key] = stop.value
        except (PoolRefused, WireError, QuoteError) as error:
            self._results[key] = f"refused: {error}"
        else:
            return calls
        return []

    def _chunks(self) -> list[list[_Slot]]:
        size = CALLS_A_CHUNK if self._multicall else 1
        slots: list[list[_Slot]] = [[]]  # the first: all that may share
        for key, calls in self._calls.items():
            own = [(key, place) for place in range(len(calls))]
            if key in self._alone:
                slots.append(own)
            else:
                slots[0] += own
        return [one[at : at + size] for one in slots for at in range(0, len(one), size)]

    def _ask(self, chunks: Sequence[list[_Slot]], now_ns: int) -> None:
        self._due = len(chunks)
        for chunk in chunks:
            calls = [self._calls[key][place] for key, place in chunk]
            is_one = len(calls) == 1
            call = calls[0] if is_one else aggregated(calls, self._multicall)
            params: list[Any] = [{"to": call.to, "data": "0x" + call.data.hex()}, self._at]
            self._endpoint.ask("eth_call", params, self._then(chunk), now_ns, self._is_wanted)

    def _then(self, chunk: list[_Slot]) -> Callable[[msgspec.Raw | None, str, int], None]:
        return lambda result, why_not, now_ns: self._got(chunk, result, why_not, now_ns)

    def _got(self, chunk: list[_Slot], result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
        if self._has_failed or not self._is_wanted():
            return
        try:
            self._answers |= zip(chunk, _read(result, why_not, len(chunk)), strict=True)
        except WireError as error:
            self._fail(str(error), now_ns)
            return
        self._due -= 1
        if not self._due:
            self._next(now_ns)

    def _next(self, now_ns: int) -> None:
        """All of the stage is answered: on, or what was not answered once more."""
        silent: dict[int, list[_Slot]] = {}
        for slot in sorted((slot for slot, answer in self._answers.items() if answer is None), reverse=True):
            silent.setdefault(slot[0], []).append(slot)
        if self._is_patient and silent and not self._is_second:
            self._is_second = True
            self._ask(list(silent.values()), now_ns)
            return
        given: dict[int, Answers | None] = {
            key: [self._answers[key, place] for place in range(len(calls))] for key, calls in self._calls.items()
        }
        self._advance(given, now_ns)

    def _fail(self, why_not: str, now_ns: int) -> None:
        self._has_failed = True
        self._done({}, why_not, now_ns)


def _read(result: msgspec.Raw | None, why_not: str, count: int) -> Answers:
    """The answers in one answer; None for a revert. Raises WireError for anything else that went wrong."""
    if result is not None:
        data = from_hex(text_of(result))
        if count > 1 and not data:
            raise WireError('no Multicall3 where multicall says: set it to its address on this chain, or to ""')
        return separated(data, count) if count > 1 else [data or None]
    if count > 1 or not is_revert(why_not):
        raise WireError(why_not)
    return [None]
