"""Files that outlive a process and belong to this user alone: `${XDG_STATE_HOME:-~/.local/state}/venuegate`.

Each is written in place, in two records that take turns, each with its checksum: whenever the process is killed, one of
them is whole. A file that holds neither is refused, never begun anew.
"""

import fcntl
import os
import stat
import zlib
from pathlib import Path
from typing import Final

from connectors.errors import ConfigError

NUMBER_MAX: Final = 2**63 - 1
_PID_BYTES: Final = 64
_RECORD_BYTES: Final = 64
_FILE_BYTES_MAX: Final = 4096


def state_folder(*parts: str) -> Path:
    """The folder, made if it is not there, 0700 and ours. Raises ConfigError."""
    said = os.environ.get("XDG_STATE_HOME", "")
    base = Path(said) if said.startswith("/") else Path.home() / ".local/state"
    folder = base / "venuegate"
    try:
        base.mkdir(parents=True, exist_ok=True)
        for part in ("", *parts):
            folder = folder / part if part else folder
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                mend = "move it away, or set XDG_STATE_HOME to a folder of yours"
                raise ConfigError("is not a folder of this user", place=str(folder), mend=mend)
            folder.chmod(0o700)
    except OSError as error:
        mend = "make it writable, or set XDG_STATE_HOME to a folder of yours"
        raise ConfigError(f"cannot be used: {error.strerror}", place=str(folder), mend=mend) from None
    return folder


class StateFile:
    """A whole number that never gets smaller, in a file that one process at a time has open. `unit` is part of it."""

    def __init__(self, path: Path, unit: str, *, waits: bool = False) -> None:
        """Raises ConfigError where another process has it (unless it `waits` for that), or the file is not ours, is
        damaged or of another unit."""
        self.path = path
        self._unit = unit.encode()
        self._turn = 0
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot be opened: {error.strerror}", place=str(path), mend=_MEND) from None
        try:
            self._take(waits=waits)
            self.number = self._read()
            os.pwrite(self._handle, b"%-*d\n" % (_PID_BYTES - 1, os.getpid()), 0)
        except OSError as error:
            os.close(self._handle)
            raise ConfigError(f"cannot be used: {error.strerror}", place=str(path), mend=_MEND) from None
        except BaseException:
            os.close(self._handle)
            raise

    def _take(self, *, waits: bool) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError:
            pid = os.pread(self._handle, _PID_BYTES, 0).strip().decode(errors="replace") or "unknown"
            mend = "end that process; a second gateway wants a key of its own"
            raise ConfigError(f"is in use by process {pid}", place=str(self.path), mend=mend) from None
        found = os.fstat(self._handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise ConfigError("is not a file of this user", place=str(self.path), mend="move it away")
        os.fchmod(self._handle, 0o600)

    def _read(self) -> int:
        data = os.pread(self._handle, _FILE_BYTES_MAX, _PID_BYTES)
        records = [data[at : at + _RECORD_BYTES] for at in (0, _RECORD_BYTES)]
        numbers = [number for number in map(self._number, records) if number is not None]
        if numbers:
            best = max(numbers)
            self._turn = 1 if self._number(records[0]) == best else 0
            return best
        if data.strip(b"\0"):  # the last number is not known: a smaller one might follow it
            mend = "see that this machine's clock is right, then move the file away"
            raise ConfigError("is damaged", place=str(self.path), mend=mend)
        return 0

    def _number(self, record: bytes) -> int | None:
        unit, _, rest = record.rstrip(b" \n\0").partition(b" ")
        digits, _, checksum = rest.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(unit + b" " + digits) or not digits.isdigit():
            return None
        if unit != self._unit or int(digits) > NUMBER_MAX:
            said = f"holds {int(digits)} {unit.decode()}, and {self._unit.decode()} are wanted"
            raise ConfigError(said, place=str(self.path), mend="use another key: this one's nonces have another unit")
        return int(digits)

    def raise_to(self, number: int) -> None:
        """Writes it; only then may it be used. Raises OSError: cannot be written, was deleted, would not be greater."""
        if number <= self.number or number > NUMBER_MAX:
            raise OSError(f"{number} does not follow {self.number}")
        if not os.fstat(self._handle).st_nlink:
            raise OSError(f"{self.path} was deleted: another process may have taken its place")
        text = b"%s %d" % (self._unit, number)
        record = b"%s %08x" % (text, zlib.crc32(text))
        written = os.pwrite(
            self._handle, record.ljust(_RECORD_BYTES - 1) + b"\n", _PID_BYTES + self._turn * _RECORD_BYTES
        )
        if written != _RECORD_BYTES:
            raise OSError(f"{self.path}: no room")
        self._turn = 1 - self._turn
        self.number = number

    def close(self) -> None:
        """Gives it up; what it holds stays."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


_MEND: Final = "make it a file of this user in a folder that may be written, on a local disk"
