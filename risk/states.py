"""The kill switch's states: what is let through, scope by scope. Only a person makes a scope more permissive.

A scope is `all`, `venue:NAME`, `instrument:NAME` (a market's name or a symbol's), `algo:NAME`. An order lies in
several, and the strictest of their states holds. A scope that is not listed is ACTIVE.
"""

from enum import StrEnum

import msgspec

ALL = "all"


class TradingState(StrEnum):
    """What is let through: everything, only what reduces, nothing new."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


_RANK = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}


class Cause(msgspec.Struct, frozen=True, array_like=True):
    """Why a scope is not ACTIVE: `what` (kill, daily loss, refusal storm …), by `who`, since when."""

    state: TradingState
    what: str
    who: str
    since_ns: int


class States:
    """The states of all scopes. `is_quiet`: all are ACTIVE, so nobody needs to look."""

    __slots__ = ("_causes", "is_quiet")

    def __init__(self) -> None:
        self._causes: dict[str, Cause] = {}
        self.is_quiet = True

    def get(self, scope: str) -> TradingState:
        cause = self._causes.get(scope)
        return TradingState.ACTIVE if cause is None else cause.state

    def cause(self, scope: str) -> Cause | None:
        return self._causes.get(scope)

    def strictest(self, scopes: tuple[str, ...]) -> tuple[TradingState, str]:
        """Of these scopes the strictest state, and the first of them that has it."""
        state, found = TradingState.ACTIVE, ""
        for scope in scopes:
            cause = self._causes.get(scope)
            if cause is not None and _RANK[cause.state] > _RANK[state]:
                state, found = cause.state, scope
        return state, found

    def tighten(self, scope: str, state: TradingState, what: str, who: str, now_ns: int) -> bool:
        """Makes a scope stricter; one that is as strict already keeps its cause. True when it changed."""
        if _RANK[state] <= _RANK[self.get(scope)]:
            return False
        self._causes[scope] = Cause(state, what, who, now_ns)
        self.is_quiet = False
        return True

    def arm(self, scope: str) -> list[str]:
        """A person makes this scope ACTIVE, with `all` every one; which ones were not."""
        gone = list(self._causes) if scope == ALL else [scope] if scope in self._causes else []
        for one in gone:
            del self._causes[one]
        self.is_quiet = not self._causes
        return gone

    def restore(self, causes: dict[str, Cause]) -> None:
        """As remembered."""
        self._causes = dict(causes)
        self.is_quiet = not causes

    @property
    def causes(self) -> dict[str, Cause]:
        """Every scope that is not ACTIVE."""
        return dict(self._causes)
