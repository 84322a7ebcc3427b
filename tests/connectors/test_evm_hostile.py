"""Nodes and contracts that say what no honest one does: refused in words, never a traceback or a flood of memory."""

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.amm.stableswap import StableSwap
from connectors.chain import PoolKind
from connectors.errors import PoolRefused, WireError
from connectors.onchain.jsonrpc import RpcError, message_of, text_of, why
from connectors.venues.evm import abi
from connectors.venues.evm.logs import log_of_json
from connectors.venues.evm.reading import differs, read, scalars
from connectors.venues.evm.rpc import head_of, is_revert
from tests.support.evm_contracts import DAI, POOL, QUOTER, USDC, USDT, WETH, Contracts, plan
from tests.support.evm_pools import Stable

MANY = "(bool,bytes)[]"
COINS = (DAI, USDC, USDT)


@pytest.fixture
def shallow() -> Iterator[None]:
    """What a process has that never imported web3, which lets everything nest deeper."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("shallow")
@pytest.mark.parametrize("read_", [message_of, head_of, text_of, log_of_json])
@pytest.mark.parametrize("depth", [900, 980, 1_000, 100_000])
def test_what_is_nested_too_deep_is_damage(read_: Callable[[Any], object], depth: int) -> None:
    """The part of a frame is read deeper in the stack than the frame was, so it may fail where that did not."""
    with pytest.raises(WireError):
        read_(msgspec.Raw(b'{"x":' + b"[" * depth + b"]" * depth + b',"id":[]}'))


def word(value: int) -> bytes:
    return value.to_bytes(32)


def test_pointers_that_all_lead_to_one_answer_cost_no_memory() -> None:
    """300 answers of 300 kB in 310 kB: each may be there once."""
    count, length = 300, 300_000
    body = word(1) + word(64) + word(length) + bytes(length + -length % 32)
    data = word(32) + word(count) + word(32 * count) * count + body
    assert len(decode([MANY], word(32) + word(1) + word(32) + body)[0][0][1]) == length
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            abi.separated(data, count)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("at", range(10))
@pytest.mark.parametrize("value", [1, 33, 2**31, 2**63, 2**256 - 1])
def test_any_word_of_many_answers_may_be_anything(at: int, value: int) -> None:
    whole = encode([MANY], [[(True, b"\1" * 32), (False, b"")]])
    damaged = whole[: 32 * at] + word(value) + whole[32 * at + 32 :]
    try:
        found = abi.separated(damaged, 2)
    except WireError:
        return
    assert found == [answer if is_ok and answer else None for is_ok, answer in decode([MANY], damaged)[0]]


answers = st.lists(st.tuples(st.booleans(), st.binary(max_size=100)), max_size=6)


@given(answers)
def test_many_answers_are_the_codecs(given_: list[tuple[bool, bytes]]) -> None:
    expected = [answer if is_ok and answer else None for is_ok, answer in given_]
    assert abi.separated(encode([MANY], [given_]), len(given_)) == expected


@settings(max_examples=300)
@given(answers, st.data())
def test_what_is_taken_for_many_answers_is_so_to_the_codec(
    given_: list[tuple[bool, bytes]], data: st.DataObject
) -> None:
    damaged = bytearray(encode([MANY], [given_]))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.sampled_from([0, 1, 31, 32, 64, 96, 255]))
    try:
        found = abi.separated(bytes(damaged), len(given_))
    except WireError:
        return
    try:
        (expected,) = decode([MANY], bytes(damaged))
    except DecodingError as error:  # pragma: no cover - only if ours takes more than the codec does
        raise AssertionError(damaged.hex()) from error
    assert found == [answer if is_ok and answer else None for is_ok, answer in expected]


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (RpcError(3, "anything"), True), (RpcError(-32000, "execution reverted"), True),
        (RpcError(-32000, "invalid opcode: INVALID"), True), (RpcError(-32000, "Out Of Gas"), True),
        (RpcError(-32015, "VM execution error: revert"), True), (RpcError(-32000, "stack limit reached 1024"), True),
        (RpcError(-32000, "header not found"), False), (RpcError(-32005, "limit exceeded"), False), (RpcError(), False),
    ],
)  # fmt: skip
def test_a_call_that_failed_is_told_from_a_node_that_did(error: RpcError, is_one: bool) -> None:
    assert is_revert(why(error)) == is_one


# --- pools that still answer, but do not swap -----------------------------------------------------------------------


def stable(**views: Any) -> Contracts:
    pool = Stable([27 * 10**24, 27 * 10**12, 108 * 10**12], COINS)
    made: dict[str, tuple[str, Any]] = {name + "()": (types, answer) for name, (types, answer) in views.items()}
    return Contracts({POOL: pool.views() | made}, COINS)


@pytest.mark.parametrize("kind", [PoolKind.CURVE_STABLE, PoolKind.CURVE_META])
def test_a_killed_curve_pool_is_refused(kind: PoolKind) -> None:
    made = plan(kind, COINS)
    for chain in (stable(), stable(is_killed=("bool", False))):
        assert (chain.drive(read(made)) is None) == (kind is PoolKind.CURVE_META)
    with pytest.raises(PoolRefused, match="it is killed"):
        stable(is_killed=("bool", True)).drive(read(made))


def test_a_curve_pool_killed_later_is_noticed_by_its_scalars() -> None:
    made = plan(PoolKind.CURVE_STABLE, COINS)
    curve = stable().drive(read(made))
    asked = scalars(made)
    assert differs(made, curve, stable().answers(asked)) == ""
    with pytest.raises(PoolRefused, match="it is killed"):
        differs(made, curve, stable(is_killed=("bool", True)).answers(asked))


def test_a_paused_balancer_pool_is_refused() -> None:
    pool_id = POOL.lower() + 24 * "0"
    tokens = [WETH.address, USDC.address]
    vault = {"getPoolTokens(bytes32)": ("address[],uint256[],uint256", lambda _: (tokens, [5, 5], 1))}
    made = plan(PoolKind.BALANCER_V2, (WETH, USDC), quoter=QUOTER, pool_id=pool_id)
    views: dict[str, tuple[str, Any]] = {
        "getPoolId()": ("bytes32", bytes.fromhex(pool_id[2:])), "getVault()": ("address", QUOTER),
    }  # fmt: skip
    Contracts({POOL: views, QUOTER: vault}, (WETH, USDC)).drive(read(made))
    for paused in (False, True):
        chain = Contracts(
            {POOL: views | {"getPausedState()": ("bool,uint256,uint256", (paused, 7, 8))}, QUOTER: vault}, (WETH, USDC)
        )
        if paused:
            with pytest.raises(PoolRefused, match="it is paused"):
                chain.drive(read(made))
        else:
            chain.drive(read(made))


def test_a_dynamic_fee_that_could_take_all_is_refused() -> None:
    """NG's contracts keep offpeg_fee_multiplier × fee below half; a contract that does not is none of them."""
    fee, bound = 4_000_000, 10**20 // 2
    made = plan(PoolKind.CURVE_STABLE_NG, COINS)
    rates = [10 ** (36 - token.decimals) for token in COINS]
    for factor, is_refused in ((bound // fee, False), (bound // fee + 1, True), (10**20 // fee, True), (2**255, True)):
        chain = stable(offpeg_fee_multiplier=("uint256", factor), stored_rates=("uint256[]", rates))
        answers_ = chain.answers(scalars(made))
        held = StableSwap((27 * 10**24, 27 * 10**12, 108 * 10**12), tuple(rates), 200_000, fee, factor, is_ng=True)
        if is_refused:
            with pytest.raises(PoolRefused, match="offpeg_fee_multiplier is"):
                differs(made, held, answers_)
        else:
            assert "offpeg_fee_multiplier" not in differs(made, held, answers_)
