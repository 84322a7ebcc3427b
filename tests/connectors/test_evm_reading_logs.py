"""Following a pool by its logs: hand-made logs of the documented events, applied to a state that is known."""

import json
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st
from web3 import Web3

from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Curve
from connectors.amm.tickmath import sqrt_at
from connectors.chain import PoolKind
from connectors.errors import WireError
from connectors.venues.evm import v2, v3
from connectors.venues.evm.logs import Log, log_of_json
from connectors.venues.evm.reading import apply, concerns, read, source
from tests.support.evm_contracts import DAI, POOL, QUOTER, USDC, WETH, Contracts, plan
from tests.support.evm_pools import V3, Stable

V3_PLAN = plan(PoolKind.UNISWAP_V3, (WETH, USDC))
V2_PLAN = plan(PoolKind.UNISWAP_V2, (WETH, USDC), fee_ppm=3000)
SWAP = ("int256", "int256", "uint160", "uint128", "int24")
SIGNATURES = {
    "swap": "Swap(address,address,int256,int256,uint160,uint128,int24)",
    "swap_pancake": "Swap(address,address,int256,int256,uint160,uint128,int24,uint128,uint128)",
    "mint": "Mint(address,address,int24,int24,uint128,uint256,uint256)",
    "burn": "Burn(address,int24,int24,uint128,uint256,uint256)",
    "collect": "Collect(address,address,int24,int24,uint128,uint128)",
    "initialize": "Initialize(uint160,int24)",
    "sync": "Sync(uint112,uint112)",
}


def event(name: str) -> str:
    return "0x" + bytes(Web3.keccak(text=SIGNATURES[name])).hex()


def a_log(name: str, data: bytes, *indexed: int, where: str = POOL) -> Log:
    places = [f"0x{value % 2**256:064x}" for value in indexed]
    return Log(where.lower(), (event(name), *places), data, 17, "0x" + "cd" * 32, 3)


def swap(sqrt_price_x96: int, liquidity: int, tick: int) -> Log:
    return a_log("swap", encode(SWAP, (-5, 7, sqrt_price_x96, liquidity, tick)), 1, 2)


def mint(lower: int, upper: int, amount: int) -> Log:
    types = ("address", "uint128", "uint256", "uint256")
    return a_log("mint", encode(types, (WETH.address, amount, 11, 12)), 1, lower, upper)


def burn(lower: int, upper: int, amount: int) -> Log:
    return a_log("burn", encode(("uint128", "uint256", "uint256"), (amount, 11, 12)), 1, lower, upper)


def curve_of(pool: V3) -> Curve:
    found = Contracts({POOL: pool.views()}, (WETH, USDC)).drive(read(V3_PLAN))
    assert found is not None
    return found


def a_pool() -> V3:
    return V3(sqrt_at(100) + 5, 100, positions=[(-600, 1200, 10**15), (0, 3600, 7 * 10**14)])


def test_topics_are_the_published_ones() -> None:
    """Hashes as block explorers show them."""
    assert set(v3.topics()) >= {
        "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67",
        "0x19b47279256b2a23a1665c810c8d55a1758940ee09377d4f8d26497a3577dc83",
        "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde",
        "0x0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c",
    }
    assert "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1" in v2.topics()


def test_a_swap_is_applied_in_both_layouts() -> None:
    before = curve_of(a_pool())
    after = apply(V3_PLAN, before, swap(sqrt_at(-700), 4 * 10**14, -700))
    assert isinstance(before, Concentrated)
    assert isinstance(after, Concentrated)
    assert (after.sqrt_price_x96, after.liquidity, after.tick) == (sqrt_at(-700), 4 * 10**14, -700)
    assert (after.fee_ppm, after.ticks) == (before.fee_ppm, before.ticks)
    pancake = encode((*SWAP, "uint128", "uint128"), (-5, 7, sqrt_at(-700), 4 * 10**14, -700, 9, 0))
    assert apply(V3_PLAN, before, a_log("swap_pancake", pancake, 1, 2)) == after


