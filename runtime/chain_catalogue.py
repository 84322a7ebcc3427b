"""The tokens and pools of one chain, as shipped and as the user's settings have them.

Settings win over what is shipped: a user's pool with the address and pair of a shipped one replaces it. Everything
that cannot be so is one ConfigError that names the file, the setting and the mend. What is the same on all chains is
here; `chain_pools.py` and `chain_pools_solana.py` make the user's pools of their settings.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from connectors.chain import PoolPlan, Token
from connectors.errors import ConfigError
from runtime.chains import Chain, symbol_of
from runtime.config import Config
from runtime.config_chain import NAME_MAX, TokenSection
from runtime.config_solana import SolanaTokenSection


class Catalogue(ABC):
    """`tokens` by name, and what each of them counts as. `defaults`: whether the shipped ones are among them."""

    def __init__(
        self, chain: Chain, settings: Config, *, defaults: bool,
        own: Mapping[str, TokenSection | SolanaTokenSection],
    ) -> None:  # fmt: skip
        self.chain = chain
        self.settings = settings
        self.defaults = defaults
        self.counts_as: dict[str, str] = dict(chain.counts_as)
        self.tokens: dict[str, Token] = dict(chain.tokens)
        for name, said in own.items():
            self._add_token(name, said)

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
        for number, pool in enumerate(self._own_pools()):
            if (pool.address, pool.pair_index) in own:
                problem = f"is pool {pool.address} a second time, with the same pair"
                self.refuse(f"pools.{number}", problem, "leave one out")
            own[pool.address, pool.pair_index] = pool
        given = self.chain.pools if self.defaults else ()
        shipped = {(pool.address, pool.pair_index): pool for pool in given}
        self._check_kinds(list((shipped | own).values()), own.values())
        return list((shipped | own).values())

    def native(self, pools: Sequence[PoolPlan]) -> PoolPlan | None:
        """The pool that prices the native coin: the shipped one; without it, the first of that symbol."""
        of_symbol = [pool for pool in pools if pool.symbol == self.chain.native]
        return next((pool for pool in of_symbol if pool.address == self.chain.native_pool), next(iter(of_symbol), None))

    @abstractmethod
    def _own_pools(self) -> Iterable[PoolPlan]:
        """The user's, in their order."""

    @abstractmethod
    def _address(self, setting: str, said: str) -> str:
        """The address that this text is, as it is written everywhere; empty: it is none, but may be a name."""

    def _check_kinds(self, pools: Sequence[PoolPlan], own: Iterable[PoolPlan]) -> None:
        """Pairs of one contract are read once, in one way."""
        for number, pool in enumerate(own):
            other = next((one.kind for one in pools if one.address == pool.address and one.kind is not pool.kind), None)
            if other is not None:
                problem = f"is of kind {pool.kind}, but another pair of pool {pool.address} is {other}"
                self.refuse(f"pools.{number}.kind", problem, "one contract is of one kind: name it for all its pairs")

    def _add_token(self, name: str, said: TokenSection | SolanaTokenSection) -> None:
        where, same = f"tokens.{name}", self.chain.token(said.address)
        if not name.isprintable() or not name or name.lower().startswith("0x"):
            self.refuse(where, "is no name for a token", "name it like its symbol, without 0x")
        if self.defaults and same is not None and same.symbol != name:
            self.refuse(where, f"is shipped as {same.symbol}", f"use that name, or set {name} to another address")
        if self.defaults and same is not None and same.decimals != said.decimals:
            self.refuse(where, f"has {said.decimals} decimals; it has {same.decimals}", "leave this token out")
        if self.defaults and same is None and name in self.chain.tokens:
            problem = f"= {said.address}: the shipped {name} is {self.chain.tokens[name].address}"
            self.refuse(where, problem, "use another name, or defaults = false")
        self.tokens[name] = Token(address=said.address, symbol=name, decimals=said.decimals)
        if said.counts_as:
            self.counts_as[name] = said.counts_as

    def _pair(self, where: str, base: str, quote: str) -> tuple[Token, Token]:
        """Two tokens, each by name or by address."""
        tokens = self._token(f"{where}.base", base), self._token(f"{where}.quote", quote)
        if tokens[0].address == tokens[1].address:
            self.refuse(f"{where}.quote", f"= {quote} is the same token as base", "name two tokens")
        return tokens

    def _token(self, setting: str, said: str) -> Token:
        """By name, or by address."""
        found = self.tokens.get(said)
        if found is None and (address := self._address(setting, said)):
            found = next((token for token in self.tokens.values() if token.address == address), None)
        if found is None:
            self.refuse_token(setting, said)
        return found

    def _symbol(self, where: str, said: str, base: Token, quote: Token) -> str:
        symbol = said or symbol_of(base, quote, self.counts_as)
        if len(symbol.encode()) > NAME_MAX:
            self.refuse(f"{where}.symbol", f"would be {symbol}: more than {NAME_MAX} bytes", "set a shorter symbol")
        return symbol
