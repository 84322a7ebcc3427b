"""Uniswap V3's periphery: SwapRouter, QuoterV2 and NonfungiblePositionManager over one factory, tokens only.

A price limit other than 0 is refused: our maths has none. The position manager is no full ERC-721: positions are
minted, changed and collected by their owner, and are not passed on.
"""

from typing import Any, ClassVar, Final

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import Quote, QuoteError
from connectors.amm.tickmath import sqrt_at
from runtime.sim.evm.abi import ZERO, Event, Function, functions, sort_tokens
from runtime.sim.evm.machine import Contract, Revert, Run, require
from runtime.sim.evm.tokens import pull
from runtime.sim.evm.univ3 import Pay, V3Factory, V3Pool

_Q96: Final = 2**96
_U128: Final = 2**128 - 1
NO_LIMIT: Final = "this chain's pools take no price limit but 0"

NFT_TRANSFER: Final = Event("Transfer(address indexed,address indexed,uint256 indexed)")
INCREASE: Final = Event("IncreaseLiquidity(uint256 indexed,uint128,uint256,uint256)")
DECREASE: Final = Event("DecreaseLiquidity(uint256 indexed,uint128,uint256,uint256)")
COLLECT: Final = Event("Collect(uint256 indexed,address,uint256,uint256)")


class _Periphery(Contract):
    """What all three share: a factory, its pools, paying for somebody who has approved them."""

    def __init__(self, address: str, factory: V3Factory) -> None:
        super().__init__(address)
        self._factory = factory

    def factory_of(self, _run: Run, _sender: str) -> str:
        return self._factory.address

    def _pool(self, run: Run, a: str, b: str, fee: int) -> V3Pool:
        found = run.contract(self._factory.get_pool(run, self.address, a, b, fee))
        assert isinstance(found, V3Pool)  # noqa: S101 - a factory lists nothing else
        return found

    def _pay_for(self, run: Run, pool: V3Pool, owner: str) -> Pay:
        def pay(taken0: int, taken1: int) -> None:
            for token, taken in zip(pool.tokens, (taken0, taken1), strict=True):
                if taken and owner == self.address:
                    pool.token(run, pool.tokens.index(token)).move(run, self.address, pool.address, taken)
                elif taken:
                    pull(run, self.address, token, owner, pool.address, taken)

        return pay

    def _quote(self, run: Run, pool: V3Pool, amount: int, *, down: bool, exact_out: bool) -> Quote:
        require(0 < amount < 2**255, "AS")
        curve, ends = pool.curve(run), (0, 1) if down else (1, 0)
        try:
            return curve.exact_out(*ends, amount) if exact_out else curve.exact_in(*ends, amount)
        except QuoteError as error:
            raise Revert(str(error)) from None


