"""The simulated chain's contracts: what they quote they pay, and what a reader of their ABI finds is what they are."""

from functools import cache
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.amm.stableswap import StableSwap
from connectors.chain import PoolKind, PoolPlan, Token
from connectors.pool import Protocol
from runtime.sim.evm.abi import ZERO, split_types
from runtime.sim.evm.genesis import own_address
from runtime.sim.evm.machine import Run
from runtime.sim.evm.pools import Pool
from runtime.sim.evm.world import make_world
from tests.evm.abi import Erc20, Method, Positions, Quoter, SwapRouter, V2Factory, V2Pair, V2Router, V3Pool
from tests.sim.sim_evm_node import CHAIN_ID, MAX, NEVER, Node

USDC = Token("0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "USDC", 6)
USDT = Token("0xFd086bC7CD5C481DCC9C85ebE478A1C0b69FCbb9", "USDT", 6)
DAI = Token("0xDA10009cBd5D07dd0CeCc66161FC93D7c9000da1", "DAI", 18)
WETH = Token("0x82aF49447D8a07e3bd95BD0d56f35241523fBab1", "WETH", 18)

get_dy = Method("get_dy(int128,int128,uint256)", "uint256")
exchange = Method("exchange(int128,int128,uint256,uint256)", "uint256")
TOKEN_EXCHANGE = "0x" + keccak(text="TokenExchange(address,int128,uint256,int128,uint256)").hex()


def plan(kind: PoolKind, *tokens: Token, **more: Any) -> PoolPlan:
    address = to_checksum_address(own_address(f"{kind} {[token.symbol for token in tokens]}"))
    return PoolPlan(
        address=address, kind=kind, protocol=Protocol.UNKNOWN, tokens=tokens, base=0, quote=1, symbol="", **more
    )


PLANS = {
    "stable": plan(PoolKind.CURVE_STABLE, DAI, USDC, USDT, fee_ppm=400),
    "ng": plan(PoolKind.CURVE_STABLE_NG, USDC, USDT, fee_ppm=100),
    "crypto": plan(PoolKind.CURVE_CRYPTO, USDT, WETH, USDC),
    "balancer": plan(PoolKind.BALANCER_V2, WETH, USDC, pool_id="0x" + 64 * "7"),
    "algebra": plan(PoolKind.ALGEBRA, WETH, USDC, quoter="0x00000000000000000000000000000000000000aA", fee_ppm=250),
    "solidly": plan(PoolKind.SOLIDLY, USDC, USDT, fee_ppm=500),
}


@pytest.fixture
def node() -> Node:
    return Node(make_world(tuple(PLANS.values()), lambda _symbol: None, chain_id=CHAIN_ID, is_alive=False))


@pytest.fixture
def v3() -> tuple[Node, str, str, str]:
    node = Node()
    return node, *node.v3_pool()


def entries(node: Node, pool: str, spacing: int = 60) -> dict[int, tuple[int, int]]:
    """tick → (gross, net), by bitmap and ticks, as any reader does it."""
    found = {}
    for word in range(-58, 58):
        bits = node.call(pool, V3Pool.bitmap, word)
        for bit in range(256):
            if bits >> bit & 1:
                tick = (256 * word + bit) * spacing
                gross, net, *_, initialized = node.call(pool, V3Pool.ticks, tick)
                assert initialized
                found[tick] = (gross, net)
    return found


def test_a_v3_pool_is_its_ticks(v3: tuple[Node, str, str, str]) -> None:
    node, pool, token0, token1 = v3
    assert (node.call(pool, V3Pool.fee), node.call(pool, V3Pool.spacing)) == (3000, 60)
    ticks = entries(node, pool)
    assert sorted(ticks) == [-60_000, -600, 1200, 60_000]
    assert sum(net for _, net in ticks.values()) == 0
    _, tick, *_ = node.call(pool, V3Pool.slot0)
    assert node.call(pool, V3Pool.liquidity) == sum(net for at, (_, net) in ticks.items() if at <= tick)
    node.swap(token0, token1, 10**14)
    _, tick, *_ = node.call(pool, V3Pool.slot0)
    assert tick < -600, "it left the narrow position"
    assert node.call(pool, V3Pool.liquidity) == sum(net for at, (_, net) in ticks.items() if at <= tick)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 10**15), st.booleans(), st.booleans())
