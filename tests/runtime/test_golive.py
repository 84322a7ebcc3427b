"""What must be said before orders leave for real, and that nothing of a key is seen while it is refused."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connectors.errors import ConfigError
from connectors.registry import load as load_venue
from connectors.session import AUDIT, PRIVATE, PUBLIC, REST, Venue
from runtime import golive
from runtime.config import Config, load, paper_limits
from runtime.config_limits import limits_of
from runtime.deploy import guests_of_config
from runtime.guests import demo_wasm
from runtime.vault import Vault
from tests.runtime.world import gateway
from tests.support.data import ROOT
from tests.support.rest_server import KEY, SECRET, trading

LIMITS = """
[limits]
max_position = 0.1
max_order_notional = 1000
max_order_rate = 5
price_collar_bps = 100
max_daily_loss = 30
max_order_qty = 0.01
max_capital = 5000
max_drawdown = 20
"""
VENUE = '[venues.kraken]\nlive = true\nkey = "env:K"\nsecret = "file:s"\n'
JOURNAL = '[journal]\npath = "j"\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    yield tmp_path
    assert not any(
        secret.encode() in path.read_bytes()
        for secret in (KEY, SECRET) for path in tmp_path.rglob("*") if path.is_file() and path.name != "s"
    )  # fmt: skip


def kraken() -> Venue:
    made = trading(private_url="wss://auth.example/v2", rest_url="https://api.example")
    return msgspec.structs.replace(load_venue("kraken"), trading=made)


def settings(text: str, name: str = "gateway.toml") -> Config:
    Path(name).write_text(text)
    return load([Path(name)], {}, default=False)


def secret_file(text: str = SECRET) -> None:
    Path("s").write_text(text)
    Path("s").chmod(0o600)


def check(text: str, *, has_journal: bool = True, has_algo: bool = True, venues: tuple[Venue, ...] = ()) -> None:
    config = settings(text)
    limits = limits_of(config.limits, config.origin) if config.limits is not None else None
    golive.check_live(config, venues or (kraken(),), limits, has_journal=has_journal, has_algo=has_algo)


def test_what_is_complete_passes() -> None:
    check(VENUE + LIMITS)


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        (VENUE.replace("live = true", "") + LIMITS, "venues.kraken.live = true"),
        (VENUE.replace("true", "false") + LIMITS, "venues.kraken.live = true"),
        (VENUE.replace('key = "env:K"', "") + LIMITS, "venues.kraken.key"),
        (VENUE.replace('secret = "file:s"', "") + LIMITS, "venues.kraken.secret"),
        (VENUE, "limits of its own"),
        (VENUE + LIMITS.replace("max_capital = 5000\n", ""), "limits.max_capital"),
        (VENUE + LIMITS.replace("max_drawdown = 20\n", "") + "[limits.algos.mm]\nmax_drawdown = 5\n",
         "limits.max_drawdown"),
        (VENUE + LIMITS.replace("max_order_qty = 0.01\n", "").replace("max_capital = 5000\n", ""),
         "limits.max_capital, limits.max_order_qty"),
    ],
)  # fmt: skip
def test_each_thing_that_lacks_is_named(text: str, lacks: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(text)
    assert caught.value.place == "--live"
    assert f"lacks {lacks}" in caught.value.problem
    assert caught.value.problem.count(";") == 0
    assert "docs/live.md" in caught.value.mend


def test_everything_that_lacks_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        check("", has_journal=False, has_algo=False)
    for what in (
        "venues.kraken.key", "venues.kraken.secret", "venues.kraken.live = true", "a journal", "limits", "an algo",
    ):  # fmt: skip
        assert what in caught.value.problem


def test_the_shipped_limits_are_for_paper_also_as_a_copy() -> None:
    """Somebody who copies them has not thought about his own."""
    with pytest.raises(ConfigError, match="limits of its own"):
        golive.check_live(settings(VENUE), (kraken(),), paper_limits(), has_journal=True, has_algo=True)


def test_the_demo_market_maker_is_not_for_real_money() -> None:
    with pytest.raises(ConfigError, match="lacks an algo") as caught:
        check(VENUE + LIMITS, has_algo=False)
    assert "the demo market maker is for paper and --sim" in caught.value.problem
    assert "--algo PATH" in caught.value.mend


ADDRESSES = {"url": "wss://a.example/v2", "private_url": "wss://b.example/v2", "rest_url": "https://c.example"}
HERE = {"url": "ws://127.0.0.1:1/v2", "private_url": "ws://localhost:1/v2/auth", "rest_url": "http://[::1]:2"}


def addressed(**addresses: str) -> str:
    return VENUE + "".join(f'{name} = "{address}"\n' for name, address in addresses.items()) + LIMITS


@pytest.mark.parametrize("places", [{}, ADDRESSES, HERE])
def test_addresses_of_one_place_are_taken(places: dict[str, str]) -> None:
    check(addressed(**places))


@pytest.mark.parametrize(
    "names",
    [("url",), ("private_url",), ("rest_url",), ("url", "private_url"), ("url", "rest_url"),
     ("private_url", "rest_url")],
)  # fmt: skip
def test_half_set_addresses_are_refused(names: tuple[str, ...]) -> None:
    """Books would come from a simulator, and orders go to the real venue; or the other way round."""
    with pytest.raises(ConfigError, match="books would come from elsewhere than orders go") as caught:
        check(addressed(**{name: HERE[name] for name in names}))
    assert all(f"venues.kraken.{name}" in caught.value.problem for name in ADDRESSES)
    assert caught.value.place == "gateway.toml"


@pytest.mark.parametrize("name", ADDRESSES)
def test_this_machine_and_another_are_refused(name: str) -> None:
    for some, one in ((ADDRESSES, HERE), (HERE, ADDRESSES)):
        with pytest.raises(ConfigError, match="this machine and another") as caught:
            check(addressed(**{**some, name: one[name]}))
        assert all(f"venues.kraken.{name}" in caught.value.problem for name in ADDRESSES)


@pytest.mark.parametrize(
    ("option", "said", "mend"),
    [
        ('teir = "pro"', "venues.kraken.options.teir: is no option of kraken", "did you mean tier? its options are "),
        ("valdate = true", "venues.kraken.options.valdate: is no option", "did you mean validate?"),
        ("x = 1", "venues.kraken.options.x: is no option", "its options are batch, stp_type, tier, validate"),
        ('tier = "gold"', "venues.kraken.options.tier = 'gold'", "write one of starter, intermediate, pro"),
        ("validate = 1", "venues.kraken.options.validate = '1'", "write one of true, false"),
        ('stp_type = "none"', "venues.kraken.options.stp_type = 'none'", "cancel_newest, cancel_oldest, cancel_both"),
        ('batch = "yes"', "venues.kraken.options.batch = 'yes'", "write one of true, false"),
    ],
)  # fmt: skip
def test_an_option_that_the_venue_does_not_know_is_refused(option: str, said: str, mend: str) -> None:
    config = settings(f"[venues.kraken.options]\n{option}\n", "mine.toml")
    with pytest.raises(ConfigError) as caught:
        golive.check_options(config, load_venue("kraken"))
    assert caught.value.place == "mine.toml"
    assert said in caught.value.problem
    assert mend in caught.value.mend
    for words in (["--sim", "--duration", 1], ["--live"], []):  # on paper as well, and before anything is dialled
        result = gateway("serve", "--config", "mine.toml", *words)
        assert result.exit_code == 4
        assert f"mine.toml: {said}" in result.stderr
        assert "dialling" not in result.stderr


def test_options_that_the_venue_knows_are_taken() -> None:
    text = '[venues.kraken.options]\ntier = "pro"\nvalidate = true\nstp_type = "cancel_both"\nbatch = "true"\n'
    golive.check_options(settings(text), load_venue("kraken"))
    golive.check_options(settings(text), load_venue("dex_arb"))
    bare = msgspec.structs.replace(kraken(), trading=None)
    with pytest.raises(ConfigError, match="is no option of kraken") as caught:
        golive.check_options(settings(text), bare)
    assert caught.value.mend == "leave it out: it has none"


def test_chains_and_venues_without_orders_are_refused() -> None:
    with pytest.raises(ConfigError, match="dex_arb's orders are filled on paper"):
        check(VENUE + LIMITS, venues=(kraken(), load_venue("dex_arb")))
    bare = msgspec.structs.replace(kraken(), trading=None)
    with pytest.raises(ConfigError, match="kraken cannot be traded at for real"):
        check(VENUE + LIMITS, venues=(bare,))
    with pytest.raises(ConfigError, match="leave it out: orders on chains are filled on paper"):
        settings("[venues.dex_arb]\nlive = true\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sim"], "goes not with --sim"),
        ([], "lacks venues.kraken.key; venues.kraken.secret; venues.kraken.live = true; an algo (the demo "),
        ([], "market maker is for paper and --sim); a journal; limits of its own"),
        (["--venues", "kraken,dex_arb"], "dex_arb's orders are filled on paper"),
    ],
)
def test_the_command_refuses_before_it_dials(words: list[str], said: str) -> None:
    result = gateway("serve", "--live", *words)
    assert result.exit_code == 4
    assert said in result.stderr
    assert "dialling" not in result.stderr


@pytest.mark.parametrize("setting", ["key", "secret"])
@pytest.mark.parametrize("literal", [KEY, SECRET, f'["{KEY}"]', f'{{a = "{KEY}"}}'])
def test_a_literal_key_is_refused_and_not_repeated(setting: str, literal: str) -> None:
    value = literal if literal[0] in "[{" else f'"{literal}"'
    with pytest.raises(ConfigError) as caught:
        settings(f"[venues.kraken]\n{setting} = {value}\n", "literal.toml")
    Path("literal.toml").unlink()
    assert f"venues.kraken.{setting}" in str(caught.value)
    assert not any(
        secret[at : at + 6] in str(caught.value) for secret in (KEY, SECRET) for at in range(len(secret) - 5)
    )
    with pytest.raises(ConfigError) as caught:
        load([], {f"GATEWAY__VENUES__KRAKEN__{setting.upper()}": KEY}, default=False)
    assert KEY[:6] not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    ['rest_url = "http://api.example"', 'rest_url = "https://api.example/0"', 'rest_url = "https://u:canary@x.example"',
     'rest_url = "https://x.example?canary=1"', 'rest_url = "api.canary"', 'private_url = "ws://auth.example/v2"',
     'private_url = "WS://auth.example/v2"', 'private_url = "https://auth.example"', "audit_s = 1", "audit_s = -1",
     "audit_s = 1e9", "audit_s = true", "options = 3", "options = {a = [1]}", 'live = "canary"'],
)  # fmt: skip
def test_what_would_be_sent_in_the_clear_or_makes_no_sense_is_refused(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(f"[venues.kraken]\n{line}\n")
    assert f"venues.kraken.{line.partition(' ')[0]}" in str(caught.value)
    assert "url" not in line or "canary" not in str(caught.value)


def test_the_settings_of_a_venue() -> None:
    section = golive.section_of(settings(""), kraken())
    assert section is not None
    assert (section.live, section.audit_ns, section.ticker, section.options) == (False, 60 * 10**9, False, {})
    text = '[venues.kraken]\naudit_s = 7.5\nticker = true\noptions = {validate = true, tier = "pro", n = 3}\n'
    section = golive.section_of(settings(text), kraken())
    assert section is not None
    assert (section.audit_ns, section.ticker) == (7_500_000_000, True)
    assert section.options == {"validate": "true", "tier": "pro", "n": "3"}


def test_the_links_of_a_venue() -> None:
    config, venue = settings(VENUE), kraken()
    public = {PUBLIC: venue.public_url, AUDIT: venue.public_url}
    assert golive.urls_of(config, [venue]) == {"kraken": public}
    wired = golive.wired([venue], is_on=True)
    assert golive.urls_of(config, [venue], wired) == {
        "kraken": {**public, PRIVATE: "wss://auth.example/v2", REST: "https://api.example"},
    }  # fmt: skip
    text = '[venues.kraken]\naudit_s = 0\nrest_url = "http://127.0.0.1:1"\nprivate_url = "ws://127.0.0.1:1/auth"\n'
    assert golive.urls_of(settings(text), [venue], wired)["kraken"] == {
        PUBLIC: venue.public_url, PRIVATE: "ws://127.0.0.1:1/auth", REST: "http://127.0.0.1:1",
    }  # fmt: skip
    assert golive.wired([venue], is_on=False) == ()
    assert golive.wired([load_venue("dex_arb")], is_on=True) == ()


def test_the_keys_are_read_taken_out_of_the_environment_and_held_by_one_process() -> None:
    secret_file()
    environment = {"K": KEY, "OTHER": "x"}
    vaults = golive.vaults_of(settings(VENUE), [kraken(), load_venue("dex_arb")], environment)
    assert list(vaults) == ["kraken"]
    assert environment == {"OTHER": "x"}
    vault = vaults["kraken"]
    assert vault.fill(b"{secret:key}") == KEY.encode()
    assert vault.nonce() < vault.nonce()
    with pytest.raises(ConfigError, match=f"is in use by process {os.getpid()}"):
        golive.vaults_of(settings(VENUE), [kraken()], {"K": KEY})
    vault.close()
    golive.vaults_of(settings(VENUE), [kraken()], {"K": KEY})["kraken"].close()


def test_a_second_gateway_on_the_key_is_refused_with_the_pid_of_the_first() -> None:
    secret_file()
    code = (
        "import sys; from runtime.keylock import KeyLock; l = KeyLock.take(sys.stdin.readline().strip());"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as other:  # fmt: skip
        assert other.stdin is not None and other.stdout is not None
        other.stdin.write(f"{KEY}\n")
        other.stdin.flush()
        assert other.stdout.readline() == "held\n"
        environment = {"K": KEY}
        with pytest.raises(ConfigError, match=f"is in use by process {other.pid}"):
            golive.vaults_of(settings(VENUE), [kraken()], environment)
        assert environment == {"K": KEY}  # nothing was begun


@pytest.mark.parametrize(
    ("key", "secret"),
    [("", SECRET), ("two words 012345", SECRET), ("short", SECRET), (SECRET, SECRET), (KEY, "not-base64-at-all!"),
     (KEY, ""), (KEY, 'quo"te-0123456')],
)  # fmt: skip
def test_keys_that_cannot_be_used_are_refused_before_anything_is_sent(key: str, secret: str) -> None:
    secret_file(secret)
    with pytest.raises(ConfigError) as caught:
        golive.vaults_of(settings(VENUE), [kraken()], {"K": key})
    assert "venues.kraken." in str(caught.value) or caught.value.place.endswith("s")
    for value in (key, secret):
        assert not value or value not in str(caught.value)
    vault = Vault({"key": KEY})  # and the key is free again
    vault.close()


def test_what_is_live_is_said_loudly_and_nothing_of_the_key() -> None:
    told: list[tuple[str, str]] = []
    config = settings(VENUE + LIMITS)
    urls = golive.urls_of(config, [kraken()], ("kraken",))

    def tell(text: str, level: str) -> None:
        told.append((level, text))

    golive.warn(config, [kraken()], urls, None, tell, is_live=True)
    assert {level for level, _ in told} == {"warning"}
    texts = "\n".join(text for _, text in told)
    for what in ("LIVE: orders go to kraken for real: wss://auth.example, https://api.example", "account-wide",
                 "every open order of the account", "LIVE: limits from gateway.toml:"):  # fmt: skip
        assert what in texts
    told.clear()
    golive.warn(config, [kraken()], {}, None, tell, is_live=False)
    assert told == [("info", "kraken has live = true, but without --live every order is filled on paper")]
    told.clear()
    golive.warn(config, [kraken()], {}, None, tell, is_live=False, is_sim=True)
    assert told == [("info", "kraken has live = true, but without --live orders go to the simulated venue alone")]
    told.clear()
    checked = settings(VENUE + "options = {validate = true}\n" + LIMITS)
    golive.warn(checked, [kraken()], urls, None, tell, is_live=True)
    texts = "\n".join(text for _, text in told)
    assert "LIVE, validate: kraken checks new orders and places none: wss://auth.example" in texts
    assert "for real" not in texts


def test_each_algo_is_named_with_its_module_and_the_limits_it_is_held_to() -> None:
    Path("mine.wasm").write_bytes(demo_wasm())
    text = LIMITS + "[limits.algos.b]\nmax_position = 0.01\n[limits.canary]\nmax_orders = 3\n"
    for name in "ab":
        text += f'[[algos]]\nname = "{name}"\nwasm = "mine.wasm"\nsymbols = ["BTC/USD"]\n'
    config = settings(text)
    told: list[str] = []
    guests = guests_of_config(config.algos)
    golive.name_algos(guests, limits_of(config.limits, config.origin), lambda text, _level: told.append(text))
    digest = hashlib.sha256(demo_wasm()).hexdigest()
    line = text.split("\n").index("max_position = 0.01") + 1
    assert told == [
        f"LIVE: algo a is mine.wasm, SHA-256 {digest}; no limits of its own, but the account's, and a canary's",
        f"LIVE: algo b is mine.wasm, SHA-256 {digest}; limits of its own from gateway.toml:{line}, and a canary's",
    ]


def test_a_tag_that_cannot_be_remembered_is_for_paper_only(here: Path) -> None:
    (here / "state").write_text("no folder")
    told: list[str] = []
    tag = golive.tag_for(is_live=False, tell=lambda text, _level: told.append(text))
    assert len(tag) == 8 and tag.startswith("vg")
    assert "may come again" in told[0]
    with pytest.raises(ConfigError):
        golive.tag_for(is_live=True, tell=lambda *_: None)
