"""`gateway pools`: every pool as the session sees it, as rows of plain values and as a table.

Prices and sizes are in the guests' scales: ×1e9 and ×1e8. Depth is what can be traded within half a percent of the
pool's marginal price.
"""

from typing import Any, Final

import msgspec

from connectors.amm.ladder import Pair, depth_to, depth_within
from connectors.chain import ChainPlan
from connectors.onchain.report import Checked, PoolReport, Report, Reporting
from connectors.pool import PoolAmm, PoolId, PoolType, Protocol
from connectors.units import MONEY_DECIMALS, PRICE_DECIMALS, SIZE_DECIMALS, trimmed_text
from runtime.session import Session

DEPTH_BPS: Final = 50
PPM_A_PERCENT: Final = 4  # decimals
PPM_A_BP: Final = 100
FEE_BPS_MAX: Final = 2**16 - 1  # of the guests' field
_DIGITS: Final = 10  # of a price or size in the table


def rows(session: Session, now_ns: int) -> list[dict[str, Any]]:
    """One per venue on a chain: its block or slot, its checks, its own books, its pools with meta and levels."""
    made = []
    for port in session.engine.ports.values():
        if isinstance(port.session, Reporting):
            found, plan = port.session.report(), port.session.plan
            made.append(
                {
                    "venue": port.name,
                    "chain_id": plan.chain_id,
                    "prices": "gross" if plan.is_gross else "net",
                    **_moment(found, plan, now_ns),
                    "endpoint": found.link,
                    "lost": found.lost,
                    "reconciled": found.reconciled,
                    "differences": found.differences,
                    "books": [_chain_book(session, index, found) for index in port.indices if index not in port.pools],
                    "pools": [_pool(session, index, pool, found) for index, pool in port.pools.items()],
                }
            )
    return made


def is_complete(session: Session) -> bool:
    """Whether every pool is shown or has a reason not to be, and what a swap costs is known."""
    for port in session.engine.ports.values():
        if not isinstance(port.session, Reporting):
            continue
        found = port.session.report()
        if not all(session.engine.books[index].valid or found.pools[index].reason for index in port.pools):
            return False
        if not found.is_priced:
            return False
    return True


def _moment(found: Report, plan: ChainPlan, now_ns: int) -> dict[str, Any]:
    """Of what is shown: Solana's slots have neither a hash nor a time of their own here."""
    age_ms = None if found.time_ns is None else max(now_ns - found.time_ns, 0) // 10**6
    if plan.genesis:
        return {"slot": found.number, "commitment": plan.commitment, "age_ms": age_ms}
    return {"block": found.number, "block_hash": found.block_hash, "age_ms": age_ms}


def _levels(session: Session, index: int) -> dict[str, Any]:
    book = session.engine.books[index]
    return {"valid": book.valid, "reason": book.reason, "bids": [list(level) for level in book.bids[:20]],
            "asks": [list(level) for level in book.asks[:20]]}  # fmt: skip


def _chain_book(session: Session, index: int, found: Report) -> dict[str, Any]:
    symbol = session.engine.names[index].partition(":")[2]
    check = found.checks.get(symbol, Checked())
    return {
        "symbol": symbol,
        "emissions": check.emissions,
        "requotes": check.requotes,
        "suppressed": check.suppressions,
        "off_ppm": check.worst_ppm,
        **_levels(session, index),
    }


