"""Pools that are only probed: their ABI is real, their maths is a mimic, good for wiring and nothing else.

Curve's cryptoswap and Balancer's weighted pool are played by an equal-weight product of several tokens, Algebra by
our concentrated pool with its fee told through `globalState`, Solidly's stable pools by StableSwap (its volatile
ones really are constant products).
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import msgspec

from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Quote, QuoteError
from connectors.amm.stableswap import StableSwap
from runtime.sim.evm.abi import ZERO, Event, Function, functions
from runtime.sim.evm.machine import Contract, Revert, Run, require
from runtime.sim.evm.pools import Pool, pay
from runtime.sim.evm.tokens import pull
from runtime.sim.evm.univ3 import V3Pool

BALANCER_VAULT: Final = "0xba12222222228d8ba445958a75a0704d566bf2c8"
CRYPTO_EXCHANGE: Final = Event("TokenExchange(address indexed,uint256,uint256,uint256,uint256)")
BALANCER_SWAP: Final = Event("Swap(bytes32 indexed,address indexed,address indexed,uint256,uint256)")
SOLIDLY_SWAP: Final = Event("Swap(address indexed,address indexed,uint256,uint256,uint256,uint256)")
SOLIDLY_SYNC: Final = Event("Sync(uint256,uint256)")


class Basket(msgspec.Struct, frozen=True):
    """Equal weights of several tokens: between any two of them it is a constant product."""

    balances: tuple[int, ...]
    fee_ppm: int

    def exact_in(self, i: int, j: int, amount: int) -> Quote:
        """As `Curve.exact_in`."""
        quote = self._pair(i, j).exact_in(0, 1, amount)
        return self._moved(i, j, quote)

    def exact_out(self, i: int, j: int, amount: int) -> Quote:
        """As `Curve.exact_out`."""
        return self._moved(i, j, self._pair(i, j).exact_out(0, 1, amount))

    def price(self, i: int, j: int) -> tuple[int, int]:
        """As `Curve.price`."""
        return self.balances[j], self.balances[i]

    def _pair(self, i: int, j: int) -> ConstantProduct:
        if i == j or not (0 <= i < len(self.balances) and 0 <= j < len(self.balances)):
            raise QuoteError(f"no tokens {i} and {j}")
        return ConstantProduct((self.balances[i], self.balances[j]), self.fee_ppm)

    def _moved(self, i: int, j: int, quote: Quote) -> Quote:
        balances = list(self.balances)
        balances[i] += quote.amount_in
        balances[j] -= quote.amount_out
        return msgspec.structs.replace(quote, after=Basket(tuple(balances), self.fee_ppm))


class _Probed(Pool):
    """A pool whose swap is a quote and two transfers."""

    def __init__(self, address: str, tokens: tuple[str, ...]) -> None:
        super().__init__(address)
        self.tokens = tokens

    def quoted(self, run: Run, i: int, j: int, amount: int, *, exact_out: bool = False) -> Quote:
        """What it would do. Raises Revert."""
        try:
            curve = self.curve(run)
            return curve.exact_out(i, j, amount) if exact_out else curve.exact_in(i, j, amount)
        except QuoteError as error:
            raise Revert(str(error)) from None

    def trade(self, run: Run, payer: str, i: int, j: int, amount: int) -> int:
        quote = self.quoted(run, i, j, amount)
        pay(run, self, i, j, (quote.amount_in, quote.amount_out), payer, payer)
        self.store(run, "curve", quote.after)
        self.told(run, payer, i, j, quote)
        return quote.amount_out

    def told(self, run: Run, buyer: str, i: int, j: int, quote: Quote) -> None:
        """Logs the swap as this kind does."""
        raise NotImplementedError


class CurveCrypto(_Probed):
    """Curve's tricrypto or twocrypto, seen from outside: indices are uint256."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("coins(uint256)", "address", "coin"),
        ("balances(uint256)", "uint256", "balance"),
        ("A()", "uint256", "amp"),
        ("gamma()", "uint256", "gamma"),
        ("fee()", "uint256", "fee"),
        ("get_dy(uint256,uint256,uint256)", "uint256", "get_dy"),
        ("exchange(uint256,uint256,uint256,uint256)", "uint256", "exchange"),
    )

    def coin(self, _run: Run, _sender: str, place: int) -> str:
        require(place < len(self.tokens), "")
        return self.tokens[place]

    def balance(self, run: Run, _sender: str, place: int) -> int:
        require(place < len(self.tokens), "")
        return self._basket(run).balances[place]

    def amp(self, _run: Run, _sender: str) -> int:
        return 540_000

    def gamma(self, _run: Run, _sender: str) -> int:
        return 11_809_167_828_997

    def fee(self, run: Run, _sender: str) -> int:
        return self._basket(run).fee_ppm * 10_000

    def get_dy(self, run: Run, _sender: str, i: int, j: int, amount: int) -> int:
        return self.quoted(run, i, j, amount).amount_out

    def exchange(self, run: Run, sender: str, i: int, j: int, amount: int, least: int) -> int:
        quote = self.quoted(run, i, j, amount)
        require(quote.amount_out >= least, "Slippage")
        pull(run, self.address, self.tokens[i], sender, self.address, amount)
        self.token(run, j).move(run, self.address, sender, quote.amount_out)
        self.store(run, "curve", quote.after)
        self.told(run, sender, i, j, quote)
        return quote.amount_out

    def told(self, run: Run, buyer: str, i: int, j: int, quote: Quote) -> None:
        self.emit(run, CRYPTO_EXCHANGE, buyer, i, quote.amount_in, j, quote.amount_out)

    def _basket(self, run: Run) -> Basket:
        found: Any = self.curve(run)
        assert isinstance(found, Basket)  # noqa: S101 - what it was seeded with
        return found


