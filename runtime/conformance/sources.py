"""A venue's own source files, and what they do, read without running them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from connectors.session import Venue

# what a pure file has no use for: clocks, sockets, chance, files, processes, and everybody's ways to reach the network
WORLDLY: Final = frozenset(
    """
    aiofiles aiohttp asyncio ccxt concurrent ctypes curl_cffi datetime grpc http httpx httpx2 importlib io logging
    multiprocessing oms os pathlib pickle picows random requests risk runtime secrets select shelve shutil signal socket
    socketserver ssl subprocess sys tempfile threading time trio urllib urllib3 uuid uvloop websocket websockets
    """.split()  # noqa: SIM905 - a list of forty strings would hide the words
)
WORLDLY_CALLS: Final = frozenset({"open", "input", "print", "eval", "exec", "__import__", "breakpoint"})
FILE_LINES: Final = 400
FUNCTION_LINES: Final = 50


def modules_of(venue: Venue) -> set[str]:
    """The modules that a venue's parts are written in."""
    trading = venue.trading
    parts: list[object] = [venue.market, venue.orders, venue.checksum, venue.asked]
    if trading is not None:
        parts += [trading.session, trading.sign, trading.seal, trading.secrets_in]
    return {name for part in parts if (name := getattr(part, "__module__", ""))} - {"connectors.session"}


def package_of(venue: Venue) -> str:
    """The package of its session: a module's own name where it is in none."""
    name: str = venue.market.__module__
    return name if hasattr(sys.modules[name], "__path__") else name.rpartition(".")[0] or name


def files_of(venue: Venue) -> list[Path]:
    """Every source file of its package, and of parts that lie elsewhere. Raises AssertionError where there is none."""
    package = package_of(venue)
    found = _files(package)
    for name in modules_of(venue):
        if name != package and not name.startswith(f"{package}."):
            found |= _files(name)
    if not found:
        raise AssertionError(f"{package} has no source files that could be read")
    return sorted(found)


def _files(name: str) -> set[Path]:
    module = sys.modules[name]
    folders = [Path(folder) for folder in getattr(module, "__path__", ())]
    if folders:
        return {path for folder in folders for path in folder.rglob("*.py")}
    file = getattr(module, "__file__", None)
    return {Path(file)} if file else set()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def worldly(path: Path) -> Iterator[str]:
    """What in this file touches the world, with its line."""
    for node in ast.walk(tree_of(path)):
        line = f"{path.name}:{getattr(node, 'lineno', 0)}"
        match node:
            case ast.Import(names):
                for alias in names:
                    if alias.name.partition(".")[0] in WORLDLY:
                        yield f"{line} imports {alias.name}"
            case ast.ImportFrom(module, _, 0) if module and module.partition(".")[0] in WORLDLY:
                yield f"{line} imports {module}"
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield f"{line} awaits"
            case ast.Call(ast.Name(name)) if name in WORLDLY_CALLS:
                yield f"{line} calls {name}"


def calls(path: Path, name: str) -> list[int]:
    """The lines on which something of this name is called."""
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            function = node.func.value if isinstance(node.func, ast.Subscript) else node.func
            called = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            if called == name:
                found.append(node.lineno)
    return found


def too_long(path: Path) -> Iterator[str]:
    """What of this file is beyond the caps."""
    lines = path.read_text(encoding="utf-8").count("\n")
    if lines > FILE_LINES:
        yield f"{path.name} has {lines} lines, {FILE_LINES} are the most: two ideas are in it"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{path.name}: {node.name} has {length} lines, {FUNCTION_LINES} are the most"
