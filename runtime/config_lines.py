"""Which line of a TOML file says what: tomllib tells the values and not where they stand.

The same text is scanned for tables and keys alone, after tomllib has read it. The scan is tolerant: where it meets what
it does not know it stops, and what lies below has no line, never a wrong one.
"""

import re
import tomllib
from typing import Final

Name = tuple[str, ...]

_SPACE: Final = re.compile(r"[ \t]*")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY: Final = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*'""")
_STRING: Final = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?'{3,5}|"(?:[^"\\\n]|\\[^\n])*"|'[^'\n]*\'''', re.DOTALL
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


class _Unknown(Exception):  # noqa: N818 - no error: the scan ends here
    """What stands here is not what was looked for."""


def lines_of(text: str) -> dict[Name, int]:
    """Every table and key of a TOML text, by its path, and the first line that names it, counted from 1."""
    scan = _Scan(text)
    try:
        scan.document()
    except (_Unknown, RecursionError):
        return scan.found
    return scan.found


class _Scan:
    """One pass over a text. `at`: the next character; `found`: what was named so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Name, int] = {}
        self.counts: dict[Name, int] = {}  # tables of an array of tables so far

    def document(self) -> None:
        table: Name = ()
        self.take(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.take(_BLANK)

    def header(self) -> Name:
        """`[table]` or `[[array]]`; the path of what follows, an array's with the number of the table in it."""
        line, is_array = self.line(), self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        path: Name = ()
        for part in self.key():
            path = (*path, part)
            self.found.setdefault(path, line)
            if path in self.counts:
                path = (*path, str(self.counts[path]))
        self.expect("]]" if is_array else "]")
        if not is_array:
            return path
        whole = path[:-1] if path[:-1] in self.counts else path
        self.counts[whole] = self.counts.get(whole, -1) + 1
        path = (*whole, str(self.counts[whole]))
        self.found.setdefault(path, line)
        return path

    def pair(self, table: Name) -> None:
        """`key = value`."""
        line, path = self.line(), table
        for part in self.key():
            path = (*path, part)
            self.found.setdefault(path, line)
        self.expect("=")
        self.value(path)

    def key(self) -> Name:
        """A key with its dots, unquoted."""
        parts = []
        while True:
            self.take(_SPACE)
            part = self.take(_KEY)
            parts.append(next(iter(tomllib.loads(f"{part} = 0"))) if part[:1] in "\"'" else part)
            self.take(_SPACE)
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def value(self, path: Name) -> None:
        """Whatever stands behind `=`, or in an array; of an inline table the keys."""
        self.take(_SPACE)
        first = self.text[self.at : self.at + 1]
        if first == "[":
            self.items("]", path, is_table=False)
        elif first == "{":
            self.items("}", path, is_table=True)
        else:
            self.take(_STRING if first in {'"', "'"} else _SCALAR)

    def items(self, end: str, path: Name, *, is_table: bool) -> None:
        """What lies between brackets, with commas."""
        self.at += 1
        count = 0
        self.take(_BLANK)
        while not self.text.startswith(end, self.at):
            if is_table:
                self.pair(path)
            else:
                self.value((*path, str(count)))
                count += 1
            self.take(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
                self.take(_BLANK)
            elif not self.text.startswith(end, self.at):
                raise _Unknown
        self.at += 1

    def take(self, pattern: re.Pattern[str]) -> str:
        """What fits here, which is passed."""
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Unknown
        self.at = match.end()
        return match[0]

    def expect(self, text: str) -> None:
        self.take(_SPACE)
        if not self.text.startswith(text, self.at):
            raise _Unknown
        self.at += len(text)

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1
