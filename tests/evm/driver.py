"""Drives pools as any client would: transactions to the public periphery, from an account that the node holds.

The same driver runs against anvil and against the embedded chain; nothing here knows which.
"""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, Final

from eth_typing import ChecksumAddress
from hexbytes import HexBytes
from web3 import Web3
from web3.types import RPCEndpoint, TxReceipt, Wei

from tests.evm.abi import (
    Erc20,
    Log,
    Method,
    Multicall,
    Positions,
    Quoter,
    SwapRouter,
    V2Factory,
    V2Pair,
    V2Router,
    V3Factory,
    V3Pool,
)
from tests.evm.deploy import Deployment, Token

_FOREVER: Final = 2**40  # a deadline
_MAX: Final = 2**256 - 1
_MOST: Final = 2**128 - 1
_GAS: Final = 60_000_000
_GAS_PRICE: Final = Wei(100 * 10**9)
_BATCH: Final = 400  # calls in one Multicall3 call


@dataclass(frozen=True)
class Pool:
    """A pool of two tokens. `fee_ppm`: 3000 for V2. `spacing`: 0 for V2."""

    address: str
    token0: Token
    token1: Token
    fee_ppm: int
    spacing: int = 0

    def tokens(self, *, zero_for_one: bool) -> tuple[Token, Token]:
        """(in, out)."""
        return (self.token0, self.token1) if zero_for_one else (self.token1, self.token0)


@dataclass(frozen=True)
class Position:
    """Liquidity that the driver has put into a V3 pool."""

    token_id: int
    pool: Pool
    lower: int
    upper: int
    liquidity: int


def sqrt_x96(price: Decimal) -> int:
    """√price as a pool holds it; price: token1 per token0 in smallest units."""
    with localcontext(prec=60):
        return int(price.sqrt() * 2**96)


