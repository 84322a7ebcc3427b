"""Uniswap V3: factory and pool.

What is left out: the oracle (its slots say one observation), the protocol's share, flash loans, and the accounting of
fees to positions: fees stay in the pool, fee growth reads 0 and `collect` pays what was burned. Swaps, mints and burns
come through the periphery contracts: code of a user's own, which could answer a callback, cannot be deployed here.
"""

from collections.abc import Callable
from typing import ClassVar, Final

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import Quote, QuoteError
from connectors.amm.swapstep import X96
from connectors.amm.tickmath import MAX_SQRT, MAX_TICK, MIN_SQRT, MIN_TICK, sqrt_at, tick_at
from connectors.amm.ticks import TickMap
from runtime.sim.evm.abi import ZERO, Event, Function, created, encode, functions, keccak, sort_tokens
from runtime.sim.evm.machine import Contract, Revert, Run, require
from runtime.sim.evm.pools import Pool

POOL_CODE_HASH: Final = bytes.fromhex("e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54")
SPACINGS: Final = {100: 1, 500: 10, 3000: 60, 10_000: 200}
_U128: Final = 2**128 - 1

POOL_CREATED: Final = Event("PoolCreated(address indexed,address indexed,uint24 indexed,int24,address)")
FEE_ENABLED: Final = Event("FeeAmountEnabled(uint24 indexed,int24 indexed)")
INITIALIZE: Final = Event("Initialize(uint160,int24)")
MINT: Final = Event("Mint(address,address indexed,int24 indexed,int24 indexed,uint128,uint256,uint256)")
BURN: Final = Event("Burn(address indexed,int24 indexed,int24 indexed,uint128,uint256,uint256)")
COLLECT: Final = Event("Collect(address indexed,address,int24 indexed,int24 indexed,uint128,uint128)")
SWAP: Final = Event("Swap(address indexed,address indexed,int256,int256,uint160,uint128,int24)")

Pay = Callable[[int, int], None]
"""What answers a pool's callback: it brings amounts of token 0 and 1."""


