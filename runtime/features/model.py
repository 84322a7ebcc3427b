"""The hook by which a user's model fills the predictions and fill probabilities of `OnlineFeatures`.

A model is a callable that the engine asks after every valid book (docs/features.md). It runs inside the turn: for a
tape to replay to the same hash, it must be a function of what it has been given so far, without clock or randomness.
"""

from typing import Final, Protocol

import msgspec

from connectors.book import L2Book
from connectors.errors import ConfigError

PROBABILITY_MAX: Final = 10_000


class Prediction(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One answer of a model: ten integers of 0 … 10000, in the order of the guest's record.

    Raises ConfigError for anything else. That the three directions, or the three states of stress, add up to 10000 is
    the model's business.
    """

    pred_dir_up_1e4: int = 0
    pred_dir_flat_1e4: int = 0
    pred_dir_down_1e4: int = 0
    pred_stress_normal_1e4: int = 0
    pred_stress_widening_1e4: int = 0
    pred_stress_crisis_1e4: int = 0
    pred_toxic_1e4: int = 0
    fill_prob_bid_1e4: int = 0
    fill_prob_ask_1e4: int = 0
    queue_decay_rate_1e4: int = 0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= PROBABILITY_MAX:
                raise ConfigError(
                    f"{name} is {value!r}",
                    place="predictor",
                    mend=f"give a whole number of 0 … {PROBABILITY_MAX}: 10000 is certain",
                )


class Predictor(Protocol):
    """A model, as `predictor = "package.module:callable"` names it.

    `features`: the 256 bytes of `OnlineFeatures` as just computed, read-only; its own last answer is in them. `book`:
    the book they were computed from, to be read only. None leaves the last prediction standing, and ageing.
    """

    def __call__(self, features: memoryview, book: L2Book, now_ns: int) -> Prediction | None: ...
