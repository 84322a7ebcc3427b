"""A key of which the venue does not say whether it may withdraw is not used."""

from __future__ import annotations

from connectors.session import Stop
from tests.support import bybit_account as bybit
from tests.support.okx_frames import of


def test_bybit_that_does_not_speak_of_the_wallet_is_asked_again() -> None:
    desk = bybit.Desk()
    out = desk.start(key={"readOnly": 0, "permissions": {"Spot": ["SpotTrade"]}, "uta": 1})
    assert not of(Stop, out)
    assert "not known" in desk.ready[-1]
    desk.wait(11)
    assert any(path.endswith("/v5/user/query-api") for path, _ in desk.rest.values())
