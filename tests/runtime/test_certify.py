"""`gateway venue list`, `new`, `certify`: what a connector author types, and every way in which it can be wrong."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from connectors import registry
from connectors.errors import ConfigError, PluginError
from connectors.session import Capabilities, Venue
from connectors.venues.kraken import VENUE
from runtime import certificate, certify, venue_new
from runtime.certify import FAILED, PASSED, SKIPPED, Outcome
from runtime.cli import app
from runtime.conformance.cards import cards_of
from runtime.conformance.kit import VenueConformance
from runtime.conformance.table import block_in, block_of
from tests.support.data import ROOT
from tests.support.tulip import planted, tape

EVIL = '<script>alert("é")</script>\x1b[31m & co'


def gateway(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["venue", *words])
    assert not isinstance(done.exception, Exception) or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def only(venue: Venue, card: str, tapes: Path) -> Outcome:
    """One card."""
    kit = type("Certified", (VenueConformance,), {"tapes": tapes, "docs": ()})()
    (found,) = [one for one in cards_of(type(kit)) if one.id == card]
    return certify._outcome(found, kit, venue)


# --- list ------------------------------------------------------------------------------------------------------------


def test_every_installed_venue_is_listed_with_what_it_declares() -> None:
    code, out, _ = gateway("list", "--json")
    assert code == 0
    found = json.loads(out)
    assert {name for name in found if ":" not in name} == {name for name in registry.names() if ":" not in name}
    assert found["kraken"]["checksum"] == "yes"
    assert found["kraken"]["trading"] == "real"
    assert found["dex_arb"]["onchain"] == "yes"
    for name, rows in found.items():
        assert ":" in name or rows.keys() >= set(Capabilities.__struct_fields__)


def test_the_list_for_people_is_a_table() -> None:
    code, out, _ = gateway("list")
    assert code == 0
    head, *rows = out.splitlines()
    assert head.split()[:3] == ["venue", "id", "trading"]
    (kraken,) = [row for row in rows if row.startswith("kraken")]
    assert kraken.split()[1:3] == ["1", "real"]


def test_a_plugin_that_cannot_be_used_costs_only_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Venue:
        if name == "okx":
            raise PluginError("it is broken", place="here", mend="mend it")
        return VENUE

    monkeypatch.setattr(registry, "names", lambda: ["kraken", "okx"])
    monkeypatch.setattr(registry, "load", load)
    assert certificate.listing()["okx"] == {"problem": "it is broken"}
    code, out, _ = gateway("list")
    assert code == 0
    assert "it is broken" in out


def test_the_tables_for_documentation() -> None:
    code, out, _ = gateway("list", "--markdown")
    assert code == 0
    assert block_of(VENUE) in out


# --- new -------------------------------------------------------------------------------------------------------------


def test_a_skeleton_passes_m_and_fails_f_with_what_to_write_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failing card names a file and a step of the guide."""
    monkeypatch.chdir(tmp_path)
    code, out, _ = gateway("new", "daisy", "--json")
    assert code == 0
    made = json.loads(out)
    assert made["folder"] == "daisy-venue"
    monkeypatch.chdir(tmp_path / "daisy-venue")
    monkeypatch.syspath_prepend(str(Path.cwd()))
    code, out, _ = gateway("certify", "daisy_venue", "--json")
    assert code == 1
    cards = {card["card"]: card for card in json.loads(out)["cards"]}
    assert {name for name, card in cards.items() if card["outcome"] == PASSED} == {"M10", "M20", "M30", "M40"}
    failed = {name: card for name, card in cards.items() if card["outcome"] == FAILED}
    assert failed.keys() == {"F10", "F20", "F30", "F40", "F80", "F90", "T10", "T20"}
    assert {card["next"] for card in failed.values()} == {"tests/fixtures, step 1 of docs/add-a-venue.md"}
    tapes = tape(Path("tests/fixtures"), certify.venue_named("daisy_venue"))
    later = {one.card: one for one in certify.certify(certify.venue_named("daisy_venue"), tapes)}
    assert later["F10"].next == "session.py, step 3 of docs/add-a-venue.md"
    assert later["T20"].next == "orders.py, step 5 of docs/add-a-venue.md"


@pytest.mark.parametrize("words", [["format", "--check"], ["check"]], ids=["formatted", "linted"])
def test_what_is_written_is_clean(words: list[str], tmp_path: Path) -> None:
    """An author starts from clean ground."""
    venue_new.new("crocus", tmp_path / "c")
    ruff = [sys.executable, "-m", "ruff", *words, "--isolated", "--line-length", "120", "."]
    done = subprocess.run(ruff, capture_output=True, text=True, check=False, cwd=tmp_path / "c")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [("Tulip", "cannot be a venue's name"), ("2lips", "cannot be"), ("tu-lip", "cannot be"), ("../x", "cannot be"),
     ("x" * 25, "cannot be"), ("", "cannot be"), ("kraken", "is taken"), ("class", "is taken"), (EVIL, "cannot be")],
)  # fmt: skip
def test_a_name_that_cannot_be_one_is_refused(name: str, said: str, tmp_path: Path) -> None:
    code, out, err = gateway("new", name, str(tmp_path / "x"))
    assert code == 4
    assert said in err and "mend:" in err
    assert "\x1b" not in out + err
    assert not (tmp_path / "x").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    code, _, err = gateway("new", "daisy", str(tmp_path))
    assert code == 4
    assert "exists already" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made_is_one_error() -> None:
    code, _, err = gateway("new", "daisy", "/proc/none/daisy")
    assert code == 4
    assert "cannot be written" in err