class V3Factory(Contract):
    """Knows every pool, and puts new ones where the real factory would. Anybody may enable a fee here."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("getPool(address,address,uint24)", "address", "get_pool"),
        ("createPool(address,address,uint24)", "address", "create_pool"),
        ("feeAmountTickSpacing(uint24)", "int24", "spacing_of"),
        ("enableFeeAmount(uint24,int24)", "", "enable_fee"),
    )

    def get_pool(self, run: Run, _sender: str, a: str, b: str, fee: int) -> str:
        return str(self.load(run, ("pool", *sort_tokens(a, b), fee), ZERO))

    def spacing_of(self, run: Run, _sender: str, fee: int) -> int:
        return int(self.load(run, ("spacing", fee), SPACINGS.get(fee, 0)))

    def enable_fee(self, run: Run, sender: str, fee: int, spacing: int) -> None:
        require(fee < 10**6 and 0 < spacing < 16384 and not self.spacing_of(run, sender, fee), "")
        self.store(run, ("spacing", fee), spacing)
        self.emit(run, FEE_ENABLED, fee, spacing)

    def create_pool(self, run: Run, sender: str, a: str, b: str, fee: int) -> str:
        token0, token1 = sort_tokens(a, b)
        spacing = self.spacing_of(run, sender, fee)
        require(a != b and token0 != ZERO and spacing > 0 and self.get_pool(run, sender, a, b, fee) == ZERO, "")
        address = self.address_for(token0, token1, fee)
        return self.adopt(run, V3Pool(address, self.address, (token0, token1), fee, spacing))

    def address_for(self, token0: str, token1: str, fee: int) -> str:
        """Where the real factory would put a pool."""
        salt = keccak(encode(("address", "address", "uint24"), (token0, token1, fee)))
        return created(self.address, salt, POOL_CODE_HASH)

    def adopt(self, run: Run, pool: "V3Pool") -> str:
        """Puts a pool on the chain and on the list."""
        run.deploy(pool)
        self.store(run, ("pool", *pool.tokens, pool.fee_ppm), pool.address)
        self.emit(run, POOL_CREATED, *pool.tokens, pool.fee_ppm, pool.spacing, pool.address)
        return pool.address


class V3Pool(Pool):
    """One pool. Positions belong to whoever minted them, which is the position manager for a user's."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("factory()", "address", "factory_of"),
        ("token0()", "address", "token0"),
        ("token1()", "address", "token1"),
        ("fee()", "uint24", "fee_of"),
        ("tickSpacing()", "int24", "spacing_of"),
        ("maxLiquidityPerTick()", "uint128", "most_per_tick"),
        ("initialize(uint160)", "", "initialize"),
        ("slot0()", "uint160,int24,uint16,uint16,uint16,uint8,bool", "slot0"),
        ("liquidity()", "uint128", "liquidity"),
        ("tickBitmap(int16)", "uint256", "tick_bitmap"),
        ("ticks(int24)", "uint128,int128,uint256,uint256,int56,uint160,uint32,bool", "ticks"),
    )

    def __init__(self, address: str, factory: str, tokens: tuple[str, str], fee_ppm: int, spacing: int) -> None:
        super().__init__(address)
        self.factory, self.tokens, self.fee_ppm, self.spacing = factory, tokens, fee_ppm, spacing

    def factory_of(self, _run: Run, _sender: str) -> str:
        return self.factory

    def token0(self, _run: Run, _sender: str) -> str:
        return self.tokens[0]

    def token1(self, _run: Run, _sender: str) -> str:
        return self.tokens[1]

    def fee_of(self, _run: Run, _sender: str) -> int:
        return self.fee_ppm

    def spacing_of(self, _run: Run, _sender: str) -> int:
        return self.spacing

    def most_per_tick(self, _run: Run, _sender: str) -> int:
        return _U128 // (2 * (MAX_TICK // self.spacing) + 1)

    def curve(self, run: Run) -> Concentrated:
        found = super().curve(run)
        assert isinstance(found, Concentrated)  # noqa: S101 - only this class stores it
        return found

    def initialize(self, run: Run, _sender: str, sqrt_price: int) -> None:
        require(self.load(run, "curve", None) is None, "AI")
        require(MIN_SQRT <= sqrt_price < MAX_SQRT, "R")
        tick = tick_at(sqrt_price)
        self.store(run, "curve", Concentrated(sqrt_price, tick, 0, self.fee_ppm, TickMap(self.spacing, {})))
        self.emit(run, INITIALIZE, sqrt_price, tick)

    def slot0(self, run: Run, _sender: str) -> tuple[int, int, int, int, int, int, bool]:
        if self.load(run, "curve", None) is None:
            return 0, 0, 0, 0, 0, 0, False
        curve = self.curve(run)
        return curve.sqrt_price_x96, curve.tick, 0, 1, 1, 0, True

    def liquidity(self, run: Run, _sender: str) -> int:
        return self.curve(run).liquidity if self.load(run, "curve", None) is not None else 0

    def _entries(self, run: Run) -> dict[int, tuple[int, int]]:
        return {} if self.load(run, "curve", None) is None else self.curve(run).ticks.entries()

    def tick_bitmap(self, run: Run, _sender: str, word: int) -> int:
        places = [tick // self.spacing - 256 * word for tick in self._entries(run)]
        return sum(1 << place for place in places if 0 <= place < 256)

    def ticks(self, run: Run, _sender: str, tick: int) -> tuple[int, int, int, int, int, int, int, bool]:
        gross, net = self._entries(run).get(tick, (0, 0))
        return gross, net, 0, 0, 0, 0, 0, gross > 0

    def swap(self, run: Run, sender: str, to: str, quote: Quote, *, down: bool, pay: Pay) -> None:
        """Executes what `quote` says, which was made from the present curve."""
        after = quote.after
        assert isinstance(after, Concentrated)  # noqa: S101 - it came from this pool's curve
        self.store(run, "curve", after)
        i, j = (0, 1) if down else (1, 0)
        self.token(run, j).move(run, self.address, to, quote.amount_out)
        taken = (quote.amount_in, 0) if down else (0, quote.amount_in)
        self._paid(run, taken, pay, "IIA")
        amounts = (quote.amount_in, -quote.amount_out) if i == 0 else (-quote.amount_out, quote.amount_in)
        self.emit(run, SWAP, sender, to, *amounts, after.sqrt_price_x96, after.liquidity, after.tick)

    def trade(self, run: Run, payer: str, i: int, j: int, amount: int) -> int:
        try:
            quote = self.curve(run).exact_in(i, j, amount)
        except QuoteError as error:
            raise Revert(str(error)) from None
        self.swap(run, payer, payer, quote, down=i == 0, pay=self.payer(run, payer))
        return quote.amount_out

    def payer(self, run: Run, payer: str) -> Pay:
        """A callback that pays from a contract's own tokens."""

        def pay(taken0: int, taken1: int) -> None:
            for place, taken in enumerate((taken0, taken1)):
                if taken:
                    self.token(run, place).move(run, payer, self.address, taken)

        return pay

    def mint(self, run: Run, owner: str, low: int, high: int, liquidity: int, pay: Pay) -> tuple[int, int]:
        """Adds liquidity for `owner`, who is a contract; returns what it took. Raises Revert."""
        require(liquidity > 0, "")
        self._check_ticks(low, high)
        amounts = self._amounts(run, low, high, liquidity, up=True)
        try:
            after = self.curve(run).minted(low, high, liquidity)
        except QuoteError:
            raise Revert("LA") from None
        most = self.most_per_tick(run, owner)
        entries = after.ticks.entries()
        require(max(entries[low][0], entries[high][0]) <= most, "LO")
        self.store(run, "curve", after)
        key = ("position", owner, low, high)
        self.store(run, key, self.load(run, key) + liquidity)
        self._paid(run, amounts, pay, "M")
        self.emit(run, MINT, owner, owner, low, high, liquidity, *amounts)
        return amounts

    def burn(self, run: Run, owner: str, low: int, high: int, liquidity: int) -> tuple[int, int]:
        """Takes liquidity out; what it is worth is owed to `owner` until it is collected. Raises Revert."""
        self._check_ticks(low, high)
        key, owed_key = ("position", owner, low, high), ("owed", owner, low, high)
        held = self.load(run, key)
        require(held > 0 if not liquidity else held >= liquidity, "NP" if not liquidity else "LS")
        amounts = self._amounts(run, low, high, liquidity, up=False)
        self.store(run, "curve", self.curve(run).burned(low, high, liquidity))
        self.store(run, key, held - liquidity)
        owed = self.load(run, owed_key, (0, 0))
        self.store(run, owed_key, (owed[0] + amounts[0], owed[1] + amounts[1]))
        self.emit(run, BURN, owner, low, high, liquidity, *amounts)
        return amounts

    def collect(self, run: Run, owner: str, to: str, low: int, high: int, most: tuple[int, int]) -> tuple[int, int]:
        """Pays what is owed, at most so much."""
        owed_key = ("owed", owner, low, high)
        owed = self.load(run, owed_key, (0, 0))
        amounts = (min(owed[0], most[0]), min(owed[1], most[1]))
        self.store(run, owed_key, (owed[0] - amounts[0], owed[1] - amounts[1]))
        for place, amount in enumerate(amounts):
            if amount:
                self.token(run, place).move(run, self.address, to, amount)
        self.emit(run, COLLECT, owner, to, low, high, *amounts)
        return amounts

    def _check_ticks(self, low: int, high: int) -> None:
        require(low < high, "TLU")
        require(low >= MIN_TICK, "TLM")
        require(high <= MAX_TICK, "TUM")
        require(low % self.spacing == 0 and high % self.spacing == 0, "")

    def _amounts(self, run: Run, low: int, high: int, liquidity: int, *, up: bool) -> tuple[int, int]:
        curve = self.curve(run)
        bottom, top = sqrt_at(low), sqrt_at(high)
        # the tick decides as in the contract; it and the price may disagree by one at a border
        price = bottom if curve.tick < low else top if curve.tick >= high else curve.sqrt_price_x96
        zero, one = (X96.amount0_up, X96.amount1_up) if up else (X96.amount0, X96.amount1)
        return zero(price, top, liquidity), one(bottom, price, liquidity)

    def _paid(self, run: Run, amounts: tuple[int, int], pay: Pay, reason: str) -> None:
        before = [self.token(run, place).balance_of(run, self.address, self.address) for place in (0, 1)]
        pay(*amounts)
        for place, amount in enumerate(amounts):
            now = self.token(run, place).balance_of(run, self.address, self.address)
            require(now >= before[place] + amount, reason if reason == "IIA" else f"{reason}{place}")
