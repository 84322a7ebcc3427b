"""An order that was told as refused, or as never there, and of which the venue's stream says that it lives: somebody
was wrong, and a look finds out who. Silence would leave an order at the venue that counts nowhere."""

from __future__ import annotations

import pytest

from connectors.events import ExecType, Notice
from connectors.exchange.told import Kind
from tests.connectors.test_exchange_trading import cancel, doubts, kinds
from tests.support.trading_tiny import NAME, SECOND, WORDS, Tiny


@pytest.mark.parametrize("kind", [Kind.NEW, Kind.STATE])
@pytest.mark.parametrize("is_refused", [True, False])
def test_a_refused_order_that_lives_is_looked_for(kind: Kind, is_refused: bool) -> None:
    tiny = Tiny()
    tiny.sends()
    if is_refused:
        assert kinds(tiny.requests.refused(tiny.request(), "1: no funds", WORDS["1"], SECOND)) == [ExecType.REJECTED]
    else:
        tiny.over(NAME)  # the lists of the account did not have it
    out = tiny.fold(2 * SECOND, kind=kind)
    assert kinds(out) == [], "an end is taken back by nothing but the account's own record"
    assert len(doubts(out)) == 1
    assert [one.level for one in out if isinstance(one, Notice)] == ["error"]
    assert doubts(tiny.fold(3 * SECOND, kind=kind)) == [], "once is enough"


def test_the_first_word_of_an_order_that_ended_is_no_news() -> None:
    """It was there, and streams may come in any order."""
    tiny = Tiny()
    tiny.sends()
    tiny.fold(SECOND, kind=Kind.NEW)
    cancel(tiny, SECOND)
    assert kinds(tiny.fold(2 * SECOND, kind=Kind.CANCELED)) == [ExecType.CANCELED]
    assert tiny.fold(3 * SECOND, kind=Kind.STATE) == []
