"""Settings: which source wins, that numbers stay exact, and what each kind of mistake is told."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from connectors.errors import ConfigError
from risk.limits import AMOUNTS, UNSET, Limits
from runtime import config, config_limit_sections
from runtime.config import Config, load, load_limits, paper_limits
from runtime.config_limit_sections import LimitsSection
from runtime.config_limits import limits_of
from runtime.config_types import Section
from runtime.sim.paper import Fees

LIMITS = """
[limits]
max_position = 0.1
max_order_notional = 1000.25
max_order_rate = 5
price_collar_bps = 100
max_daily_loss = 3
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads a gateway.toml that happens to lie about."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def file(name: str, text: str) -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_environment_wins_over_files_over_gateway_toml_over_defaults() -> None:
    assert load([], {}).venue("kraken").depth == 10
    file("gateway.toml", "[venues.kraken]\ndepth = 25\n[serve]\nsymbols = ['ETH/USD']\n")
    assert load([], {}).venue("kraken").depth == 25
    first, second = file("1.toml", "[venues.kraken]\ndepth = 100"), file("2.toml", "[venues.kraken]\ndepth = 500")
    assert load([first, second], {}).venue("kraken").depth == 500
    assert load([second, first], {}).venue("kraken").depth == 100
    merged = load([first, second], {"GATEWAY__VENUES__KRAKEN__DEPTH": "1000", "GATEWAY__SERVE__RECORD": "x.tape"})
    assert merged.venue("kraken").depth == 1000
    assert (merged.serve.symbols, merged.serve.record) == (["ETH/USD"], "x.tape")


def test_lists_in_the_environment_are_comma_separated() -> None:
    serve = load([], {"GATEWAY__SERVE__SYMBOLS": "BTC/USD,ETH/USD", "OTHER": "x"}).serve
    assert serve.symbols == ["BTC/USD", "ETH/USD"]


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY__PAPER__TAKER_FEE_PCT", "0.1")
    assert load([]).fees() == Fees(maker_ppm=2500, taker_ppm=1000)


def test_numbers_are_exact() -> None:
    """0.1 is a tenth, not the float next to it: a digit lost here would be a limit moved."""
    limits = load_limits(file("l.toml", LIMITS))
    assert limits.scopes == ()
    assert limits.account == Limits(
        max_position_1e8=10_000_000, max_order_notional_1e9=1_000_250_000_000, max_order_rate=5,
        price_collar_bps=100, max_daily_loss_1e9=3_000_000_000,
    )  # fmt: skip
    long = LIMITS.replace("1000.25", "9007199254.740993123")  # beyond 2^53 at its ninth decimal
    assert load_limits(file("l.toml", long)).account.max_order_notional_1e9 == 9_007_199_254_740_993_123
    section = load([file("l.toml", LIMITS)], {"GATEWAY__LIMITS__MAX_POSITION": "0.30000001"}).limits
    assert section is not None
    assert section.max_position == Decimal("0.30000001")


def test_the_shipped_paper_limits() -> None:
    tree = paper_limits()
    assert tree.account == Limits(
        max_position_1e8=10 * 10**8, max_order_notional_1e9=100_000 * 10**9, max_order_rate=50, price_collar_bps=500,
        max_daily_loss_1e9=10_000 * 10**9, max_book_age_ns=5 * 10**9, max_order_qty_1e8=10 * 10**8,
        max_capital_1e9=10_000_000 * 10**9, max_drawdown_1e9=15_000 * 10**9, collar_window_bps=1000,
        max_refusals=10_000, refusal_window_ns=60 * 10**9,
    )  # fmt: skip
    assert (tree.scopes, tree.instruments, tree.promoted) == ((), None, ())
    assert tree.origin("account", "max_position_1e8") == "paper.toml:5"


