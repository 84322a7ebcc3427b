"""One process a key, and nonces that only rise: over restarts, and over a clock that was set back.

A venue refuses a nonce that is not greater than the last it saw of the key, and locks out who sends many of those; two
processes on one key do that to each other (krakenex#21). Kraken: https://docs.kraken.com/api/docs/guides/spot-rest-auth
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from connectors.errors import ConfigError
from runtime.state import StateFile, state_folder

UNIT: Final = "ns"  # always: a key that has seen nanoseconds refuses anything coarser for ever
TAG_EPOCH_S: Final = 1_577_836_800  # 2020-01-01
TAG_DIGITS: Final = 6  # enough until 2088
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class KeyLock:
    """Made by `take`, in force until `release` or the end of the process."""

    def __init__(self, file: StateFile, clock_ns: Callable[[], int]) -> None:
        self._file = file
        self._clock_ns = clock_ns

    @classmethod
    def take(cls, key: str, folder: Path | None = None, clock_ns: Callable[[], int] = time.time_ns) -> "KeyLock":
        """Raises ConfigError where another process has the key, which it names, or the state cannot be kept."""
        folder = state_folder("keys") if folder is None else folder
        name = hashlib.sha256(key.encode()).hexdigest()[:32]
        return cls(StateFile(folder / name, UNIT), clock_ns)

    def next(self) -> int:
        """The next nonce, in ns since the epoch; it is in the file before it is used. Raises OSError if it cannot."""
        number = max(self._file.number + 1, self._clock_ns())
        self._file.raise_to(number)
        return number

    def release(self) -> None:
        self._file.close()


class Counted:
    """Nonces of a key that nobody else can have: that of a simulated venue in this process."""

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._last = 0
        self._clock_ns = clock_ns

    def next(self) -> int:
        self._last = max(self._last + 1, self._clock_ns())
        return self._last

    def release(self) -> None:
        """There is nothing to give up."""


def unique_tag(clock_s: Callable[[], float] = time.time) -> str:
    """`vg` and six base-36 digits, of seconds since 2020: each greater than any that this user's sessions had here.

    With the number of an order behind it a client order id stays within Kraken's 18 characters, and no id is used
    twice: the venue checks that only among what is open. Raises ConfigError where that cannot be remembered.
    """
    file = StateFile(state_folder() / "tag", "s", waits=True)
    try:
        number = max(file.number + 1, int(clock_s()) - TAG_EPOCH_S)
        file.raise_to(number)
    except OSError as error:
        mend = "make room, or set XDG_STATE_HOME to another folder"
        raise ConfigError(f"cannot be written: {error}", place=str(file.path), mend=mend) from None
    finally:
        file.close()
    return tag_of(number)


def tag_of(number: int) -> str:
    """`vg` and the number in six base-36 digits."""
    digits = ""
    for _ in range(TAG_DIGITS):
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return f"vg{digits}"
