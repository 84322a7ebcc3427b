"""`[limits]`: what an account, a venue, a market, an algo and a canary may say, and how each mistake is told."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from connectors.errors import ConfigError
from connectors.orders import OrderType
from risk.limit_terms import term
from risk.limits import ALL_TYPES, KEYS, UNSET, Limits, LimitTree, Scope
from runtime.config import load, load_limits, paper_limits
from runtime.config_limit_sections import AlgoLimits, CanaryLimits, LimitsSection, MarketLimits, VenueLimits
from runtime.config_limits import check_names, limits_of, unset_text
from tests.support.data import ROOT

FULL = """\
[limits]
max_position = 0.5
max_order_qty = 0.2
max_order_notional = 25000
max_capital = 100000
max_order_rate = 20
price_collar_bps = 300
max_daily_loss = 500
max_drawdown = 400
order_types = ["limit", "post_only",
               "ioc"]
permitted = ["kraken:BTC/USD", "ETH/USD"]
[limits.venues.kraken]
max_capital = 50000
max_feed_loss_s = 2.5
permitted = ["BTC/USD"]
[limits.instruments."BTC/USD"]
max_position = 0.1
[limits.algos.mm]
max_position = 0.05
max_repeats = 7
order_types = ["post_only"]
[limits.canary]
max_position = 0.01
max_order_notional = 100
max_orders = 50
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str) -> LimitTree:
    Path("gateway.toml").write_text(text, encoding="utf-8")
    return load_limits(Path("gateway.toml"))


def refused(text: str) -> ConfigError:
    """By both doors alike."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    with pytest.raises(ConfigError) as same:
        load([], {})
    assert str(same.value) == str(caught.value)
    return caught.value


def test_a_whole_tree() -> None:
    tree = read(FULL)
    assert tree.account == Limits(
        max_position_1e8=50_000_000, max_order_qty_1e8=20_000_000, max_order_notional_1e9=25_000 * 10**9,
        max_capital_1e9=100_000 * 10**9, max_order_rate=20, price_collar_bps=300, max_daily_loss_1e9=500 * 10**9,
        max_drawdown_1e9=400 * 10**9, order_types=1 << OrderType.LIMIT | 1 << OrderType.POST_ONLY | 1 << OrderType.IOC,
    )  # fmt: skip
    assert tree.instruments == ("ETH/USD", "kraken:BTC/USD")
    assert tree.scopes == (
        Scope("venue", "kraken", {"max_capital_1e9": 50_000 * 10**9, "max_feed_loss_ns": 2_500_000_000},
              ("kraken:BTC/USD",)),
        Scope("instrument", "BTC/USD", {"max_position_1e8": 10_000_000}),
        Scope("algo", "mm", {"max_position_1e8": 5_000_000, "max_repeats": 7, "order_types": 1 << OrderType.POST_ONLY}),
        Scope("canary", "", {"max_position_1e8": 1_000_000, "max_order_notional_1e9": 100 * 10**9, "max_orders": 50}),
    )  # fmt: skip


def test_each_limit_knows_its_line() -> None:
    tree = read(FULL)
    origins = {
        "account.max_position_1e8": 2, "account.order_types": 10, "account.instruments": 12,
        "venue:kraken.max_capital_1e9": 14, "venue:kraken.instruments": 16, "instrument:BTC/USD.max_position_1e8": 18,
        "algo:mm.max_position_1e8": 20, "canary.max_orders": 26,
    }  # fmt: skip
    assert {key: tree.origins[key] for key in origins} == {key: f"gateway.toml:{n}" for key, n in origins.items()}
    assert tree.origin("account", "max_book_age_ns") == ""  # nobody said it


def test_of_several_sources_the_one_that_said_it_is_the_origin() -> None:
    Path("gateway.toml").write_text(FULL)
    Path("over.toml").write_text("\n[limits.algos]\nmm.max_position = 0.04\n")
    settings = load([Path("over.toml")], {"GATEWAY__LIMITS__VENUES__KRAKEN__MAX_CAPITAL": "40000"})
    tree = limits_of(settings.limits, settings.origin)
    assert tree.origin("algo:mm", "max_position_1e8") == "over.toml:3"
    assert tree.origin("algo:mm", "max_repeats") == "gateway.toml:21"
    assert tree.origin("venue:kraken", "max_capital_1e9") == "environment GATEWAY__LIMITS__VENUES__KRAKEN__MAX_CAPITAL"
    scope = tree.scope("venue:kraken")
    assert scope is not None
    assert scope.values["max_capital_1e9"] == 40_000 * 10**9


def test_lists_from_the_environment() -> None:
    Path("gateway.toml").write_text(FULL.replace('["post_only"]', '["limit"]'))
    said = {"GATEWAY__LIMITS__ORDER_TYPES": "limit, ioc", "GATEWAY__LIMITS__PERMITTED": "kraken:BTC/USD"}
    settings = load([], said)
    tree = limits_of(settings.limits, settings.origin)
    assert tree.account.order_types == 1 << OrderType.LIMIT | 1 << OrderType.IOC
    assert tree.instruments == ("kraken:BTC/USD",)


def test_every_scope_may_say_what_the_gate_counts_there_and_nothing_else() -> None:
    """The sections are `risk.limits.KEYS` by people's names."""
    beside = {"permitted", "promoted", "venues", "instruments", "algos", "canary"}
    models: dict[str, type[BaseModel]] = {
        "venue": VenueLimits, "instrument": MarketLimits, "algo": AlgoLimits, "canary": CanaryLimits
    }  # fmt: skip
    for kind, model in models.items():
        assert set(model.model_fields) - beside == {term(key)[0] for key in KEYS[kind]}, kind
    assert set(LimitsSection.model_fields) - beside == {term(key)[0] for key in Limits.__struct_fields__}
    assert "permitted" not in MarketLimits.model_fields


