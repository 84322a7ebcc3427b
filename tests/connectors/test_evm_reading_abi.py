"""The codec beneath the readers: addresses, hexadecimal texts, many calls in one."""

import subprocess
import sys

import pytest
from eth_abi.abi import decode, encode
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError, WireError
from connectors.venues.evm import abi
from tests.support.evm_contracts import MULTICALL, POOL, USDC, selector

EIP55 = [  # the examples of the EIP itself
    "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]  # fmt: skip


@pytest.mark.parametrize("address", EIP55)
def test_addresses_are_written_as_eip_55_does(address: str) -> None:
    assert abi.checksummed(address) == address
    assert abi.checksummed(address.lower()) == address
    swapped = "0x" + address[2:].swapcase()
    if address[2:] not in (address[2:].lower(), address[2:].upper()):
        with pytest.raises(WireError, match="checksum"):
            abi.checksummed(swapped)


@pytest.mark.parametrize(
    "text", ["", "0x", "0X" + "1" * 40, "0x" + "1" * 39, "0x" + "g" * 40, "1" * 42, "0x" + "１" * 40]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        abi.checksummed(text)


@pytest.mark.parametrize("text", [None, 5, "", "00", "0x0", "0x0g", "0x 0", "0x0_0", "0X00", "0x００"])
def test_what_is_no_data_is_refused(text: object) -> None:
    with pytest.raises(WireError):
        abi.from_hex(text)


@pytest.mark.parametrize("text", [None, 5, "", "0x", "5", "0x-1", "0x1_0", "0x 1", "0xg", "0x" + "1" * 65, "0x１"])
def test_what_is_no_quantity_is_refused(text: object) -> None:
    with pytest.raises(WireError):
        abi.quantity(text)


@given(st.binary(max_size=200), st.integers(0, 2**256 - 1))
def test_hexadecimal_texts_come_back(data: bytes, number: int) -> None:
    assert abi.from_hex("0x" + data.hex()) == data
    assert abi.quantity(hex(number)) == number


@given(st.integers(-(2**255), 2**255 - 1), st.sampled_from([8, 24, 128, 256]))
def test_signed_words_are_the_codecs(value: int, bits: int) -> None:
    (word,) = abi.words(encode(["int256"], [value]), 1)
    if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        assert abi.signed(word, bits) == value
    else:
        with pytest.raises(WireError):
            abi.signed(word, bits)


@given(st.integers(0, 2**256 - 1), st.sampled_from([8, 112, 160, 256]))
def test_unsigned_words_are_the_codecs(value: int, bits: int) -> None:
    (word,) = abi.words(encode(["uint256"], [value]), 1)
    if value < 2**bits:
        assert abi.unsigned(word, bits) == value
    else:
        with pytest.raises(WireError):
            abi.unsigned(word, bits)


def test_arguments_are_taken_from_the_signature() -> None:
    made = abi.call(POOL, "f(uint8,(bytes32,uint256)[],address[])", 7, [(bytes(32), 5)], [USDC.address])
    assert made.data[:4] == selector("f(uint8,(bytes32,uint256)[],address[])")
    found = decode(["uint8", "(bytes32,uint256)[]", "address[]"], made.data[4:])
    assert found == (7, ((bytes(32), 5),), (USDC.address.lower(),))
    assert abi.call(POOL, "slot0()").data == selector("slot0()")


@pytest.mark.parametrize(
    ("signature", "arguments"),
    [("f(uint8)", (256,)), ("f(uint8)", (-1,)), ("f(uint8)", ("1",)), ("f(address)", ("0x12",)), ("f(uint8)", (1, 2))],
)
def test_an_argument_that_does_not_fit_is_refused(signature: str, arguments: tuple[object, ...]) -> None:
    with pytest.raises(WireError):
        abi.call(POOL, signature, *arguments)


def test_many_calls_are_one_call_of_multicall3() -> None:
    """Each allowed to fail, in order."""
    calls = [abi.call(POOL, "slot0()"), abi.call(USDC.address, "balanceOf(address)", POOL)]
    made = abi.aggregated(calls)
    assert (made.to, made.data[:4].hex()) == (MULTICALL, "82ad56cb")
    (packed,) = decode(["(address,bool,bytes)[]"], made.data[4:])
    assert packed == tuple((call.to.lower(), True, call.data) for call in calls)


def test_answers_are_separated_in_order() -> None:
    data = encode(["(bool,bytes)[]"], [[(True, b"\1"), (False, b"\2"), (True, b"")]])
    assert abi.separated(data, 3) == [b"\1", None, None]


@given(st.data())
def test_damaged_answers_of_many_are_refused(data: st.DataObject) -> None:
    """Cut, of another number, or of anything at all: an error, never a traceback of the codec's."""
    whole = encode(["(bool,bytes)[]"], [[(True, bytes(32)), (False, b"")]])
    with pytest.raises(WireError):
        abi.separated(whole[: data.draw(st.integers(0, len(whole) - 32))], 2)
    with pytest.raises(WireError):
        abi.separated(whole, data.draw(st.integers(0, 9).filter(lambda count: count != 2)))
    damaged = bytearray(whole)
    damaged[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = abi.separated(bytes(damaged), 2)
    except WireError:
        return
    assert len(found) == 2


def test_no_answer_of_multicall3_is_an_error() -> None:
    with pytest.raises(WireError):
        abi.separated(None, 1)


def test_the_codecs_are_imported_when_they_are_used() -> None:
    """`gateway --help` and a session that has no chain never pay for them."""
    code = (
        "import sys, connectors.venues.evm, connectors.venues.evm.detect, runtime.cli, runtime.cli_pools\n"
        "assert not {'eth_abi', 'eth_utils', 'eth_hash', 'web3'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "eth_abi", None)
    abi._codec.cache_clear()
    try:
        with pytest.raises(ConfigError, match=r"venuegate\[dex\]"):
            abi.encode(["uint8"], [1])
    finally:
        abi._codec.cache_clear()
