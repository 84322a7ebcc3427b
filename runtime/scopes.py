"""The scopes of one session by their names, and which open orders lie in each."""

from connectors.errors import ConfigError
from risk.exposure import LiveOrder
from risk.states import ALL
from runtime.engine import Engine


class Scopes:
    """Every scope of a session. `names` never change: any thread may ask."""

    def __init__(self, engine: Engine) -> None:
        self._gate = engine.gate
        self._algos = [algo.name for algo in engine.algos]
        self._markets = list(engine.names)
        self._symbols = [market.symbol for market in engine.gate.markets]
        venues = dict.fromkeys(engine.ports)
        instruments = dict.fromkeys([*self._markets, *filter(None, self._symbols)])
        kinds = {"venue": venues, "instrument": instruments, "algo": dict.fromkeys(self._algos)}
        self.names = [ALL, *(f"{kind}:{name}" for kind, names in kinds.items() for name in names)]

    def known(self, scope: str) -> str:
        """The scope by its name, "" being all. Raises ConfigError for one that this session has not."""
        if (scope or ALL) in self.names:
            return scope or ALL
        shown = ", ".join(self.names[:24]) + (" …" if len(self.names) > 24 else "")
        raise ConfigError(f"there is no scope {scope!r:.80}", place="scope", mend=f"name one of {shown}")

    def open(self, scope: str) -> list[LiveOrder]:
        """Every order of this scope that is not known to be finished. On the main thread only."""
        live_orders = self._gate.account.live
        return [live for live in live_orders.values() if not live.is_over and self._lies_in(live, scope)]

    def _lies_in(self, live: LiveOrder, scope: str) -> bool:
        kind, _, name = scope.partition(":")
        market = self._markets[live.instrument]
        if kind == "algo":
            return self._algos[live.algo] == name
        if kind == "venue":
            return market.partition(":")[0] == name
        return kind == ALL or name in (market, self._symbols[live.instrument])
