"""A model of the user's fills predictions; a bad one is dropped, told, and holds nothing up."""

from collections.abc import Callable

import pytest

from connectors.book import L2Book
from connectors.errors import ConfigError
from connectors.venues.kraken import VENUE
from runtime.config import paper_limits
from runtime.deploy import predictors_of
from runtime.engine import Engine
from runtime.features import Prediction, Predictor
from runtime.port import VenueSpec
from runtime.spec import AlgoSpec, EngineSpec
from tests.support.puppet import Puppet
from tests.support.virtual import World

UP = Prediction(
    pred_dir_up_1e4=7000, pred_dir_flat_1e4=2000, pred_dir_down_1e4=1000, pred_stress_normal_1e4=9000,
    pred_stress_widening_1e4=900, pred_stress_crisis_1e4=100, pred_toxic_1e4=5, fill_prob_bid_1e4=1234,
    fill_prob_ask_1e4=4321, queue_decay_rate_1e4=77,
)  # fmt: skip


def always_up(name: str) -> Predictor:
    assert name == "kraken:BTC/USD"
    return lambda *_: UP


def fails_later(name: str) -> Predictor:
    calls = [0]

    def model(features: memoryview, book: L2Book, now_ns: int) -> Prediction | None:
        calls[0] += 1
        assert features.readonly
        assert book.valid
        assert now_ns
        if calls[0] == 5:
            raise RuntimeError(name)
        return UP if calls[0] == 1 else None

    return model


def world_with(make: Callable[[str], Predictor] | None) -> tuple[Puppet, World]:
    guest = Puppet("on_book")
    world = World(algos=[AlgoSpec("a", guest, ("BTC/USD",))])
    world.engine = Engine(
        EngineSpec(
            venues=(VenueSpec(venue=VENUE, depth=10),), symbols=("BTC/USD",), limits=paper_limits(),
            algos=(AlgoSpec("a", guest, ("BTC/USD",)),), predictors=make,
        )
    )  # fmt: skip
    return guest, world


def words(features: bytes) -> list[int]:
    """pred_dir_up … pred_toxic, prediction_age_ms, fill_prob_bid, fill_prob_ask, queue_decay_rate."""
    return [int.from_bytes(features[at : at + 2], "little") for at in range(88, 110, 2)]


def test_predictions_reach_the_guest_with_the_book_they_are_of() -> None:
    guest, world = world_with(always_up)
    world.run(2)
    assert guest.count("on_book") > 20
    for _, records in guest.heard:
        assert words(records[2]) == [7000, 2000, 1000, 9000, 900, 100, 5, 0, 1234, 4321, 77]


def test_without_a_model_there_is_none_and_its_age_says_so() -> None:
    guest, world = world_with(None)
    world.run(1)
    assert words(guest.heard[-1][1][2]) == [0] * 7 + [65535, 0, 0, 0]


def test_a_model_that_raises_is_told_once_and_asked_no_more_and_its_word_grows_old() -> None:
    guest, world = world_with(fails_later)
    world.run(3)
    (text,) = world.said("predictor of kraken:BTC/USD raised RuntimeError")
    assert "it is not asked again" in text
    ages = [words(records[2])[7] for _, records in guest.heard]
    assert ages[0] == 0
    assert ages == sorted(ages)
    assert 2000 < ages[-1] <= 3000


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize("error", [SystemExit(3), UnprintableError(), KeyboardInterrupt(), MemoryError()])
def test_nothing_a_model_raises_leaves_the_turn(error: BaseException) -> None:
    def make(_: str) -> Predictor:
        def model(*_: object) -> Prediction | None:
            raise error

        return model  # type: ignore[return-value]

    guest, world = world_with(make)
    world.run(1)
    assert world.said(f"predictor of kraken:BTC/USD raised {type(error).__name__}")
    assert guest.count("on_book") > 10


def test_a_function_that_makes_no_model_is_one_clear_error() -> None:
    for make, said in ((lambda _: 5, "made int of"), (lambda name: name / 2, "made no model")):
        with pytest.raises(ConfigError, match=said):
            world_with(make)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["no_such_package:x", "tests.runtime.test_models:nothing", "tests.runtime.test_models:UP", "x"]
)
def test_a_model_that_cannot_be_loaded_is_one_clear_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"features\.predictor"):
        predictors_of(text, "gateway.toml")


def test_a_model_is_found_by_its_name() -> None:
    assert predictors_of("", "x") is None
    make = predictors_of("tests.runtime.test_models:always_up", "x")
    assert make is not None
    assert make.__name__ == "always_up"
