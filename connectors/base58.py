"""Base58 as Solana writes its keys: 32 bytes in 32 to 44 letters and digits, in Bitcoin's alphabet."""

import re
from typing import Final

KEY_BYTES: Final = 32
_LETTERS: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_KEY: Final = re.compile(f"[{_LETTERS}]{{32,44}}")


def key_bytes(text: str) -> bytes:
    """The bytes of a key. Raises ValueError."""
    if not _KEY.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is no key: 32 to 44 letters and digits of base58 are wanted")
    key = decoded(text)
    if len(key) != KEY_BYTES:
        raise ValueError(f"{text} is {len(key)} bytes, a key has {KEY_BYTES}")
    return key


def decoded(text: str) -> bytes:
    """The bytes of a text of any length. Raises ValueError."""
    value = 0
    for letter in text:
        value = value * 58 + _LETTERS.index(letter)
    return bytes(len(text) - len(text.lstrip(_LETTERS[0]))) + value.to_bytes((value.bit_length() + 7) // 8)


def key_text(key: bytes) -> str:
    """A key as it is written."""
    value, letters = int.from_bytes(key), ""
    while value:
        value, digit = divmod(value, 58)
        letters = _LETTERS[digit] + letters
    return _LETTERS[0] * (len(key) - len(key.lstrip(b"\0"))) + letters
