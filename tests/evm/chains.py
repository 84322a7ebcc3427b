"""The two chains that the same suites run against, behind one face."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import requests
from web3 import HTTPProvider, Web3
from web3.types import RPCEndpoint

from tests.evm import deploy
from tests.evm.abi import Method
from tests.evm.anvil import anvil
from tests.evm.deploy import Deployment, Token
from tests.evm.driver import Driver

RICH: Final = 2**120  # of each token, for the driver's account
_START_S: Final = 20
MINT: Final = Method("mint(address,uint256)")


class Create(Protocol):
    """Makes a new token, of which the driver then has plenty."""

    def __call__(self, symbol: str, decimals: int, *, fee_ppm: int = 0, old: bool = False) -> Token:
        """`fee_ppm`: kept of each transfer. `old`: name and symbol are bytes32, transfers return nothing."""


@dataclass(frozen=True)
class Chain:
    """A node with Uniswap V2, V3 and Multicall3 on it."""

    name: str
    http: str
    ws: str
    w3: Web3
    driver: Driver
    create: Create

    def pair(self, lower: tuple[str, int], higher: tuple[str, int]) -> tuple[Token, Token]:
        """Two new tokens, the first at the lower address: pools number their tokens by it."""
        first = self.create(*lower)
        second = self.create(*higher)
        while int(first.address, 16) > int(second.address, 16):
            first = self.create(*lower)
            second = second if int(first.address, 16) < int(second.address, 16) else self.create(*higher)
        return first, second


def client(url: str) -> Web3:
    """web3 as a stranger would use it, but for looking up proxies and the chain's id before each request."""
    session = requests.Session()
    session.trust_env = False
    kept = {RPCEndpoint("eth_chainId")}
    provider = HTTPProvider(url, {"timeout": 60}, session=session, cache_allowed_requests=True, cacheable_requests=kept)
    return Web3(provider)


def anvil_chain(*, chain_id: int = 31337) -> Iterator[Chain]:
    """A real node with the published bytecode."""
    with anvil(chain_id=chain_id) as node:
        w3 = client(node.http)
        driver = Driver(w3, deploy.deploy(w3))

        def create(symbol: str, decimals: int, *, fee_ppm: int = 0, old: bool = False) -> Token:
            token = deploy.create_token(w3, symbol, decimals, fee_ppm=fee_ppm, old=old)
            driver.send(token.address, MINT, driver.account, RICH)
            return token

        yield Chain("anvil", node.http, node.ws, w3, driver, create)


def embedded_chain(*, chain_id: int = 31337) -> Iterator[Chain]:
    """Our own node, which `--sim` shows, on its sockets; nobody trades there but the test."""
    from runtime.sim.evm.server import EvmSimServer
    from runtime.sim.evm.world import make_world

    loop = asyncio.new_event_loop()
    server = EvmSimServer(make_world((), lambda _symbol: None, chain_id=chain_id, is_alive=False))
    thread = threading.Thread(target=loop.run_forever, name="embedded chain", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(_START_S)
        yield _embedded(server.http_url, server.ws_url)
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(_START_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_S)
        loop.close()


def _embedded(http: str, ws: str) -> Chain:
    w3 = client(http)
    at = w3.provider.make_request(RPCEndpoint("sim_contracts"), [])["result"]
    deployment = Deployment(
        v2_factory=at["v2_factory"], v2_router=at["v2_router"], v3_factory=at["v3_factory"],
        positions=at["v3_positions"], swap_router=at["v3_router"], quoter=at["v3_quoter"], multicall=at["multicall"],
    )  # fmt: skip
    driver = Driver(w3, deployment)

    def create(symbol: str, decimals: int, *, fee_ppm: int = 0, old: bool = False) -> Token:
        token = Token(driver.ask("sim_createToken", symbol, decimals, fee_ppm, old), symbol, decimals)
        driver.send(token.address, MINT, driver.account, RICH)
        return token

    return Chain("embedded", http, ws, w3, driver, create)
