"""Solana as a venue: its pools are markets, and all pools of a symbol together are the chain's own book.

`docs/dex.md` says how they are followed and shown. Nothing heavy is imported before a session is made.
"""

from connectors.errors import ConfigError
from connectors.pool import DexVenue
from connectors.session import Capabilities, MarketSession, SessionPlan, Venue
from connectors.venues.solana.asked import asked

CAPABILITIES = Capabilities(
    depths=(20,), checksum=False, trades=False, onchain=True,
    absent={"trades": "a swap moves the pool that is shown; single swaps are not told"},
)  # fmt: skip


def _market(plan: SessionPlan) -> MarketSession:
    try:
        from connectors.venues.solana.session import SolanaSession
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in ("solders", "zstandard"):
            raise
        mend = f"install {library}: it comes with venuegate, of which this is not a whole installation"
        raise ConfigError(f"{library} is not installed", place="venue dex_sol", mend=mend) from error
    return SolanaSession(plan)


SOLANA = Venue(
    name=DexVenue.DEX_SOL.name.lower(), venue_id=int(DexVenue.DEX_SOL), public_url="",
    capabilities=CAPABILITIES, market=_market, asked=asked,
)  # fmt: skip
