"""What contracts speak: selectors, arguments, answers, and many calls in one through Multicall3. eth-abi codes them.

Answers made of plain 32-byte words, which is nearly everything a pool says, are cut by hand and checked for range:
quicker than the general codec, and a contract that answers with more or fewer words is not the one we think.
The codecs are imported when first used. https://docs.soliditylang.org/en/latest/abi-spec.html
"""

from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from connectors.errors import ConfigError, WireError

WORD: Final = 32
MULTICALL3: Final = "0xcA11bde05977b3631167028862bE2a173976CA11"  # on every chain: https://www.multicall3.com
MULTICALL_MAX: Final = 500
ZERO_ADDRESS: Final = "0x" + 40 * "0"
ADDRESS_DIGITS: Final = 40
UINT_MAX: Final = 2**256 - 1
_AGGREGATE3: Final = "aggregate3((address,bool,bytes)[])"

T = TypeVar("T")


class Call(msgspec.Struct, frozen=True):
    """One call of a view: `to` a checksummed address, `data` selector and arguments."""

    to: str
    data: bytes


Answers = list[bytes | None]  # in the order of the calls; None: reverted, or an empty answer, as where no code is
Reading = Generator[list[Call], Answers, T]  # yields calls of one stage; every stage is made at the same block


def keccak(data: bytes) -> bytes:
    """Ethereum's hash."""
    from eth_hash.auto import keccak as hashed

    return hashed(data)


@lru_cache(maxsize=512)
def selector(signature: str) -> bytes:
    """The first four bytes of a call: `token0()` → 0dfe1681."""
    _codec()
    return keccak(signature.encode())[:4]


@lru_cache(maxsize=512)
def topic(signature: str) -> str:
    """An event's first topic, 0x and 64 digits."""
    _codec()
    return "0x" + keccak(signature.encode()).hex()


def call(to: str, signature: str, *arguments: Any) -> Call:
    """A call of `signature`, whose types are read from it; an argument that does not fit its type is a WireError."""
    if not arguments:
        return Call(to, selector(signature))
    return Call(to, selector(signature) + encode(_types(signature), arguments))


def encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """Arguments as a contract reads them."""
    codec = _codec()
    try:
        return bytes(codec.encode(types, values))
    except (codec.exceptions.EncodingError, ValueError, TypeError) as error:
        raise WireError(f"{_short(values)} cannot be encoded as ({','.join(types)}): {error}") from error


def decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """An answer of any types, strictly. For plain words `words` is quicker."""
    codec = _codec()
    try:
        return tuple(codec.decode(types, data))
    except (codec.exceptions.DecodingError, ValueError, OverflowError) as error:
        raise WireError(f"{len(data)} bytes are not ({','.join(types)}): {error}") from error


def words(data: bytes, count: int | None = None) -> tuple[int, ...]:
    """The answer as unsigned words; `count` given: exactly so many."""
    if len(data) % WORD or (count is not None and len(data) != count * WORD):
        expected = "whole words" if count is None else f"{count} words"
        raise WireError(f"an answer of {len(data)} bytes where {expected} of 32 are due")
    return tuple(int.from_bytes(data[at : at + WORD]) for at in range(0, len(data), WORD))


def unsigned(word: int, bits: int) -> int:
    """The word as uint`bits`."""
    if word >> bits:
        raise WireError(f"{word:#x} is no uint{bits}")
    return word


def signed(word: int, bits: int) -> int:
    """The word as int`bits`, sign-extended over all 256 as the ABI wants."""
    value = word - (1 << 256) if word >> 255 else word
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise WireError(f"{word:#x} is no int{bits}")
    return value


def address_of(word: int) -> str:
    """The word as a checksummed address."""
    return checksummed(f"0x{unsigned(word, 160):040x}")


def text_of(data: bytes) -> str:
    """A string, or the bytes32 that older tokens answer (MKR); what is no text is a WireError."""
    if len(data) == WORD:
        raw = data.rstrip(b"\0")
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise WireError(f"{raw!r} is no text") from error
    return str(decode(["string"], data)[0])


