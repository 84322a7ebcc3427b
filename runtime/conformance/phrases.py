"""How a venue speaks to a trader, as data: `trading.toml` beside the tapes, written from the venue's documentation.

Frames with `<places>` in them. A rule of `[[answers]]` is what the venue says when it `hears` (a regular expression
over our bytes on the link `on`); its named groups are places, too. `kind` says which of them answer an order. The other
tables say what becomes of one:

| table | the venue says it |
|---|---|
| `[[greetings]]` | when a link opens |
| `[[beats]]` | once or twice a second |
| `[[answers]]` | when it hears something |
| `[[filled]]` | of an execution; `when = "part"` or `"last"` where the two differ |
| `[[cancelled]]` | of an order that a cancel ended |
| `[[refused]]` | instead of the answer to a new order; `<text>`, or `<code>` and `<text>` |
| `[refusals]` | `"code|words"` or `"words"` = the guest's code (`INSUFFICIENT_BALANCE` …), or `DOUBT`: nobody knows |
| `unlisted` | refusals of the venue's form that no documentation names |
| `listed` | one open order, as the lists have it where they say `<listed>` |
| `traded` | one execution, as the lists have it where they say `<traded>` |

Places that the kit fills: `<order>` the venue's id, `<exec>` an execution's, `<px> <qty> <last> <cum> <left> <cost>` as
decimals, `<ms> <s> <iso>` the time, `<seq:NAME>` a counter from 1, `<secret>` something nobody may see.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final, Literal

import msgspec

from connectors.errors import ConfigError
from connectors.events import RejectCode
from connectors.units import decimal_text

FILE: Final = "trading.toml"
CANARY: Final = "vgcanary0123456789abcdef"
DOUBT: Final = "DOUBT"
_PLACE: Final = re.compile(r"<([a-z_]+)(?::([a-z_]+))?>")


class Says(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Frames on a link. `when`: of an execution, whether it ends the order; "" where that makes no difference."""

    link: str
    says: list[str]
    when: Literal["", "part", "last"] = ""


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said, on `link` (default: `on`), when our bytes on `on` match `hears`."""

    on: str
    hears: str
    says: list[str]
    link: str = ""
    kind: Literal["", "new", "amend", "cancel", "cancel_all"] = ""


class Phrases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`instrument`: `SYMBOL:price_decimals:size_decimals[:min_size[:min_notional]]`. The rest: see above."""

    instrument: str
    answers: list[Answer]
    filled: list[Says]
    cancelled: list[Says]
    refused: list[Says]
    refusals: dict[str, str]
    unlisted: list[str]
    greetings: list[Says] = []
    beats: list[Says] = []
    listed: str = ""
    traded: str = ""
    venue_symbol: str = ""
    venue_code: str = ""
    options: dict[str, str] = {}


def phrases_in(folder: Path) -> Phrases | None:
    """None where there is no such file. Raises ConfigError for one that cannot be used."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Phrases)
        for rule in found.answers:
            re.compile(rule.hears)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, re.error, UnicodeDecodeError) as error:
        raise ConfigError(
            str(error), place=str(path), mend="runtime/conformance/phrases.py says what it holds"
        ) from None
    strange = {code for code in found.refusals.values() if code != DOUBT and code not in RejectCode.__members__}
    if strange:
        mend = f"choose from: {DOUBT}, {', '.join(RejectCode.__members__)}"
        raise ConfigError(f"[refusals] knows no {', '.join(sorted(strange))}", place=str(path), mend=mend)
    return found


class Speaker:
    """Fills the places. `names[name]`: what our bytes said of the order that they call `name`."""

    def __init__(self, phrases: Phrases, price_precision: int, size_precision: int) -> None:
        self.phrases = phrases
        self._digits = price_precision, size_precision
        self._counts: Counter[str] = Counter()
        self.open: dict[str, dict[str, str]] = {}  # orders that the lists show
        self.trades: dict[str, str] = {}  # executions that they show, by their ids

    def price(self, px_1e9: int) -> str:
        digits = self._digits[0]
        return decimal_text(px_1e9 // 10 ** (9 - digits), digits)

    def size(self, qty_1e8: int) -> str:
        digits = self._digits[1]
        return decimal_text(qty_1e8 // 10 ** (8 - digits), digits)

    def frame(self, form: str, places: dict[str, str], now_ns: int) -> bytes:
        """One frame, ready."""
        times = {"ms": str(now_ns // 10**6), "s": str(now_ns // 10**9), "iso": iso(now_ns), "secret": CANARY}

        def fill(found: re.Match[str]) -> str:
            name, which = found[1], found[2]
            if name == "seq":
                self._counts[which] += 1
                return str(self._counts[which])
            if name == "listed":
                return ",".join(self.frame(self.phrases.listed, one, now_ns).decode() for one in self.open.values())
            if name == "traded":
                return ",".join(self.trades.values())
            return str(times.get(name, places.get(name, found[0])))

        return _PLACE.sub(fill, form).encode()


def iso(now_ns: int) -> str:
    """RFC 3339 with milliseconds, of the kit's own times, which are all of one day of 2026."""
    seconds, ms = divmod(now_ns // 10**6, 1000)
    of_day = seconds % 86_400
    return f"2026-08-16T{of_day // 3600:02d}:{of_day // 60 % 60:02d}:{of_day % 60:02d}.{ms:03d}Z"
