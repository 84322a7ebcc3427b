"""`gateway quote` as a person runs it, against a loopback endpoint that is as good or as bad as endpoints are."""

import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import websockets.sync.server
from typer.testing import CliRunner

from connectors.chain import Token
from runtime.chains import shipped
from runtime.cli import app
from tests.support.evm_contracts import (
    BLOCK,
    DAI,
    MULTICALL,
    POOL,
    QUOTER,
    USDC,
    USDT,
    WETH,
    Contracts,
    Endpoint,
    address,
    served,
    v2_views,
)
from tests.support.evm_pools import V3, Stable

KEYS = ["protocol", "block", "amount_in", "amount_out", "sqrt_price_x96_after", "ticks_crossed"]
PRICE = 2**96 // 1000 + 12345


@pytest.fixture(autouse=True)
def pythons_own_recursion_limit() -> Iterator[None]:
    """web3, which the tests alone use, raises it through py_ecc to where nested brackets overflow the stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def quoted(endpoint: Endpoint, token_in: str, amount: str, *more: str) -> dict[str, Any]:
    code, out, err = run(
        "quote", "--rpc", endpoint.url, "--pool", POOL, "--token-in", token_in, "--amount", amount, "--json", *more
    )
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    assert list(found)[: len(KEYS)] == KEYS
    return found


def refused(*arguments: str) -> str:
    """The one error; nothing goes to stdout."""
    code, out, err = run(*arguments)
    assert (code, out) == (4, ""), (code, out, err)
    assert err.startswith("error: ")
    assert "mend: " in err
    return err


def asking(endpoint: Endpoint, **options: str) -> list[str]:
    made = {"rpc": endpoint.url, "pool": POOL, "token-in": WETH.address, "amount": "1000"} | options
    return ["quote", *(part for name, value in made.items() for part in (f"--{name}", value))]


def pair(reserve0: int = 10**21, reserve1: int = 3 * 10**12) -> Contracts:
    return Contracts({POOL: v2_views(reserve0, reserve1)}, (WETH, USDC))


def test_a_v2_pair_pays_what_the_formula_says() -> None:
    """x·y = k at 3000 ppm, written out."""
    with served(pair()) as endpoint:
        found = quoted(endpoint, WETH.address, "123456789012345678")
        net = 123456789012345678 * 997
        assert found["amount_out"] == net * 3 * 10**12 // (10**21 * 1000 + net)
        assert (found["protocol"], found["block"], found["amount_in"]) == ("uniswap_v2", 16, 123456789012345678)
        assert (found["sqrt_price_x96_after"], found["ticks_crossed"]) == (None, 0)
        assert found["block_hash"] == BLOCK["hash"]
        assert found["fee_from"].startswith("assumed")
        out = quoted(endpoint, USDC.address.lower(), "5000", "--exact-out")
        assert out["amount_out"] == 5000
        assert out["amount_in"] == 3 * 10**12 * 5000 * 1000 // ((10**21 - 5000) * 997) + 1
        other = quoted(endpoint, WETH.address, "1000000000", "--fee-ppm", "2500")
        assert (other["fee_ppm"], other["fee_from"]) == (2500, "--fee-ppm")
        assert other["amount_out"] == 10**9 * 9975 * 3 * 10**12 // (10**21 * 10000 + 10**9 * 9975)


def test_a_known_factory_tells_a_pairs_fee_and_router() -> None:
    """On its own chain; the router is then asked too, so that a wrong fee cannot pass."""
    maker = next(maker for maker in shipped("arbitrum").factories if maker.name == "sushi_v2")
    calls: list[int] = []

    def amounts(amount: int, path: list[str]) -> list[int]:
        calls.append(amount)
        net = amount * 997
        there, here = (10**21, 3 * 10**12) if path[0] == WETH.address.lower() else (3 * 10**12, 10**21)
        return [amount, net * here // (there * 1000 + net)]

    contracts = pair()
    contracts.add(POOL, {"factory()": ("address", maker.address)})
    contracts.add(maker.quoter, {"getAmountsOut(uint256,address[])": ("uint256[]", amounts)})
    with served(contracts) as endpoint:
        endpoint.chain_id = 42161
        found = quoted(endpoint, USDC.address, "1000")
        assert (found["fee_ppm"], found["fee_from"]) == (3000, "factory sushi_v2")
        assert calls
        assert "the fee is another" in refused(*asking(endpoint, **{"token-in": USDC.address, "fee-ppm": "2500"}))


def test_a_v3_pool_is_read_on_where_the_quote_goes_beyond() -> None:
    """Spacing 1: the swap runs over the edge of the window that is read first."""
    wide = V3(2**96, 0, 1, 100, [(-10, 10, 10**12), (-120_000, 120_000, 10**12)])
    narrow = V3(2**96, 0, 60, 100, [(-60, 60, 10**12), (-120_000, 120_000, 10**12)])
    with served(Contracts({POOL: wide.views()}, (WETH, USDC))) as endpoint:
        found = quoted(endpoint, WETH.address, str(10**14))
        assert found["protocol"] == "uniswap_v3"
        assert found["ticks_crossed"] == 1
        words = [request for request in endpoint.requests if request["method"] == "eth_call"]
        assert len(words) > 5
    with served(Contracts({POOL: narrow.views()}, (WETH, USDC))) as endpoint:
        assert quoted(endpoint, WETH.address, str(10**14))["ticks_crossed"] == 1


def test_exhausting_a_v3_pool_says_what_it_took() -> None:
    contracts = Contracts({POOL: V3(2**96, 0, positions=[(-600, 600, 10**12)]).views()}, (WETH, USDC))
    with served(contracts) as endpoint:
        found = quoted(endpoint, WETH.address, str(10**30))
        assert 0 < found["amount_in"] < 10**12
        assert found["sqrt_price_x96_after"] == 4295128740
        assert "pays" in refused(*asking(endpoint, amount=str(10**30)), "--exact-out")


def test_a_pool_of_three_needs_the_other_token() -> None:
    pool = Stable([27 * 10**24, 27 * 10**12, 108 * 10**12], (DAI, USDC, USDT))
    with served(Contracts({POOL: pool.views()}, pool.tokens)) as endpoint:
        assert "--token-out" in refused(*asking(endpoint, **{"token-in": DAI.address}))
        found = quoted(endpoint, DAI.address, str(10**21), "--token-out", USDT.address)
        assert (found["protocol"], found["token_out"]) == ("curve_stable", USDT.address)
        assert abs(found["amount_out"] - pool.get_dy(0, 2, 10**21)) <= 1  # the view rounds otherwise than the swap
        back = quoted(endpoint, DAI.address, str(10**9), "--token-out", USDT.address, "--exact-out")
        assert pool.get_dy(0, 2, back["amount_in"]) >= 10**9 - 1
        assert "is the token that goes in" in refused(
            *asking(endpoint, **{"token-in": DAI.address, "token-out": DAI.address})
        )
        assert "no token of this pool" in refused(*asking(endpoint, **{"token-in": DAI.address, "token-out": POOL}))


def test_a_probed_pool_is_asked_itself() -> None:
    views = dict(v2_views(10**21, 10**12)) | {
        "stable()": ("bool", True),
        "getAmountOut(uint256,address)": ("uint256", lambda amount, _: amount * 7),
    }
    with served(Contracts({POOL: views}, (WETH, USDC))) as endpoint:
        found = quoted(endpoint, WETH.address, "6")
        assert (found["protocol"], found["amount_out"], found["fee_ppm"]) == ("solidly", 42, None)
        assert "no view" in refused(*asking(endpoint), "--exact-out")


def test_an_algebra_pool_needs_its_quoter() -> None:
    views: dict[str, tuple[str, Any]] = {
        "token0()": ("address", WETH.address), "token1()": ("address", USDC.address),
        "globalState()": ("uint160,int24", (2**96, 0)),
    }  # fmt: skip
    quoter = {
        "quoteExactInputSingle(address,address,uint256,uint160)": ("uint256,uint16", lambda *said: (said[2] * 3, 9)),
        "quoteExactOutputSingle(address,address,uint256,uint160)": ("uint256,uint16", lambda *said: (said[2] * 5, 9)),
    }
    with served(Contracts({POOL: views, QUOTER: quoter}, (WETH, USDC))) as endpoint:
        assert "--quoter" in refused(*asking(endpoint))
        assert quoted(endpoint, WETH.address, "6", "--quoter", QUOTER)["amount_out"] == 18
        out = quoted(endpoint, WETH.address, "6", "--quoter", QUOTER, "--exact-out")
        assert (out["amount_in"], out["amount_out"]) == (30, 6)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"amount": "0"}, "--amount"), ({"amount": "-1"}, "--amount"), ({"amount": "1.5"}, "--amount"),
        ({"amount": "1e3"}, "--amount"), ({"amount": ""}, "--amount"), ({"amount": "٣"}, "--amount"),
        ({"amount": str(2**256)}, "--amount"), ({"amount": "9" * 5000}, "--amount"),
        ({"amount": str(2**112)}, "cannot take"),
        ({"pool": "0x12"}, "--pool"), ({"pool": WETH.address[:-1]}, "--pool"), ({"pool": address(5)}, "no contract"),
        ({"pool": WETH.address}, "of no kind|no contract is there"),
        ({"token-in": address(5)}, "no token of this pool"), ({"token-in": "WETH"}, "--token-in"),
        ({"token-in": "0x" + "aB" * 20}, "checksum"), ({"token-out": "x"}, "--token-out"),
        ({"quoter": "x"}, "--quoter"),
        ({"rpc": "127.0.0.1:8545"}, "--rpc"), ({"rpc": "ftp://127.0.0.1"}, "--rpc"), ({"rpc": ""}, "--rpc"),
        ({"rpc": "http://127.0.0.1:1"}, "cannot be reached"), ({"rpc": "ws://127.0.0.1:1"}, "cannot be reached"),
        ({"rpc": "http://[::1"}, "--rpc"), ({"rpc": "http://127.0.0.1:99999"}, "--rpc"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_error_with_its_place(options: dict[str, str], why: str) -> None:
    with served(pair()) as endpoint:
        assert re.search(why, refused(*asking(endpoint, **options)))


def test_an_empty_pool_and_one_that_cannot_pay_are_errors() -> None:
    with served(pair(0, 0)) as endpoint:
        assert "no liquidity" in refused(*asking(endpoint))
    with served(pair()) as endpoint:
        assert "cannot pay" in refused(*asking(endpoint, amount=str(10**21)), "--exact-out")
    contracts = Contracts({POOL: V3(2**96, 0, positions=[(6000, 12000, 10**12)]).views()}, (WETH, USDC))
    with served(contracts) as endpoint:
        assert "no liquidity on this side" in refused(*asking(endpoint))


# --- endpoints as they are -------------------------------------------------------------------------------------------


def worst(endpoint: Endpoint) -> None:
    endpoint.has_multicall = endpoint.knows_hashes = endpoint.knows_batches = False


@pytest.mark.parametrize("lacks", ["has_multicall", "knows_hashes", "knows_batches", "everything"])
def test_the_answer_is_the_same_whatever_the_endpoint_lacks(lacks: str) -> None:
    pool = V3(PRICE, -138163, positions=[(-180_000, -120_000, 10**18), (-138_180, -138_120, 10**17)])
    with served(Contracts({POOL: pool.views()}, (WETH, USDC))) as endpoint:
        true = quoted(endpoint, WETH.address, str(10**15))
        if lacks == "everything":
            worst(endpoint)
        else:
            setattr(endpoint, lacks, False)
        assert quoted(endpoint, WETH.address, str(10**15)) == true


def test_calls_are_pinned_to_one_block_by_its_hash() -> None:
    """The endpoint here refuses every other block than the newest it told (Endpoint._call)."""
    with served(pair()) as endpoint:
        quoted(endpoint, WETH.address, "1000")
        pins = [request["params"][1] for request in endpoint.requests if request["method"] == "eth_call"]
        assert pins
        assert all(pin == {"blockHash": BLOCK["hash"], "requireCanonical": True} for pin in pins)


def test_a_block_replaced_during_the_read_is_an_error() -> None:
    """Where the hash cannot pin, it is compared afterwards."""
    with served(pair()) as endpoint:
        endpoint.knows_hashes = False
        endpoint.blocks = [BLOCK, BLOCK | {"hash": "0x" + "cc" * 32}]
        assert "was replaced" in refused(*asking(endpoint))


def test_many_calls_that_are_too_many_are_halved() -> None:
    with served(pair()) as endpoint:
        true = quoted(endpoint, WETH.address, "1000")
        endpoint.multicall_max = 3
        assert quoted(endpoint, WETH.address, "1000") == true


def test_a_call_starved_by_another_is_asked_again() -> None:
    """The oldest contracts burn all the gas of a call of many: what failed there may answer by itself."""
    contracts = pair()
    real = contracts.call
    inside = threading.local()

    def starving(where: str, data: bytes) -> bytes | None:
        if where == MULTICALL:
            inside.is_on = True
            try:
                return real(where, data)
            finally:
                inside.is_on = False
        return None if getattr(inside, "is_on", False) else real(where, data)

    contracts.call = starving  # type: ignore[method-assign]
    with served(contracts) as endpoint:
        assert quoted(endpoint, WETH.address, "1000000")["protocol"] == "uniswap_v2"


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, b"<html>", "does not speak JSON-RPC"), (403, b"Forbidden", "HTTP status 403"), (200, b"", "JSON-RPC"),
        (200, b"[]", "did not answer"), (200, b"null", "did not answer"), (200, b'{"id":1}', "JSON-RPC"),
        (200, b'{"id":1,"result":null}', "no block"), (200, b'{"id":1,"result":"0x1"}', "no block"),
        (200, b'{"id":1,"result":{"number":"0x1","hash":"0x1"}}', "no block"), (200, b"[" * 100_000, "JSON-RPC"),
        (429, b'{"id":1,"error":{"code":-32005,"message":"slow down"}}', "slow down"),
        (200, b'{"id":null,"error":{"code":-32700,"message":"parse error"}}', "parse error"),
        (200, b'{"id":1,"error":"no"}', "JSON-RPC"), (200, b'{"id":[1],"result":1}', "did not answer"),
        (500, b"\x1b[2J", "HTTP status 500"),
    ],
)  # fmt: skip
def test_an_endpoint_that_is_none_is_one_error(status: int, body: bytes, why: str) -> None:
    with served(pair()) as endpoint:
        endpoint.instead = (status, body)
        told = refused(*asking(endpoint))
        assert why in told
        assert "\x1b" not in told


def test_damaged_answers_never_become_a_quote() -> None:
    """Every view of the pool cut short, one after the other."""
    for view in ("getReserves()", "token0()", "token1()"):
        contracts = pair()
        contracts.add(POOL, {view: ("raw", bytes(31))})
        with served(contracts) as endpoint:
            refused(*asking(endpoint))


def test_a_key_in_the_address_is_not_told() -> None:
    with served(pair()) as endpoint:
        endpoint.instead = (401, b"no")
        url = endpoint.url.replace("http://", "http://user:secret@") + "/v3/KEY"
        told = refused(*asking(endpoint, rpc=url))
        assert "KEY" not in told
        assert "secret" not in told
        endpoint.instead = None
        assert run(*asking(endpoint, rpc=url, amount="1000000"))[0] == 0
        assert endpoint.logins == {"Basic dXNlcjpzZWNyZXQ="}
        for url in (
            "ws://127.0.0.1:1/KEY#KEY",
            "http://127.0.0.1:1/KEY#KEY",
            "http://x:KEY/",
            "http://127.0.0.1:1/KEYé",
        ):
            assert "KEY" not in refused(*asking(endpoint, rpc=url))


def test_a_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with served(pair()) as endpoint:
        assert quoted(endpoint, WETH.address, "1000000")["amount_in"] == 1_000_000


@contextmanager
def by_socket(endpoint: Endpoint) -> Iterator[str]:
    """The same endpoint over WebSocket; between answers it sends what nobody asked for."""

    def serve(connection: websockets.sync.server.ServerConnection) -> None:
        for frame in connection:
            connection.send('{"jsonrpc":"2.0","method":"eth_subscription","params":{}}')
            connection.send(json.dumps(endpoint.answer(json.loads(frame))))

    with websockets.sync.server.serve(serve, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_websocket_endpoint_answers_the_same() -> None:
    with served(pair()) as endpoint:
        true = quoted(endpoint, WETH.address, "1000000")
        with by_socket(endpoint) as url:
            code, out, _ = run(*asking(endpoint, rpc=url, amount="1000000"), "--json")
        assert (code, json.loads(out)) == (0, true)


def test_without_json_it_reads_like_the_other_commands() -> None:
    with served(pair()) as endpoint:
        code, out, _ = run(*asking(endpoint, amount="1000000"))
        assert code == 0
        assert "protocol" in out
        assert "uniswap_v2" in out


def test_tokens_beyond_every_scale_are_refused() -> None:
    odd = Token(address(0xE5), "ODD", 18)
    contracts = Contracts({POOL: v2_views(5, 6, (odd, USDC))}, (USDC,))
    contracts.add(odd.address, {"decimals()": ("uint256", 2**40), "symbol()": ("string", "ODD")})
    with served(contracts) as endpoint:
        assert "decimals" in refused(*asking(endpoint, **{"token-in": odd.address}))
