"""What a Python algo can reach besides its arguments: the log, its peers, and the regions it was shown.

The crate has these as free functions and fixed addresses. Here they find the algo that is being called through a
context variable; outside a callback, in an author's own unit tests, `log` and `send` do nothing, as in the crate's
native build.
"""

from contextvars import ContextVar
from typing import Final, Self

from connectors.errors import GuestFault
from runtime.abi import MESSAGE_BYTES_MAX, Region
from runtime.guest import LogLine, Sent
from runtime.python.layout import Array, Bytes, Int, Record, text_of

LOG_BYTES_MAX: Final = 4096
LOG_LINES_MAX: Final = 256  # a callback, as for a WASM guest; what comes beyond is counted, not kept
MESSAGES_MAX: Final = 64
_EMPTY: Final[dict[Region, bytes]] = {}


class Outbox:
    """Lines and messages of one algo since they were last taken, and the regions it was last shown."""

    def __init__(self) -> None:
        self.logs: list[LogLine] = []
        self.logs_dropped = self.logs_cut = 0
        self.sent: list[Sent] = []
        self.sent_dropped = 0
        self.shown: dict[Region, bytes] = {}
        self.broken: GuestFault | None = None  # the first breach of a limit, whatever the algo did about the exception

    def take_logs(self) -> list[LogLine]:
        logs, self.logs = self.logs, []
        return logs

    def take_sent(self) -> list[Sent]:
        sent, self.sent = self.sent, []
        return sent

    def log(self, level: int, text: object) -> None:
        """One line, cut at 4,096 bytes."""
        if len(self.logs) >= LOG_LINES_MAX:
            self.logs_dropped += 1
            return
        raw = str(text).encode(errors="backslashreplace")
        self.logs_cut += len(raw) > LOG_BYTES_MAX
        self.logs.append((level, raw[:LOG_BYTES_MAX]))

    def send(self, to: str, payload: bytes) -> None:
        """To the peer with this label; an unknown label goes nowhere, as in the crate."""
        mesh_id = MeshTable(self.shown.get(Region.MESH)).resolve(to)
        if mesh_id == 0:
            return
        if len(self.sent) >= MESSAGES_MAX:
            self.sent_dropped += 1
            return
        self.sent.append((mesh_id, payload))


current: Final[ContextVar[Outbox | None]] = ContextVar("current algo", default=None)


class RegionRecord(Record):
    """A record that lies at a fixed address of a WASM guest's memory; here `read()` gives it."""

    __slots__ = ()
    REGION: Region

    @classmethod
    def read(cls) -> Self:
        """As it was last shown to the algo that is being called; all zeros where it never was."""
        outbox = current.get()
        return cls((_EMPTY if outbox is None else outbox.shown).get(cls.REGION))


class MeshPeerEntry(Record):
    """One peer."""

    __slots__ = ()
    SIZE = 40
    label = Bytes(0, 32)
    mesh_id = Int(32, "Q")

    def label_str(self) -> str:
        return text_of(self.label)


class MeshTable(RegionRecord):
    """Who this instance is and whom it can send to."""

    __slots__ = ()
    SIZE = 688
    REGION = Region.MESH
    self_label = Bytes(0, 32)
    self_mesh_id = Int(32, "Q")
    peer_count = Int(40, "B")
    peers = Array(48, MeshPeerEntry, 16)

    def self_label_str(self) -> str:
        return text_of(self.self_label)

    def resolve(self, label: str) -> int:
        """The peer's mesh_id; 0: no such peer."""
        wanted = label.encode()
        known = self.peers[: self.peer_count]
        return next((peer.mesh_id for peer in known if peer.label.partition(b"\0")[0] == wanted), 0)

    def label_for(self, mesh_id: int) -> str:
        """Empty: no such peer."""
        return next((peer.label_str() for peer in self.peers[: self.peer_count] if peer.mesh_id == mesh_id), "")


class log:  # noqa: N801 - the crate's module of this name
    """`log.info("…")` and its like: at most 256 lines a callback, 4,096 bytes each."""

    @staticmethod
    def trace(text: object) -> None:
        _log(0, text)

    @staticmethod
    def debug(text: object) -> None:
        _log(1, text)

    @staticmethod
    def info(text: object) -> None:
        _log(2, text)

    @staticmethod
    def warn(text: object) -> None:
        _log(3, text)

    @staticmethod
    def error(text: object) -> None:
        _log(4, text)


def _log(level: int, text: object) -> None:
    outbox = current.get()
    if outbox is not None:
        outbox.log(level, text)


def send(to: str, payload: bytes) -> None:
    """Sends to a peer by its label. Longer than 256 bytes breaks the contract, as it panics in the crate."""
    if len(payload) > MESSAGE_BYTES_MAX:
        refuse("message", f"payload is {len(payload)} bytes, at most {MESSAGE_BYTES_MAX} go")
    outbox = current.get()
    if outbox is not None:
        outbox.send(to, bytes(payload))


def refuse(kind: str, problem: str) -> None:
    """Breaks off the callback; the instance is disabled even if the algo catches this. Raises GuestFault."""
    fault = GuestFault(kind, problem)
    outbox = current.get()
    if outbox is not None and outbox.broken is None:
        outbox.broken = fault
    raise fault
