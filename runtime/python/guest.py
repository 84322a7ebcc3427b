"""PythonGuest: one Python algo, called as the engine calls any guest (`guest.py`), and `load_python`, which makes it.

The same turn, the same records, 16 actions, 256 log lines, 64 messages; whatever it raises becomes a GuestFault, which
disables this instance and nothing else. What does not hold: it runs in this process with all its rights, without fuel,
and an endless loop is endless, until the kill switch breaks it off (`interrupt`).
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Final, TypeVar

from connectors.errors import GuestFault, ModuleError
from connectors.orders import Action as Raw
from runtime.abi import REGIONS, Generation, Region, Span
from runtime.pyalgo import Algo
from runtime.python.actions import Actions
from runtime.python.context import MeshTable, Outbox, current, refuse
from runtime.python.loading import check_methods, fault_text, forget, maker_of, run_file
from runtime.python.market import NbboSnapshot, VenueBooks
from runtime.python.records import AlgoState, Fill, L2Book, OnlineFeatures, Reject

T = TypeVar("T")

SOURCE_BYTES_MAX: Final = 4 * 2**20
_CALLED: Final = frozenset({"on_book", "on_nbbo", "on_message", "on_heartbeat"})


class PythonGuest(Outbox):
    """One loaded Python algo, called as the engine calls any guest (`runtime/guest.py`)."""

    generation = Generation.V0_4
    is_sandboxed = False
    fuel_left: int | None = None
    fuel_used = 0

    def __init__(self, source: bytes, *, name: str) -> None:
        """`name` is the file's path. Raises ModuleError."""
        super().__init__()
        if len(source) > SOURCE_BYTES_MAX:
            problem = f"is {len(source)} bytes, the most is {SOURCE_BYTES_MAX}"
            raise ModuleError(problem, place=name, mend="data does not belong in an algo's source")
        self.name = name
        self.source = source
        self.sha256 = hashlib.sha256(source).hexdigest()
        self.regions: Mapping[Region, Span] = REGIONS[Generation.V0_4]
        try:
            self._algo = self._made()
            self.overridden = check_methods(type(self._algo), Algo, name)
        except ModuleError:
            forget(self.sha256)
            raise
        self.class_name = type(self._algo).__name__
        self.callbacks = self.overridden & _CALLED

    def _made(self) -> Algo:
        try:
            module = _called(run_file, self.source, self.name, self.sha256)
        except _Interrupted as interrupted:
            raise ModuleError(str(interrupted), place=self.name, mend="the file must run to its end at once") from None
        maker = maker_of(module, Algo, self.name)
        problem = ""
        try:
            made = _called(maker)
        except BaseException as error:  # noqa: BLE001 - a constructor is the author's code: one clear message
            problem = _told(error, self.name)
        if problem:
            raise ModuleError(problem, place=self.name, mend="the algo must be made without arguments or exceptions")
        if not isinstance(made, Algo):
            mend = "return an instance of a class based on Algo"
            raise ModuleError(f"algo() gave a {type(made).__name__}", place=self.name, mend=mend)
        return made

    def fresh(self) -> "PythonGuest":
        """The same bytes run again: a new module, a new instance."""
        return PythonGuest(self.source, name=self.name)

    def show(self, region: Region, record: bytes | bytearray) -> None:
        self.shown[region] = bytes(record)

    # --- callbacks -------------------------------------------------------------------------------------------------

    def on_book(self, book: bytearray, state: bytearray, features: bytearray, symbol_id: int = 0) -> list[Raw]:
        seen = L2Book(bytes(book) if symbol_id == 0 else _of_symbol(book, symbol_id))
        actions = Actions()
        self._run("on_book", seen, AlgoState(bytes(state)), OnlineFeatures(bytes(features)), actions)
        return actions.taken()

    def on_nbbo(self, nbbo: bytearray, state: bytearray) -> list[Raw]:
        books, features = VenueBooks(self.shown.get(Region.VENUE_BOOKS)), self._features()
        actions = Actions()
        self._run("on_nbbo", NbboSnapshot(bytes(nbbo)), books, AlgoState(bytes(state)), features, actions)
        return actions.taken()

    def on_message(self, sender: int, payload: bytes, state: bytearray) -> list[Raw]:
        label = MeshTable(self.shown.get(Region.MESH)).label_for(sender)
        actions = Actions()
        self._run("on_message", label, bytes(payload), AlgoState(bytes(state)), actions)
        return actions.taken()

    def on_heartbeat(self, state: bytearray) -> list[Raw]:
        actions = Actions()
        self._run("on_heartbeat", AlgoState(bytes(state)), self._features(), actions)
        return actions.taken()

    def on_fill(self, fill: bytes, state: bytearray) -> None:
        self._run("on_fill", Fill(bytes(fill)), AlgoState(bytes(state)))

    def on_reject(self, reject: bytes) -> None:
        self._run("on_reject", Reject(bytes(reject)))

    def on_shutdown(self, state: bytearray) -> list[Raw]:
        actions = Actions()
        self._run("on_shutdown", AlgoState(bytes(state)), actions)
        return actions.taken()

    def _features(self) -> OnlineFeatures:
        return OnlineFeatures(self.shown.get(Region.FEATURES))

    def _run(self, callback: str, *arguments: object) -> None:
        """Calls it as the current algo. Raises GuestFault, and nothing else whatever the algo does."""
        token = current.set(self)
        problem = ""
        try:
            returned = _called(getattr(self._algo, callback), *arguments)
            if returned is not None:
                refuse("return", f"{callback} returned a {type(returned).__name__}: fill `actions`")
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are the algo's own doing here
            problem = _told(error, self.name)
        finally:
            current.reset(token)
        broken, self.broken = self.broken, None
        if broken is not None:  # the algo may have caught it: a Rust algo cannot catch a panic either
            raise GuestFault(broken.kind, fault_text(broken, self.name))
        if problem:
            raise GuestFault("exception", problem)


