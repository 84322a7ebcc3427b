"""A second, independent way from frames to books: plain dictionaries, number text, the documented checksum rule."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Recording = list[tuple[int, str]]  # (recv_ns, raw)


def recording(path: Path) -> Recording:
    return [(row["recv_ns"], row["raw"]) for row in map(json.loads, path.read_text().splitlines())]


def scaled(text: str, decimals: int) -> int:
    """Plain digits only: what book frames hold."""
    whole, _, part = text.partition(".")
    return int(whole + part.ljust(decimals, "0")[:decimals])


class DictBook:
    """A Kraken book by the docs' rules: apply in order, truncate, check. Prices and sizes stay the venue's own text."""

    def __init__(self, depth: int, price_digits: int, size_digits: int) -> None:
        self.depth = depth
        self.digits = price_digits, size_digits
        self.sides: dict[str, dict[int, tuple[str, str]]] = {"bids": {}, "asks": {}}

    def snapshot(self, data: dict[str, Any]) -> None:
        self.sides = {"bids": {}, "asks": {}}
        self.update(data)

    def update(self, data: dict[str, Any]) -> None:
        for name, levels in self.sides.items():
            for level in data[name]:
                key = scaled(level["price"], 9)
                if float(level["qty"]) == 0:
                    levels.pop(key, None)
                else:
                    levels[key] = (level["price"], level["qty"])
            for key in self._sorted(name)[self.depth :]:
                del levels[key]

    def _sorted(self, name: str) -> list[int]:
        return sorted(self.sides[name], reverse=name == "bids")

    def top(self, count: int = 20) -> dict[str, list[list[int]]]:
        """As `--books` prints it: [px_1e9, sz_1e8], best first."""
        return {
            name: [[key, scaled(self.sides[name][key][1], 8)] for key in self._sorted(name)[:count]]
            for name in ("bids", "asks")
        }

    def checksum(self) -> int:
        text = ""
        for name in ("asks", "bids"):
            for key in self._sorted(name)[:10]:
                for number, digits in zip(self.sides[name][key], self.digits, strict=True):
                    whole, _, part = number.partition(".")
                    text += (whole + part.ljust(digits, "0")).lstrip("0")
        return zlib.crc32(text.encode())


def books(
    frames: Recording, depth: int, price_digits: int, size_digits: int
) -> Iterator[tuple[int, int, DictBook, int]]:
    """(frame's index, recv_ns, the book after it, the checksum it carries) for each book message."""
    book = DictBook(depth, price_digits, size_digits)
    for index, (recv_ns, raw) in enumerate(frames):
        message = json.loads(raw, parse_float=str, parse_int=str)
        if message.get("channel") != "book":
            continue
        (data,) = message["data"]
        (book.snapshot if message["type"] == "snapshot" else book.update)(data)
        yield index, recv_ns, book, int(data["checksum"])