@lru_cache(maxsize=4096)
def checksummed(address: str) -> str:
    """The address as EIP-55 writes it. One of mixed case must be so already: WireError otherwise."""
    digits = address[2:]
    if address[:2] != "0x" or len(digits) != ADDRESS_DIGITS or not _is_hex(digits):
        raise WireError(f"{address[:80]!r} is no address: 0x and 40 hexadecimal digits")
    _codec()
    from eth_utils.address import to_checksum_address

    written = str(to_checksum_address(address.lower()))
    if digits not in (digits.lower(), digits.upper()) and address != written:
        raise WireError(f"{address} has a wrong checksum: EIP-55 writes {written}")
    return written


def from_hex(text: object) -> bytes:
    """JSON-RPC's DATA: 0x and pairs of digits."""
    if not isinstance(text, str) or text[:2] != "0x" or len(text) % 2:
        raise WireError(f"{str(text)[:80]!r} is no hexadecimal data")
    try:
        return bytes.fromhex(text[2:]) if text.isalnum() else _refuse(text)  # fromhex would pass spaces
    except ValueError as error:
        raise WireError(f"{text[:80]!r} is no hexadecimal data") from error


def quantity(text: object) -> int:
    """JSON-RPC's QUANTITY: 0x and 1 … 64 digits."""
    if not isinstance(text, str) or text[:2] != "0x" or not _is_hex(text[2:]) or len(text) > 2 + 2 * WORD:
        raise WireError(f"{str(text)[:80]!r} is no hexadecimal number")
    return int(text[2:], 16)


def aggregated(calls: Sequence[Call], multicall: str = MULTICALL3) -> Call:
    """One call that makes them all, in one state; each may fail by itself."""
    return call(multicall, _AGGREGATE3, [(each.to, True, each.data) for each in calls])


def separated(data: bytes | None, count: int) -> Answers:
    """Multicall3's answer, one by one. WireError where it is not of `count` calls.

    Cut by hand, as Solidity lays out (bool,bytes)[]: quicker than the codec, which would also follow pointers that all
    lead to one long answer, and so make hundreds of megabytes of a small frame.
    """
    if data is None:
        raise WireError("Multicall3 did not answer: out of gas, or not at this address")
    if _at(data, 0) != WORD:
        raise WireError(f"an answer of {len(data)} bytes, not Multicall3's")
    found = _at(data, WORD)
    if found != count:
        raise WireError(f"Multicall3 answered {found} of {count} calls")
    first = 2 * WORD
    answers: Answers = []
    end = first + WORD * count  # where the next one begins: they lie one behind the other
    for place in range(count):
        at = first + _at(data, first + WORD * place)
        if at != end or _at(data, at + WORD) != 2 * WORD:
            raise WireError(f"Multicall3's answer {place} is not where it should be")
        is_ok, length, begun = _at(data, at), _at(data, at + 2 * WORD), at + 3 * WORD
        end = begun + -(-length // WORD) * WORD
        if is_ok > 1 or end > len(data) or any(data[begun + length : end]):
            raise WireError(f"Multicall3's answer {place} of {length} bytes does not fit")
        answers.append(data[begun : begun + length] if is_ok and length else None)
    return answers


def _at(data: bytes, at: int) -> int:
    if at + WORD > len(data):
        raise WireError(f"an answer of {len(data)} bytes ends too soon")
    return int.from_bytes(data[at : at + WORD])


@lru_cache(maxsize=512)
def _types(signature: str) -> tuple[str, ...]:
    """`f(a,(b,c)[],d)` → a, (b,c)[], d."""
    types, depth, begun = [], 0, signature.index("(") + 1
    for at in range(begun, len(signature) - 1):
        letter = signature[at]
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            types.append(signature[begun:at])
            begun = at + 1
    return (*types, signature[begun:-1])


@lru_cache(maxsize=1)
def _codec() -> Any:
    try:
        import eth_abi
        import eth_abi.exceptions
        import eth_hash.auto  # noqa: F401 - all three or none
        import eth_utils  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"{error.name} is not installed", place="pools on EVM chains", mend="pip install 'venuegate[dex]'"
        ) from error
    return eth_abi


def _is_hex(digits: str) -> bool:
    return bool(digits) and all(digit in "0123456789abcdefABCDEF" for digit in digits)


def _refuse(text: str) -> bytes:
    raise ValueError(text)


def _short(values: Sequence[Any]) -> str:
    text = repr(tuple(values))
    return text if len(text) <= 120 else text[:120] + "…"
