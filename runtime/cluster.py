"""Which cluster of Solana an endpoint is of, and whether it is of today: what a person must know of an answer.

A command that asks once has nobody to compare with, and its answer may be wanted of a cluster of one's own: so this is
told, not refused.
"""

import time
from datetime import UTC, datetime
from typing import Final

FAR_S: Final = 60  # finalized is some 13 s behind, and clusters' clocks are some seconds off
_NEVER: Final = 253_402_300_800  # seconds of the year 10000, which no calendar here has


def now_s() -> int:
    """Our own clock, in seconds since 1970."""
    return time.time_ns() // 10**9


def doubts(genesis: str, wanted: str, clock_s: int, ours_s: int) -> list[str]:
    """Why an answer may not be what was meant, in words; empty when genesis and time are as they should be.

    `wanted`: the genesis hash that is believed in. `clock_s`: the chain's clock, `ours_s`: our own, both in seconds.
    """
    found = []
    if genesis != wanted:
        found.append(f"the endpoint is of the cluster with genesis {genesis}, not of {wanted}: it is another chain")
    off_s = clock_s - ours_s
    if abs(off_s) > FAR_S:
        side = "ahead of" if off_s > 0 else "behind"
        when = f"{_said(clock_s)}, {abs(off_s)} s {side} ours"
        found.append(f"the chain's clock says {when}: it is not the market of now")
    return found


def _said(seconds: int) -> str:
    if not 0 <= seconds < _NEVER:
        return f"{seconds} s after 1970"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