class Driver:
    """One account's hands. While the node mines at once a transaction that fails raises AssertionError."""

    def __init__(self, w3: Web3, deployment: Deployment, account: str = "") -> None:
        self.w3 = w3
        self.at = deployment
        self.account = Web3.to_checksum_address(account or w3.eth.accounts[0])
        self.automine = True
        self._waiting: list[HexBytes] = []
        self._approved: set[tuple[str, str]] = set()
        self._unlike = itertools.count()  # anvil does not mine a transaction again that a revert has taken back

    # --- the wire -----------------------------------------------------------------------------------------------------

    def send(self, to: str, method: Method, *arguments: object) -> TxReceipt | None:
        """One transaction; its receipt, or None where blocks are mined on demand."""
        sent = self.w3.eth.send_transaction(
            {
                "from": self.account,
                "to": _address(to),
                "data": method.encode(*arguments),
                "gas": _GAS + next(self._unlike),
                "gasPrice": _GAS_PRICE,
            }
        )
        if not self.automine:
            self._waiting.append(sent)
            return None
        receipt = self._receipt(sent)
        assert receipt["status"] == 1, f"{method.signature} of {arguments} failed"
        return receipt

    def _receipt(self, sent: HexBytes) -> TxReceipt:
        return self.w3.eth.wait_for_transaction_receipt(sent, timeout=30, poll_latency=0.002)

    def call(self, to: str, method: Method, *arguments: object, block: int | None = None) -> tuple[Any, ...]:
        """One eth_call, decoded."""
        data = self.w3.eth.call(
            {"to": _address(to), "data": method.encode(*arguments)}, "latest" if block is None else block
        )
        return method.decode(data)

    def call_many(self, calls: Sequence[tuple[str, Method, tuple[object, ...]]]) -> list[tuple[Any, ...] | None]:
        """The same for many, through Multicall3; None for one that reverts."""
        found: list[tuple[Any, ...] | None] = []
        for start in range(0, len(calls), _BATCH):
            batch = calls[start : start + _BATCH]
            packed = [(to, True, bytes(method.encode(*arguments))) for to, method, arguments in batch]
            (answers,) = self.call(self.at.multicall, Multicall.aggregate3, packed)
            for (_, method, _), (is_good, data) in zip(batch, answers, strict=True):
                found.append(method.decode(data) if is_good else None)
        return found

    def ask(self, name: str, *parameters: object) -> Any:
        """One of the node's own methods."""
        answer = self.w3.provider.make_request(RPCEndpoint(name), list(parameters))
        assert "error" not in answer, f"{name}: {answer['error']}"
        return answer["result"]

    def approve(self, token: Token, spender: str) -> None:
        """Once for each pair, without end."""
        if (token.address, spender) not in self._approved:
            self.send(token.address, Erc20.approve, spender, _MAX)
            self._approved.add((token.address, spender))

    # --- V3 -----------------------------------------------------------------------------------------------------------

    def create_v3_pool(self, a: Token, b: Token, fee_ppm: int, sqrt_price_x96: int) -> Pool:
        """A new pool at this price of its token0 (the lower address) in its token1."""
        token0, token1 = sorted((a, b), key=lambda token: int(token.address, 16))
        self.send(self.at.v3_factory, V3Factory.create, token0.address, token1.address, fee_ppm)
        (address,) = self.call(self.at.v3_factory, V3Factory.get_pool, a.address, b.address, fee_ppm)
        self.send(address, V3Pool.initialize, sqrt_price_x96)
        (spacing,) = self.call(address, V3Pool.spacing)
        return Pool(_address(address), token0, token1, fee_ppm, spacing)

    def mint(self, pool: Pool, lower: int, upper: int, liquidity: int) -> Position:
        """Liquidity between two ticks: as much as asked for, up to the rounding of the amounts it takes."""
        (sqrt_now, *_) = self.call(pool.address, V3Pool.slot0)
        low, now, high = _clamped(lower, Decimal(sqrt_now) / 2**96, upper)
        amount0 = int(liquidity * (1 / now - 1 / high)) + 1
        amount1 = int(liquidity * (now - low)) + 1
        for token in (pool.token0, pool.token1):
            self.approve(token, self.at.positions)
        receipt = self.send(
            self.at.positions, Positions.mint,
            (pool.token0.address, pool.token1.address, pool.fee_ppm, lower, upper, amount0, amount1, 0, 0,
             self.account, _FOREVER),
        )  # fmt: skip
        token_id, minted = (0, 0) if receipt is None else _only(Positions.increased, receipt, self.at.positions)[:2]
        return Position(token_id, pool, lower, upper, minted)

    def burn(self, position: Position, liquidity: int) -> TxReceipt | None:
        """Takes liquidity out, and the tokens with it."""
        receipt = self.send(self.at.positions, Positions.decrease, (position.token_id, liquidity, 0, 0, _FOREVER))
        self.send(self.at.positions, Positions.collect, (position.token_id, self.account, _MOST, _MOST))
        return receipt

    def swap_exact_in(self, pool: Pool, amount: int, *, zero_for_one: bool, limit: int = 0) -> TxReceipt | None:
        """Sells. `limit`: √price where it ends; 0: the end of the pool."""
        sold, bought = pool.tokens(zero_for_one=zero_for_one)
        self.approve(sold, self.at.swap_router)
        order = (sold.address, bought.address, pool.fee_ppm, self.account, _FOREVER, amount, 0, limit)
        return self.send(self.at.swap_router, SwapRouter.swap_in, order)

    def swap_exact_out(self, pool: Pool, amount: int, *, zero_for_one: bool, limit: int = 0) -> TxReceipt | None:
        """Buys."""
        sold, bought = pool.tokens(zero_for_one=zero_for_one)
        self.approve(sold, self.at.swap_router)
        order = (sold.address, bought.address, pool.fee_ppm, self.account, _FOREVER, amount, _MOST, limit)
        return self.send(self.at.swap_router, SwapRouter.swap_out, order)

    def multi_hop(self, pools: Sequence[Pool], start: Token, amount: int) -> TxReceipt | None:
        """Sells through V3 pools one after the other."""
        path, token = HexBytes(start.address), start
        for pool in pools:
            token = pool.token1 if token == pool.token0 else pool.token0
            path = HexBytes(path + pool.fee_ppm.to_bytes(3, "big") + HexBytes(token.address))
        self.approve(start, self.at.swap_router)
        return self.send(self.at.swap_router, SwapRouter.hops, (bytes(path), self.account, _FOREVER, amount, 0))

    def quote_v3(self, pool: Pool, amount: int, *, zero_for_one: bool, is_out: bool = False, limit: int = 0) -> tuple[
        str, Method, tuple[object, ...]
    ]:  # fmt: skip
        """QuoterV2's call, for `call_many`: amount, √price after, ticks crossed, gas."""
        sold, bought = pool.tokens(zero_for_one=zero_for_one)
        method = Quoter.quote_out if is_out else Quoter.quote_in
        return self.at.quoter, method, ((sold.address, bought.address, amount, pool.fee_ppm, limit),)

    # --- V2 -----------------------------------------------------------------------------------------------------------

    def create_v2_pair(self, a: Token, b: Token) -> Pool:
        """A new pair, empty."""
        token0, token1 = sorted((a, b), key=lambda token: int(token.address, 16))
        self.send(self.at.v2_factory, V2Factory.create_pair, token0.address, token1.address)
        (address,) = self.call(self.at.v2_factory, V2Factory.get_pair, a.address, b.address)
        return Pool(_address(address), token0, token1, 3000)

    def add_liquidity(self, pair: Pool, amount0: int, amount1: int) -> TxReceipt | None:
        """Of both tokens, as much as the pair's price allows."""
        for token in (pair.token0, pair.token1):
            self.approve(token, self.at.v2_router)
        tokens = (pair.token0.address, pair.token1.address)
        return self.send(self.at.v2_router, V2Router.add, *tokens, amount0, amount1, 0, 0, self.account, _FOREVER)

    def remove_liquidity(self, pair: Pool, shares: int) -> TxReceipt | None:
        """So much of the pair's own token."""
        self.approve(Token(pair.address, "UNI-V2", 18), self.at.v2_router)
        tokens = (pair.token0.address, pair.token1.address)
        return self.send(self.at.v2_router, V2Router.remove, *tokens, shares, 0, 0, self.account, _FOREVER)

    def shares(self, pair: Pool) -> int:
        """What this account holds of a pair."""
        return int(self.call(pair.address, V2Pair.balance_of, self.account)[0])

    def swap(self, pair: Pool, amount: int, *, zero_for_one: bool, is_out: bool = False) -> TxReceipt | None:
        """Sells, or with `is_out` buys, an amount."""
        sold, bought = pair.tokens(zero_for_one=zero_for_one)
        self.approve(sold, self.at.v2_router)
        path = [sold.address, bought.address]
        method, bound = (V2Router.swap_out, _MOST) if is_out else (V2Router.swap_in, 0)
        return self.send(self.at.v2_router, method, amount, bound, path, self.account, _FOREVER)

    def quote_v2(self, pair: Pool, amount: int, *, zero_for_one: bool, is_out: bool = False) -> tuple[
        str, Method, tuple[object, ...]
    ]:  # fmt: skip
        """Router02's call, for `call_many`: the amounts in and out."""
        sold, bought = pair.tokens(zero_for_one=zero_for_one)
        method = V2Router.amounts_in if is_out else V2Router.amounts_out
        return self.at.v2_router, method, (amount, [sold.address, bought.address])

    # --- blocks -------------------------------------------------------------------------------------------------------

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.ask("evm_mine")

    def snapshot(self) -> str:
        return str(self.ask("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Back to a snapshot, which is used up by it."""
        assert self.ask("evm_revert", snapshot) is True
        self._approved.clear()  # some may have come later

    def reorg(self, depth: int) -> None:
        """The last blocks again, empty and with other hashes."""
        self.ask("anvil_reorg", depth, [])
        self._approved.clear()

    @contextlib.contextmanager
    def one_block(self) -> Iterator[list[TxReceipt]]:
        """What is sent inside goes into one block, at its end: a node that keeps every block's state is faster so.

        The list then holds the receipts, in the order of sending; one that failed says so in its status.
        """
        self.set_automine(is_on=False)
        self._waiting = []
        receipts: list[TxReceipt] = []
        yield receipts
        self.mine()
        receipts += [self._receipt(sent) for sent in self._waiting]
        self.set_automine(is_on=True)

    def set_automine(self, *, is_on: bool) -> None:
        self.ask("evm_setAutomine", is_on)
        self.automine = is_on


def _address(text: str) -> ChecksumAddress:
    return Web3.to_checksum_address(text)


def _only(event: Log, receipt: TxReceipt, address: str) -> tuple[Any, ...]:
    (found,) = event.of(receipt["logs"], address)
    return found


def _clamped(lower: int, now: Decimal, upper: int) -> tuple[Decimal, Decimal, Decimal]:
    """√price at both ends, and now or the end it lies beyond."""
    with localcontext(prec=60):
        low, high = (Decimal("1.0001") ** tick for tick in (Decimal(lower) / 2, Decimal(upper) / 2))
        return low, min(max(now, low), high), high