def _pool(session: Session, index: int, known: PoolId, found: Report) -> dict[str, Any]:
    pool, book = found.pools[index], session.engine.books[index]
    plan, mid_1e9 = pool.plan, pool.mid_1e9
    if not mid_1e9 and book.valid:
        mid_1e9 = (book.best_bid_1e9 + book.best_ask_1e9) // 2  # probed: its maths is not ours
    return {
        "symbol": plan.symbol,
        "address": plan.address,
        "pair_index": plan.pair_index,
        "kind": str(plan.kind),
        "protocol": Protocol(plan.protocol).name.lower(),
        "protocol_id": int(plan.protocol),
        "venue_id": known.venue_id,
        "fee_bps": known.fee_bps if pool.amm is None else min(-(-pool.amm.fee_ppm // PPM_A_BP), FEE_BPS_MAX),
        "base": plan.tokens[plan.base].symbol,
        "quote": plan.tokens[plan.quote].symbol,
        "fee_ppm": pool.fee_ppm,
        "price_1e9": mid_1e9,
        "depth_bid_1e8": _depth(session, index, pool, mid_1e9, is_ask=False),
        "depth_ask_1e8": _depth(session, index, pool, mid_1e9, is_ask=True),
        **msgspec.structs.asdict(pool.gas),
        "state": _state(pool.amm) if book.valid else None,
        **_levels(session, index),
        "reason": "" if book.valid else pool.reason or found.lost or book.reason,
    }


def _depth(session: Session, index: int, pool: PoolReport, mid_1e9: int, *, is_ask: bool) -> int:
    """Until the marginal price has moved by half a percent; of a probed pool by the levels of its ladder."""
    book, plan = session.engine.books[index], pool.plan
    if not book.valid:
        return 0
    if pool.curve is None:
        return depth_within(book.asks if is_ask else book.bids, mid_1e9, DEPTH_BPS)
    base, quote = plan.tokens[plan.base], plan.tokens[plan.quote]
    return depth_to(pool.curve, Pair(plan.base, plan.quote, base.decimals, quote.decimals), DEPTH_BPS, is_ask=is_ask)


def _state(amm: PoolAmm | None) -> dict[str, Any] | None:
    """The curve's own numbers, which of a probed pool are not known."""
    if amm is None:
        return None
    fields = ("last_block", "sqrt_price_x64", "liquidity", "tick", "tick_spacing", "reserve0", "reserve1")
    return {"pool_type": PoolType(amm.pool_type).name.lower(), **{name: getattr(amm, name) for name in fields}}


def table(venues: list[dict[str, Any]]) -> list[str]:
    """Lines for a person."""
    lines = []
    for venue in venues:
        age = "" if venue["age_ms"] is None else f", {venue['age_ms'] / 1000:.1f} s old"
        at = f"slot {venue['slot']} ({venue['commitment']})" if "slot" in venue else f"block {venue['block']}"
        state = f"not shown: {venue['lost']}" if venue["lost"] else f"{at}{age}"
        lines.append(
            f"{venue['venue']}  {state}  by {venue['endpoint'] or '-'}  compared {venue['reconciled']}, "
            f"different {venue['differences']}  prices {venue['prices']}"
        )
        lines.append(f"  {'symbol':<11} {'pool':<44} {'kind':<15} {'fee %':>7} {'price':>13} {'bid -0.5%':>13} "
                     f"{'ask +0.5%':>13}")  # fmt: skip
        for book in venue["books"]:
            touch = f"{_short(book['bids'])} / {_short(book['asks'])}" if book["valid"] else book["reason"]
            checked = f"  (requoted {book['requotes']}, off {book['off_ppm']} ppm, suppressed {book['suppressed']})"
            if "slot" in venue:
                checked = ""  # no program on Solana has a view that could be asked
            lines.append(f"  {book['symbol']:<11} {'all pools, gas included':<44} {touch}{checked}")
        for pool in venue["pools"]:
            start = f"  {pool['symbol']:<11} {pool['address']:<44} {pool['kind']:<15} "
            start += f"{trimmed_text(pool['fee_ppm'], PPM_A_PERCENT) if pool['fee_ppm'] else '?':>7} "
            if not pool["valid"]:
                lines.append(f"{start}{pool['reason']}")
                continue
            price = trimmed_text(pool["price_1e9"], PRICE_DECIMALS)[:13]
            depths = [trimmed_text(pool[key], SIZE_DECIMALS)[:13] for key in ("depth_bid_1e8", "depth_ask_1e8")]
            lines.append(f"{start}{price:>13} {depths[0]:>13} {depths[1]:>13}")
    return lines


def _short(levels: list[list[int]]) -> str:
    return trimmed_text(levels[0][0], MONEY_DECIMALS)[:_DIGITS] if levels else "-"