class QuoterV2(_Periphery):
    """Quotes without changing anything. Its gas estimate is a rough constant and a part for each tick."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("factory()", "address", "factory_of"),
        (
            "quoteExactInputSingle((address,address,uint256,uint24,uint160))",
            "uint256,uint160,uint32,uint256",
            "quote_in",
        ),
        (
            "quoteExactOutputSingle((address,address,uint256,uint24,uint160))",
            "uint256,uint160,uint32,uint256",
            "quote_out",
        ),
    )

    def quote_in(self, run: Run, _sender: str, asked: tuple[Any, ...]) -> tuple[int, int, int, int]:
        quote, told = self._answer(run, asked, exact_out=False)
        return quote.amount_out, *told

    def quote_out(self, run: Run, _sender: str, asked: tuple[Any, ...]) -> tuple[int, int, int, int]:
        quote, told = self._answer(run, asked, exact_out=True)
        return quote.amount_in, *told

    def _answer(self, run: Run, asked: tuple[Any, ...], *, exact_out: bool) -> tuple[Quote, tuple[int, int, int]]:
        token_in, token_out, amount, fee, limit = asked
        require(limit == 0, NO_LIMIT)
        pool = self._pool(run, token_in, token_out, fee)
        quote = self._quote(run, pool, amount, down=token_in == pool.tokens[0], exact_out=exact_out)
        assert isinstance(quote.after, Concentrated)  # noqa: S101 - a V3 pool's
        return quote, (quote.after.sqrt_price_x96, quote.ticks_crossed, 90_000 + 30_000 * quote.ticks_crossed)


class SwapRouter(_Periphery):
    """The first SwapRouter, with deadlines."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("factory()", "address", "factory_of"),
        (
            "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
            "uint256",
            "exact_input_single",
        ),
        (
            "exactOutputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
            "uint256",
            "exact_output_single",
        ),
        ("exactInput((bytes,address,uint256,uint256,uint256))", "uint256", "exact_input"),
    )

    def exact_input_single(self, run: Run, sender: str, asked: tuple[Any, ...]) -> int:
        token_in, token_out, fee, to, deadline, amount, least, limit = asked
        require(run.timestamp <= deadline, "Transaction too old")
        require(limit == 0, NO_LIMIT)
        quote = self._hop(run, (token_in, token_out, fee), amount, sender, self._to(to))
        require(quote.amount_out >= least, "Too little received")
        return quote.amount_out

    def exact_output_single(self, run: Run, sender: str, asked: tuple[Any, ...]) -> int:
        token_in, token_out, fee, to, deadline, amount, most, limit = asked
        require(run.timestamp <= deadline, "Transaction too old")
        require(limit == 0, NO_LIMIT)
        quote = self._hop(run, (token_in, token_out, fee), amount, sender, self._to(to), exact_out=True)
        require(quote.amount_in <= most, "Too much requested")
        return quote.amount_in

    def exact_input(self, run: Run, sender: str, asked: tuple[Any, ...]) -> int:
        path, to, deadline, amount, least = asked
        require(run.timestamp <= deadline, "Transaction too old")
        hops = _hops(path)
        owner = sender
        for place, hop in enumerate(hops):
            is_last = place == len(hops) - 1
            amount = self._hop(run, hop, amount, owner, self._to(to) if is_last else self.address).amount_out
            owner = self.address
        require(amount >= least, "Too little received")
        return int(amount)

    def _hop(
        self, run: Run, hop: tuple[str, str, int], amount: int, owner: str, to: str, *, exact_out: bool = False
    ) -> Quote:
        pool = self._pool(run, *hop)
        down = hop[0] == pool.tokens[0]
        quote = self._quote(run, pool, amount, down=down, exact_out=exact_out)
        pool.swap(run, self.address, to, quote, down=down, pay=self._pay_for(run, pool, owner))
        return quote

    def _to(self, to: str) -> str:
        return self.address if to == ZERO else to


def _hops(path: bytes) -> list[tuple[str, str, int]]:
    """token (20 bytes), fee (3), token (20), fee (3), … token."""
    require(len(path) >= 43 and (len(path) - 20) % 23 == 0, "toAddress_outOfBounds")
    hops = []
    for start in range(0, len(path) - 20, 23):
        token_in, fee = path[start : start + 20], path[start + 20 : start + 23]
        token_out = path[start + 23 : start + 43]
        hops.append(("0x" + token_in.hex(), "0x" + token_out.hex(), int.from_bytes(fee, "big")))
    return hops


