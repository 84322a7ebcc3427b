"""The corpus: each module written by hand to break one thing is refused, or disabled at the callback it breaks."""

import pytest

from connectors.errors import ModuleError
from runtime.vet import vet
from tests.hostile.corpus import CASES, Case
from tests.hostile.refused import REFUSED, Refused
from tests.hostile.runner import outcomes

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_it_is_refused_in_words(case: Refused) -> None:
    """By our reader, or by the child: the author is told what, where and what to do."""
    with pytest.raises(ModuleError) as caught:
        vet(case.wasm, name="bad.wasm")
    assert case.said in caught.value.problem
    assert caught.value.place == "bad.wasm"
    assert caught.value.mend
    assert "Traceback" not in str(caught.value)


@pytest.fixture(scope="module")
def became() -> dict[str, str]:
    """What became of each case in one child process, by name."""
    answers = outcomes([case.wasm for case in CASES])
    return {case.name: answer for case, answer in zip(CASES, answers, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_loads_and_is_stopped_where_it_breaks(case: Case, became: dict[str, str]) -> None:
    """Vetting calls no callback, so it lets these through; the host stops each at its own fault, and only there."""
    assert vet(case.wasm, name="bad.wasm").callbacks
    assert became[case.name].startswith(case.expected), became[case.name]
    assert case.expected != "runs" or became[case.name] == "runs"


def test_the_corpus_covers_what_it_says() -> None:
    """Names are unique, and each kind of fault and each callback is there."""
    names = [case.name for case in CASES] + [case.name for case in REFUSED]
    assert len(names) == len(set(names)) > 150
    kinds = {case.expected.split(": ")[1] for case in CASES if ": " in case.expected}
    assert kinds == {"fuel", "trap", "pointer", "alignment", "count", "message"}
    assert {case.expected.partition(":")[0] for case in CASES} == {
        "on_book", "on_nbbo", "on_message", "on_heartbeat", "on_fill", "on_reject", "on_shutdown", "runs",
    }  # fmt: skip
