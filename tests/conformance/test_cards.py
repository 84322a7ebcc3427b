"""Each card catches what it is there for: mistakes planted in Tulip, the venue of docs/add-a-venue.md."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from connectors.session import Venue
from runtime import certify
from runtime.certify import FAILED, PASSED, SKIPPED, Outcome
from runtime.conformance import cards
from runtime.conformance.table import block_of
from runtime.conformance.tapes import ENDING, Tape
from tests.support.tulip import planted, tape

SESSION, ORDERS, ASKED, INIT = "session.py", "orders.py", "asked.py", "__init__.py"
GAP = """        if change.n != one.n + 1:
            lost = BookLost(one.index, f"change {change.n} came after {one.n}", is_gap=True)
            return [lost, *self.resync(one.index, "a change was lost", now_ns)]
"""
UNREAD = """            out += self._lose("unexplained frame")
            for one in self._by_index.values():
                out += self.resync(one.index, "unexplained frame", now_ns)
            return out
"""
OLD = "if one.n is None or one.grid is None or change.n <= one.n:"
SILENT = """        if now_ns - self._heard_ns > SILENCE_NS:
            self._is_open = False
            return [*self._lose("link silent"), Reconnect(PUBLIC, "no frame for five seconds")]
"""
TICKS = """out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        for one in self._by_index.values():
            if"""
LONG = "\n\ndef long() -> int:\n" + "".join(f"    x{n} = {n}\n" for n in range(60)) + "    return x0\n"
# card → what it says; the file, what stands there, what is planted
PLANTED = {
    "M10 a clock": ("M10", "imports time", (SESSION, "import msgspec\n", "import time\n\nimport msgspec\n")),
    "M10 venuegate's own": (
        "M10",
        "imports runtime",
        (SESSION, "import msgspec\n", "import runtime.clock\nimport msgspec\n"),
    ),
    "M10 a mint of its own": (
        "M10",
        "builds Approved",
        (
            ORDERS,
            "        order = approved.order\n        instrument",
            "        Approved(None, 1, 2, 3)\n        order = approved.order\n        instrument",
        ),
    ),
    "M20 a long function": (
        "M20",
        "long has 62 lines",
        (ORDERS, "\n\nclass TulipOrders", LONG + "\n\nclass TulipOrders"),
    ),
    "M30 a capability more": ("M30", "is not the code's", (INIT, "sequence=True,", "sequence=True, ticker=True,")),
    "M30 absent for no reason": ("M30", "is not the code's", (INIT, '"an order is cancelled and placed anew"', '" "')),
    "F10 another symbol": (
        "F10",
        "was asked for",
        (SESSION, "symbol=one.symbol, price", "symbol=market.market, price"),
    ),
    "F10 another tick": (
        "F10",
        "off its tick",
        (SESSION, "scaled(market.tick, PRICE_DECIMALS)", "scaled(market.tick, PRICE_DECIMALS) * 4"),
    ),
    "F10 too few decimals": (
        "F10",
        "do not hold its lot",
        (SESSION, "size_precision=size,", "size_precision=size - 1,"),
    ),
    "F20 sends before it is open": (
        "F20",
        "the session sends",
        (SESSION, "        if not self._is_open:\n            return []\n", "        self._is_open = True\n"),
    ),
    "F20 a book without a link": (
        "F20",
        "though its link is down",
        (SESSION, 'return self._lose("link down")', "return []"),
    ),
    "F30 chance": ("F30", "two replays differ", (SESSION, "trade.id, rfc3339", "id(object()) + id(trade), rfc3339")),
    "F30 another output": (
        "F30",
        "other outputs than golden",
        (SESSION, "return Trade(index, px, size, 1 if", "return Trade(index, px, size, -1 if"),
    ),
    "F40 sides exchanged": (
        "F40",
        "crossed",
        (SESSION, "BookDelta(one.index, bids, asks,", "BookDelta(one.index, asks, bids,"),
    ),
    "F40 time runs back": (
        "F40",
        "came after",
        (SESSION, "None, change.at)", "None, change.at[:11] + str(1000 - change.n))"),
    ),
    "F50 no gap check": ("F50", "never had", (SESSION, GAP, "")),
    "F50 a gap passed over": (
        "F50",
        "is not what it said",
        (SESSION, GAP, "        if change.n != one.n + 1:\n            return []\n"),
    ),
    "F50 lost for good": (
        "F50",
        "nothing was asked for",
        (
            SESSION,
            GAP,
            GAP.replace('[lost, *self.resync(one.index, "a change was lost", now_ns)]', "[lost]").replace(
                "            lost =", "            one.n = None\n            lost ="
            ),
        ),
    ),
    "F50 a gap without its name": ("F50", "no loss is told as a gap", (SESSION, ", is_gap=True)", ")")),
    "F10 no trades": ("F10", "no trade was told", (SESSION, "return [_trade(one.index, message)]", "return []")),
    "F60 heard twice": (
        "F60",
        "never had",
        (SESSION, OLD, "if one.n is None or one.grid is None or change.n < one.n - 8:"),
        (SESSION, "change.n != one.n + 1", "change.n > one.n + 1"),
    ),
    "F80 raises": ("F80", "DecodeError", (SESSION, "except UNREADABLE as error:", "except KeyError as error:")),
    "F80 believes in a cut frame": (
        "F80",
        "never had",
        (SESSION, UNREAD, "            return out\n"),
        (SESSION, GAP, ""),
    ),
    "F80 in silence": ("F80", "in silence", (SESSION, "out = [Notice", "return []\n            out = [Notice")),
    "F90 no silence": ("F90", "is not given up", (SESSION, SILENT, "")),
    "F90 no timer": (
        "F90",
        "no WakeAt",
        (
            SESSION,
            TICKS,
            TICKS.replace("[WakeAt(now_ns + TICK_NS)]", "[]"),
        ),
    ),
    "F90 a book outlives it": ("F90", "still shown", (SESSION, '[*self._lose("link silent"), Reconnect', "[Reconnect")),
    "T10 the other side": ("T10", "not what was approved", (ORDERS, "if order.side > 0", "if order.side < 0")),
    "T10 another price": (
        "T10",
        "stands nowhere",
        (ORDERS, "trimmed_text(order.px_1e9, PRICE_DECIMALS)", "trimmed_text(order.px_1e9 + 1, PRICE_DECIMALS)"),
    ),
    "T10 as a float": (
        "T10",
        "stands nowhere",
        (ORDERS, '"size": trimmed_text(order.qty_1e8, SIZE_DECIMALS)', '"size": f"{order.qty_1e8 / 1e8:.2f}"'),
    ),
    "T10 another name": (
        "T10",
        "not what was approved",
        (ORDERS, '"id": order.client_order_id, "market"', '"id": order.client_order_id[:-1], "market"'),
    ),
    "T10 a type for another": ("T10", "not what was approved", (ORDERS, '"now_or_never"', '"limit"')),
    "T10 another approval": (
        "T10",
        "left as",
        (
            ORDERS,
            "encode(message), approved.approval)\n\n    def cancel(",
            "encode(message), 1_000)\n\n    def cancel(",
        ),
    ),
    "T10 more than is declared": (
        "T10",
        "amend is not declared",
        (
            ORDERS,
            'raise ValueError("Tulip changes no order: it is cancelled and placed anew")',
            "return Send(PRIVATE, b'{}', approved.approval)",
        ),
    ),
    "T20 anything will do": (
        "T20",
        "nobody approved",
        (
            ORDERS,
            "order = approved.order\n        instrument",
            'order = getattr(approved, "order", approved)\n        instrument',
        ),
        (
            ORDERS,
            "encode(message), approved.approval)\n\n    def cancel(",
            'encode(message), getattr(approved, "approval", 1))\n\n    def cancel(',
        ),
    ),
    "T20 not in the type": (
        "T20",
        "not Approved",
        (ORDERS, "def submit(self, approved: Approved[NewOrder]", "def submit(self, approved: NewOrder"),
    ),
}


@pytest.fixture(autouse=True)
def _as_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is not made small here: nobody reads it."""
    monkeypatch.setattr(cards, "PHASES", ["generate"])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Venue, Path, Path]:
    """Tulip as the page has it: the venue, its tapes with their golden, its README."""
    folder = tmp_path_factory.mktemp("tulip")
    venue = planted(folder)
    tapes = tape(folder / "fixtures", venue)
    certify.accept(venue, tapes)
    readme = folder / "README.md"
    readme.write_text(block_of(venue))
    return venue, tapes, readme