@given(st.data())
def test_positions_by_logs_are_positions_by_state(data: st.DataObject) -> None:
    """Any order of mints and burns, and swaps between them, leaves what a fresh read of the same pool gives."""
    pool = a_pool()
    curve: Curve | None = curve_of(pool)
    for _ in range(data.draw(st.integers(1, 12))):
        if data.draw(st.booleans()) and pool.positions:
            lower, upper, held = pool.positions.pop(data.draw(st.integers(0, len(pool.positions) - 1)))
            amount = data.draw(st.integers(0, held))
            if held > amount:
                pool.positions.append((lower, upper, held - amount))
            curve = apply(V3_PLAN, curve, burn(lower, upper, amount))
        elif data.draw(st.booleans()):
            low, high = data.draw(st.lists(st.integers(-90, 90), min_size=2, max_size=2, unique=True).map(sorted))
            pool.positions.append((low * 60, high * 60, data.draw(st.integers(1, 2**100))))
            curve = apply(V3_PLAN, curve, mint(*pool.positions[-1]))
        else:
            pool.tick = data.draw(st.integers(-5000, 5000))
            pool.sqrt_price_x96 = sqrt_at(pool.tick)
            curve = apply(V3_PLAN, curve, swap(pool.sqrt_price_x96, pool.liquidity, pool.tick))
    if pool.positions:
        assert curve == curve_of(pool)


def test_a_position_that_cannot_have_been_there_is_read_again() -> None:
    curve = curve_of(a_pool())
    assert apply(V3_PLAN, curve, burn(-600, 1200, 10**15 + 1)) is None
    assert apply(V3_PLAN, curve, burn(-60, 60, 1)) is None
    assert apply(V3_PLAN, curve, mint(60, 120, 2**128 - 1)) is None
    assert apply(V3_PLAN, curve, a_log("initialize", encode(("uint160", "int24"), (2**96, 0)))) is None


def test_a_sync_tells_all_of_a_pair() -> None:
    before = ConstantProduct((5, 6), 3000)
    after = apply(V2_PLAN, before, a_log("sync", encode(("uint112", "uint112"), (7, 2**112 - 1))))
    assert after == ConstantProduct((7, 2**112 - 1), 3000)


def test_other_logs_change_nothing() -> None:
    """Of other events, of other contracts, without topics."""
    curve, pair = curve_of(a_pool()), ConstantProduct((5, 6), 3000)
    collect = a_log("collect", encode(("address", "uint128", "uint128"), (WETH.address, 1, 2)), 1, 60, 120)
    elsewhere = Log(QUOTER.lower(), swap(2**96, 1, 0).topics, swap(2**96, 1, 0).data, 17, "0x" + "cd" * 32, 3)
    anonymous = Log(POOL.lower(), (), b"\1", 17, "0x" + "cd" * 32, 3)
    for log in (collect, elsewhere, anonymous):
        assert apply(V3_PLAN, curve, log) is curve
        assert apply(V2_PLAN, pair, log) is pair


def test_any_log_of_a_pool_without_state_in_its_logs_means_reading_again() -> None:
    stable = Stable([10**24, 10**12], (DAI, USDC))
    made = plan(PoolKind.CURVE_STABLE, stable.tokens)
    curve = Contracts({POOL: stable.views()}, stable.tokens).drive(read(made))
    log = a_log("collect", b"")
    assert curve is not None
    assert apply(made, curve, log) is None
    assert apply(plan(PoolKind.ALGEBRA, (WETH, USDC), quoter=QUOTER), None, log) is None


