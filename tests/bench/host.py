"""What the host adds to a guest's callback: `uv run python -m tests.bench.host`.

All in one run, best of so many rounds, so that the machine's mood cancels out:

* our `on_book` against one raw unchecked call of the same guest: at most 1.5 × besides the writing of its records;
* the writing: book, state and features into guest memory;
* the library's own `Func.__call__`, which is what a host without the raw path would pay;
* one update of OnlineFeatures on a real book; one guest log line of 100 bytes; one shown region.

The books are the real Kraken recording's where it is there, else the simulated market's.
"""

import argparse
import gc
import time
from collections.abc import Callable, Sequence

from runtime import abi
from runtime.abi import Region
from runtime.features import Features
from runtime.host import AlgoHost
from tests.bench.features import Moments, made, recorded
from tests.support.data import ROOT
from tests.support.guests import guest

CALLS = 2000
GOAL = 1.5
AT_ONCE = 4
LINES = 16
STATE = bytearray(abi.STATE_BYTES)
FEATURES = bytearray(abi.FEATURES_BYTES)
LOG = '(import "env" "host_log_impl" (func $log (param i32 i32 i32)))'
QUIET = "(i32.store (i32.const 1024) (i32.const 0))"
Run = Callable[[], float]


def module(name: str) -> bytes:
    return (ROOT / f"fixtures/algos/{name}.wasm").read_bytes()


def called(host: AlgoHost, books: Sequence[bytearray]) -> Run:
    """The library's `Func.__call__`, with the same records written and no check of what comes back."""
    func, store = host.library_call()
    book_slot, state_slot, features_slot = host.slots()

    def run() -> float:
        clock, spent = time.perf_counter, 0.0
        for book in books:
            host.raw_call()[0].refuel()
            begin = clock()
            book_slot[:] = book
            state_slot[:] = STATE
            if features_slot is not None:
                features_slot[:] = FEATURES
            func(store, host.book_ptr, host.state_ptr)
            spent += clock() - begin
        return spent / len(books)

    return run


def whole(host: AlgoHost, books: Sequence[bytearray]) -> Run:
    """Our callback as the engine makes it."""

    def run() -> float:
        on_book, clock = host.on_book, time.perf_counter
        begin = clock()
        for book in books:
            on_book(book, STATE, FEATURES)
        return (clock() - begin) / len(books)

    return run


def raw(host: AlgoHost, books: Sequence[bytearray]) -> Run:
    """The bare call: two arguments, no check. Its records are written, and it is refuelled, outside the time."""
    calls, at, slots = host.raw_call()

    def run() -> float:
        book_slot, state_slot, features_slot = host.slots()
        state_slot[:] = STATE
        if features_slot is not None:
            features_slot[:] = FEATURES
        clock, spent = time.perf_counter, 0.0
        for book in books:
            calls.refuel()
            book_slot[:] = book
            begin = clock()
            for _ in range(AT_ONCE):
                slots[0], slots[2] = host.book_ptr, host.state_ptr
                calls.call(at, 2)
            spent += clock() - begin
        return spent / len(books) / AT_ONCE

    return run


def writing(host: AlgoHost, books: Sequence[bytearray]) -> Run:
    """The records alone, into the guest's memory."""

    def run() -> float:
        book_slot, state_slot, features_slot = host.slots()  # good as long as the host lives
        clock = time.perf_counter
        begin = clock()
        for book in books:
            book_slot[:] = book
            state_slot[:] = STATE
            if features_slot is not None:
                features_slot[:] = FEATURES
        return (clock() - begin) / len(books)

    return run


def updating(moments: Moments) -> Run:
    def run() -> float:
        features, clock = Features(), time.perf_counter
        on_book = features.on_book
        begin = clock()
        for book, now_ns in moments:
            on_book(book, now_ns)
        return (clock() - begin) / len(moments)

    return run


def logging(books: Sequence[bytearray]) -> Run:
    """One line of 100 bytes, of LINES a callback, what the same callback costs without them taken off."""
    line = "(call $log (i32.const 2) (i32.const 4096) (i32.const 100))"
    silent, chatty = (AlgoHost(guest(QUIET + line * n, imports=LOG), name="logs") for n in (0, LINES))

    def once(host: AlgoHost) -> float:
        begin = time.perf_counter()
        for book in books:
            host.on_book(book, STATE, FEATURES)
            host.take_logs()
        return (time.perf_counter() - begin) / len(books)

    return lambda: (once(chatty) - once(silent)) / LINES


def showing(host: AlgoHost) -> Run:
    """VenueBooks, the largest record that changes often."""
    record = bytearray(host.regions[Region.VENUE_BOOKS][1])

    def run() -> float:
        begin = time.perf_counter()
        for _ in range(CALLS):
            host.show(Region.VENUE_BOOKS, record)
        return (time.perf_counter() - begin) / CALLS

    return run


def measure(rounds: int) -> dict[str, float]:
    """Best seconds of each line, all taken in turns."""
    moments = next(iter((recorded() or made()).values()))
    books = [book.buffer for book, _ in moments][:CALLS]
    runs: dict[str, Run] = {}
    for name, wasm in {"smallest guest": guest(QUIET), "speed_test": module("speed_test"),
                       "market_maker": module("market_maker")}.items():  # fmt: skip
        for what, make in {"raw call": raw, "writing its records": writing, "our on_book": whole,
                           "Func.__call__": called}.items():  # fmt: skip
            runs[f"{name}: {what}"] = make(AlgoHost(wasm, name=name), books)
    runs["features, one book"] = updating(moments)
    runs["one log line of 100 bytes"] = logging(books)
    runs["VenueBooks shown, 13,832 bytes"] = showing(AlgoHost(module("market_maker"), name="shows"))
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    best = measure(rounds)
    print("one callback of a guest; best of", rounds)
    for name, seconds in best.items():
        guest_name, _, what = name.partition(": ")
        note = ""
        if what in ("our on_book", "Func.__call__"):
            ratio = (seconds - best[f"{guest_name}: writing its records"]) / best[f"{guest_name}: raw call"]
            note = f"   {ratio:5.2f} × raw call, the writing taken off"
            if what == "our on_book":
                note += f"; goal ≤ {GOAL} ×: {'reached' if ratio <= GOAL else 'missed'}"
        print(f"  {name:<44} {seconds * 1e6:7.3f} µs{note}")


if __name__ == "__main__":
    main()
