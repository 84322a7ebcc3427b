"""Several endpoints, one chain: who is believed.

Only endpoints with a recent head have a voice. Two agree when they name the same hash at the deepest height that both
have settled, and their heads are not far apart. The one that is followed needs at least as many with it as against it,
itself counted; the smaller side is not trusted until it connects anew. With as many against as with it nobody can tell
who lies: nothing is shown until they agree again.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.chain import ChainPlan
from connectors.venues.evm.endpoint import SECOND, Endpoint
from connectors.venues.evm.rpc import Head

SETTLED: Final = 2  # blocks below the lower head: nearer to it honest nodes may differ for a moment …
QUIET_NS: Final = 2 * SECOND  # … but not for so long
APART_MIN: Final = 5


class Verdict(msgspec.Struct, frozen=True):
    """`dispute`: why nothing may be shown. `wrong`: endpoints that are outvoted."""

    dispute: str = ""
    wrong: tuple[Endpoint, ...] = ()


def judge(endpoints: Sequence[Endpoint], followed: Endpoint, plan: ChainPlan, now_ns: int) -> Verdict:
    """What the endpoints' heads say of the one that is followed."""
    voices = [one for one in endpoints if one.is_usable and one.head and now_ns - one.head_ns <= plan.stale_after_ns]
    if followed not in voices or len(voices) == 1:
        return Verdict()
    apart = max(APART_MIN, plan.stale_after_ns // max(plan.block_time_ns, 1))
    against = {
        one: text for one in voices if one is not followed and (text := _difference(followed, one, apart, now_ns))
    }
    if not against:
        return Verdict()
    with_it = [one for one in voices if one not in against]
    if len(with_it) > len(against):
        return Verdict(wrong=tuple(against))
    if len(with_it) < len(against):
        return Verdict(wrong=tuple(with_it))
    return Verdict(dispute=f"endpoints disagree: {'; '.join(against.values())}")


def agreeing(endpoints: Sequence[Endpoint], head: Head, followed: Endpoint) -> int:
    """How many endpoints have this block on their chain, the followed one counted."""
    return sum(one is followed or (one.is_usable and one.heads.get(head.number) == head.hash) for one in endpoints)


def _difference(one: Endpoint, other: Endpoint, apart: int, now_ns: int) -> str:
    head, against = one.head, other.head
    if head is None or against is None:
        return ""
    if abs(head.number - against.number) > apart:
        return f"{one.link} is at block {head.number}, {other.link} at {against.number}"
    is_quiet = now_ns - max(one.head_ns, other.head_ns) > QUIET_NS
    height = min(head.number, against.number) - (0 if is_quiet else SETTLED)
    mine, theirs = one.heads.get(height), other.heads.get(height)
    if mine is not None and theirs is not None and mine != theirs:
        return f"block {height} is {mine[:10]}… to {one.link} and {theirs[:10]}… to {other.link}"
    return ""
