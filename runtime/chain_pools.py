"""The tokens and pools of one chain, as shipped and as the user's settings have them.

Settings win over what is shipped: a user's pool with the address and pair of a shipped one replaces it. Everything
that cannot be so is one ConfigError that names the file, the setting and the mend.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

from connectors.chain import PoolKind, PoolPlan, Token
from connectors.errors import ConfigError, NumberError
from connectors.pool import Protocol
from connectors.units import scaled
from runtime.chains import GAS_UNITS, Chain, Factory, in_order, symbol_of
from runtime.config import Config
from runtime.config_chain import NAME_MAX, ChainSection, PoolSection, checksummed

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


class Catalogue:
    """`tokens` by name, and what each of them counts as."""

    def __init__(self, chain: Chain, section: ChainSection, settings: Config) -> None:
        self.chain = chain
        self.section = section
        self.settings = settings
        self.counts_as: dict[str, str] = dict(chain.counts_as)
        self.tokens: dict[str, Token] = dict(chain.tokens)
        self._add_tokens()

    def refuse(self, setting: str, problem: str, mend: str) -> NoReturn:
        """`setting` is a name below the venue's."""
        where = f"venues.{self.chain.venue}.{setting}"
        raise ConfigError(f"{where} {problem}", place=self.settings.origin(where), mend=mend)

    def refuse_token(self, setting: str, said: str) -> NoReturn:
        mend = f"add [venues.{self.chain.venue}.tokens.NAME] with address and decimals, or use one of: "
        self.refuse(setting, f"= {said} is a token that is not known", mend + ", ".join(self.tokens))

    def pools(self) -> list[PoolPlan]:
        """The shipped pools, each replaced by the user's of the same key, and the user's others behind them."""
        own: dict[tuple[str, int], PoolPlan] = {}
        for number, said in enumerate(self.section.pools):
            pool = self._pool(f"pools.{number}", said)
            if (pool.address, pool.pair_index) in own:
                problem = f"is pool {said.address} a second time, with the same pair"
                self.refuse(f"pools.{number}", problem, "leave one out")
            own[pool.address, pool.pair_index] = pool
        given = self.chain.pools if self.section.defaults else ()
        shipped = {(pool.address, pool.pair_index): pool for pool in given}
        self._check_kinds(list((shipped | own).values()), own.values())
        return list((shipped | own).values())

    def _check_kinds(self, pools: Sequence[PoolPlan], own: Iterable[PoolPlan]) -> None:
        """Pairs of one contract are read once, in one way."""
        for number, pool in enumerate(own):
            other = next((one.kind for one in pools if one.address == pool.address and one.kind is not pool.kind), None)
            if other is not None:
                problem = f"is of kind {pool.kind}, but another pair of pool {pool.address} is {other}"
                self.refuse(f"pools.{number}.kind", problem, "one contract is of one kind: name it for all its pairs")

    def native(self, pools: Sequence[PoolPlan]) -> PoolPlan | None:
        """The pool that prices the native coin: the shipped one; without it, the first of that symbol."""
        of_symbol = [pool for pool in pools if pool.symbol == self.chain.native]
        return next((pool for pool in of_symbol if pool.address == self.chain.native_pool), next(iter(of_symbol), None))

    def _add_tokens(self) -> None:
        for name, said in self.section.tokens.items():
            where, same = f"tokens.{name}", self.chain.token(said.address)
            if not name.isprintable() or not name or name.lower().startswith("0x"):
                self.refuse(where, "is no name for a token", "name it like its symbol, without 0x")
            if self.section.defaults and same is not None and same.symbol != name:
                self.refuse(where, f"is shipped as {same.symbol}", f"use that name, or set {name} to another address")
            if self.section.defaults and same is not None and same.decimals != said.decimals:
                self.refuse(where, f"has {said.decimals} decimals; it has {same.decimals}", "leave this token out")
            if self.section.defaults and same is None and name in self.chain.tokens:
                problem = f"= {said.address}: the shipped {name} is {self.chain.tokens[name].address}"
                self.refuse(where, problem, "use another name, or defaults = false")
            self.tokens[name] = Token(address=said.address, symbol=name, decimals=said.decimals)
            if said.counts_as:
                self.counts_as[name] = said.counts_as

    def _token(self, setting: str, said: str) -> Token:
        """By name, or by address."""
        found = self.tokens.get(said)
        if found is None and said.startswith("0x"):
            try:
                address = checksummed(said)
            except ValueError as error:
                self.refuse(setting, f"= {said}: {error}", "copy the token's address again, or use its name")
            found = next((token for token in self.tokens.values() if token.address == address), None)
        if found is None:
            self.refuse_token(setting, said)
        return found

    def _pool(self, where: str, said: PoolSection) -> PoolPlan:
        base, quote = self._token(f"{where}.base", said.base), self._token(f"{where}.quote", said.quote)
        if base.address == quote.address:
            self.refuse(f"{where}.quote", f"= {said.quote} is the same token as base", "name two tokens")
        coins = self._coins(f"{where}.coins", said, base, quote)
        fee_ppm = self._fee_ppm(f"{where}.fee_pct", said)
        self._check_pool_id(f"{where}.pool_id", said)
        maker = self._maker(said, base, quote, fee_ppm)
        quoter = said.quoter or (maker.quoter if maker is not None else "")
        if not quoter and said.kind in _QUOTED_ELSEWHERE:
            self.refuse(f"{where}.quoter", f"is missing: {said.kind} pools cannot be read without", "set the contract")
        symbol = said.symbol or symbol_of(base, quote, self.counts_as)
        if len(symbol.encode()) > NAME_MAX:
            self.refuse(f"{where}.symbol", f"would be {symbol}: more than {NAME_MAX} bytes", "set a shorter symbol")
        return PoolPlan(
            address=said.address,
            kind=said.kind,
            protocol=_protocol(said, maker),
            tokens=coins,
            base=coins.index(base),
            quote=coins.index(quote),
            symbol=symbol,
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
