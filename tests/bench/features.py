"""What the features of one book update cost, on the books of a real recording.

    uv run python -m tests.bench.features [--rounds N]

The books of ../shared/data's Kraken recordings, where that folder is present, are made beforehand, so that only
`Features.on_book` is timed. Then made books in which one level's size changed, or one level came or went, within the
top ten; and books whose top ten stayed as they were.
"""

import argparse
import gc
import time
from collections.abc import Iterator

from connectors.book import L2Book
from runtime.features import Features
from tests.support.data import data_folder
from tests.support.reference import Recording, books, recording

Moments = list[tuple[L2Book, int]]


def frozen(buffer: bytes) -> L2Book:
    """A book that stays as it is."""
    book = L2Book()
    book.buffer[:] = buffer
    return book


def moments(frames: Recording, depth: int, digits: int) -> Iterator[tuple[L2Book, int]]:
    live = L2Book(depth=depth)
    for _, recv_ns, reference, _ in books(frames, depth, digits, 8):
        top = reference.top()
        bids, asks = ([(px, sz) for px, sz in top[name]] for name in ("bids", "asks"))
        live.load(bids, asks, recv_ns)
        yield frozen(bytes(live.buffer)), recv_ns


def recorded() -> dict[str, Moments]:
    folder = data_folder()
    if folder is None:
        return {}
    found = {}
    for name, depth, digits in (("kraken_btcusd_l2", 10, 1), ("kraken_ethusd_sample", 25, 2)):
        frames = recording(folder / "kraken_v2_crossbook" / f"{name}.jsonl")
        found[f"{name}, depth {depth}"] = list(moments(frames, depth, digits))
    return found


def made() -> dict[str, Moments]:
    """Deep books 1 ms apart, forth and back between two states."""
    cent = 10**7
    base = [(50_000_000 - i, 10**8 + i) for i in range(12)], [(50_000_001 + i, 10**8 + i) for i in range(12)]

    def pair(bids: list[tuple[int, int]], other: list[tuple[int, int]]) -> Moments:
        states = []
        for side in (bids, other):
            book = L2Book(depth=25)
            book.load([(px * cent, sz) for px, sz in side], [(px * cent, sz) for px, sz in base[1]], 1)
            states.append(frozen(bytes(book.buffer)))
        return [(states[i & 1], i * 1_000_000) for i in range(2000)]

    bids = base[0]
    return {
        "one size of the top ten": pair(bids, [*bids[:3], (bids[3][0], 7), *bids[4:]]),
        "best bid's size": pair(bids, [(bids[0][0], 7), *bids[1:]]),
        "level 4 comes and goes": pair(bids, [*bids[:3], *bids[4:]]),
        "best bid comes and goes": pair(bids, bids[1:]),
        "below the top ten": pair(bids, [*bids[:11], (bids[11][0], 7)]),
    }


def cost(given: Moments) -> float:
    """Seconds a book, the loop's own 0.03 µs included."""
    features, clock = Features(), time.perf_counter
    on_book = features.on_book
    begin = clock()
    for book, now_ns in given:
        on_book(book, now_ns)
    return (clock() - begin) / len(given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    lines = recorded() | made()
    best = dict.fromkeys(lines, float("inf"))
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for name, given in lines.items():
            best[name] = min(best[name], cost(given))
    print("Features.on_book, best of", rounds)
    for name, seconds in best.items():
        print(f"  {name:<36} {seconds * 1e6:6.2f} µs a book")


if __name__ == "__main__":
    main()
