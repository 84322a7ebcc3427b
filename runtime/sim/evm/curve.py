"""Curve's StableSwap pools, old and NG: their views, `exchange` and its event, over our StableSwap.

The old kind pays the admin's part out of the balances at once, as the contracts do. What is left out: liquidity's own
calls, A that ramps, rebasing coins. A metapool is played by the old kind: it is read through the same views.
"""

from typing import ClassVar, Final

from connectors.amm.curve import Quote, QuoteError
from connectors.amm.stableswap import A_PRECISION, StableSwap
from runtime.sim.evm.abi import Event, Function, functions
from runtime.sim.evm.machine import Revert, Run, require
from runtime.sim.evm.pools import Pool
from runtime.sim.evm.tokens import pull

TOKEN_EXCHANGE: Final = Event("TokenExchange(address indexed,int128,uint256,int128,uint256)")

_SHARED: Final = (
    ("coins(uint256)", "address", "coin"),
    ("balances(uint256)", "uint256", "balance"),
    ("A()", "uint256", "amp"),
    ("A_precise()", "uint256", "amp_precise"),
    ("fee()", "uint256", "fee"),
    ("admin_fee()", "uint256", "admin_fee"),
    ("get_dy(int128,int128,uint256)", "uint256", "get_dy"),
    ("exchange(int128,int128,uint256,uint256)", "uint256", "exchange"),
)


class CurveStable(Pool):
    """A StableSwap pool before NG."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(*_SHARED)

    def __init__(self, address: str, tokens: tuple[str, ...]) -> None:
        super().__init__(address)
        self.tokens = tokens

    def curve(self, run: Run) -> StableSwap:
        found = super().curve(run)
        assert isinstance(found, StableSwap)  # noqa: S101 - only seed and exchange store it
        return found

    def coin(self, _run: Run, _sender: str, place: int) -> str:
        require(place < len(self.tokens), "")
        return self.tokens[place]

    def balance(self, run: Run, _sender: str, place: int) -> int:
        require(place < len(self.tokens), "")
        return self.curve(run).balances[place]

    def amp(self, run: Run, _sender: str) -> int:
        return self.curve(run).amp // A_PRECISION

    def amp_precise(self, run: Run, _sender: str) -> int:
        return self.curve(run).amp

    def fee(self, run: Run, _sender: str) -> int:
        return self.curve(run).fee

    def admin_fee(self, run: Run, _sender: str) -> int:
        return self.curve(run).admin_fee

    def get_dy(self, run: Run, _sender: str, i: int, j: int, amount: int) -> int:
        self._check(i, j)
        try:
            return self.curve(run).view(i, j, amount)
        except QuoteError as error:
            raise Revert(str(error)) from None

    def exchange(self, run: Run, sender: str, i: int, j: int, amount: int, least: int) -> int:
        quote = self._exact_in(run, i, j, amount)
        require(quote.amount_out >= least, "Exchange resulted in fewer coins than expected")
        pull(run, self.address, self.tokens[i], sender, self.address, amount)
        self._settle(run, sender, i, j, quote)
        return quote.amount_out

    def trade(self, run: Run, payer: str, i: int, j: int, amount: int) -> int:
        quote = self._exact_in(run, i, j, amount)
        self.token(run, i).move(run, payer, self.address, amount)
        self._settle(run, payer, i, j, quote)
        return quote.amount_out

    def _settle(self, run: Run, buyer: str, i: int, j: int, quote: Quote) -> None:
        self.token(run, j).move(run, self.address, buyer, quote.amount_out)
        self.store(run, "curve", quote.after)
        self.emit(run, TOKEN_EXCHANGE, buyer, i, quote.amount_in, j, quote.amount_out)

    def _exact_in(self, run: Run, i: int, j: int, amount: int) -> Quote:
        self._check(i, j)
        try:
            return self.curve(run).exact_in(i, j, amount)
        except QuoteError as error:
            raise Revert(str(error)) from None

    def _check(self, i: int, j: int) -> None:
        require(i != j and 0 <= i < len(self.tokens) and 0 <= j < len(self.tokens), "")


class CurveStableNg(CurveStable):
    """A StableSwap pool of the NG kind: its fee grows off peg, and it tells its rates."""

    FUNCTIONS: ClassVar[dict[bytes, Function]] = functions(
        *_SHARED,
        ("N_COINS()", "uint256", "count"),
        ("offpeg_fee_multiplier()", "uint256", "multiplier"),
        ("stored_rates()", "uint256[]", "rates"),
        ("get_balances()", "uint256[]", "balances_of"),
    )

    def count(self, _run: Run, _sender: str) -> int:
        return len(self.tokens)

    def multiplier(self, run: Run, _sender: str) -> int:
        return self.curve(run).offpeg_fee_multiplier

    def rates(self, run: Run, _sender: str) -> tuple[int, ...]:
        return self.curve(run).rates

    def balances_of(self, run: Run, _sender: str) -> tuple[int, ...]:
        return self.curve(run).balances
