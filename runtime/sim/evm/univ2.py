"""Uniswap V2: factory and pair, by the core's rules: a pair trusts only its balances, and their product may not fall.

What is left out: the protocol's share of the fee, price accumulators, flash swaps with a callback, EIP-2612 permits.
"""

from math import isqrt
from typing import ClassVar, Final

from connectors.amm.constant_product import ConstantProduct
from runtime.sim.evm.abi import ZERO, Event, Function, created, functions, keccak, sort_tokens
from runtime.sim.evm.machine import Contract, Run, require
from runtime.sim.evm.pools import Pool
from runtime.sim.evm.tokens import Erc20

PAIR_CODE_HASH: Final = bytes.fromhex("96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f")
MINIMUM_LIQUIDITY: Final = 1000
FEE_PPM: Final = 3000
_MAX_RESERVE: Final = 2**112 - 1

PAIR_CREATED: Final = Event("PairCreated(address indexed,address indexed,address,uint256)")
MINT: Final = Event("Mint(address indexed,uint256,uint256)")
BURN: Final = Event("Burn(address indexed,uint256,uint256,address indexed)")
SWAP: Final = Event("Swap(address indexed,uint256,uint256,uint256,uint256,address indexed)")
SYNC: Final = Event("Sync(uint112,uint112)")