BAD_LIMITS = [
    ("max_position", "-1", "greater than 0"),
    ("max_position", "0", "greater than 0"),
    ("max_position", "nan", "finite"),
    ("max_position", "inf", "finite"),
    ("max_position", "-inf", "finite"),
    ("max_position", '"much"', "valid decimal"),
    ("max_position", "true", "True"),
    ("max_position", "[1]", "[1]"),
    ("max_position", "1979-05-27", "1979-05-27"),
    ("max_position", "0.123456789", "more than 8 decimals"),
    ("max_order_notional", "0.0000000001", "more than 9 decimals"),
    ("max_position", "92233720368.54775808", "too large"),
    ("max_position", "92233720368.54775807", "too large"),  # which would mean that nobody said it
    ("max_position", "1e400", "length"),
    ("max_daily_loss", "1e999999999", "length"),
    ("max_order_rate", "2.5", "integer"),
    ("max_order_rate", "0", "greater than or equal to 1"),
    ("max_order_rate", "true", "a number is wanted"),
    ("max_order_rate", "1000000", "less than or equal to"),
    ("price_collar_bps", "10001", "less than or equal to"),
    ("price_collar_bps", "-5", "greater than or equal to"),
]


@pytest.mark.parametrize(("key", "value", "said"), BAD_LIMITS)
@pytest.mark.parametrize("door", ["limits file", "config file"])
def test_a_bad_value_names_file_line_key_value_and_mend(key: str, value: str, said: str, door: str) -> None:
    lines = [f"{key} = {value}" if line.startswith(f"{key} ") else line for line in LIMITS.splitlines()]
    path = file("bad.toml", "\n".join(lines))
    with pytest.raises(ConfigError) as caught:
        load_limits(path) if door == "limits file" else load([path], {})
    error = caught.value
    assert error.place == f"bad.toml:{1 + lines.index(f'{key} = {value}')}"
    assert f"limits.{key}" in error.problem
    assert said in error.problem
    assert error.mend
    assert "pydantic" not in str(error)


