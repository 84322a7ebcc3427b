"""Limits read again while a session runs: tightening at once, loosening by a person's word, a broken file never."""

from pathlib import Path

import pytest

from connectors.errors import ConfigError
from risk.limits import LimitTree
from runtime.config_limits import check_names
from runtime.reloading import LimitFiles, reload

TEXT = """\
[limits]
max_position = 0.5
max_order_notional = 25000
max_order_rate = 20
price_collar_bps = 300
max_daily_loss = 500
[limits.algos.mm]
max_position = 0.1
"""
FILE = Path("gateway.toml")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    FILE.write_text(TEXT)


def test_an_untouched_file_changes_nothing() -> None:
    tree = LimitFiles().read()
    again = reload(LimitFiles(), tree, confirm=False)
    assert (again.tree, again.applied, again.withheld) == (tree, [], [])
    assert again.lines == ["limits unchanged"]


def test_tightening_holds_at_once_and_loosening_waits() -> None:
    before = LimitFiles().read()
    FILE.write_text(
        TEXT.replace("= 500", "= 400")
        .replace("= 0.5", "= 0.6")
        .replace("= 0.1", "= 0.2")
        .replace("[limits.a", "\n[limits.a")
        + "max_repeats = 3\n"
    )
    first = reload(LimitFiles(), before, confirm=False)
    assert first.lines == [
        "account.max_daily_loss 500 → 400 (gateway.toml:6)",
        "algo:mm.max_repeats not set → 3 (gateway.toml:10)",
        "account.max_position 0.5 → 0.6: looser, needs --confirm",
        "algo:mm.max_position 0.1 → 0.2: looser, needs --confirm",
    ]
    assert first.tree.account.max_daily_loss_1e9 == 400 * 10**9
    assert first.tree.account.max_position_1e8 == 50_000_000
    again = reload(LimitFiles(), first.tree, confirm=False)
    assert again.applied == []
    assert again.lines == first.lines[2:]
    last = reload(LimitFiles(), first.tree, confirm=True)
    assert last.tree == LimitFiles().read()
    assert last.withheld == []
    assert last.lines == [
        "account.max_position 0.5 → 0.6 (gateway.toml:2)", "algo:mm.max_position 0.1 → 0.2 (gateway.toml:9)"
    ]  # fmt: skip


def test_what_is_taken_out_of_the_file_stays_in_force_until_it_is_confirmed() -> None:
    before = LimitFiles().read()
    FILE.write_text(TEXT.partition("[limits.algos")[0])
    kept = reload(LimitFiles(), before, confirm=False)
    assert kept.tree == before
    assert kept.lines == ["algo:mm.max_position 0.1 → not set: looser, needs --confirm"]
    gone = reload(LimitFiles(), before, confirm=True)
    assert gone.tree.scopes == ()
    assert gone.lines == ["algo:mm.max_position 0.1 → not set"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT + "x", "is not TOML"),
        (TEXT + "max_drawdown = -1", "gateway.toml:9: limits.algos.mm.max_drawdown"),
        (
            TEXT + "max_order_rate = 21",
            "gateway.toml:9: limits.algos.mm.max_order_rate = 21 is more than its account's",
        ),
        (TEXT.replace("max_daily_loss = 500", ""), "gateway.toml:1: limits.max_daily_loss: is missing"),
        ("[serve]", "has no .limits."),
        (TEXT.replace("algos.mm", "algos.nn"), "gateway.toml:8: limits.algos.nn: the session has no algo"),
    ],
)
@pytest.mark.parametrize("confirm", [False, True])
def test_a_broken_file_is_one_clear_error(text: str, said: str, confirm: bool) -> None:
    tree = LimitFiles().read()
    FILE.write_text(text)

    def check(new: LimitTree) -> None:
        check_names(new, ["kraken"], [], ["BTC/USD"], ["mm"])

    with pytest.raises(ConfigError, match=said) as caught:
        reload(LimitFiles(), tree, confirm=confirm, check=check)
    assert caught.value.mend


def test_the_files_are_those_the_session_was_started_with() -> None:
    Path("own.toml").write_text(TEXT.replace("500", "100"))
    Path("over.toml").write_text("[limits]\nmax_order_rate = 7\n[serve]\nsymbols = ['ETH/USD']\n")
    assert LimitFiles(limits=Path("own.toml")).read().account.max_daily_loss_1e9 == 100 * 10**9
    both = LimitFiles(config=(Path("over.toml"),)).read()
    assert (both.account.max_order_rate, both.account.max_daily_loss_1e9) == (7, 500 * 10**9)
    assert both.origin("account", "max_order_rate") == "over.toml:2"
    said = {"GATEWAY__LIMITS__MAX_ORDER_RATE": "3"}
    assert LimitFiles(config=(Path("over.toml"),)).read(said).account.max_order_rate == 3