class V2Factory(Contract):
    """Knows every pair, and puts new ones where the real factory would."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("getPair(address,address)", "address", "get_pair"),
        ("createPair(address,address)", "address", "create_pair"),
        ("allPairs(uint256)", "address", "all_pairs"),
        ("allPairsLength()", "uint256", "all_pairs_length"),
    )

    def get_pair(self, run: Run, _sender: str, a: str, b: str) -> str:
        return str(self.load(run, ("pair", *sort_tokens(a, b)), ZERO))

    def create_pair(self, run: Run, sender: str, a: str, b: str) -> str:
        require(a != b, "UniswapV2: IDENTICAL_ADDRESSES")
        token0, token1 = sort_tokens(a, b)
        require(token0 != ZERO, "UniswapV2: ZERO_ADDRESS")
        require(self.get_pair(run, sender, a, b) == ZERO, "UniswapV2: PAIR_EXISTS")
        salt = keccak(bytes.fromhex(token0[2:] + token1[2:]))
        return self.adopt(run, V2Pair(created(self.address, salt, PAIR_CODE_HASH), self.address, (token0, token1)))

    def adopt(self, run: Run, pair: "V2Pair") -> str:
        """Puts a pair on the chain and on the list."""
        run.deploy(pair)
        self.store(run, ("pair", *pair.tokens), pair.address)
        known = (*self.load(run, "pairs", ()), pair.address)
        self.store(run, "pairs", known)
        self.emit(run, PAIR_CREATED, *pair.tokens, pair.address, len(known))
        return pair.address

    def all_pairs(self, run: Run, _sender: str, place: int) -> str:
        known: tuple[str, ...] = self.load(run, "pairs", ())
        require(place < len(known), "")
        return known[place]

    def all_pairs_length(self, run: Run, _sender: str) -> int:
        return len(self.load(run, "pairs", ()))


class V2Pair(Pool, Erc20):
    """One pair, which is also the token of its own shares."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = Erc20.FUNCTIONS | functions(
        ("factory()", "address", "factory_of"),
        ("token0()", "address", "token0"),
        ("token1()", "address", "token1"),
        ("getReserves()", "uint112,uint112,uint32", "get_reserves"),
        ("MINIMUM_LIQUIDITY()", "uint256", "minimum_liquidity"),
        ("mint(address)", "uint256", "mint"),
        ("burn(address)", "uint256,uint256", "burn"),
        ("swap(uint256,uint256,address,bytes)", "", "swap"),
        ("sync()", "", "sync"),
    )

    def __init__(self, address: str, factory: str, tokens: tuple[str, str], fee_ppm: int = FEE_PPM) -> None:
        Erc20.__init__(self, address, "UNI-V2", 18, "Uniswap V2")
        self.factory, self.tokens, self.fee_ppm = factory, tokens, fee_ppm

    def factory_of(self, _run: Run, _sender: str) -> str:
        return self.factory

    def token0(self, _run: Run, _sender: str) -> str:
        return self.tokens[0]

    def token1(self, _run: Run, _sender: str) -> str:
        return self.tokens[1]

    def minimum_liquidity(self, _run: Run, _sender: str) -> int:
        return MINIMUM_LIQUIDITY

    def reserves(self, run: Run) -> tuple[int, int]:
        """What the pair believes it holds."""
        reserves: tuple[int, int] = self.load(run, "reserves", (0, 0))
        return reserves

    def curve(self, run: Run) -> ConstantProduct:
        return ConstantProduct(self.reserves(run), self.fee_ppm)

    def get_reserves(self, run: Run, _sender: str) -> tuple[int, int, int]:
        return (*self.reserves(run), self.load(run, "time"))

    def mint(self, run: Run, sender: str, to: str) -> int:
        reserves, held, supply = self.reserves(run), self._held(run), self.total_supply(run, sender)
        amounts = (held[0] - reserves[0], held[1] - reserves[1])
        if supply == 0:
            shares = isqrt(amounts[0] * amounts[1]) - MINIMUM_LIQUIDITY
            require(shares >= 0, "ds-math-sub-underflow")
            self.mint_to(run, ZERO, MINIMUM_LIQUIDITY)
        else:
            shares = min(amounts[0] * supply // reserves[0], amounts[1] * supply // reserves[1])
        require(shares > 0, "UniswapV2: INSUFFICIENT_LIQUIDITY_MINTED")
        self.mint_to(run, to, shares)
        self._update(run, held)
        self.emit(run, MINT, sender, *amounts)
        return shares

    def burn(self, run: Run, sender: str, to: str) -> tuple[int, int]:
        held, shares = self._held(run), self.balance_of(run, sender, self.address)
        supply = self.total_supply(run, sender)
        require(supply > 0, "UniswapV2: INSUFFICIENT_LIQUIDITY_BURNED")
        amounts = (shares * held[0] // supply, shares * held[1] // supply)
        require(min(amounts) > 0, "UniswapV2: INSUFFICIENT_LIQUIDITY_BURNED")
        self.burn_from(run, self.address, shares)
        for place in (0, 1):
            self.token(run, place).move(run, self.address, to, amounts[place])
        self._update(run, self._held(run))
        self.emit(run, BURN, sender, *amounts, to)
        return amounts

    def swap(self, run: Run, sender: str, out0: int, out1: int, to: str, data: bytes = b"") -> None:
        require(not data, "this chain runs no flash swaps")
        require(out0 > 0 or out1 > 0, "UniswapV2: INSUFFICIENT_OUTPUT_AMOUNT")
        reserves = self.reserves(run)
        require(out0 < reserves[0] and out1 < reserves[1], "UniswapV2: INSUFFICIENT_LIQUIDITY")
        require(to not in self.tokens, "UniswapV2: INVALID_TO")
        for place, out in enumerate((out0, out1)):
            if out:
                self.token(run, place).move(run, self.address, to, out)
        held = self._held(run)
        taken = [max(0, held[k] - (reserves[k] - out)) for k, out in enumerate((out0, out1))]
        require(max(taken) > 0, "UniswapV2: INSUFFICIENT_INPUT_AMOUNT")
        left = [held[k] * 10**6 - taken[k] * self.fee_ppm for k in (0, 1)]
        require(left[0] * left[1] >= reserves[0] * reserves[1] * 10**12, "UniswapV2: K")
        self._update(run, held)
        self.emit(run, SWAP, sender, *taken, out0, out1, to)

    def sync(self, run: Run, _sender: str) -> None:
        self._update(run, self._held(run))

    def trade(self, run: Run, payer: str, i: int, j: int, amount: int) -> int:
        out = self.curve(run).exact_in(i, j, amount).amount_out
        self.token(run, i).move(run, payer, self.address, amount)
        self.swap(run, payer, *((0, out) if j else (out, 0)), payer)
        return out

    def _held(self, run: Run) -> tuple[int, int]:
        mine = [self.token(run, place).balance_of(run, self.address, self.address) for place in (0, 1)]
        return mine[0], mine[1]

    def _update(self, run: Run, held: tuple[int, int]) -> None:
        require(max(held) <= _MAX_RESERVE, "UniswapV2: OVERFLOW")
        self.store(run, "reserves", held)
        self.store(run, "time", run.timestamp % 2**32)
        self.emit(run, SYNC, *held)
