"""A witness that is not there is a reason to skip at home and a failure in CI: never silence."""

from __future__ import annotations

import pytest

from tests.witness import clients


@pytest.mark.parametrize(("ci", "ends"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
@pytest.mark.parametrize("distribution", ["ccxt", "python-kraken-sdk", "nobody-has-this"])
def test_another_version_or_none_is_said(
    ci: str, ends: type[BaseException], distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setitem(clients.PINNED, distribution, ("0.0.1", "install it"))
    with pytest.raises(ends, match=f"{distribution} 0.0.1 is wanted, .* is installed: install it"):
        clients.witness(distribution, "json")