def test_a_v3_swap_does_what_the_quoter_said(amount: int, down: bool, exact_out: bool) -> None:
    node = Node()
    pool, token0, token1 = node.v3_pool()
    token_in, token_out = (token0, token1) if down else (token1, token0)
    held = [node.call(token, Erc20.balance_of, pool) for token in (token_in, token_out)]
    asked = (token_in, token_out, amount, 3000, 0)
    method = Quoter.quote_out if exact_out else Quoter.quote_in
    answer = node.answer("eth_call", {"to": node.at["v3_quoter"], "data": method.encode(asked).to_0x_hex()}, "latest")
    limit = MAX if exact_out else 0
    swap = SwapRouter.swap_out if exact_out else SwapRouter.swap_in
    data = swap.encode((token_in, token_out, 3000, node.me, NEVER, amount, limit, 0)).to_0x_hex()
    sent = {"from": node.me, "to": node.at["v3_router"], "data": data}
    if "error" in answer:
        assert node.error("eth_sendTransaction", sent)[0] == answer["error"]["code"] == 3
        return
    quoted, after, crossed, _ = method.decode(bytes.fromhex(answer["result"][2:]))
    receipt = node.ask("eth_getTransactionReceipt", node.ask("eth_sendTransaction", sent))
    (log,) = [log for log in receipt["logs"] if log["address"] == pool]
    words = [int(log["data"][2 + 64 * k : 66 + 64 * k], 16) for k in range(5)]
    signed = [word - 2**256 if word >> 255 else word for word in words[:2]]
    taken, paid = (signed[0], -signed[1]) if down else (signed[1], -signed[0])
    assert (taken if exact_out else paid) == quoted
    price, tick, *_ = node.call(pool, V3Pool.slot0)
    assert price == after == words[2] and words[3] == node.call(pool, V3Pool.liquidity)
    assert words[4] == tick % 2**256
    assert crossed <= 4
    moved = [node.call(token, Erc20.balance_of, pool) for token in (token_in, token_out)]
    assert moved == [held[0] + taken, held[1] - paid], "the pool holds what it says"


def test_positions_come_and_go_and_the_pool_never_pays_more_than_it_took(v3: tuple[Node, str, str, str]) -> None:
    node, pool, token0, token1 = v3
    before = entries(node, pool)
    held = [node.call(token, Erc20.balance_of, node.me) for token in (token0, token1)]
    receipt = node.mint(token0, token1, 3000, -120, 240, 10**12)
    (increase,) = [log for log in receipt["logs"] if log["topics"][0] == Positions.increased.topic.to_0x_hex()]
    token_id, liquidity = int(increase["topics"][1], 16), int(increase["data"][2:66], 16)
    assert entries(node, pool) == {**before, -120: (liquidity, liquidity), 240: (liquidity, -liquidity)}
    node.send(node.at["v3_positions"], Positions.decrease, (token_id, liquidity, 0, 0, NEVER))
    assert entries(node, pool) == before
    receipt = node.send(node.at["v3_positions"], Positions.collect, (token_id, node.me, 2**128 - 1, 2**128 - 1))
    assert receipt["status"] == "0x1"
    left = [node.call(token, Erc20.balance_of, node.me) for token in (token0, token1)]
    assert [was - now for was, now in zip(held, left, strict=True)] == [1, 1], "one unit each, rounded up and down"


def test_a_path_of_two_hops_pays_what_each_quote_said(v3: tuple[Node, str, str, str]) -> None:
    node, _, token0, token1 = v3
    third = node.token("CCC")
    low, high = sorted((token1, third), key=lambda address: int(address, 16))
    create = Method("createAndInitializePoolIfNecessary(address,address,uint24,uint160)", "address")
    node.send(node.at["v3_positions"], create, low, high, 500, 2**96)
    node.mint(low, high, 500, -6000, 6000, 10**15)
    first = node.call(node.at["v3_quoter"], Quoter.quote_in, (token0, token1, 10**9, 3000, 0))[0]
    second = node.call(node.at["v3_quoter"], Quoter.quote_in, (token1, third, first, 500, 0))[0]
    held = node.call(third, Erc20.balance_of, node.me)
    path = bytes.fromhex(token0[2:] + "000bb8" + token1[2:] + "0001f4" + third[2:])
    node.send(node.at["v3_router"], SwapRouter.hops, (path, node.me, NEVER, 10**9, second))
    assert node.call(third, Erc20.balance_of, node.me) == held + second
    for asked, says in (
        ((path[:-1], node.me, NEVER, 10**9, 0), "toAddress_outOfBounds"),
        ((path, node.me, NEVER, 10**9, second), "Too little received"),  # the price has moved
        ((path, node.me, 1, 10**9, 0), "Transaction too old"),
    ):
        call = {"from": node.me, "to": node.at["v3_router"], "data": SwapRouter.hops.encode(asked).to_0x_hex()}
        code, message = node.error("eth_call", call)
        assert code == 3 and message.endswith(says)


