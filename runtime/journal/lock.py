"""One process a journal, and a word left for the next one: that this one lost its journal.

The lock lies beside the journal, for SQLite's own would be given up by any reader's close. It says who has it. When the
journal cannot be written any more, neither can a halt or a latch be: that is said here instead, where a few bytes fit
even on a full disk, and stays until the next session's first record is durable.
"""

import fcntl
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from connectors.errors import ConfigError
from runtime.journal.schema import check_ours

SAY_S: Final = 1.0
_FAILED: Final = b"failed "


class Lock:
    """Made by `take`. `failed_ns`: when the session before lost its journal, 0: it did not."""

    def __init__(self, handle: int, failed_ns: int) -> None:
        self.failed_ns = failed_ns
        self._handle = handle
        self._saying: threading.Thread | None = None
        self._is_said = failed_ns != 0
        self._write(failed_ns)

    @classmethod
    def take(cls, path: Path) -> "Lock":
        """Raises ConfigError where another process has it, or the folder may not be written."""
        check_ours(path)
        real = Path(os.path.realpath(path))  # by whatever name it is reached: one journal, one lock
        beside = real.with_name(f"{real.name}.lock")
        try:
            handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            mend = "name a file in a folder that may be written"
            raise ConfigError(f"cannot be written: {error.strerror}", place=str(path), mend=mend) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return cls(handle, _failed_ns(os.pread(handle, 200, 0)))
        except BlockingIOError:
            pid = os.pread(handle, 20, 0).partition(b"\n")[0].decode(errors="replace") or "unknown"
            os.close(handle)
            mend = "end that gateway, or give each its own journal"
            raise ConfigError(f"is in use by process {pid}", place=str(path), mend=mend) from None
        except OSError as error:
            os.close(handle)
            mend = "make room; a journal belongs on a local disk"
            raise ConfigError(f"cannot be locked: {error.strerror}", place=str(path), mend=mend) from None

    def say_failed(self) -> None:
        """In a thread of its own: the disk may be the one that hangs."""
        self._saying = threading.Thread(target=self._say, name="journal lock", daemon=True)
        self._saying.start()

    def heard(self) -> None:
        """What the session before said is in the journal now."""
        if self._is_said:
            self._is_said = False
            self._write(0)

    def release(self) -> None:
        """Waits for what is being said; where that hangs, the lock goes with the process."""
        if self._saying is not None:
            self._saying.join(SAY_S)
            if self._saying.is_alive():
                return
        os.close(self._handle)

    def _say(self) -> None:
        with suppress(OSError):  # nothing is left to be tried
            self._write(time.time_ns())
            os.fsync(self._handle)

    def _write(self, failed_ns: int) -> None:
        said = b"%s%d\n" % (_FAILED, failed_ns) if failed_ns else b""
        text = b"%d\n%s" % (os.getpid(), said)
        os.pwrite(self._handle, text, 0)
        os.ftruncate(self._handle, len(text))


def _failed_ns(text: bytes) -> int:
    """Anything that is there and cannot be read counts as said: halted in doubt."""
    said = text.partition(b"\n")[2]
    if not said:
        return 0
    digits = said.removeprefix(_FAILED).strip()
    return int(digits) if said.startswith(_FAILED) and digits.isdigit() else 1
