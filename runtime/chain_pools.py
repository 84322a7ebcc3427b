"""The pools of an EVM chain that a user's settings name: `[[venues.dex_….pools]]`."""

from collections.abc import Iterable
from typing import Final

from connectors.chain import PoolKind, PoolPlan, Token
from connectors.errors import NumberError
from connectors.pool import Protocol
from connectors.units import scaled
from runtime.chain_catalogue import Catalogue
from runtime.chains import GAS_UNITS, Chain, Factory, in_order
from runtime.config import Config
from runtime.config_chain import ChainSection, PoolSection, checksummed

_IN_OWN_ORDER: Final = frozenset({PoolKind.CURVE_STABLE, PoolKind.CURVE_STABLE_NG, PoolKind.CURVE_CRYPTO,
                                  PoolKind.CURVE_META, PoolKind.BALANCER_V2})  # fmt: skip
_QUOTED_ELSEWHERE: Final = frozenset({PoolKind.ALGEBRA, PoolKind.BALANCER_V2})
_PROTOCOLS: Final = {
    PoolKind.UNISWAP_V2: Protocol.UNISWAP_V2,
    PoolKind.UNISWAP_V3: Protocol.UNISWAP_V3,
    PoolKind.CURVE_STABLE: Protocol.CURVE,
    PoolKind.CURVE_STABLE_NG: Protocol.CURVE,
    PoolKind.CURVE_CRYPTO: Protocol.CURVE,
    PoolKind.CURVE_META: Protocol.CURVE,
    PoolKind.BALANCER_V2: Protocol.BALANCER_V2,
}


class EvmCatalogue(Catalogue):
    """Pools of whatever the shipped factories make, and of others."""

    def __init__(self, chain: Chain, section: ChainSection, settings: Config) -> None:
        self._section = section
        super().__init__(chain, settings, defaults=section.defaults, own=section.tokens)

    def _own_pools(self) -> Iterable[PoolPlan]:
        return [self._pool(f"pools.{number}", said) for number, said in enumerate(self._section.pools)]

    def _address(self, setting: str, said: str) -> str:
        if not said.startswith("0x"):
            return ""
        try:
            return checksummed(said)
        except ValueError as error:
            self.refuse(setting, f"= {said}: {error}", "copy the token's address again, or use its name")

    def _pool(self, where: str, said: PoolSection) -> PoolPlan:
        base, quote = self._pair(where, said.base, said.quote)
        coins = self._coins(f"{where}.coins", said, base, quote)
        fee_ppm = self._fee_ppm(f"{where}.fee_pct", said)
        self._check_pool_id(f"{where}.pool_id", said)
        maker = self._maker(said, base, quote, fee_ppm)
        quoter = said.quoter or (maker.quoter if maker is not None else "")
        if not quoter and said.kind in _QUOTED_ELSEWHERE:
            self.refuse(f"{where}.quoter", f"is missing: {said.kind} pools cannot be read without", "set the contract")
        return PoolPlan(
            address=said.address,
            kind=said.kind,
            protocol=_protocol(said, maker),
            tokens=coins,
            base=coins.index(base),
            quote=coins.index(quote),
            symbol=self._symbol(where, said.symbol, base, quote),
            fee_ppm=fee_ppm,
            quoter=quoter,
            pool_id=said.pool_id,
            gas_units=said.gas_units or GAS_UNITS[said.kind],
        )

    def _coins(self, where: str, said: PoolSection, base: Token, quote: Token) -> tuple[Token, ...]:
        if said.kind not in _IN_OWN_ORDER:
            if said.coins:
                self.refuse(where, f"are not for {said.kind}: it sorts its two tokens itself", "leave coins out")
            return in_order(base, quote)
        coins = tuple(self._token(where, coin) for coin in said.coins)
        if len({coin.address for coin in coins}) < len(coins) or base not in coins or quote not in coins:
            problem = f"must name every token of the pool once, {base.symbol} and {quote.symbol} among them"
            self.refuse(
                where, problem, "list them in the order of the contract's coins(0), coins(1) … or getPoolTokens"
            )
        if said.kind is PoolKind.BALANCER_V2 and list(coins) != sorted(coins, key=lambda coin: int(coin.address, 16)):
            self.refuse(where, "are not in the order of their addresses", "Balancer sorts them: list them so")
        return coins

    def _fee_ppm(self, where: str, said: PoolSection) -> int:
        try:
            made = scaled(said.fee_pct, 4) if said.fee_pct is not None else said.fee_ppm or 0
        except NumberError as error:
            self.refuse(where, f"= {error}", "use at most 4 decimals")
        if made >= 10**6:
            self.refuse(where, f"= {said.fee_pct} leaves nothing", "give the swap fee, like 0.3")
        if made == 0 and said.kind is PoolKind.UNISWAP_V2:
            self.refuse(where, "is missing: a V2 contract does not tell its fee", "set it, like 0.3")
        return made

    def _check_pool_id(self, where: str, said: PoolSection) -> None:
        if said.kind is not PoolKind.BALANCER_V2:
            if said.pool_id:
                self.refuse(where, f"is not for {said.kind}", "leave it out")
        elif said.pool_id[:42] != said.address.lower():
            self.refuse(where, "must begin with the pool's address", "copy what the pool's getPoolId() answers")

    def _maker(self, said: PoolSection, base: Token, quote: Token, fee_ppm: int) -> Factory | None:
        """The shipped factory that made this pool. A quoter works out pools' addresses as its own factory does, so
        another factory's would quote another pool."""
        for factory in self.chain.factories:
            if factory.kind is said.kind is PoolKind.BALANCER_V2:
                return factory  # the one Vault
            if factory.kind is said.kind:
                fees = (fee_ppm,) if fee_ppm else factory.fees_ppm or (0,)
                tries = [(fee, stable) for fee in fees for stable in (False, True)]
                if any(factory.pool_address(base, quote, fee, stable=stable) == said.address for fee, stable in tries):
                    return factory
        return None


def _protocol(said: PoolSection, maker: Factory | None) -> Protocol:
    if said.protocol:
        return Protocol[said.protocol.upper()]
    return maker.protocol if maker is not None else _PROTOCOLS.get(said.kind, Protocol.UNKNOWN)