def run(venue: Venue, tapes: Path, readme: Path, card: str) -> Outcome:
    """One card, as `certify` runs it."""
    from runtime.conformance.cards import cards_of
    from runtime.conformance.kit import VenueConformance

    kit = type("Certified", (VenueConformance,), {"tapes": tapes, "docs": (readme,)})()
    (found,) = [one for one in cards_of(type(kit)) if one.id == card]
    return certify._outcome(found, kit, venue)


def test_the_page_s_venue_keeps_every_card(sound: tuple[Venue, Path, Path]) -> None:
    """And is skipped where it declares not to have what a card is about."""
    venue, tapes, readme = sound
    outcomes = {one.card: one for one in certify.certify(venue, tapes, [readme])}
    assert {name for name, one in outcomes.items() if one.outcome == FAILED} == set()
    skipped = {name: one.reason for name, one in outcomes.items() if one.outcome == SKIPPED}
    assert skipped.keys() == {"F70", "P10", "P20", "P30", "P40", "T30", "T40", "T50", "T60", "T70"}
    assert all(reason.startswith(("capability ", "capabilities ")) for reason in skipped.values())


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_caught(name: str, sound: tuple[Venue, Path, Path], tmp_path: Path) -> None:
    card, said, *changes = PLANTED[name]
    assert isinstance(card, str)
    assert isinstance(said, str)
    _, tapes, readme = sound
    found = run(planted(tmp_path, *changes), tapes, readme, card)  # type: ignore[arg-type]
    assert found.outcome == FAILED, f"{name} was not noticed"
    assert said in found.reason
    assert "docs/add-a-venue.md" in found.next