class BalancerPool(_Probed):
    """A weighted pool of the Vault. Its tokens lie with the pool here, with the Vault on a real chain."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("getPoolId()", "bytes32", "id_of"),
        ("getVault()", "address", "vault"),
        ("getSwapFeePercentage()", "uint256", "fee"),
        ("getNormalizedWeights()", "uint256[]", "weights"),
    )

    def __init__(self, address: str, tokens: tuple[str, ...], pool_id: bytes) -> None:
        super().__init__(address, tokens)
        self.pool_id = pool_id

    def id_of(self, _run: Run, _sender: str) -> bytes:
        return self.pool_id

    def vault(self, _run: Run, _sender: str) -> str:
        return BALANCER_VAULT

    def fee(self, run: Run, _sender: str) -> int:
        found: Any = self.curve(run)
        return int(found.fee_ppm) * 10**12

    def weights(self, _run: Run, _sender: str) -> list[int]:
        return [10**18 // len(self.tokens)] * len(self.tokens)

    def told(self, run: Run, _buyer: str, i: int, j: int, quote: Quote) -> None:
        vault = run.contract(BALANCER_VAULT)
        vault.emit(run, BALANCER_SWAP, self.pool_id, self.tokens[i], self.tokens[j], quote.amount_in, quote.amount_out)


class BalancerVault(Contract):
    """Balancer's Vault: what a batch of swaps would move."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("getPool(bytes32)", "address,uint8", "pool"),
        ("getPoolTokens(bytes32)", "address[],uint256[],uint256", "pool_tokens"),
        (
            "queryBatchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],(address,bool,address,bool))",
            "int256[]",
            "query",
        ),
    )

    def adopt(self, run: Run, pool: BalancerPool) -> None:
        """Registers a pool."""
        run.deploy(pool)
        self.store(run, ("pool", pool.pool_id), pool.address)

    def _at(self, run: Run, pool_id: bytes) -> BalancerPool:
        found = run.contract(self.load(run, ("pool", pool_id), ZERO))
        assert isinstance(found, BalancerPool)  # noqa: S101 - only adopt stores addresses
        return found

    def pool(self, run: Run, _sender: str, pool_id: bytes) -> tuple[str, int]:
        return self._at(run, pool_id).address, 0

    def pool_tokens(self, run: Run, _sender: str, pool_id: bytes) -> tuple[tuple[str, ...], tuple[int, ...], int]:
        pool = self._at(run, pool_id)
        basket: Any = pool.curve(run)
        return pool.tokens, basket.balances, run.number

    def query(
        self, run: Run, _sender: str, kind: int, swaps: Sequence[tuple[bytes, int, int, int, bytes]],
        assets: Sequence[str], _funds: tuple[Any, ...],
    ) -> list[int]:  # fmt: skip
        require(kind in (0, 1), "")
        deltas, last = [0] * len(assets), 0
        before: dict[str, tuple[BalancerPool, Any]] = {}
        for pool_id, place_in, place_out, amount, _ in swaps:
            require(place_in < len(assets) and place_out < len(assets), "BAL#522")
            pool = self._at(run, pool_id)
            token_in, token_out = assets[place_in], assets[place_out]
            require(token_in in pool.tokens and token_out in pool.tokens, "BAL#521")
            i, j = pool.tokens.index(token_in), pool.tokens.index(token_out)
            before.setdefault(pool.address, (pool, pool.curve(run)))
            quote = pool.quoted(run, i, j, amount or last, exact_out=kind == 1)
            pool.store(run, "curve", quote.after)  # for the next of these swaps …
            last = quote.amount_in if kind else quote.amount_out
            deltas[place_in] += quote.amount_in
            deltas[place_out] -= quote.amount_out
        for pool, curve in before.values():
            pool.store(run, "curve", curve)  # … and for nobody else: a query changes nothing
        return deltas


