"""`gateway pools`: every pool as the session sees it, as rows of plain values and as a table.

Prices and sizes are in the guests' scales: ×1e9 and ×1e8. Depth is what can be traded within half a percent of the
pool's marginal price.
"""

from typing import Any, Final

import msgspec

from connectors.amm.ladder import Pair, depth_to, depth_within
from connectors.pool import PoolAmm, PoolId, PoolType, Protocol
from connectors.units import MONEY_DECIMALS, PRICE_DECIMALS, SIZE_DECIMALS, trimmed_text
from connectors.venues.evm.report import PoolReport, Report, report
from connectors.venues.evm.session import ChainSession
from runtime.session import Session

DEPTH_BPS: Final = 50
PPM_A_PERCENT: Final = 4  # decimals
_DIGITS: Final = 10  # of a price or size in the table


def rows(session: Session, now_ns: int) -> list[dict[str, Any]]:
    """One per venue on a chain: its block, its checks, its own books, its pools with meta and levels."""
    made = []
    for port in session.engine.ports.values():
        if isinstance(port.session, ChainSession):
            found = report(port.session)
            made.append(
                {
                    "venue": port.name,
                    "chain_id": port.session.plan.chain_id,
                    "prices": "gross" if port.session.plan.is_gross else "net",
                    "block": found.head.number if found.head is not None else 0,
                    "block_hash": found.head.hash if found.head is not None else "",
                    "age_ms": max(now_ns - found.head.time_s * 10**9, 0) // 10**6 if found.head is not None else None,
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
    """Whether every pool is shown or has a reason not to be, and the price of gas is known."""
    for port in session.engine.ports.values():
        if not isinstance(port.session, ChainSession):
            continue
        pools = report(port.session).pools
        if not all(session.engine.books[index].valid or pools[index].reason for index in port.pools):
            return False
        if port.session.display.gas.cost_1e9(0) is None:
            return False
    return True


def _levels(session: Session, index: int) -> dict[str, Any]:
    book = session.engine.books[index]
    return {"valid": book.valid, "reason": book.reason, "bids": [list(level) for level in book.bids[:20]],
            "asks": [list(level) for level in book.asks[:20]]}  # fmt: skip


def _chain_book(session: Session, index: int, found: Report) -> dict[str, Any]:
    symbol = session.engine.names[index].partition(":")[2]
    check = found.checks.get(symbol)
    return {
        "symbol": symbol,
        "emissions": check.emissions if check else 0,
        "requotes": check.requotes if check else 0,
        "suppressed": check.suppressions if check else 0,
        "off_ppm": check.worst_ppm if check else 0,
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
        "fee_bps": known.fee_bps,
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
        state = f"not shown: {venue['lost']}" if venue["lost"] else f"block {venue['block']}{age}"
        lines.append(
            f"{venue['venue']}  {state}  by {venue['endpoint'] or '-'}  compared {venue['reconciled']}, "
            f"different {venue['differences']}  prices {venue['prices']}"
        )
        lines.append(f"  {'symbol':<10} {'pool':<42} {'kind':<15} {'fee %':>7} {'price':>13} {'bid -0.5%':>13} "
                     f"{'ask +0.5%':>13}")  # fmt: skip
        for book in venue["books"]:
            touch = f"{_short(book['bids'])} / {_short(book['asks'])}" if book["valid"] else book["reason"]
            checked = f"requoted {book['requotes']}, off {book['off_ppm']} ppm, suppressed {book['suppressed']}"
            lines.append(f"  {book['symbol']:<10} {'all pools, gas included':<42} {touch}  ({checked})")
        for pool in venue["pools"]:
            start = f"  {pool['symbol']:<10} {pool['address']:<42} {pool['kind']:<15} "
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
