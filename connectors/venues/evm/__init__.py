"""EVM chains as venues: their pools are markets, and all pools of a symbol together are the chain's own book.

`docs/dex.md` says how they are followed and shown. Nothing heavy is imported before a session is made.
"""

from connectors.pool import DexVenue
from connectors.session import Capabilities, MarketSession, SessionPlan, Venue
from connectors.venues.evm.asked import asked

CAPABILITIES = Capabilities(
    depths=(20,), checksum=False, trades=False, onchain=True,
    absent={"trades": "a swap moves the pool that is shown; single swaps are not told"},
)  # fmt: skip


def _market(plan: SessionPlan) -> MarketSession:
    from connectors.venues.evm import abi

    abi.selector("decimals()")  # says what to install where the codecs are missing
    from connectors.venues.evm.session import ChainSession

    return ChainSession(plan)


def _venue(venue_id: DexVenue) -> Venue:
    return Venue(
        name=venue_id.name.lower(), venue_id=int(venue_id), public_url="",
        capabilities=CAPABILITIES, market=_market, asked=asked,
    )  # fmt: skip


ETHEREUM = _venue(DexVenue.DEX_ETH)
ARBITRUM = _venue(DexVenue.DEX_ARB)
BASE = _venue(DexVenue.DEX_BASE)
OPTIMISM = _venue(DexVenue.DEX_OP)
POLYGON = _venue(DexVenue.DEX_POLY)