def test_a_v2_pair_keeps_its_own_books() -> None:
    node = Node()
    token0, token1 = node.pair()
    router, factory = node.at["v2_router"], node.at["v2_factory"]
    node.send(router, V2Router.add, token0, token1, 10**12, 4 * 10**12, 0, 0, node.me, NEVER)
    pair = to_checksum_address(node.call(factory, V2Factory.get_pair, token0, token1))
    assert node.call(pair, V2Pair.balance_of, node.me) == 2 * 10**12 - 1000
    path = [token1, token0]
    quoted = node.call(router, V2Router.amounts_out, 10**9, path)
    receipt = node.send(router, V2Router.swap_in, 10**9, quoted[1], path, node.me, NEVER)
    reserves = node.call(pair, V2Pair.reserves)
    assert reserves[:2] == (10**12 - quoted[1], 4 * 10**12 + 10**9)
    assert reserves[2] == int(node.ask("eth_getBlockByHash", receipt["blockHash"], False)["timestamp"], 16)
    (sync,) = [log for log in receipt["logs"] if log["topics"][0] == V2Pair.synced.topic.to_0x_hex()]
    assert (int(sync["data"][2:66], 16), int(sync["data"][66:], 16)) == reserves[:2]
    assert [log["logIndex"] for log in receipt["logs"]] == [hex(k) for k in range(len(receipt["logs"]))]
    # a present is nobody's until sync
    node.send(token0, Erc20.transfer, pair, 7)
    assert node.call(pair, V2Pair.reserves)[:2] == reserves[:2]
    node.send(pair, Method("sync()"))
    assert node.call(pair, V2Pair.reserves)[0] == reserves[0] + 7
    # the core takes no less than its product
    outs = Method("swap(uint256,uint256,address,bytes)").encode(1, 0, node.me, b"").to_0x_hex()
    code, message = node.error("eth_call", {"from": node.me, "to": pair, "data": outs})
    assert code == 3 and "INSUFFICIENT_INPUT_AMOUNT" in message
    node.send(token0, Erc20.transfer, pair, 1000)
    outs = Method("swap(uint256,uint256,address,bytes)").encode(0, 10**9, node.me, b"").to_0x_hex()
    assert node.error("eth_call", {"from": node.me, "to": pair, "data": outs})[1].endswith("UniswapV2: K")
    node.send(pair, V2Pair.approve, router, MAX)
    node.send(router, V2Router.remove, token0, token1, 2 * 10**12 - 1000, 0, 0, node.me, NEVER)
    assert 0 < node.call(pair, V2Pair.reserves)[0] < 10**4


