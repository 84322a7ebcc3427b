"""Whose `risk` is running? Two wheels that hold one of our names overwrite each other silently."""

import json
from pathlib import Path

import pytest

from connectors.errors import ConfigError
from runtime import owners
from runtime.owners import PACKAGES, check_owners


class Installed:
    """A distribution as importlib.metadata shows it: all that is asked of it is its direct_url.json."""

    def __init__(self, direct_url: dict[str, object] | None) -> None:
        self._text = None if direct_url is None else json.dumps(direct_url)

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self._text


def install(
    monkeypatch: pytest.MonkeyPatch, owned: dict[str, list[str]], direct_url: dict[str, object] | None = None
) -> None:
    monkeypatch.setattr(owners, "packages_distributions", lambda: owned)
    monkeypatch.setattr(owners, "distribution", lambda _: Installed(direct_url))


def editable(root: Path) -> dict[str, object]:
    return {"url": root.as_uri(), "dir_info": {"editable": True}}


ROOT = Path(owners.__file__).resolve().parents[1]
WHEEL = {package: ["venuegate"] for package in PACKAGES}


def test_this_environment_is_ours() -> None:
    check_owners()


def test_a_wheel_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, WHEEL)
    check_owners()
    install(monkeypatch, {**WHEEL, "runtime": ["Venuegate", "venuegate"]})
    check_owners()


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("claim", [["intruder"], ["venuegate", "intruder"]])
def test_a_foreign_claim_on_any_of_the_four_is_refused(
    monkeypatch: pytest.MonkeyPatch, package: str, claim: list[str]
) -> None:
    for direct_url in (None, editable(ROOT)):
        install(monkeypatch, {**WHEEL, package: claim}, direct_url)
        with pytest.raises(ConfigError) as caught:
            check_owners()
        assert f"{package!r} also belongs to intruder" in caught.value.problem
        assert "uninstall intruder" in caught.value.mend


def test_an_editable_install_is_accepted_where_it_is_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {}, editable(ROOT))
    check_owners()


def test_an_editable_install_of_another_checkout_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    others: list[dict[str, object] | None] = [
        editable(tmp_path),
        {"url": ROOT.as_uri(), "dir_info": {}},
        {"url": "https://x/y.whl"},
        None,
    ]
    for direct_url in others:
        install(monkeypatch, {}, direct_url)
        with pytest.raises(ConfigError, match="not venuegate's own"):
            check_owners()


def test_a_checkout_with_a_space_or_behind_a_link(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """direct_url.json holds a URL: a space is %20 there."""
    link = tmp_path / "my projects ü"
    link.symlink_to(ROOT)
    install(monkeypatch, {}, editable(link))
    check_owners()


def test_not_installed_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "DISTRIBUTION", "no-such-distribution-as-this")
    with pytest.raises(ConfigError, match="is not installed") as caught:
        check_owners()
    assert caught.value.mend
