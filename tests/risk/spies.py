"""Every attribute that the gate reads while it judges, found by looking; and each of them spoiled, one at a time.

An object is watched by giving it a subclass of its own class whose `__getattribute__` tells us and may answer
otherwise, so that methods on it are watched as well. Records of msgspec, whose class cannot be changed, are wrapped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from connectors.book import L2Book
from risk.bounds import Bounds, Deployment
from risk.case import Case
from risk.exposure import Account, Exposure, Mark
from risk.funds import Purse
from risk.gate import Gate
from risk.ledger import Ledger, Stock
from risk.market import Link, Market
from risk.states import States
from risk.windows import MidRange, Recent, Window

WATCHED = (Account, Bounds, Case, Deployment, Exposure, L2Book, Ledger, Link, Mark, Market, MidRange, Purse, Recent,
           States, Stock, Window)  # fmt: skip
Input = tuple[str, str]  # class, attribute


class Sour:
    """Raises for whatever is done with it: a comparison that raises, a sum, a look-up, a question of truth."""

    def _no(self, *_: object) -> Any:
        raise RuntimeError("sour")

    __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __len__ = __iter__ = __getitem__ = _no
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __floordiv__ = __mod__ = __rmod__ = __neg__ = _no
    __rshift__ = __rrshift__ = __and__ = __rand__ = __or__ = __ror__ = __rfloordiv__ = __contains__ = __abs__ = _no
    __hash__ = None  # type: ignore[assignment]


def _gone() -> Any:
    raise AttributeError("it is not there")


def _raising() -> Any:
    raise RuntimeError("it raises")


BAD: dict[str, Callable[[], Any]] = {
    "missing": _gone, "raises": _raising, "None": lambda: None, "nan": lambda: math.nan, "inf": lambda: math.inf,
    "-inf": lambda: -math.inf, "negative": lambda: -1, "sour": Sour,
}  # fmt: skip


class Spy:
    """What is read while `on`; `bad[input]` is answered instead of what stands there, whole or `within` it."""

    def __init__(self) -> None:
        self.on = False
        self.read: dict[Input, Any] = {}
        self.bad: dict[Input, Callable[[], Any]] = {}
        self.within = False
        self._classes: dict[type, type] = {}

    def answer(self, key: Input, get: Callable[[], Any]) -> Any:
        if not self.on:
            return get()
        value = get()
        if callable(value):
            return value
        self.read.setdefault(key, value)
        if key not in self.bad:
            return value
        return _within(value, self.bad[key]) if self.within else self.bad[key]()

    def watch(self, one: Any) -> Any:
        """Watches this object from now on; what cannot change its class is wrapped, and the wrap is returned."""
        kind: Any = type(one)
        spy = self
        if isinstance(one, msgspec.Struct):
            return Wrapped(one, self)
        if kind not in self._classes:

            def read(this: Any, name: str) -> Any:
                if name.startswith("__"):
                    return kind.__getattribute__(this, name)
                return spy.answer((kind.__name__, name), lambda: kind.__getattribute__(this, name))

            self._classes[kind] = type(kind.__name__, (kind,), {"__slots__": (), "__getattribute__": read})
        if kind not in self._classes.values():
            one.__class__ = self._classes[kind]
        return one

    def watch_all(self, gate: Gate) -> None:
        """Everything that a judgement of this gate can look at."""
        for market in gate.markets:
            if isinstance(market.instrument, msgspec.Struct):
                market.instrument = self.watch(market.instrument)
            self.watch(market.link)
            self.watch(market.book)
            self.watch(market)
        for name, live in list(gate.account.live.items()):
            gate.account.live[name] = self.watch(live)
        for row in (gate.account.exposures, *gate.account.owns):
            for exposure in row:
                for part in (*exposure.stocks, *exposure.ledgers, exposure.mark, exposure):
                    self.watch(part)
        for algo in range(len(gate.deployments)):
            for index in gate.deployments[algo].markets:
                bounds = gate.book.bounds(algo, index)
                for part in (*bounds.orders, bounds):
                    self.watch(part)
        for whole in (gate.account, gate.states, *gate.purses.values(), *gate.ranges, gate.equals, *gate.deployments):
            self.watch(whole)
        self.watch(gate._case)
        judge = gate._run

        def run(*given: Any) -> Any:
            with self.looking():
                return judge(*given)

        gate._run = run  # type: ignore[method-assign, assignment]

    @contextmanager
    def looking(self) -> Iterator[None]:
        self.on = True
        try:
            yield
        finally:
            self.on = False


class Wrapped:
    """A record whose fields are watched."""

    def __init__(self, one: Any, spy: Spy) -> None:
        object.__setattr__(self, "_one", one)
        object.__setattr__(self, "_spy", spy)

    def __getattr__(self, name: str) -> Any:
        one, spy = object.__getattribute__(self, "_one"), object.__getattribute__(self, "_spy")
        return spy.answer((type(one).__name__, name), lambda: getattr(one, name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(object.__getattribute__(self, "_one"), name, value)


def _within(value: Any, bad: Callable[[], Any]) -> Any:
    """The same container, with every number in it spoiled."""
    if isinstance(value, dict):
        return {key: _within(one, bad) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_within(one, bad) for one in value)
    return bad() if isinstance(value, int) and not isinstance(value, bool) else value


def has_numbers(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_numbers(one) for one in value.values())
    if isinstance(value, list | tuple):
        return any(isinstance(one, int) or has_numbers(one) for one in value)
    return isinstance(value, int) and not isinstance(value, bool)