def test_balancers_logs_are_its_vaults_of_this_pool() -> None:
    pool_id = "0x" + "5a" * 32
    made = plan(PoolKind.BALANCER_V2, (WETH, USDC), quoter=QUOTER, pool_id=pool_id)
    assert source(made) == QUOTER
    of_pool = Log(QUOTER.lower(), (event("sync"), pool_id), b"", 17, "0x" + "cd" * 32, 3)
    of_other = Log(QUOTER.lower(), (event("sync"), "0x" + "5b" * 32), b"", 17, "0x" + "cd" * 32, 3)
    assert [concerns(made, log) for log in (of_pool, of_other, a_log("sync", b""))] == [True, False, False]


DAMAGED = {
    "short": a_log("swap", encode(SWAP, (-5, 7, 2**96, 1, 0))[:-1], 1, 2),
    "a word less": a_log("swap", encode(SWAP, (-5, 7, 2**96, 1, 0))[:-32], 1, 2),
    "a word more": a_log("swap", encode(SWAP, (-5, 7, 2**96, 1, 0)) + bytes(32), 1, 2),
    "liquidity of 129 bits": a_log("swap", encode(("int256",) * 5, (-5, 7, 2**96, 2**128, 0)), 1, 2),
    "price of 161 bits": a_log("swap", encode(("int256",) * 5, (-5, 7, 2**160, 1, 0)), 1, 2),
    "tick of 25 bits": a_log("swap", encode(("int256",) * 5, (-5, 7, 2**96, 1, 2**23)), 1, 2),
    "a topic less": a_log("burn", encode(("uint128", "uint256", "uint256"), (1, 1, 1)), 1, -600),
    "off the spacing": mint(-601, 1200, 1),
    "upside down": mint(1200, -600, 1),
    "beyond the last tick": mint(-600, 887280, 1),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_log_is_no_state(damage: str) -> None:
    with pytest.raises(WireError):
        apply(V3_PLAN, curve_of(a_pool()), DAMAGED[damage])


@pytest.mark.parametrize("data", [b"", bytes(63), bytes(96), encode(("uint256", "uint256"), (2**112, 1))])
def test_a_damaged_sync_is_no_state(data: bytes) -> None:
    with pytest.raises(WireError):
        apply(V2_PLAN, ConstantProduct((5, 6), 3000), a_log("sync", data))


def as_json(**changes: Any) -> dict[str, Any]:
    """As in geth's documentation of eth_getLogs."""
    return {
        "address": POOL, "topics": [event("sync").upper().replace("0X", "0x")], "data": "0x00ff",
        "blockNumber": "0x1b4",
        "transactionHash": "0x" + "df" * 32, "transactionIndex": "0x0", "blockHash": "0x" + "8D" * 32,
        "logIndex": "0x1", "removed": False,
    } | changes  # fmt: skip


def log_of(found: dict[str, Any]) -> Log:
    return log_of_json(json.dumps(found).encode())


def test_a_log_is_read_from_json() -> None:
    log = log_of(as_json())
    assert log == Log(POOL.lower(), (event("sync"),), b"\0\xff", 436, "0x" + "8d" * 32, 1)
    assert log_of(as_json(removed=True)).is_removed
    without = as_json()
    del without["removed"]
    assert log_of(without) == log


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "0x12"}, {"address": POOL[:-1] + "g"}, {"address": None}, {"topics": ["0x12"]}, {"data": "0x0"},
        {"topics": ["0x" + "1" * 64] * 5}, {"data": "00"}, {"data": "0xzz"}, {"data": 5}, {"data": "0x 1 "},
        {"blockNumber": None}, {"blockNumber": 436}, {"blockNumber": "0x"}, {"blockNumber": "0x" + "1" * 65},
        {"blockHash": None}, {"blockHash": "0x" + "8d" * 31}, {"logIndex": "-0x1"}, {"removed": "no"},
    ],
)  # fmt: skip
def test_a_log_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    """A pending log has no block, and is none either."""
    with pytest.raises(WireError):
        log_of(as_json(**changes))


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"{", b'"\xff"'])
def test_what_is_no_object_is_no_log(text: bytes) -> None:
    with pytest.raises(WireError):
        log_of_json(text)
