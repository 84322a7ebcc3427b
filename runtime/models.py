"""Models of the user's that fill predictions: asked after each book, forgiven nothing, trusted with nothing."""

from collections.abc import Callable, Sequence

from connectors.book import L2Book
from connectors.events import Notice
from runtime.features import Features, Predictor


class Models:
    """One model a market, made by `make(name)`; none without it."""

    def __init__(self, make: Callable[[str], Predictor] | None, names: Sequence[str]) -> None:
        self._names = names
        self._models: list[Predictor | None] = [make(name) if make is not None else None for name in names]
        self.is_empty = make is None

    def ask(self, market: int, features: Features, book: L2Book, now_ns: int) -> Notice | None:
        """Lets the market's model look at features and book. What it raises costs it its place, not the turn."""
        model = self._models[market]
        if model is None:
            return None
        try:
            prediction = model(memoryview(features.buffer).toreadonly(), book, now_ns)
            if prediction is not None:
                features.predict(prediction, now_ns)
        except Exception as error:  # noqa: BLE001 - whatever the user's code does, the turn goes on
            self._models[market] = None
            problem = f"predictor of {self._names[market]} raised {type(error).__name__}: {error}"
            return Notice("error", f"{problem}; it is not asked again")
        return None
