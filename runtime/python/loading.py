"""From a Python file to an algo: the one file is read once, hashed, compiled and run under a name of its own.

No bytecode cache is read or written, so what runs is what was hashed. The file's folder is not importable: a second
file beside it would decide orders and be in no hash.
"""

import importlib.abc
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from connectors.errors import GuestFault, ModuleError

# how many arguments the engine hands over, beside self
CALLBACKS: Final = {
    "on_book": ("book", "state", "features", "actions"),
    "on_nbbo": ("nbbo", "books", "state", "features", "actions"),
    "on_message": ("from_", "payload", "state", "actions"),
    "on_heartbeat": ("state", "features", "actions"),
    "on_fill": ("fill", "state"),
    "on_reject": ("reject",),
    "on_shutdown": ("state", "actions"),
}
TEXT_MAX: Final = 300


class _Source(importlib.abc.InspectLoader):
    """Compiles bytes that are in hand already."""

    def __init__(self, source: bytes, path: str) -> None:
        self._source, self._path = source, path

    def get_source(self, fullname: str) -> str:
        del fullname
        return importlib.util.decode_source(self._source)

    def get_code(self, fullname: str) -> CodeType:
        del fullname
        return self.source_to_code(self._source, self._path)


def _name(sha256: str) -> str:
    return f"_venuegate_algo_{sha256[:16]}"


def forget(sha256: str) -> None:
    """Takes a file that turned out to hold no algo out of `sys.modules`."""
    sys.modules.pop(_name(sha256), None)


def run_file(source: bytes, path: str, sha256: str) -> ModuleType:
    """The module after its top level ran. Raises ModuleError.

    The name is the same in every process: a class's repr that ends up in a log line must not differ in a replay.
    """
    name = _name(sha256)
    loader = _Source(source, path)
    spec = importlib.util.spec_from_loader(name, loader, origin=path)
    if spec is None:
        raise ModuleError("cannot be imported", place=path, mend="give the path of a .py file")
    module = importlib.util.module_from_spec(spec)
    module.__file__ = path
    sys.modules[name] = module  # dataclasses look their own module up there
    problem = mend = ""
    try:
        loader.exec_module(module)
    except BaseException as error:  # noqa: BLE001 - whatever a file does when it runs, the answer is one clear message
        problem, mend = _why(error, path)
    if problem:
        forget(sha256)
        raise ModuleError(problem, place=path, mend=mend)
    return module


def _why(error: BaseException, path: str) -> tuple[str, str]:
    if isinstance(error, SyntaxError) and error.filename in (path, None):
        return f"line {error.lineno}: {type(error).__name__}: {error.msg}", "mend the syntax"
    if isinstance(error, ModuleNotFoundError):
        mend = "an algo is one file: put it in there, or install it (an installed package is not part of the hash)"
        return fault_text(error, path), mend
    return fault_text(error, path), "the file must run from top to bottom without an exception"


def fault_text(error: BaseException, path: str) -> str:
    """`<file>:<line> Type: text`, one line, of the innermost frame of the algo's own file; a GuestFault has no type.

    Never raises: names and texts of an algo's exceptions are the algo's code, too.
    """
    line = 0
    try:
        for frame, number in traceback.walk_tb(error.__traceback__):
            line = number if frame.f_code.co_filename == path else line
        where = f"{Path(path).name}:{line} " if line else ""
    except BaseException:  # noqa: BLE001 - out of memory
        where = ""
    try:
        kind, text = ("", error.detail) if type(error) is GuestFault else (type(error).__name__, str(error))
        text = " ".join(f"{text}".split())[:TEXT_MAX]
    except BaseException:  # noqa: BLE001 - whatever it is, the fault is told
        kind, text = "an exception", "(its text cannot be made)"
    return f"{where}{kind}{': ' if kind and text else ''}{text}"


def maker_of(module: ModuleType, base: type, path: str) -> Callable[[], object]:
    """`ALGO = MyAlgo` or `def algo()`. Raises ModuleError."""
    named, factory = vars(module).get("ALGO"), vars(module).get("algo")
    if named is None and factory is None:
        own = [
            name for name, thing in vars(module).items()
            if isinstance(thing, type) and issubclass(thing, base) and thing.__module__ == module.__name__
        ]  # fmt: skip
        example = own[0] if own else "MyAlgo"
        raise ModuleError("names no algo", place=path, mend=f"end the file with ALGO = {example}")
    if named is None:
        if not callable(factory):
            raise ModuleError("algo is not a function", place=path, mend="write def algo() -> Algo: or ALGO = MyAlgo")
        return factory  # type: ignore[no-any-return]
    if isinstance(named, base):
        raise ModuleError(
            "ALGO is an instance", place=path, mend=f"name the class: ALGO = {type(named).__name__}: it is made anew"
        )
    if not isinstance(named, type) or not issubclass(named, base):
        given = named.__name__ if isinstance(named, type) else type(named).__name__
        mend = f"write class {given if isinstance(named, type) else 'MyAlgo'}(Algo): …"
        raise ModuleError(f"ALGO is {given}, which is not based on Algo", place=path, mend=mend)
    return named


def check_methods(kind: type, base: type, path: str) -> frozenset[str]:
    """Which callbacks it has. Raises ModuleError for one that could never be called as it is written."""
    for name in dir(kind):
        if name.startswith("on_") and name not in CALLBACKS and callable(getattr(kind, name, None)):
            near = get_close_matches(name, CALLBACKS, n=1)
            mend = f"did you mean {near[0]}?" if near else f"callbacks are {', '.join(CALLBACKS)}: rename the helper"
            raise ModuleError(f"{kind.__name__}.{name} is no callback", place=path, mend=mend)
    own = frozenset(name for name in CALLBACKS if getattr(kind, name) is not getattr(base, name))
    for name in sorted(own):
        method = getattr(kind, name)
        arguments = CALLBACKS[name]
        mend = f"write def {name}(self, {', '.join(arguments)}):"
        if inspect.iscoroutinefunction(method) or inspect.isgeneratorfunction(method):
            raise ModuleError(f"{kind.__name__}.{name} is async or a generator", place=path, mend=mend)
        try:
            inspect.signature(method).bind(None, *arguments)
        except (TypeError, ValueError) as error:
            raise ModuleError(f"{kind.__name__}.{name}: {error}", place=path, mend=mend) from None
    if not own & {"on_book", "on_nbbo", "on_message", "on_heartbeat"}:
        mend = "write at least def on_book(self, book, state, features, actions):"
        raise ModuleError(f"{kind.__name__} has no callback", place=path, mend=mend)
    return own
