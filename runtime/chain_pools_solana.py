"""The pools on Solana that a user's settings name: `[[venues.dex_sol.pools]]`."""

from collections.abc import Iterable
from typing import Final

from connectors.chain import PoolKind, PoolPlan
from connectors.pool import Protocol
from runtime.chain_catalogue import Catalogue
from runtime.chains import GAS_UNITS, Chain, in_order
from runtime.config import Config
from runtime.config_solana import SolanaPoolSection, SolanaSection, solana_key

PROTOCOLS: Final = {
    PoolKind.RAYDIUM_CLMM: Protocol.RAYDIUM_CLMM,
    PoolKind.ORCA_WHIRLPOOL: Protocol.ORCA_WHIRLPOOL,
}


class SolanaCatalogue(Catalogue):
    """Pools of two tokens, which both programs number by the bytes of their mints. A pool's fee is its account's."""

    def __init__(self, chain: Chain, section: SolanaSection, settings: Config) -> None:
        self._section = section
        super().__init__(chain, settings, defaults=section.defaults, own=section.tokens)

    def _own_pools(self) -> Iterable[PoolPlan]:
        return [self._pool(f"pools.{number}", said) for number, said in enumerate(self._section.pools)]

    def _address(self, setting: str, said: str) -> str:
        del setting  # a word that is no key may be a name
        try:
            return solana_key(said)
        except ValueError:
            return ""

    def _pool(self, where: str, said: SolanaPoolSection) -> PoolPlan:
        base, quote = self._pair(where, said.base, said.quote)
        tokens = in_order(base, quote)
        return PoolPlan(
            address=said.address,
            kind=said.kind,
            protocol=PROTOCOLS[said.kind],
            tokens=tokens,
            base=tokens.index(base),
            quote=tokens.index(quote),
            symbol=self._symbol(where, said.symbol, base, quote),
            gas_units=said.compute_units or GAS_UNITS[said.kind],
        )