# --- certify ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENUEGATE_CARDS", "2")


@pytest.mark.usefixtures("few")
def test_the_card_table_and_its_exit_code(tmp_path: Path) -> None:
    page = tmp_path / "kraken.html"
    code, out, _ = gateway("certify", "kraken", "--html", str(page))
    assert code == 0, out
    assert "F30  passed" in out
    assert "P10  skipped" in out
    assert "capability onchain: its markets are no pools" in out
    assert out.rstrip().endswith("kraken: 20 passed, 4 skipped")
    assert page.read_text().count("<tr>") > 24


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", ["connectors.venues.kraken", "connectors.venues.kraken:VENUE"])
def test_a_module_names_a_venue_as_well(name: str) -> None:
    assert certify.venue_named(name) is VENUE


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("krakn", "no venue and no module is called 'krakn'"),
        ("no.such.module", "cannot be imported: ModuleNotFoundError"),
        ("json:VENUE", "cannot be imported: AttributeError"),
        ("json:loads", "is a function"),
        ("connectors.venues.kraken:NOTHING", "cannot be imported: AttributeError"),
        (":", "cannot be imported"),
        (".", "cannot be imported"),
        ("", "no venue is called ''"),
    ],
)
def test_a_name_that_is_no_venue_is_one_error(name: str, said: str) -> None:
    code, _, err = gateway("certify", name)
    assert code == 4
    assert said in err and "mend:" in err


def test_without_pytest_or_hypothesis_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are no run-time dependencies: what to install is said."""
    find = importlib.util.find_spec

    def missing(name: str, package: str | None = None) -> Any:
        return None if name in certify.NEEDED else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    code, out, err = gateway("certify", "kraken")
    assert (code, out) == (4, "")
    assert "pytest and hypothesis not installed" in err
    assert "mend: pip install pytest hypothesis" in err


def test_list_and_new_need_neither() -> None:
    """In an interpreter that could not import them."""
    block = "import sys; sys.modules.update(pytest=None, hypothesis=None); "
    program = block + "from runtime.cli import app; app(['venue', 'list', '--json'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "kraken" in json.loads(done.stdout)


def test_accept_writes_goldens_and_the_table_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """README.md gets the table where no document has one; the second time nothing changes."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("")
    (project / "README.md").write_text("# Mine\n")
    monkeypatch.chdir(project)
    venue = planted(project)
    tapes = tape(project / "fixtures", venue)
    first = [*certify.accept(venue, tapes), *certify.accept_table(venue)]
    assert [path.name for path in first] == ["books.golden.jsonl", "README.md"]
    text = (project / "README.md").read_text()
    assert text.startswith("# Mine\n")
    assert block_in(text, "tulip") == block_of(venue)
    certify.accept_table(venue)
    assert (project / "README.md").read_text() == text
    assert certify.folder_of(venue) == project / "fixtures"


def test_accept_without_a_tape_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tape in"):
        certify.accept(VENUE, tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"{}\n", "made by others"), (b"\x28\xb5\x2f\xfd....", "damaged or cut short")],
)
def test_a_tape_that_is_none_fails_the_cards_and_no_more(content: bytes, said: str, tmp_path: Path) -> None:
    """Every card that needs it says so; those about manners are untouched."""
    (tmp_path / "books.tape.zst").write_bytes(content)
    assert said in only(VENUE, "F10", tmp_path).reason
    assert only(VENUE, "M20", tmp_path).outcome == PASSED


def test_a_venue_that_raises_fails_its_cards_and_the_others_go_on() -> None:
    """Kind and place of the exception; no traceback."""

    def market(_plan: object) -> Any:
        raise RuntimeError(f"boom {EVIL}")

    broken = msgspec.structs.replace(VENUE, market=market)
    found = only(broken, "F10", ROOT / "fixtures/kraken/conformance")
    assert found.outcome == FAILED
    assert found.reason.startswith("RuntimeError at test_certify.py:")
    assert only(broken, "T30", ROOT / "fixtures/kraken/conformance").outcome == PASSED


# --- the page --------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Which tags there are, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs), attrs
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_holds_what_a_venue_says_as_text() -> None:
    """Nothing runs, nothing comes from elsewhere."""
    capabilities = Capabilities(depths=(10,), checksum=False, absent={EVIL: EVIL})
    venue = msgspec.structs.replace(VENUE, name=EVIL, capabilities=capabilities)
    outcomes = [
        Outcome("F10", EVIL, FAILED, EVIL, EVIL),
        Outcome("F20", "b", PASSED),
        Outcome("F30", "c", SKIPPED, "d"),
    ]
    text = certificate.page(venue, outcomes)
    reader = Reader()
    reader.feed(text)
    assert reader.tags <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "tr", "th", "td",
                           "small", "code"}  # fmt: skip
    assert reader.text.count('<script>alert("é")</script>') == 7
    assert "default-src 'none'" in text
    assert "1 passed, 1 failed, 1 skipped" in reader.text


def test_a_page_that_cannot_be_written_is_one_error() -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        certificate.write_page(Path("/proc/none/x.html"), "")
