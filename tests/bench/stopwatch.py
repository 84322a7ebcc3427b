"""Where the time of a path goes: stopwatches laid on single methods of the objects that it runs through."""

import time
from collections.abc import Callable
from typing import Any


class Stopwatch:
    """`spent`: seconds by name since `take`, each without what was spent under another name within. One thread's."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.spent: dict[str, float] = {}
        self._clock = clock
        self._within: list[float] = []

    def on(self, owner: Any, method: str, name: str) -> None:
        """Every call of `owner.method` counts under `name` from now on."""
        timed = self.timed(getattr(owner, method), name)
        if hasattr(owner, "__dict__"):
            setattr(owner, method, timed)
        else:  # slots: the object becomes one of a class of its own
            owner.__class__ = type("Timed", (type(owner),), {"__slots__": (), method: staticmethod(timed)})

    def timed(self, inner: Callable[..., Any], name: str) -> Callable[..., Any]:
        """The same function, counted."""
        clock, within, spent = self._clock, self._within, self.spent
        spent.setdefault(name, 0.0)

        def outer(*given: Any, **named: Any) -> Any:
            within.append(0.0)
            begin = clock()
            try:
                return inner(*given, **named)
            finally:
                took = clock() - begin
                spent[name] += took - within.pop()
                if within:
                    within[-1] += took

        return outer

    def take(self) -> dict[str, float]:
        """What was spent, and from zero again."""
        found = dict(self.spent)
        for name in found:
            self.spent[name] = 0.0
        return found
