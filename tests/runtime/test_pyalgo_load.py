"""What a Python file is told when it is no algo, and what loading promises."""

import hashlib
import sys
from pathlib import Path

import pytest

from connectors.errors import ModuleError
from runtime.python.guest import load_python

HEAD = "from runtime.pyalgo import *\n"
GOOD = HEAD + "class A(Algo):\n    def on_book(self, book, state, features, actions): pass\n"


def load_error(path: Path) -> ModuleError:
    with pytest.raises(ModuleError) as raised:
        load_python(path)
    assert raised.value.place == str(path)
    assert raised.value.mend
    assert "\n" not in raised.value.problem
    return raised.value


MISTAKES = [
    ("class A(Algo:\n", "line 1: SyntaxError: ", "mend the syntax"),
    ("x = 1\n  y = 2\n", "line 2: IndentationError: ", "mend the syntax"),
    ("x = 1\0\n", "SyntaxError: ", "mend"),
    (b"\xff\xfe", "SyntaxError: ", "mend"),
    ("", "names no algo", "end the file with ALGO = MyAlgo"),
    (GOOD, "names no algo", "end the file with ALGO = A"),
    (GOOD + "ALGO = A()\n", "ALGO is an instance", "ALGO = A"),
    ("class A: pass\nALGO = A\n", "ALGO is A, which is not based on Algo", "class A(Algo)"),
    ("ALGO = 5\n", "ALGO is int, which is not based on Algo", "class MyAlgo(Algo)"),
    ("algo = 5\n", "algo is not a function", "def algo() -> Algo"),
    ("def algo(): return 5\n", "algo() gave a int", "based on Algo"),
    ("def algo(): 1 / 0\n", "a.py:1 ZeroDivisionError", "without arguments"),
    (GOOD + "    def __init__(self, n): pass\nALGO = A\n", "TypeError: ", "without arguments"),
    (GOOD + "    def __init__(self): exit(1)\nALGO = A\n", "a.py:4 SystemExit: 1", "without arguments"),
    ("import helper_beside_me\n", "a.py:1 ModuleNotFoundError: No module named 'helper_beside_me'", "one file"),
    ("\n\nraise RuntimeError('no')\n", "a.py:3 RuntimeError: no", "from top to bottom"),
    ("import sys\nsys.exit()\n", "a.py:2 SystemExit", "from top to bottom"),
    (
        HEAD + "class A(Algo): pass\nALGO = A\n",
        "A has no callback",
        "def on_book(self, book, state, features, actions)",
    ),
    (GOOD + "    def on_bok(self): pass\nALGO = A\n", "A.on_bok is no callback", "did you mean on_book?"),
    (GOOD + "    def on_zzz(self): pass\nALGO = A\n", "A.on_zzz is no callback", "rename the helper"),
    (
        GOOD.replace("features, ", "") + "ALGO = A\n",
        "A.on_book: too many positional arguments",
        "def on_book(self, book",
    ),
    (GOOD.replace("def", "async def") + "ALGO = A\n", "A.on_book is async or a generator", "def on_book"),
    (GOOD.replace("pass", "yield") + "ALGO = A\n", "A.on_book is async or a generator", "def on_book"),
    (GOOD + "    def on_fill(self, fill): pass\nALGO = A\n", "A.on_fill: too many positional", "(self, fill, state)"),
]


@pytest.mark.parametrize(("source", "said", "mend"), MISTAKES, ids=[said for _, said, _ in MISTAKES])
def test_a_mistake_is_told_with_its_line_and_mend(source: str | bytes, said: str, mend: str, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    (tmp_path / "helper_beside_me.py").touch()
    error = load_error(path)
    assert said in error.problem
    assert mend in error.mend
    assert not [name for name in sys.modules if "_venuegate_algo" in name and hashed(path) in name]


def hashed(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in load_error(tmp_path / "none.py").problem
    assert "cannot be read: Is a directory" in load_error(tmp_path).problem
    big = tmp_path / "big.py"
    big.write_bytes(b"#" * (4 * 2**20 + 1))
    assert "is 4194305 bytes, the most is 4194304" in load_error(big).problem


@pytest.mark.parametrize("end", ["ALGO = A\n", "def algo() -> Algo:\n    return A()\n"])
def test_a_file_names_its_algo_by_class_or_function(end: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(GOOD + end)
    guest = load_python(path)
    assert (guest.name, guest.class_name, sorted(guest.callbacks)) == (str(path), "A", ["on_book"])
    assert guest.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_runs_is_what_was_hashed(tmp_path: Path) -> None:
    """No bytecode is read or written: a file changed within one clock tick, to the same size, is another algo."""
    path = tmp_path / "mine.py"
    answers = []
    for number in (1, 2, 3):
        path.write_text(GOOD.replace("pass", f"actions.cancel({number})") + "ALGO = A\n")
        guest = load_python(path)
        actions = guest.on_book(bytearray(656), bytearray(1576), bytearray(256))
        answers.append((actions[0][0], guest.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()))
    assert answers == [(1, True), (2, True), (3, True)]
    assert sorted(tmp_path.iterdir()) == [path]


def test_dataclasses_and_annotations_work_in_an_algo(tmp_path: Path) -> None:
    """They look their module up by name, and the name is the same in every process."""
    path = tmp_path / "mine.py"
    head = "from __future__ import annotations\nfrom dataclasses import dataclass, field\nfrom typing import ClassVar\n"
    body = "@dataclass\nclass Quote:\n    KIND: ClassVar[int] = 1\n    ids: list[int] = field(default_factory=list)\n"
    path.write_text(
        head + GOOD.replace("class A", body + "class A").replace("pass", "log.info(type(Quote()))") + "ALGO = A\n"
    )
    guest = load_python(path)
    guest.on_book(bytearray(656), bytearray(1576), bytearray(256))
    assert guest.take_logs() == [(2, f"<class '_venuegate_algo_{guest.sha256[:16]}.Quote'>".encode())]