@pytest.mark.parametrize(
    ("text", "where", "mend"),
    [
        (LIMITS.replace("max_position", "max_positon"), "limits.max_positon: is not", "did you mean max_position?"),
        (LIMITS + "max_positon = 1", "limits.max_positon: is not a setting", "did you mean max_position?"),
        (LIMITS.replace("max_daily_loss = 3", ""), "limits.max_daily_loss: is missing", "set max_daily_loss: realised"),
        ("[limitz]\n", "limitz: is not a setting", "did you mean limits?"),
        ("[zzz]\n", "zzz: is not a setting", "the settings here are: limits, paper"),
        ("limits = 3", "limits: ", "see docs"),
        ("[paper.balances.kraken]\nUSD = -1", "paper.balances.kraken.USD: ", "what is there at the start"),
        ("[paper.balances.kraken]\nUSD = nan", "paper.balances.kraken.USD: ", "what is there at the start"),
        ("[paper.balances.kraken]\nUSD = true", "paper.balances.kraken.USD: a number", "what is there at the start"),
        ("[paper.balances]\nUSD = 1", "paper.balances.USD: ", "what is there at the start"),
        ("[paper.balances.kraken]\nUSD = 0.123456789", "paper.balances.kraken.USD: ", "use at most 8 decimals"),
        ("[paper.balances.kraken]\nUSD = 1e12", "paper.balances.kraken.USD = 1E+12 is too large", "63 bits"),
        ("[journal]\ndurability = 'none'", "journal.durability: ", "what it survives"),
        ("[journal]\nfile = 'x'", "journal.file: is not a setting", "the settings here are: path, durability"),
        ("[kill]\ndrill_max_age_h = 0", "kill.drill_max_age_h: ", "hours after which"),
        (
            f"[kill.override_keys]\nada = '{'ab' * 32}'\nbob = '{'AB' * 32}'",
            "kill.override_keys: a name",
            "who may sign",
        ),
        ("[kill.override_keys]\nada = '12'", "kill.override_keys.ada: 64 hexadecimal digits", "who may sign"),
        ("[venues.kraken]\nurll = 'x'", "venues.kraken.urll: is not a setting", "did you mean url?"),
        ("[venues.kraken]\ndepth = 'ten'", "venues.kraken.depth: ", "levels a side"),
        ("[venues.kraken]\nurl = 'https://ws.kraken.com/v2'", "venues.kraken.url: ", "WebSocket address"),
        ("[venues.kraken]\nurl = 'ws://host:99999/'", "venues.kraken.url: ", "WebSocket address"),
        ("[venues.kraken]\nurl = 'kraken'", "venues.kraken.url: ", "WebSocket address"),
        ("[venues.kraken]\nurl = 'wss://host/#here'", "venues.kraken.url: an address without #", "WebSocket address"),
        ("[paper]\nmaker_fee_pct = -0.01", "paper.maker_fee_pct: ", "fee of a resting fill"),
        ("[paper]\ntaker_fee_pct = 100.1", "paper.taker_fee_pct: ", "fee of a taking fill"),
        ("[paper]\ntaker_fee_pct = 0.12345", "paper.taker_fee_pct: ", "use at most 4 decimals"),
        ("[[algos]]\nname = 'a'\nwasm = 'a.wasm'", "algos.0.symbols: is missing", "the first is its primary"),
        ("[[algos]]\nname = 'a'\nwasm = 'a.wasm'\nsymbols = []", "algos.0.symbols: ", "the first is its primary"),
        ("[[algos]]\nname = ''\nwasm = 'a.wasm'\nsymbols = ['x']", "algos.0.name: ", "how it is called"),
        ("[serve]\nvenues = 'kraken'", "serve.venues: ", "venues to connect"),
        ("[limits\n", "is not TOML", "mend that line"),
        ("a = 1\na = 2\n", "is not TOML", "mend that line"),
    ],
)
def test_a_mistake_in_a_file_is_placed_and_mended(text: str, where: str, mend: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load([file("my.toml", text)], {})
    assert caught.value.place.partition(":")[0] == "my.toml"
    assert where in caught.value.problem
    assert mend in caught.value.mend


def test_a_mistake_is_placed_where_it_stands() -> None:
    """Of several sources the one that said it is named."""
    file("gateway.toml", LIMITS)
    with pytest.raises(ConfigError) as caught:
        load([file("over.toml", "[limits]\nmax_order_rate = -3")], {})
    assert caught.value.place == "over.toml:2"
    with pytest.raises(ConfigError) as caught:
        load([], {"GATEWAY__LIMITS__MAX_ORDER_RATE": "-3"})
    assert caught.value.place == "environment GATEWAY__LIMITS__MAX_ORDER_RATE"
    with pytest.raises(ConfigError) as caught:
        load([file("over.toml", "[limits]\nmax_position = 0.000000001")], {})
    assert caught.value.place == "over.toml:2"


@pytest.mark.parametrize(
    "environment",
    [
        {"GATEWAY__LIMITS__MAX_POSITON": "1"},
        {"GATEWAY__LIMITS": "5"},
        {"GATEWAY__LIMITS": "5", "GATEWAY__LIMITS__MAX_POSITION": "1"},
        {"GATEWAY__": "5"},
        {"GATEWAY__ALGOS__0__NAME": "a"},
        {"GATEWAY__PAPER__MAKER_FEE_PCT": "lots"},
    ],
)
def test_a_mistake_in_the_environment_is_a_clear_error(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load([], environment)
    assert caught.value.place.startswith(("environment", "configuration"))
    assert caught.value.mend


def test_files_that_cannot_be_read() -> None:
    Path("latin.toml").write_bytes(b"# caf\xe9")
    Path("folder").mkdir()
    for name, said in (("none.toml", "No such file"), ("folder", "Is a directory"), ("latin.toml", "is not TOML")):
        for read in (lambda path: load([path], {}), load_limits):
            with pytest.raises(ConfigError, match=said) as caught:
                read(Path(name))
            assert caught.value.place == name
            assert caught.value.mend


def test_an_incomplete_variable_is_named_with_the_way_to_write_it() -> None:
    for name in ("GATEWAY__", "GATEWAY__LIMITS__", "GATEWAY____DEPTH"):
        with pytest.raises(ConfigError, match=f"{name} names no setting") as caught:
            load([], {name: "2"})
        assert "GATEWAY__SECTION__KEY" in caught.value.mend


def test_a_config_knows_where_each_setting_stands() -> None:
    config_ = load([file("my.toml", "[venues.kraken]\ndepth = 25")], {"GATEWAY__SERVE__SYMBOLS": "A/B, C/D,"})
    assert config_.serve.symbols == ["A/B", "C/D"]
    assert config_.origin("venues.kraken.depth") == "my.toml"
    assert config_.origin("serve.symbols") == "environment GATEWAY__SERVE__SYMBOLS"


def test_what_the_paper_venues_hold() -> None:
    assert load([], {}).balances() == {}
    text = "[paper.balances.kraken]\nUSD = 100000\nBTC = 2.00000001\nETH = 0\n[paper.balances.sim]\n"
    balances = load([file("my.toml", text)], {}).balances()
    assert balances == {"kraken": {"USD": 100_000 * 10**8, "BTC": 200_000_001, "ETH": 0}, "sim": {}}


def test_journal_and_kill_switch() -> None:
    plain = load([], {})
    assert (plain.journal.path, plain.journal.durability) == ("", "process")
    assert (plain.kill.file, plain.kill.override_keys) == ("", {})
    assert plain.kill.drill_max_age_h == 168
    text = f"[journal]\ndurability = 'power'\n[kill]\nfile = 'STOP'\n[kill.override_keys]\nada = '{'AB' * 32}'"
    said = load([file("my.toml", text)], {"GATEWAY__KILL__DRILL_MAX_AGE_H": "0.5"})
    assert (said.journal.durability, said.kill.file) == ("power", "STOP")
    assert said.kill.drill_max_age_h == Decimal("0.5")
    assert said.kill.override_keys == {"ada": "ab" * 32}


def test_a_limits_file_holds_limits_alone() -> None:
    """Else its other sections would seem to count, and do not."""
    with pytest.raises(ConfigError, match=r"l\.toml: paper, serve: a limits file holds one \[limits\] table") as caught:
        load_limits(file("l.toml", LIMITS + "[serve]\n[paper]\n"))
    assert "--config" in caught.value.mend
    with pytest.raises(ConfigError) as caught:
        limits_of(None, str)
    assert "docs/configuration.md" in caught.value.mend


def test_a_limits_file_without_limits() -> None:
    with pytest.raises(ConfigError, match=r"no \[limits\] table"):
        load_limits(file("l.toml", "max_position = 1"))


def test_utf8_whatever_the_locale() -> None:
    path = file("gateway.toml", "# Grüße 漢字\n[serve]\nrecord = 'tåpe'\n")
    assert load([path], {}).serve.record == "tåpe"


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    named = vars(config) | vars(config_limit_sections)
    return [item for item in named.values() if isinstance(item, type) and issubclass(item, model)]


def test_every_setting_is_described() -> None:
    settings: list[tuple[str, Any]] = [
        (f"{section.__name__}.{name}", field)
        for section in sections(Section)
        if section not in {Section, Config}
        for name, field in section.model_fields.items()
    ]
    assert len(settings) >= 90
    assert [name for name, field in settings if not field.description] == []
    assert all(section.__doc__ for section in sections(Section) if section is not Section)


def test_no_amount_of_money_has_a_default() -> None:
    required = {name for name, field in LimitsSection.model_fields.items() if field.is_required()}
    assert required == {"max_position", "max_order_notional", "max_order_rate", "price_collar_bps", "max_daily_loss"}
    assert load([], {}).limits is None
    least = limits_of(LimitsSection.model_validate(dict.fromkeys(required, 1)), str).account
    said = {"max_position_1e8", "max_order_notional_1e9", "max_daily_loss_1e9"}
    assert {key for key in AMOUNTS if getattr(least, key) != UNSET} == said