class AlgebraPool(V3Pool):
    """Algebra 1 as Camelot has it: a fee for each direction in `globalState` instead of `slot0` and `fee`."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("factory()", "address", "factory_of"),
        ("token0()", "address", "token0"),
        ("token1()", "address", "token1"),
        ("tickSpacing()", "int24", "spacing_of"),
        ("liquidity()", "uint128", "liquidity"),
        ("globalState()", "uint160,int24,uint16,uint16,uint16,uint8,uint8,bool", "global_state"),
    )

    def global_state(self, run: Run, _sender: str) -> tuple[int, int, int, int, int, int, int, bool]:
        curve = self.curve(run)
        return curve.sqrt_price_x96, curve.tick, self.fee_ppm, self.fee_ppm, 0, 0, 0, True


class AlgebraQuoter(Contract):
    """Algebra's quoter: no fee in the question, the fee in the answer."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("quoteExactInputSingle(address,address,uint256,uint160)", "uint256,uint16", "quote_in"),
        ("quoteExactOutputSingle(address,address,uint256,uint160)", "uint256,uint16", "quote_out"),
    )

    def adopt(self, run: Run, pool: AlgebraPool) -> None:
        """Registers a pool."""
        run.deploy(pool)
        self.store(run, pool.tokens, pool.address)

    def quote_in(self, run: Run, sender: str, a: str, b: str, amount: int, limit: int) -> tuple[int, int]:
        quote, fee = self._quote(run, sender, a, b, amount, limit, exact_out=False)
        return quote.amount_out, fee

    def quote_out(self, run: Run, sender: str, a: str, b: str, amount: int, limit: int) -> tuple[int, int]:
        quote, fee = self._quote(run, sender, a, b, amount, limit, exact_out=True)
        return quote.amount_in, fee

    def _quote(
        self, run: Run, _sender: str, a: str, b: str, amount: int, limit: int, *, exact_out: bool
    ) -> tuple[Quote, int]:
        require(limit == 0, "this chain's pools take no price limit but 0")
        pool = run.contract(self.load(run, (a, b), self.load(run, (b, a), ZERO)))
        assert isinstance(pool, AlgebraPool)  # noqa: S101 - only adopt stores addresses
        ends = (0, 1) if a == pool.tokens[0] else (1, 0)
        try:
            curve = pool.curve(run)
            return (curve.exact_out(*ends, amount) if exact_out else curve.exact_in(*ends, amount)), pool.fee_ppm
        except QuoteError as error:
            raise Revert(str(error)) from None


class SolidlyPool(_Probed):
    """Aerodrome's and Velodrome's pool, which is also its factory here: it tells its own fee."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("token0()", "address", "token0"),
        ("token1()", "address", "token1"),
        ("stable()", "bool", "stable"),
        ("factory()", "address", "factory_of"),
        ("getFee(address,bool)", "uint256", "fee"),
        ("getReserves()", "uint256,uint256,uint256", "reserves"),
        ("getAmountOut(uint256,address)", "uint256", "amount_out"),
    )

    def __init__(self, address: str, tokens: tuple[str, ...], fee_ppm: int) -> None:
        super().__init__(address, tokens)
        self.fee_ppm = fee_ppm

    def token0(self, _run: Run, _sender: str) -> str:
        return self.tokens[0]

    def token1(self, _run: Run, _sender: str) -> str:
        return self.tokens[1]

    def stable(self, run: Run, _sender: str) -> bool:
        return isinstance(self.curve(run), StableSwap)

    def factory_of(self, _run: Run, _sender: str) -> str:
        return self.address

    def fee(self, _run: Run, _sender: str, _pool: str, _stable: bool) -> int:
        return self.fee_ppm // 100

    def reserves(self, run: Run, _sender: str) -> tuple[int, int, int]:
        return (*self._reserves(run), run.timestamp)

    def amount_out(self, run: Run, _sender: str, amount: int, token_in: str) -> int:
        require(token_in in self.tokens, "")
        i = self.tokens.index(token_in)
        return self.quoted(run, i, 1 - i, amount).amount_out

    def told(self, run: Run, buyer: str, i: int, j: int, quote: Quote) -> None:
        self.emit(run, SOLIDLY_SYNC, *self._reserves(run))
        taken = (quote.amount_in, 0) if i < j else (0, quote.amount_in)
        paid = (0, quote.amount_out) if i < j else (quote.amount_out, 0)
        self.emit(run, SOLIDLY_SWAP, buyer, buyer, *taken, *paid)

    def _reserves(self, run: Run) -> tuple[int, int]:
        curve: Any = self.curve(run)
        first, second = curve.balances if isinstance(curve, StableSwap) else curve.reserves
        return first, second
