"""Models of the user's that fill predictions: asked after each book, forgiven nothing, trusted with nothing."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from connectors.book import L2Book
from connectors.errors import ConfigError
from connectors.events import Notice
from runtime.features import Features, Prediction, Predictor


class Models:
    """One model a market, made by `make(name)`; none without it."""

    def __init__(self, make: Callable[[str], Predictor] | None, names: Sequence[str]) -> None:
        self._names = names
        self._models: list[Predictor | None] = [_made(make, name) if make is not None else None for name in names]
        self.is_empty = make is None

    def ask(self, market: int, features: Features, book: L2Book, now_ns: int) -> Notice | None:
        """Lets the market's model look at features and book. What it raises costs it its place, not the turn."""
        model = self._models[market]
        if model is None:
            return None
        try:
            prediction = model(memoryview(features.buffer).toreadonly(), book, now_ns)
            if isinstance(prediction, Prediction):
                features.predict(prediction, now_ns)
            elif prediction is not None:
                raise TypeError(f"answered {type(prediction).__name__}, not a Prediction or None")  # noqa: TRY301 - told below
        except BaseException as error:  # noqa: BLE001 - whatever the user's code does, the turn goes on
            self._models[market] = None
            problem = f"predictor of {self._names[market]} raised {_said(error)}"
            return Notice("error", f"{problem}; it is not asked again")
        return None


def _made(make: Callable[[str], Predictor], name: str) -> Predictor:
    try:
        model: Any = make(name)
    except BaseException as error:  # noqa: BLE001 - the user's code: whatever it raises is told
        problem = f"made no model of {name}: {_said(error)}"
        raise ConfigError(problem, place="features.predictor", mend="name a function of a market's name") from None
    if not callable(model):
        problem = f"made {type(model).__name__} of {name}, which cannot be asked"
        raise ConfigError(problem, place="features.predictor", mend="return a function of features, book and time")
    return cast(Predictor, model)


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an exception that cannot even be printed
        return type(error).__name__