SETTINGS: list[tuple[str, Any, str, int]] = [
    ("max_cancel_rate", 40, "max_cancel_rate", 40), ("max_book_age_s", 2.5, "max_book_age_ns", 2_500_000_000),
    ("max_mark_age_s", 30, "max_mark_age_ns", 30 * 10**9), ("max_open_orders", 32, "max_open_orders", 32),
    ("max_duplicates", 3, "max_duplicates", 3), ("max_repeats", 3, "max_repeats", 3),
    ("max_refusals", 3, "max_refusals", 3), ("max_feed_loss_s", 0.000000001, "max_feed_loss_ns", 1),
    ("collar_window_bps", 10_000, "collar_window_bps", 10_000),
    ("collar_window_bps = 5\ncollar_window_s", 1, "collar_window_ns", 10**9),
    ("max_duplicates = 5\nduplicate_window_s", 3600, "duplicate_window_ns", 3600 * 10**9),
    ("max_repeats = 5\nrepeat_window_s", 1, "repeat_window_ns", 10**9),
    ("max_refusals = 5\nrefusal_window_s", 1, "refusal_window_ns", 10**9),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "field", "wanted"), SETTINGS)
def test_every_other_setting_of_the_account(key: str, value: object, field: str, wanted: int) -> None:
    text = f"{value:.9f}" if isinstance(value, float) else value
    tree = read(f"{FULL.partition('[limits.venues')[0]}{key} = {text}\n")
    assert getattr(tree.account, field) == wanted


def test_a_file_with_the_five_alone_is_enough_and_says_what_is_off() -> None:
    five = ("max_position", "max_order_notional", "max_order_rate", "price_collar_bps", "max_daily_loss")
    tree = read("[limits]\n" + "".join(f"{key} = 1\n" for key in five))
    assert unset_text(tree) == "not set: max_capital, max_drawdown, max_order_qty: those controls are off"
    assert tree.account.order_types == ALL_TYPES
    assert (tree.account.max_cancel_rate, tree.account.max_repeats) == (UNSET, UNSET)
    assert unset_text(paper_limits()) == unset_text(read(FULL)) == ""
    partly = read("[limits]\n" + "".join(f"{key} = 1\n" for key in five) + "[limits.venues.v]\nmax_capital = 1\n")
    assert unset_text(partly) == (
        "not set: max_drawdown, max_order_qty: those controls are off; "
        "not set for the account: max_capital (but for venue:v)"
    )


