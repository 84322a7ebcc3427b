"""The scan for lines agrees with tomllib on what a file names, and says the line that an editor would show."""

import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.config_lines import lines_of

KITCHEN = '''# a comment with [brackets] and = signs
title = "a # no comment" # one
"quoted key" = 1
'literal.key' = 2
a.b . "c.d" = 3

[limits]
max_position = 0.5 # [not] a table
types = [ "limit", # the first
  "a]b",

  'post_only'
]
inline = { x = 1, "y z" = { deep = [ {p = 1}, {p = 2} ] }, w.v = "}" }
text = """
[limits.fake]
key = 1 \\""" still
"""
raw = \'\'\'
[also.fake] \'\'\'
last = """quoted"" at the end"""""
when = 1979-05-27 07:32:00
  [ limits . venues . "kra ken" ]
  depth = +1_000
[[algos]]
name = "one"
[algos.more]
deep = true
[[algos]]
name = 'two'
[[algos.parts]]
n = 1
[[algos.parts]]
n = inf
["\\u00e9t\\u00e9"]
x = 1'''

WHERE = {
    ("title",): 2, ("quoted key",): 3, ("literal.key",): 4, ("a",): 5, ("a", "b"): 5, ("a", "b", "c.d"): 5,
    ("limits",): 7, ("limits", "max_position"): 8, ("limits", "types"): 9, ("limits", "inline"): 14,
    ("limits", "inline", "x"): 14, ("limits", "inline", "y z", "deep"): 14, ("limits", "inline", "w", "v"): 14,
    ("limits", "text"): 15, ("limits", "raw"): 19, ("limits", "last"): 21, ("limits", "when"): 22,
    ("limits", "venues", "kra ken"): 23, ("limits", "venues", "kra ken", "depth"): 24, ("algos",): 25,
    ("algos", "0", "name"): 26, ("algos", "0", "more", "deep"): 28, ("algos", "1", "name"): 30,
    ("algos", "1", "parts", "0", "n"): 32, ("algos", "1", "parts", "1", "n"): 34, ("été",): 35, ("été", "x"): 36,
}  # fmt: skip


def names(value: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every table and key that tomllib found; of arrays, tables alone have a path of their own."""
    found = set()
    if isinstance(value, dict):
        for key, below in value.items():
            found |= {(*path, key)} | names(below, (*path, key))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            found |= names(below, (*path, str(number)))
    return found


def test_every_kind_of_key_has_its_line() -> None:
    found = lines_of(KITCHEN)
    assert {path: found.get(path) for path in WHERE} == WHERE
    assert names(tomllib.loads(KITCHEN)) <= found.keys()
    assert not any("fake" in path for path in found)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_counted_whatever_ends_them(end: str) -> None:
    assert lines_of(end.join(["", "[limits]", "# two", "max_position = 1", ""]))["limits", "max_position"] == 4


@pytest.mark.parametrize("broken", ["[limits\nb = 2", "b 1", 'b = """', "b = [1", "= 3", "b = {x = 1", "b = [1 [2"])
def test_where_the_scan_ends_nothing_is_made_up(broken: str) -> None:
    """Such a file is refused before; the scan itself keeps what it knew and adds no wrong line."""
    found = lines_of(f"a = 1\n{broken}\nc = 3")
    assert found["a",] == 1
    assert ("c",) not in found


def test_deep_nesting_is_no_traceback() -> None:
    assert lines_of("a = " + "[" * 100_000) == {("a",): 1}


bare = st.text("abc_-1", min_size=1, max_size=3)
texts = st.text("ab #=[]{}\"'\\,.\n", max_size=8)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


values: st.SearchStrategy[str] = st.recursive(
    st.sampled_from(["1", "-0.5", "true", "nan", "'it #s'", "1979-05-27"]) | texts.map(quoted),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", # why\n ".join(items) + "\n]")
        | st.dictionaries(bare | texts.map(quoted), inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f"{key} = {value}" for key, value in items.items()) + " }"
        )
    ),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(bare, st.dictionaries(bare | texts.map(quoted), values, max_size=4), max_size=4))
def test_of_every_file_the_scan_knows_what_tomllib_knows(tables: dict[str, dict[str, str]]) -> None:
    """And each key's line is the one on which it was written."""
    text = "# top\n"
    wanted: dict[tuple[str, ...], int] = {}
    for table, pairs in tables.items():
        wanted[table,] = text.count("\n") + 1
        text += f"[{table}] # here\n"
        for key, value in pairs.items():
            name = next(iter(tomllib.loads(f"{key} = 1")))
            if (table, name) not in wanted:  # two spellings of one key are no TOML
                wanted[table, name] = text.count("\n") + 1
                text += f"  {key} = {value}\n\n"
    try:
        known = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # an inline table with two spellings of one key, or an array of lines within one
    found = lines_of(text)
    assert {path: found[path] for path in wanted} == wanted
    assert names(known) <= found.keys()
