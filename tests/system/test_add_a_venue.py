"""docs/add-a-venue.md, followed: its blocks in order, in a folder and an environment of their own, against a Tulip.

The environment lies beside ours: what is installed here is seen there, what is installed there is not seen here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.tulip import GUIDE, Block, blocks
from tests.support.tulip_server import TulipServer


class Author:
    """Somebody who follows the page: a folder, an environment, and where his venue is."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.environment = folder / "env"
        uv = shutil.which("uv") or "uv"
        made = subprocess.run(
            [uv, "venv", "--quiet", "--offline", "--python", sys.executable, str(self.environment)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        site = next(self.environment.glob("lib/python*/site-packages"))
        ours = sysconfig.get_path("purelib")
        (site / "venuegate_beside_us.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        python = self.environment / "bin" / "python"
        for name, start in (
            ("gateway", "from runtime.cli import main"),
            ("pytest", "from pytest import console_main as main"),
        ):
            script = self.environment / "bin" / name
            script.write_text(f"#!{python}\nimport sys\n{start}\nsys.exit(main())\n")
            script.chmod(0o755)
        self.variables = {
            name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY__", "PYTEST_", "COV"))
        } | {
            "VIRTUAL_ENV": str(self.environment), "PATH": f"{self.environment}/bin:{os.environ['PATH']}",
            "GATEWAY__VENUES__TULIP__URL": url, "VENUEGATE_CARDS": "10", "UV_OFFLINE": "1",
        }  # fmt: skip
        self.variables.pop("PYTHONPATH", None)

    def run(self, command: str) -> str:
        """One command of the page; its stdout."""
        words = command.split()
        if words[0] == "cd":
            self.folder = self.folder / words[1]
            return ""
        done = self._tried(words)
        if done.returncode and words[0] == "uv":  # what builds a wheel is not in uv's cache: once over the network
            self.variables.pop("UV_OFFLINE", None)
            done = self._tried(words)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _tried(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        program = shutil.which(words[0], path=self.variables["PATH"])
        assert program, words[0]
        return subprocess.run(
            [program, *words[1:]], cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False
        )

    def follow(self, block: Block) -> list[str]:
        """A file is written, commands are run; what they printed."""
        if block.path:
            (self.folder / block.path).write_text(block.text)
            return []
        return [self.run(line) for line in block.text.splitlines()]

    def holds_the_wheel(self) -> bool:
        """Whether what is installed came out of the wheel, and is not the folder that it was written in."""
        site = next(self.environment.glob("lib/python*/site-packages"))
        return (site / "tulip_venue" / "session.py").is_file() and not list(site.glob("_*tulip*.pth"))

    def certified(self, *words: str) -> dict[str, str]:
        """Card → outcome, as the command says now."""
        done = self._tried(["gateway", "venue", "certify", "tulip", "--json", *words])
        assert done.stdout, done.stderr
        said = json.loads(done.stdout)
        assert done.returncode == (0 if said["kept"] else 1)
        return {card["card"]: card["outcome"] for card in said["cards"]}


def test_a_venue_in_six_steps(tmp_path: Path) -> None:
    """Skeleton, tape, wire, session, capabilities, orders, golden; then its wheel is served and its tape replayed."""
    begin, *pages, end = blocks()
    assert [block.path.rpartition("/")[2] for block in pages] == [
        "wire.py", "__init__.py", "", "", "session.py", "orders.py", "asked.py"
    ]  # fmt: skip
    wire, init, record, decoded, *rest = pages
    with TulipServer() as url:
        author = Author(tmp_path, url)
        author.follow(begin)
        cards = author.certified()
        assert {cards[name] for name in cards if name[0] == "M"} == {"passed"}
        assert {cards[name] for name in ("F10", "F20", "F30", "F40", "F80", "F90", "T10", "T20")} == {"failed"}

        author.follow(wire)
        author.follow(init)
        assert "frames" in author.follow(record)[0]
        author.follow(decoded)
        for block in rest:
            author.follow(block)
        cards = author.certified()
        assert {name for name in cards if cards[name] == "failed"} == {"M30", "F30"}  # what `--accept` writes

        printed = author.follow(end)
        assert author.holds_the_wheel()
        assert "tulip: 14 passed, 10 skipped" in printed[0]
        assert "<table>" in (author.folder / "certificate.html").read_text()
        served, replayed = printed[4:]
        assert re.search(r"valid +True", served), served
        hashes = {text.rpartition("hash")[2].split()[0] for text in (served, replayed)}
        assert len(hashes) == 1


def test_every_block_of_the_page_is_followed() -> None:
    """A block without its mark would be read by people and by nobody else."""
    fences = GUIDE.read_text().count("\n```") // 2
    assert fences == len(blocks())


@pytest.mark.parametrize("word", ["F30", "F50", "T10", "T30", "M30"])
def test_the_cards_that_the_page_names_exist(word: str) -> None:
    from runtime.conformance.cards import cards_of
    from runtime.conformance.kit import VenueConformance

    assert word in {card.id for card in cards_of(VenueConformance)}