def with_(old: str, new: str) -> str:
    assert FULL.count(old) == 1
    return FULL.replace(old, new)


MARKET = '[limits.instruments."kraken:BTC/USD"]\n'
CONTRADICTIONS = [
    (with_("max_capital = 50000", "max_capital = 200000"), 14,
     "limits.venues.kraken.max_capital = 200000 is more than its account's 100000", "lower it, or raise the other"),
    (with_("max_position = 0.1", "max_position = 0.50000001"), 18,
     "limits.instruments.BTC/USD.max_position = 0.50000001",
     "(gateway.toml:2)"),
    (with_("max_position = 0.05", "price_collar_bps = 301"), 20, "= 301 is more than its account's 300",
     "(gateway.toml:7)"),
    (with_("max_order_notional = 100", "max_order_notional = 25001"), 25, "limits.canary.max_order_notional = 25001",
     "(gateway.toml:4)"),
    (FULL + MARKET + "max_position = 0.2", 28, "max_position = 0.2 is more than instrument:BTC/USD's 0.1",
     "(gateway.toml:18)"),
    (FULL + MARKET + "max_capital = 50000.01", 28, "max_capital = 50000.01 is more than venue:kraken's 50000",
     "(gateway.toml:14)"),
    (with_("max_feed_loss_s = 2.5", "max_book_age_s = 6"), 15, "max_book_age_s = 6 is more than its account's 5",
     "(gateway.toml:1)"),
    (with_("max_feed_loss_s = 2.5", "max_cancel_rate = 21"), 15,
     "max_cancel_rate = 21 is more than its account's 20 (its max_order_rate)", "(gateway.toml:6)"),
    (with_('order_types = ["post_only"]', 'order_types = ["post_only", "fok", "market"]'), 22,
     "limits.algos.mm.order_types: market, fok is not permitted by its account", "(gateway.toml:10)"),
    (with_('permitted = ["BTC/USD"]', 'permitted = ["BTC/USD", "SOL/USD"]'), 16,
     "limits.venues.kraken.permitted: kraken:SOL/USD is not permitted by its account", "(gateway.toml:12)"),
    (with_('order_types = ["post_only"]', 'permitted = ["BTC/USD"]'), 22,
     "limits.algos.mm.permitted: BTC/USD is not permitted by its account", "(gateway.toml:12)"),
    (with_("max_drawdown = 400", "max_drawdown = 400\nduplicate_window_s = 3"), 10,
     "limits.duplicate_window_s = 3 without max_duplicates", "set max_duplicates, or leave duplicate_window_s out"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "problem", "mend"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(text: str, line: int, problem: str, mend: str) -> None:
    error = refused(text)
    assert error.place == f"gateway.toml:{line}"
    assert problem in error.problem
    assert mend in error.mend


def test_what_is_as_wide_as_what_it_lies_in_is_fine() -> None:
    tree = read(
        FULL.replace("max_capital = 50000", "max_capital = 100000\nmax_cancel_rate = 20\norder_types = ['limit']")
        + MARKET + "max_position = 0.1\nmax_capital = 100000\n[limits.algos.eth]\n"
        + "permitted = ['kraken:ETH/USD', 'dex_arb:ETH/USD@0xAB', 'kraken:BTC/USD']\n"
    )  # fmt: skip
    scope = tree.scope("algo:eth")
    assert scope is not None
    assert scope.instruments == ("dex_arb:ETH/USD@0xab", "kraken:BTC/USD", "kraken:ETH/USD")  # as markets are named


MISTAKES = [
    (with_("max_drawdown = 400", "max_drawdwon = 400"), 9, "limits.max_drawdwon: is not a setting, but it is 400",
     "did you mean max_drawdown?"),
    (with_("max_orders = 50", "max_order = 50"), 26, "limits.canary.max_order: is not a setting, but it is 50",
     "did you mean max_orders?"),
    (with_("[limits.venues.kraken]", "[limits.venue.kraken]"), 13, "limits.venue: is not a setting",
     "did you mean venues?"),
    (with_("max_feed_loss_s = 2.5", "max_open_orders = 5"), 15,
     "limits.venues.kraken.max_open_orders: is not a setting, but it is 5",
     "max_open_orders may be said under [limits] and [limits.algos.NAME] alone"),
    (with_("max_repeats = 7", "repeat_window_s = 7"), 21, "limits.algos.mm.repeat_window_s: is not a setting",
     "repeat_window_s may be said under [limits] alone"),
    (with_("max_position = 0.1", 'permitted = ["x"]'), 18, "limits.instruments.BTC/USD.permitted: is not a setting",
     "permitted may be said under [limits] and [limits.venues.NAME] and [limits.algos.NAME] alone"),
    (with_("max_drawdown = 400", "max_drawdown = nan"), 9, "limits.max_drawdown: Input should be a finite number",
     "fall of the same"),
    (with_("max_drawdown = 400", "max_drawdown = -1"), 9, "greater than 0, but it is -1", "fall of the same"),
    (with_("max_capital = 50000", "max_capital = 0"), 14, "limits.venues.kraken.max_capital", "all positions"),
    (with_("max_capital = 50000", "max_capital = true"), 14, "but it is True", "all positions"),
    (with_("max_capital = 50000", "max_capital = 0.0000000001"), 14, "more than 9 decimals", "use at most 9 decimals"),
    (with_("max_capital = 50000", "max_capital = 9223372036.854775807"), 14, "is too large", "63 bits"),
    (with_("max_orders = 50", "max_orders = 0"), 26, "but it is 0", "orders of its algo"),
    (with_("max_repeats = 7", "max_repeats = 1.5"), 21, "limits.algos.mm.max_repeats", "orders of one algo"),
    (with_("max_repeats = 7", "max_open_orders = 33"), 21, "less than or equal to 32, but it is 33", "at most 32"),
    (with_('"post_only",', '"postonly",'), 10, "limits.order_types: 'postonly' is no order type",
     "did you mean post_only?"),
    (with_('"post_only",', '"iceberg",'), 10, "'iceberg' is no order type", "there are: limit, market"),
    (with_('["post_only"]', "[]"), 22, "limits.algos.mm.order_types", "those permitted, of: limit"),
    (with_('["post_only"]', '"post_only"'), 22, "limits.algos.mm.order_types", "those permitted, of: limit"),
    (with_('["BTC/USD"]', "[]"), 16, "limits.venues.kraken.permitted", "name those permitted"),
    (with_('["BTC/USD"]', '["dex_arb:BTC/USD"]'), 16, "dex_arb:BTC/USD is not at kraken", "instruments of kraken"),
    (with_('["BTC/USD"]', '[" BTC/USD"]'), 16, "' BTC/USD' is no instrument", "write BTC/USD"),
    (with_("[limits.algos.mm]", '[limits.algos.""]'), 19, "'' is no algo's name", "between quotes"),
    (with_("[limits.algos.mm]", '[limits.algos."a\\nb"]'), 19, "'a\\nb' is no algo's name", "between quotes"),
    (with_("max_drawdown = 400", 'promoted = ["abc"]'), 9, "64 hexadecimal digits are wanted", "SHA-256"),
    (with_('[limits.instruments."BTC/USD"]', "[limits.other]")
     .replace("permitted = [\"kraken", "instruments = [\"kraken")
     .replace("[limits.other]\nmax_position = 0.1\n", ""), 12,
     "limits.instruments: Input should be a valid dictionary", 'permitted = ["BTC/USD"]'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "problem", "mend"), MISTAKES)
def test_a_mistake_is_told_with_its_line_and_mend(text: str, line: int, problem: str, mend: str) -> None:
    error = refused(text)
    assert error.place == f"gateway.toml:{line}"
    assert problem in error.problem
    assert mend in error.mend


@pytest.mark.parametrize("key", sorted(set(LimitsSection.model_fields) - {"venues", "markets", "algos", "canary"}))
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "0", "true", "1e-30", "1e30", '"x"', "{ a = 1 }", "''"])
def test_no_bad_value_of_any_setting_passes(key: str, value: str) -> None:
    """Whatever stands there is told with its line, and never as a traceback."""
    needed = [name for name, field in LimitsSection.model_fields.items() if field.is_required() and name != key]
    lines = ["[limits]", *(f"{name} = 1" for name in needed), f"{key} = {value}"]
    error = refused("\n".join(lines))
    assert error.place == f"gateway.toml:{len(lines)}"
    assert f"limits.{key}" in error.problem
    assert error.mend