def test_a_session_that_only_declares_is_skipped_and_not_passed(
    sound: tuple[Venue, Path, Path], tmp_path: Path
) -> None:
    """Without numbers and checksum nobody can know of a loss: the reason says which capability is meant."""
    _, tapes, readme = sound
    venue = planted(tmp_path, (INIT, "sequence=True,", "sequence=False,"), (SESSION, GAP, ""))
    found = run(venue, tapes, readme, "F50")
    assert (found.outcome, found.reason.split(":")[0]) == (SKIPPED, "capabilities sequence and checksum")


@pytest.mark.parametrize(
    ("checksum", "said"),
    [(None, "Venue.checksum is None"), (lambda _book: 7, "no book event carries"), (lambda _book: 8, "no book event")],
)  # fmt: skip
def test_a_checksum_that_is_declared_has_to_be_there(
    checksum: object, said: str, sound: tuple[Venue, Path, Path]
) -> None:
    venue, tapes, readme = sound
    capable = msgspec.structs.replace(venue.capabilities, checksum=True)
    found = run(msgspec.structs.replace(venue, capabilities=capable, checksum=checksum), tapes, readme, "F70")
    assert found.outcome == FAILED
    assert said in found.reason


def test_a_secret_on_a_tape(sound: tuple[Venue, Path, Path], tmp_path: Path) -> None:
    from runtime.inputs import Frame
    from runtime.session import Session  # noqa: F401 - the writer's header comes from it
    from runtime.tape import TapeReader, TapeWriter

    venue, tapes, readme = sound
    for shown, outcome in (('"token":"{secret:token}"', PASSED), ('"token":"0123456789abcdef"', FAILED)):
        folder = tmp_path / outcome
        folder.mkdir()
        reader = TapeReader(tapes / f"books{ENDING}")
        assert reader.header is not None
        writer = TapeWriter(folder / f"books{ENDING}", reader.header)
        writer.append(Frame("tulip", "private", b'{"kind":"hello",%s}' % shown.encode()), 1)
        writer.close("")
        reader.close()
        assert run(venue, folder, readme, "M40").outcome == outcome


def test_no_tape_is_step_one(sound: tuple[Venue, Path, Path], tmp_path: Path) -> None:
    venue, _, readme = sound
    found = run(venue, tmp_path, readme, "F10")
    assert "gateway record" in found.reason
    assert found.next == "tests/fixtures, step 1 of docs/add-a-venue.md"


def test_two_runs_on_one_tape_are_the_same(sound: tuple[Venue, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same examples each time: a certificate that depends on luck is none."""
    monkeypatch.setenv("VENUEGATE_CARDS", "10")
    venue, tapes, readme = sound
    first, second = (certify.certify(venue, tapes, [readme]) for _ in range(2))
    assert first == second
    assert Tape(tapes / f"books{ENDING}", venue).golden.read_bytes().count(b"BookDelta") > 100
