"""What decides an engine's outputs besides its inputs; a tape's header holds the same, in plain values."""

from collections.abc import Callable, Mapping

import msgspec

from risk.limits import Limits, LimitTree
from runtime.features import Predictor
from runtime.guest import Guest
from runtime.memory import SessionMemory
from runtime.port import VenueSpec
from runtime.regions import Param
from runtime.sim.paper import Fees


class AlgoSpec(msgspec.Struct, frozen=True):
    """One deployment: a loaded guest and the symbols it is given, the first being its primary.

    `venues`: where it sees and trades them, its own first; by default all, in the session's order. `params`: what its
    ConfigRegion starts with. `label`: its name in the mesh of all labelled instances. `restarts`: how often it may be
    restarted after a fault.
    """

    name: str
    guest: Guest
    symbols: tuple[str, ...]
    venues: tuple[str, ...] = ()
    params: tuple[Param, ...] = ()
    label: str = ""
    restarts: int = 0


class EngineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One session. Each venue follows all `symbols`.

    `tag` begins every client order id. `is_paper`: orders go to the paper venues, all of them; otherwise over the
    wire, but for venues `on_paper`. `is_sim`: the venues live in this process and die with it. `predictors(market)`
    makes the model of one market (`features.Predictor`); None: predictions stay empty. `balances`: on paper, venue →
    currency → what is there ×1e8; a venue that is not named keeps none. `memory`: what the session before left.
    """

    venues: tuple[VenueSpec, ...]
    symbols: tuple[str, ...]
    limits: Limits | LimitTree
    algos: tuple[AlgoSpec, ...]
    fees: Fees = Fees()
    tag: str = "vg"
    is_paper: bool = True
    is_sim: bool = False
    predictors: Callable[[str], Predictor] | None = None
    balances: Mapping[str, Mapping[str, int]] = {}
    memory: SessionMemory | None = None
