"""Accounts as the RPC and the command line write them."""

import base64
import json
import tracemalloc
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import PoolRefused, WireError
from connectors.venues.solana import keys
from connectors.venues.solana.account import LENGTH_MAX, READ_MAX, Account, account_of, existing, required
from connectors.venues.solana.decoded import TEXT_MAX, Decoded

OWNER = keys.ORCA
PLACE = keys.CLOCK


def value(data: bytes, encoding: str = "base64", **more: Any) -> dict[str, Any]:
    packed = zstandard.ZstdCompressor().compress(data) if "zstd" in encoding else data
    return {"owner": OWNER, "data": [base64.b64encode(packed).decode(), encoding], "lamports": 1, **more}


@given(st.binary(max_size=2000), st.sampled_from(["base64", "base64+zstd"]))
def test_both_encodings(data: bytes, encoding: str) -> None:
    assert account_of(value(data, encoding)) == Account(OWNER, data)


def test_an_account_that_is_not_there() -> None:
    assert account_of(None) is None


def test_a_stream_without_its_length() -> None:
    """Validators compress as a stream: the length is not written."""
    packer = zstandard.ZstdCompressor().compressobj()
    packed = packer.compress(b"many " * 99) + packer.flush()
    assert account_of({"owner": OWNER, "data": [base64.b64encode(packed).decode(), "base64+zstd"]}) == Account(
        OWNER, b"many " * 99
    )


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (7, "not an object"),
        ([], "not an object"),
        ({}, "owner is None"),
        ({"owner": 5, "data": ["", "base64"]}, "owner is 5"),
        ({"owner": "abc", "data": ["", "base64"]}, "no key"),
        ({"owner": OWNER}, "data is None"),
        ({"owner": OWNER, "data": "aGVsbG8="}, "not .text, encoding."),
        ({"owner": OWNER, "data": ["", "base64", ""]}, "not .text, encoding."),
        ({"owner": OWNER, "data": ["", 5]}, "not .text, encoding."),
        ({"owner": OWNER, "data": {"parsed": {}, "program": "spl-token"}}, "not .text, encoding."),
        ({"owner": OWNER, "data": ["", "base58"]}, "ask for base64"),
        ({"owner": OWNER, "data": ["aGVsbG8", "base64"]}, "no base64"),
        ({"owner": OWNER, "data": ["aGVs bG8=", "base64"]}, "no base64"),
        ({"owner": OWNER, "data": ["é===", "base64"]}, "no base64"),
        ({"owner": OWNER, "data": ["aGVsbG8=", "base64+zstd"]}, "no base64.zstd"),
    ],
)
def test_what_is_no_account(given: Any, says: str) -> None:
    with pytest.raises(WireError, match=says):
        account_of(given)


def test_more_bytes_than_an_account_has() -> None:
    """Also where few bytes unpack to many."""
    for most in (READ_MAX, LENGTH_MAX):
        for encoding in ("base64", "base64+zstd"):
            assert account_of(value(bytes(most), encoding), most) == Account(OWNER, bytes(most))
        with pytest.raises(WireError, match="at most"):
            account_of(value(bytes(most + 1)), most)
        with pytest.raises(WireError, match="at most"):
            account_of(value(bytes(most * 2)), most)
        with pytest.raises(WireError, match=f"would be {most + 1} bytes"):
            account_of(value(bytes(most + 1), "base64+zstd"), most)


def stream(length: int) -> dict[str, Any]:
    """Zeroes compressed as validators do it: without a word of how many they are."""
    packer = zstandard.ZstdCompressor().compressobj()
    packed = packer.compress(bytes(length)) + packer.flush()
    return {"owner": OWNER, "data": [base64.b64encode(packed).decode(), "base64+zstd"]}


def test_an_endpoint_s_account_is_bounded_by_what_a_pool_s_can_be_and_a_dump_s_by_the_chain() -> None:
    for told in (value(bytes(LENGTH_MAX)), stream(LENGTH_MAX)):
        dumped = account_of(told, LENGTH_MAX)
        assert dumped is not None and len(dumped.data) == LENGTH_MAX
    for told in (value(bytes(READ_MAX + 1)), stream(READ_MAX + 1), stream(LENGTH_MAX)):
        with pytest.raises(WireError):
            account_of(told)
        with pytest.raises(WireError):
            Decoded().of(PLACE, msgspec.Raw(json.dumps(told).encode()))


def test_what_unpacks_to_much_more_is_never_allocated() -> None:
    """A few bytes may claim to be many: not one byte more than the bound is held, and nothing of it afterwards."""
    bomb = stream(LENGTH_MAX)
    assert len(bomb["data"][0]) < 1_000
    decoded, kept = Decoded(), msgspec.Raw(json.dumps(bomb).encode())
    tracemalloc.start()
    try:
        for key in range(40):
            with pytest.raises(WireError):
                decoded.of(str(key), kept)
        left, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * READ_MAX and left < READ_MAX


def test_words_around_an_account_are_bounded_too() -> None:
    """What is written the same again is known by its text, which is kept."""
    plain = value(bytes(READ_MAX))
    assert Decoded().of(PLACE, msgspec.Raw(json.dumps(plain).encode())) == Account(OWNER, bytes(READ_MAX))
    with pytest.raises(WireError, match="letters"):
        Decoded().of(PLACE, msgspec.Raw(json.dumps({**plain, "more": "x" * TEXT_MAX}).encode()))


def test_lamports_at_an_address_make_no_account() -> None:
    """Anybody can send some to any key: it is then the system program's, without bytes."""
    accounts = {PLACE: Account(keys.SYSTEM, b""), OWNER: Account(keys.SYSTEM, b"x"), keys.TOKEN: None}
    assert existing(accounts, PLACE, "thing") is None
    assert existing(accounts, keys.TOKEN, "thing") is None
    assert existing(accounts, OWNER, "thing") == Account(keys.SYSTEM, b"x")
    with pytest.raises(PoolRefused, match=f"its thing does not exist: account {PLACE}"):
        required(accounts, PLACE, "thing")
    with pytest.raises(PoolRefused, match=f"its thing was not read: account {keys.ORCA[:4]}"):
        required({}, keys.ORCA, "thing")