@pytest.mark.parametrize("name", ["stable", "ng"])
def test_a_curve_pool_pays_what_its_maths_says_and_reads_as_it_is(node: Node, name: str) -> None:
    pool, tokens = PLANS[name].address, PLANS[name].tokens
    state = {
        key: node.call(pool, Method(f"{key}()", "uint256"))
        for key in ("A", "A_precise", "fee", "admin_fee")
    }  # fmt: skip
    balances = tuple(node.call(pool, Method("balances(uint256)", "uint256"), k) for k in range(len(tokens)))
    coins = [node.call(pool, Method("coins(uint256)", "address"), k) for k in range(len(tokens))]
    assert coins == [token.address.lower() for token in tokens]
    call = {"to": pool, "data": Method("coins(uint256)").encode(len(tokens)).to_0x_hex()}
    assert node.error("eth_call", call)[0] == 3, "there are no more"
    rates = tuple(10 ** (36 - token.decimals) for token in tokens)
    multiplier = 0
    if name == "ng":
        multiplier = node.call(pool, Method("offpeg_fee_multiplier()", "uint256"))
        assert node.call(pool, Method("stored_rates()", "uint256[]")) == rates
    curve = StableSwap(balances, rates, state["A_precise"], state["fee"], multiplier, name == "ng", state["admin_fee"])
    assert state["A"] * 100 == state["A_precise"]
    amount = 12_345 * 10 ** tokens[0].decimals
    assert node.call(pool, get_dy, 0, 1, amount) == curve.view(0, 1, amount)
    node.send(tokens[0].address, Erc20.approve, pool, MAX)
    receipt = node.send(pool, exchange, 0, 1, amount, 0)
    (log,) = [log for log in receipt["logs"] if log["topics"][0] == TOKEN_EXCHANGE]
    quote = curve.exact_in(0, 1, amount)
    assert [int(log["data"][2 + 64 * k : 66 + 64 * k], 16) for k in range(4)] == [0, amount, 1, quote.amount_out]
    after = quote.after
    assert isinstance(after, StableSwap)
    left = tuple(node.call(pool, Method("balances(uint256)", "uint256"), k) for k in range(len(tokens)))
    assert left == after.balances
    held = node.call(tokens[1].address, Erc20.balance_of, pool)
    assert held >= left[1], "the admin's part is still there"


QUERY = "queryBatchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],(address,bool,address,bool))"


def probe(node: Node, name: str, amount: int) -> int:
    """A quote of token 0 for token 1, by the view of that kind."""
    pool, (first, second) = PLANS[name].address, [token.address for token in PLANS[name].tokens[:2]]
    match name:
        case "crypto":
            return int(node.call(pool, Method("get_dy(uint256,uint256,uint256)", "uint256"), 0, 1, amount))
        case "solidly":
            return int(node.call(pool, Method("getAmountOut(uint256,address)", "uint256"), amount, first))
        case "algebra":
            view = Method("quoteExactInputSingle(address,address,uint256,uint160)", "uint256,uint16")
            out, fee = node.call(PLANS[name].quoter, view, first, second, amount, 0)
            assert fee == PLANS[name].fee_ppm
            return int(out)
        case _:
            vault = node.call(pool, Method("getVault()", "address"))
            pool_id = node.call(pool, Method("getPoolId()", "bytes32"))
            assert pool_id.hex() == 64 * "7"
            found, _, _ = node.call(vault, Method("getPoolTokens(bytes32)", "address[],uint256[],uint256"), pool_id)
            assert found == (first.lower(), second.lower())
            swap, funds = (pool_id, 0, 1, amount, b""), (node.me, False, node.me, False)
            deltas = node.call(vault, Method(QUERY, "int256[]"), 0, [swap], [first, second], funds)
            assert deltas[0] == amount
            return -int(deltas[1])


@pytest.mark.parametrize("name", ["crypto", "solidly", "algebra", "balancer"])
def test_a_probed_pool_answers_by_its_own_abi_and_trades_at_its_answer(node: Node, name: str) -> None:
    decimals = PLANS[name].tokens[0].decimals
    amounts = [10 ** (decimals - 3) * k for k in (1, 1000, 10**8 if decimals == 6 else 10**6)]
    quotes = [probe(node, name, amount) for amount in amounts]
    assert 0 < quotes[0] < quotes[1] < quotes[2]
    assert quotes[2] * amounts[1] < quotes[1] * amounts[2], "the price gets worse with size"
    trade = Method("trade(address,uint256,uint256,uint256)", "uint256")
    pool = PLANS[name]
    assert node.call(node.at["trader"], trade, pool.address, 0, 1, amounts[2]) == quotes[2]
    receipt = node.send(node.at["trader"], trade, pool.address, 0, 1, amounts[2])
    assert receipt["status"] == "0x1"
    assert probe(node, name, amounts[2]) < quotes[2], "the swap moved it"


def test_every_pool_holds_the_tokens_it_owes(node: Node) -> None:
    run = Run(node.sim.chain.state, 0, 0)
    for each in PLANS.values():
        contract = run.contract(each.address.lower())
        assert isinstance(contract, Pool)
        curve: Any = contract.curve(run)
        owed: tuple[int, ...] = getattr(curve, "balances", (1, 1))
        for token, amount in zip(each.tokens, owed, strict=True):
            assert node.call(token.address, Erc20.balance_of, each.address) >= amount > 0


