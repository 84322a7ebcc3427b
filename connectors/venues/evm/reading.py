"""How a pool's contract is read and followed, whatever kind it is: the one door to the readers beside this file.

A reading is a generator: it yields the calls of one stage and is sent their answers, every stage at the same block.
Whoever drives it, a session over frames or a command over a socket, only carries bytes.

```
curve = yield from read(pool)      # a probed kind gives None: checked, and to be asked with probe.py
curve = apply(pool, curve, log)    # None: read it again
differs(pool, curve, answers)      # of scalars(pool), now and then: '' or what the logs did not tell
```
"""

from collections.abc import Callable
from typing import Final

from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Curve
from connectors.amm.stableswap import StableSwap
from connectors.chain import PROBED, PoolKind, PoolPlan
from connectors.errors import PoolRefused, WireError
from connectors.venues.evm import probed, stable, v2, v3
from connectors.venues.evm.abi import Answers, Call, Reading
from connectors.venues.evm.logs import Log

__all__ = ["apply", "concerns", "differs", "drifts", "extended", "read", "scalars", "source"]

_READERS: Final[dict[PoolKind, Callable[[PoolPlan], Reading[Curve]]]] = {
    PoolKind.UNISWAP_V2: v2.read,
    PoolKind.UNISWAP_V3: v3.read,
    PoolKind.CURVE_STABLE: stable.read,
    PoolKind.CURVE_STABLE_NG: stable.read,
}


def read(pool: PoolPlan) -> Reading[Curve | None]:
    """The pool's whole state at one block, checked against the plan; None for a kind that is probed.

    Raises PoolRefused where the contract is not what the plan says, answers what it should not, or has nothing in it.
    """
    try:
        if pool.kind in PROBED:
            yield from probed.read(pool)
            return None
        return (yield from _READERS[pool.kind](pool))
    except WireError as error:
        raise PoolRefused(str(error)) from error


def extended(pool: PoolPlan, curve: Curve) -> Reading[Curve]:
    """More of a V3 pool's ticks, read at the block that `curve` is of; after a quote said Beyond."""
    if not isinstance(curve, Concentrated):
        return curve
    try:
        return (yield from v3.extended(pool, curve))
    except WireError as error:
        raise PoolRefused(str(error)) from error


def scalars(pool: PoolPlan) -> list[Call]:
    """The cheap part of its state, for `differs`; of a probed pool there is none."""
    match pool.kind:
        case PoolKind.UNISWAP_V2:
            return v2.scalars(pool)
        case PoolKind.UNISWAP_V3:
            return v3.scalars(pool)
        case PoolKind.CURVE_STABLE | PoolKind.CURVE_STABLE_NG:
            return stable.scalars(pool)
        case _:
            return []


def differs(pool: PoolPlan, curve: Curve | None, answers: Answers) -> str:
    """What the answers to `scalars` say that `curve` does not; '' when all agrees. Raises PoolRefused like `read`."""
    try:
        match curve:
            case ConstantProduct():
                return v2.differs(curve, answers)
            case Concentrated():
                return v3.differs(curve, answers)
            case StableSwap():
                return stable.differs(pool, curve, answers)
            case _:
                return ""
    except WireError as error:
        raise PoolRefused(str(error)) from error


def drifts(pool: PoolPlan) -> bool:
    """Whether its state may change without any log of its own (rates, a ramping A, rebasing coins): then it is to be
    compared, or probed, at every head."""
    return pool.kind not in (PoolKind.UNISWAP_V2, PoolKind.UNISWAP_V3)


def source(pool: PoolPlan) -> str:
    """The contract whose logs tell of this pool: its own, but for Balancer, where the Vault tells of all pools."""
    return pool.quoter if pool.kind is PoolKind.BALANCER_V2 else pool.address


def concerns(pool: PoolPlan, log: Log) -> bool:
    """Whether a log is of this pool: by its contract, and at Balancer's Vault by the pool id in its second topic."""
    if log.address != source(pool).lower():
        return False
    return pool.kind is not PoolKind.BALANCER_V2 or log.topics[1:2] == (pool.pool_id.lower(),)


def apply(pool: PoolPlan, curve: Curve | None, log: Log) -> Curve | None:
    """The state after a log; one of another contract changes nothing. None: it must be read, or probed, again.

    Raises WireError for a log that cannot be explained; what is held is then no longer known to be true.
    """
    if not concerns(pool, log):
        return curve
    match curve:
        case ConstantProduct():
            return v2.apply(curve, log)
        case Concentrated():
            return v3.apply(curve, log)
        case _:
            return None
