"""Accounts as they were written, and what was made of them: what is written the same again is the same account.

Most of what a read answers is what the last one did. Equal text needs no decoding, and gives the very same object.
"""

from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.venues.solana.account import READ_MAX, Account, account_of
from connectors.venues.solana.rpc import value_of

TEXT_MAX: Final = 2 * READ_MAX  # of what is kept: base64 makes a third more, and owner, lamports and so on stand beside


class Decoded:
    """By key, the last text and its account."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, Account | None]] = {}

    def clear(self) -> None:
        self._kept.clear()

    def forget(self, key: str) -> None:
        self._kept.pop(key, None)

    def of(self, key: str, raw: msgspec.Raw) -> Account | None:
        """The account; None: there is none. Raises WireError."""
        if memoryview(raw).nbytes > TEXT_MAX:
            raise WireError(f"an account of more than {TEXT_MAX} letters: none that a pool is made of is as long")
        text, kept = bytes(raw), self._kept.get(key)
        if kept is not None and kept[0] == text:
            return kept[1]
        account = account_of(value_of(raw))
        if kept is not None and kept[1] == account:
            account = kept[1]
        self._kept[key] = text, account
        return account