def test_promoted_modules_are_named_by_their_hash() -> None:
    tree = read(with_("max_drawdown = 400", f'promoted = ["{"AB" * 32}", "{"ab" * 32}", "{"01" * 32}"]'))
    assert tree.promoted == ("01" * 32, "ab" * 32)
    assert tree.origin("account", "promoted") == "gateway.toml:9"


def names(tree: LimitTree, **there: list[str]) -> None:
    known = {"venues": ["kraken", "dex_arb"], "symbols": ["BTC/USD", "ETH/USD"], "algos": ["mm"],
             "markets": ["kraken:BTC/USD", "kraken:ETH/USD", "dex_arb:ETH/USD", "dex_arb:ETH/USD@0xab"]}  # fmt: skip
    check_names(tree, **(known | there))


def test_limits_of_what_the_session_has() -> None:
    more = 'max_position = 0.01\n[limits.instruments."dex_arb:ETH/USD@0xAB"]\nmax_position = 0.1\n'
    names(read(FULL + MARKET + more))


@pytest.mark.parametrize(
    ("text", "line", "problem", "mend"),
    [
        (with_("[limits.algos.mm]", "[limits.algos.mmx]"), 20, "limits.algos.mmx: the session has no algo of this name",
         "did you mean mm? there is: mm"),
        (FULL + "[limits.venues.kraaken]\nmax_position = 0.1", 28, "limits.venues.kraaken: the session has no venue",
         "did you mean kraken? there are: kraken, dex_arb"),
        (with_('instruments."BTC/USD"', 'instruments."SOL/EUR"'), 18,
         "limits.instruments.SOL/EUR: the session has no instrument",
         "there are: BTC/USD, ETH/USD, kraken:BTC/USD"),
        (with_('instruments."BTC/USD"', 'instruments."dex_arb:0xAB"'), 18, "limits.instruments.dex_arb:0xAB",
         "did you mean dex_arb:ETH/USD@0xab?"),
        (with_('instruments."BTC/USD"', 'instruments."kraken:btc/usd"'), 18, "limits.instruments.kraken:btc/usd",
         "did you mean kraken:BTC/USD?"),
    ],
)  # fmt: skip
def test_limits_of_what_the_session_has_not(text: str, line: int, problem: str, mend: str) -> None:
    """They would hold nobody, and whoever wrote them would not know."""
    with pytest.raises(ConfigError) as caught:
        names(read(text))
    assert caught.value.place == f"gateway.toml:{line}"
    assert problem in caught.value.problem
    assert mend in caught.value.mend


def test_where_there_is_nothing_that_is_said() -> None:
    with pytest.raises(ConfigError) as caught:
        names(read(FULL), algos=[])
    assert caught.value.mend == "there are: none"


def test_the_example_in_the_documentation_is_right() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8").partition("## Limits")[2]
    tree = read(text.partition("```toml\n")[2].partition("```")[0])
    assert unset_text(tree) == ""
    assert [scope.label for scope in tree.scopes] == ["venue:kraken", "instrument:BTC/USD", "algo:mm", "canary"]
