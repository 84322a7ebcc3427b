"""Waits for files to change, for `--watch`: looks at sizes and times twice a second, at no more than 500 files."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

POLL_S: Final = 0.5
FILES_MAX: Final = 500
_SOURCES: Final = (".rs", ".toml", ".zig", ".py")

Look = dict[Path, tuple[int, int]]


def sources_of(folder: Path) -> list[Path]:
    """An algo's own files: not what compilers write (`target`, `.zig-cache`), not what is hidden."""
    found: list[Path] = []
    waiting = [folder]
    while waiting and len(found) < FILES_MAX:
        try:
            entries = sorted(waiting.pop().iterdir())
        except OSError:
            continue  # gone meanwhile
        for path in entries:
            if path.name.startswith(".") or path.is_symlink():
                continue
            if path.is_dir():
                if path.name not in ("target", "zig-out", "__pycache__"):
                    waiting.append(path)
            elif path.suffix in _SOURCES:
                found.append(path)
    return found[:FILES_MAX]


def look(paths: Sequence[Path]) -> Look:
    """Size and time of each that is there now."""
    seen: Look = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue  # between its removal and its return: the next look finds it
        seen[path] = (status.st_mtime_ns, status.st_size)
    return seen


def changes(paths: Sequence[Path], folder: Path | None) -> Iterator[None]:
    """Yields at once, then after each change of the files or of the sources in `folder`. Never ends by itself."""

    def now() -> Look:
        return look([*paths, *(sources_of(folder) if folder is not None else ())])

    while True:
        before = now()  # before the work that the caller does: a change during it is seen afterwards
        yield
        while (after := now()) == before or not after:
            time.sleep(POLL_S)