def test_tokens_of_every_sort(node: Node) -> None:
    other = node.ask("eth_accounts")[1]
    taxed = node.ask("sim_createToken", "TAX", 9, 10_000)
    node.send(taxed, Erc20.transfer, other, 1000)
    start = 10**12 * 10**9
    assert node.call(taxed, Erc20.balance_of, other) == start + 990
    old = node.ask("sim_createToken", "OLD", 2, 0, True)
    assert node.call(old, Method("symbol()", "bytes32")) == b"OLD".ljust(32, b"\0")
    call = {"from": node.me, "to": old, "data": Erc20.transfer.encode(other, 1).to_0x_hex()}
    assert node.ask("eth_call", call) == "0x"
    plain = node.ask("sim_createToken", "NEW", 0)
    assert (node.call(plain, Erc20.symbol), node.call(plain, Erc20.decimals)) == ("NEW", 0)
    node.send(plain, Method("mint(address,uint256)"), other, 5)
    assert node.call(plain, Erc20.total_supply) == len(node.ask("eth_accounts")) * 10**12 + 5


@cache
def everything() -> Node:
    """A node with a pool of every kind, nobody of which is changed: eth_call keeps nothing."""
    node = Node(make_world(tuple(PLANS.values()), lambda _symbol: None, chain_id=CHAIN_ID, is_alive=False))
    node.v3_pool()
    token0, token1 = node.pair()
    node.send(node.at["v2_router"], V2Router.add, token0, token1, 10**12, 10**12, 0, 0, node.me, NEVER)
    for token in (token0, token1):
        node.send(token, Erc20.approve, node.at["trader"], MAX)
    return node


def values(kind: str, addresses: list[str]) -> st.SearchStrategy[Any]:
    """Anything that a type can hold, and often what means something."""
    if kind.endswith("[]"):
        return st.lists(values(kind[:-2], addresses), max_size=3)
    if kind.startswith("("):
        return st.tuples(*(values(each, addresses) for each in split_types(kind[1:-1])))
    if kind == "address":
        return st.sampled_from(addresses)
    if kind == "bool":
        return st.booleans()
    if kind == "bytes":
        return st.binary(max_size=70)
    if kind == "bytes32":
        return st.sampled_from([bytes(32), bytes.fromhex(64 * "7")])
    bits = int(kind.removeprefix("u").removeprefix("int"))
    low, high = (0, 2**bits - 1) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.sampled_from([0, 1, 2, 60, 500, 3000, 10**9, 2**96, low, high]).map(
        lambda value: min(max(value, low), high)
    ) | st.integers(low, high)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_call_data_breaks_a_contract(data: st.DataObject) -> None:
    """Every function of every contract, with anything its types can hold: an answer or a revert, never an exception."""
    node = everything()
    contracts = [value for (_, slot), value in node.sim.chain.state.items() if slot == "code"]
    contract = data.draw(st.sampled_from(contracts))
    function = data.draw(st.sampled_from(list(contract.FUNCTIONS.values())))
    addresses = [each.address for each in contracts] + [node.me, ZERO]
    arguments = [data.draw(values(kind, addresses)) for kind in function.inputs]
    call = {"from": node.me, "to": contract.address, "data": Method(function.signature).encode(*arguments).to_0x_hex()}
    answer = node.answer("eth_call", call, "latest")
    assert "result" in answer or answer["error"]["code"] == 3


def test_what_python_would_raise_is_a_panic() -> None:
    node = everything()
    pair = node.call(node.at["v2_factory"], Method("allPairs(uint256)", "address"), 0)
    trade = Method("trade(address,uint256,uint256,uint256)")
    for pool in (pair, *(each.address for each in PLANS.values())):
        for arguments in ((9, 1, 10**6), (0, 9, 10**6), (0, 1, MAX), (0, 0, 1)):
            data = trade.encode(pool, *arguments).to_0x_hex()
            assert node.error("eth_call", {"from": node.me, "to": node.at["trader"], "data": data})[0] == 3


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_a_contract(garbage: bytes) -> None:
    node = everything()
    for (address, slot), contract in node.sim.chain.state.items():
        if slot == "code":
            for selector in contract.FUNCTIONS:
                call = {"from": node.me, "to": address, "data": "0x" + selector.hex() + garbage.hex()}
                answer = node.answer("eth_call", call, "latest")
                assert "result" in answer or answer["error"]["code"] == 3
