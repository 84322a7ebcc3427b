"""A file of Solana accounts, as `--accounts` takes it.

`{key: {"owner": …, "data": ["…", "base64"]}}` is the plain shape; the same inside `{"account": …}`, as `solana account
--output json` prints one account (with its `pubkey`) and `getProgramAccounts` answers many, is taken, too, and such an
answer as it came, with `result` around it. A key with null: there is no such account. One key or account that cannot be
read refuses the file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors.base58 import key_bytes
from connectors.errors import ConfigError, WireError
from connectors.venues.solana.account import LENGTH_MAX, Account, account_of
from runtime.texts import plain

BYTES_MAX: Final = 1 << 28
_SHAPE: Final = 'give {"KEY": {"owner": "…", "data": ["…", "base64"]}, …}'


def read_accounts(path: Path, option: str = "--accounts") -> dict[str, Account | None]:
    """The accounts by key. Raises ConfigError, naming the file and the key."""
    place = f"{option} {path}"
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ConfigError(f"has more than {BYTES_MAX} bytes", place=place, mend=_SHAPE)
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=place, mend="give a file's path") from None
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"is no JSON: {error}", place=place, mend=_SHAPE) from None
    accounts: dict[str, Account | None] = {}
    for key, value in _pairs(found, place):
        try:
            key_bytes(key)
            account = account_of(_inner(value), LENGTH_MAX)
        except (ValueError, WireError) as error:
            raise ConfigError(f"account {plain(key[:80])}: {error}", place=place, mend=_SHAPE) from None
        if accounts.setdefault(key, account) != account:
            problem = f"account {key} is there twice, with different bytes"
            raise ConfigError(problem, place=place, mend="all of a dump must be of one slot")
    return accounts


def _inner(entry: Any) -> Any:
    return entry["account"] if isinstance(entry, dict) and "account" in entry else entry


def _pairs(found: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(found, dict) and "result" in found:
        found = found["result"]  # an answer as it came: of getProgramAccounts, with its slot or without
    if isinstance(found, dict) and found.keys() == {"context", "value"}:
        found = found["value"]
    if isinstance(found, dict) and "pubkey" in found:
        found = [found]
    if isinstance(found, dict):
        yield from found.items()
        return
    for value in found if isinstance(found, list) else [None]:
        if not isinstance(value, dict) or not isinstance(value.get("pubkey"), str):
            raise ConfigError("is no dump of accounts", place=place, mend=_SHAPE)
        yield value["pubkey"], value
