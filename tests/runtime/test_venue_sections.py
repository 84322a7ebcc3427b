"""A `[venues.NAME]` that nobody would read, and a setting of what the venue has not, are refused."""

from pathlib import Path

import pytest

from connectors import registry
from runtime import config, golive
from tests.runtime.world import gateway


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[venues.okex]\ndepth = 10\n", "venues.okex: no venue is called so\n  mend: did you mean okx?"),
        ('[venues."ccxt:okx"]\ndepth = 10\n', "no venue is called so\n  mend: write [venues.ccxt_okx]"),
        ("[venues.okx]\naudit_s = 5\n", "venues.okx.audit_s: okx has none\n  mend: leave it out"),
        ("[venues.binance]\nticker = true\n", "venues.binance.ticker: binance has none"),
    ],
)
def test_a_setting_that_nobody_would_read_is_one_error(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    ended = gateway("serve", "--venues", "kraken,binance,okx", "--sim", "--config", file)
    assert (ended.exit_code, ended.stdout) == (4, "")
    assert said in ended.stderr and str(file) in ended.stderr
    assert ended.stderr.count("error: ") == 1


@pytest.mark.parametrize("text", ["[venues.okx]\naudit_s = 0\n", "[venues.ccxt_bitget]\ndepth = 10\n"])
def test_a_setting_that_changes_nothing_is_taken(text: str, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    settings = config.load([file], {}, default=False)
    golive.check_sections(settings)
    golive.check_options(settings, registry.load("okx"))
