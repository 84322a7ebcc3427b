"""Several endpoints, one chain: who is believed.

Only endpoints with a recent head have a voice, and only what two of them have both said counts: the same hash at the
newest height that both have settled is agreement, another hash contradiction, and so are heads far apart; an endpoint
that has said nothing comparable is with nobody. The one that is followed needs at least as many with it, itself
counted, as there are against it that agree among themselves; the smaller side is not trusted until it connects anew.
With as many against as with it nobody can tell who lies: nothing is shown until they agree again.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.chain import ChainPlan
from connectors.onchain.asker import SECOND
from connectors.venues.evm.endpoint import Endpoint
from connectors.venues.evm.rpc import Head

SETTLED: Final = 2  # blocks below the lower head: nearer to it honest nodes may differ for a moment …
QUIET_NS: Final = 2 * SECOND  # … but not for so long
APART_MIN: Final = 5


class Verdict(msgspec.Struct, frozen=True):
    """`dispute`: why nothing may be shown. `wrong`: endpoints that are outvoted. `agreed`: others that say the same."""

    dispute: str = ""
    wrong: tuple[Endpoint, ...] = ()
    agreed: int = 0


def judge(endpoints: Sequence[Endpoint], followed: Endpoint, plan: ChainPlan, now_ns: int) -> Verdict:
    """What the endpoints' heads say of the one that is followed."""
    voices = [one for one in endpoints if one.is_usable and one.head and now_ns - one.head_ns <= plan.stale_after_ns]
    if followed not in voices:
        return Verdict()
    apart = max(APART_MIN, plan.stale_after_ns // max(plan.block_time_ns, 1))
    said = {one: _difference(followed, one, apart, now_ns) for one in voices if one is not followed}
    agreed = [one for one, text in said.items() if text == ""]
    against = {one: text for one, text in said.items() if text}
    if not against:
        return Verdict(agreed=len(agreed))
    united = max(
        sum(other is one or _difference(one, other, apart, now_ns) == "" for other in against) for one in against
    )
    if len(agreed) + 1 > united:
        return Verdict(wrong=tuple(against), agreed=len(agreed))
    if len(agreed) + 1 < united:
        return Verdict(wrong=(followed, *agreed))
    return Verdict(dispute=f"endpoints disagree: {'; '.join(against.values())}", agreed=len(agreed))


def agreeing(endpoints: Sequence[Endpoint], head: Head, followed: Endpoint) -> int:
    """How many endpoints have this block on their chain; of the followed one, that it has not left it."""
    found = 0
    for one in endpoints:
        known = one.heads.get(head.number)
        if one is followed:  # blocks that were fetched to fill a gap were never told as heads
            found += one.head is not None and head.number <= one.head.number and known in (None, head.hash)
        else:
            found += one.is_usable and known == head.hash
    return found


def _difference(one: Endpoint, other: Endpoint, apart: int, now_ns: int) -> str | None:
    """'' if they say the same, what they say differently, or None: nothing that can be compared."""
    head, against = one.head, other.head
    if head is None or against is None:
        return None
    if abs(head.number - against.number) > apart:
        return f"{one.link} is at block {head.number}, {other.link} at {against.number}"
    is_quiet = now_ns - max(one.head_ns, other.head_ns) > QUIET_NS
    settled = min(head.number, against.number) - (0 if is_quiet else SETTLED)
    height = max((number for number in one.heads.keys() & other.heads.keys() if number <= settled), default=None)
    if height is None:
        return None
    mine, theirs = one.heads[height], other.heads[height]
    text = f"block {height} is {mine[:10]}… to {one.link} and {theirs[:10]}… to {other.link}"
    return "" if mine == theirs else text