class PositionManager(_Periphery):
    """NonfungiblePositionManager."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        ("factory()", "address", "factory_of"),
        ("createAndInitializePoolIfNecessary(address,address,uint24,uint160)", "address", "create_pool"),
        (
            "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))",
            "uint256,uint128,uint256,uint256",
            "mint",
        ),
        (
            "increaseLiquidity((uint256,uint256,uint256,uint256,uint256,uint256))",
            "uint128,uint256,uint256",
            "increase",
        ),
        ("decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))", "uint256,uint256", "decrease"),
        ("collect((uint256,address,uint128,uint128))", "uint256,uint256", "collect"),
        ("ownerOf(uint256)", "address", "owner_of"),
        (
            "positions(uint256)",
            "uint96,address,address,address,uint24,int24,int24,uint128,uint256,uint256,uint128,uint128",
            "positions",
        ),
    )

    def create_pool(self, run: Run, sender: str, a: str, b: str, fee: int, sqrt_price: int) -> str:
        require(int(a, 16) < int(b, 16), "")
        address = self._factory.get_pool(run, sender, a, b, fee)
        if address == ZERO:
            address = self._factory.create_pool(run, self.address, a, b, fee)
        pool = self._pool(run, a, b, fee)
        if not pool.slot0(run, sender)[0]:
            pool.initialize(run, self.address, sqrt_price)
        return address

    def mint(self, run: Run, sender: str, asked: tuple[Any, ...]) -> tuple[int, int, int, int]:
        a, b, fee, low, high, want0, want1, least0, least1, to, deadline = asked
        require(run.timestamp <= deadline, "Transaction too old")
        require(sort_tokens(a, b) == (a, b), "")
        pool = self._pool(run, a, b, fee)
        liquidity, amounts = self._add(run, sender, pool, (low, high), (want0, want1), (least0, least1))
        token_id = self.load(run, "ids") + 1
        self.store(run, "ids", token_id)
        self.store(run, ("nft", token_id), (to, pool.address, low, high, liquidity, 0, 0))
        self.emit(run, NFT_TRANSFER, ZERO, to, token_id)
        self.emit(run, INCREASE, token_id, liquidity, *amounts)
        return token_id, liquidity, *amounts

    def increase(self, run: Run, sender: str, asked: tuple[Any, ...]) -> tuple[int, int, int]:
        token_id, want0, want1, least0, least1, deadline = asked
        require(run.timestamp <= deadline, "Transaction too old")
        owner, address, low, high, held, owed0, owed1 = self._position(run, token_id)
        pool = self._at(run, address)
        liquidity, amounts = self._add(run, sender, pool, (low, high), (want0, want1), (least0, least1))
        self.store(run, ("nft", token_id), (owner, address, low, high, held + liquidity, owed0, owed1))
        self.emit(run, INCREASE, token_id, liquidity, *amounts)
        return liquidity, *amounts

    def decrease(self, run: Run, sender: str, asked: tuple[Any, ...]) -> tuple[int, int]:
        token_id, liquidity, least0, least1, deadline = asked
        require(run.timestamp <= deadline, "Transaction too old")
        owner, address, low, high, held, owed0, owed1 = self._position(run, token_id)
        require(sender == owner, "Not approved")
        require(0 < liquidity <= held, "")
        amounts = self._at(run, address).burn(run, self.address, low, high, liquidity)
        require(amounts[0] >= least0 and amounts[1] >= least1, "Price slippage check")
        kept = (owner, address, low, high, held - liquidity, owed0 + amounts[0], owed1 + amounts[1])
        self.store(run, ("nft", token_id), kept)
        self.emit(run, DECREASE, token_id, liquidity, *amounts)
        return amounts

    def collect(self, run: Run, sender: str, asked: tuple[Any, ...]) -> tuple[int, int]:
        token_id, to, most0, most1 = asked
        owner, address, low, high, held, owed0, owed1 = self._position(run, token_id)
        require(sender == owner, "Not approved")
        require(most0 > 0 or most1 > 0, "")
        pool = self._at(run, address)
        if held:
            pool.burn(run, self.address, low, high, 0)  # the real one does so to have its fees counted: a Burn of 0
        most = (min(most0, owed0), min(most1, owed1))
        amounts = pool.collect(run, self.address, to if to != ZERO else self.address, low, high, most)
        kept = (owner, address, low, high, held, owed0 - amounts[0], owed1 - amounts[1])
        self.store(run, ("nft", token_id), kept)
        self.emit(run, COLLECT, token_id, to, *amounts)
        return amounts

    def owner_of(self, run: Run, _sender: str, token_id: int) -> str:
        return str(self._position(run, token_id)[0])

    def positions(self, run: Run, _sender: str, token_id: int) -> tuple[Any, ...]:
        _, address, low, high, held, owed0, owed1 = self._position(run, token_id)
        pool = self._at(run, address)
        return (0, ZERO, *pool.tokens, pool.fee_ppm, low, high, held, 0, 0, owed0, owed1)

    def _position(self, run: Run, token_id: int) -> tuple[str, str, int, int, int, int, int]:
        found: tuple[str, str, int, int, int, int, int] | None = self.load(run, ("nft", token_id), None)
        if found is None:
            raise Revert("Invalid token ID")
        return found

    def _at(self, run: Run, address: str) -> V3Pool:
        found = run.contract(address)
        assert isinstance(found, V3Pool)  # noqa: S101 - the address was stored by mint
        return found

    def _add(
        self, run: Run, owner: str, pool: V3Pool, ticks: tuple[int, int], want: tuple[int, int], least: tuple[int, int]
    ) -> tuple[int, tuple[int, int]]:
        liquidity = liquidity_for(pool.curve(run).sqrt_price_x96, *ticks, want)
        amounts = pool.mint(run, self.address, *ticks, liquidity, self._pay_for(run, pool, owner))
        require(amounts[0] >= least[0] and amounts[1] >= least[1], "Price slippage check")
        return liquidity, amounts


def liquidity_for(price: int, low: int, high: int, want: tuple[int, int]) -> int:
    """The most liquidity that two amounts pay for ("Uniswap v3 Core" 6.29, 6.30, rounded down)."""
    bottom, top = sqrt_at(low), sqrt_at(high)
    at = min(max(price, bottom), top)
    zero = want[0] * (at * top // _Q96) // (top - at) if at < top else _U128
    one = want[1] * _Q96 // (at - bottom) if at > bottom else _U128
    return min(zero, one, _U128)