def _called(theirs: Callable[..., T], *arguments: object) -> T:
    """Calls the author's code. Who calls this catches everything: within it, anything may be raised (`interrupt`)."""
    return theirs(*arguments)


def _told(error: BaseException, name: str) -> str:
    """What an exception of the author's says: making its text may be the author's code, too."""
    try:
        return _called(fault_text, error, name)
    except _Interrupted as interrupted:
        return str(interrupted)


class _Interrupted(BaseException):
    """Not an Exception: `except Exception` in an algo's loop does not catch it."""


def interrupt(frame: FrameType | None, problem: str) -> None:
    """For a signal's handler: breaks off the author's code, if `frame` lies in it. Raises _Interrupted then.

    It cannot land anywhere else: what it raises unwinds from that very frame, and `_called` below it is called where
    everything is caught. An algo that catches it, too, is disabled all the same, if it returns at all.
    """
    while frame is not None:
        if frame.f_code is _called.__code__:
            outbox = current.get()
            if outbox is not None and outbox.broken is None:
                outbox.broken = GuestFault("interrupted", problem)
            raise _Interrupted(problem)
        frame = frame.f_back


def _of_symbol(book: bytearray, symbol_id: int) -> bytes:
    copy = bytearray(book)
    L2Book.symbol_id.put(copy, symbol_id)
    return bytes(copy)


def load_python(path: Path) -> PythonGuest:
    """Reads and runs one file. Raises ModuleError with the file, the line and the mend."""
    try:
        source = path.read_bytes()
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise ModuleError(problem, place=str(path), mend="give the path of a .py file") from None
    return PythonGuest(source, name=str(path))


def start_notice(name: str) -> str:
    """What every surface says before it loads a Python algo: loading runs the file."""
    return (
        f"algo {name} is Python: not sandboxed, no fuel, no memory limit; it runs with this process's rights and an "
        "endless loop stops trading; run only what you wrote or trust"
    )
