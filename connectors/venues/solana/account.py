"""Accounts as Solana's RPC and command line write them: an owner program and bytes.

https://solana.com/docs/rpc/json-structures#accounts: `{"owner": …, "data": ["…", "base64"], "lamports": …, …}`, or null
where there is no account.
"""

import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import msgspec
import zstandard

from connectors.errors import PoolRefused, WireError
from connectors.venues.solana.keys import SYSTEM, bytes_of

LENGTH_MAX: Final = 10 << 20  # bytes of an account: MAX_PERMITTED_DATA_LENGTH
READ_MAX: Final = 64 << 10  # of one that a pool is made of: a tick array has 10 KiB, and nothing has more
# Validators compress as a stream. RFC 8878 wants 8 MiB to look back; they are held once, not for each account.
_UNPACKER: Final = zstandard.ZstdDecompressor(max_window_size=1 << 23)
_SHORT: Final = 80


class Account(msgspec.Struct, frozen=True):
    """One account at one slot: `owner` is the program that alone may write `data`."""

    owner: str
    data: bytes


Accounts = Mapping[str, Account | None]  # None: there is no such account; a missing key: it was not read


def account_of(value: Any, most: int = READ_MAX) -> Account | None:
    """An account from the RPC's JSON value, in `base64` or `base64+zstd`; None for null. Raises WireError.

    `most`: bytes that it may have; no more is ever allocated, whatever it claims or unpacks to.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise WireError(f"an account is {_short(value)}, not an object with owner and data")
    owner, data = value.get("owner"), value.get("data")
    if not isinstance(owner, str):
        raise WireError(f"an account's owner is {_short(owner)}, not a key in base58")
    bytes_of(owner)
    if not isinstance(data, list) or len(data) != 2 or not all(isinstance(part, str) for part in data):
        raise WireError(f"an account's data is {_short(data)}, not [text, encoding]")
    text, encoding = data
    if encoding not in ("base64", "base64+zstd"):
        raise WireError(f"an account's data is in {_short(encoding)}: ask for base64")
    if len(text) > _text_max(most):
        raise WireError(f"an account of {len(text)} letters: at most {most} bytes can be")
    try:
        raw = binascii.a2b_base64(text, strict_mode=True) if text else b""
        if encoding != "base64":
            raw = _unpacked(raw, most)
    except (ValueError, zstandard.ZstdError) as error:
        raise WireError(f"an account's data is no {encoding}: {error}") from error
    if len(raw) > most:
        raise WireError(f"an account of {len(raw)} bytes: at most {most} can be")
    return Account(owner, raw)


def existing(accounts: Accounts, key: str, what: str) -> Account | None:
    """The account, or None where there is none.

    Anybody may send lamports to any key: what the system program owns and has no bytes is not an account of a
    program's either. Raises PoolRefused for one that was not read.
    """
    if key not in accounts:
        raise PoolRefused(f"its {what} was not read: account {key}")
    account = accounts[key]
    return None if account is None or (account.owner == SYSTEM and not account.data) else account


def required(accounts: Accounts, key: str, what: str) -> Account:
    """The account. Raises PoolRefused for one that is not there, or was not read."""
    account = existing(accounts, key, what)
    if account is None:
        raise PoolRefused(f"its {what} does not exist: account {key}")
    return account


T = TypeVar("T")


def read_as(key: str, account: Account, reader: Callable[..., T], *more: object) -> T:
    """What `reader` makes of the account. Raises PoolRefused with its reason, naming the account."""
    try:
        return reader(account, *more)
    except PoolRefused as refused:
        raise PoolRefused(f"{refused}: account {key}") from None


def body(account: Account, owner: str, discriminator: bytes, lengths: range, what: str) -> bytes:
    """The account's bytes, once its owner, its first eight bytes and its length are what they must be.

    `discriminator`: what Anchor writes there, the start of sha256("account:" and the type's name). Raises PoolRefused.
    """
    data = account.data
    if account.owner != owner:
        raise PoolRefused(f"its {what} belongs to program {account.owner}, not to {owner}")
    if data[:8] != discriminator:
        raise PoolRefused(f"its {what} starts with {data[:8].hex() or 'nothing'}: not the type of account it must be")
    if len(data) not in lengths:
        wanted = f"{lengths[0]}" if len(lengths) == 1 else f"{lengths[0]} … {lengths[-1]}"
        raise PoolRefused(f"its {what} is {len(data)} bytes long, not {wanted}: a layout that is not known")
    return data


def _text_max(most: int) -> int:
    """Letters of base64 that so many bytes have; compression may make them a little more."""
    return (most + most // 128 + 1024) * 4 // 3


def _unpacked(raw: bytes, most: int) -> bytes:
    """Without its compression. A frame may say how much it unpacks to: that is believed only within what an account
    may have. Raises ZstdError."""
    size = zstandard.frame_content_size(raw)
    if size > most:
        raise zstandard.ZstdError(f"it would be {size} bytes")
    return _UNPACKER.decompress(raw, max_output_size=most)


def _short(value: Any) -> str:
    return repr(value)[:_SHORT]
