"""Every JSON example of the sheet's OKX section is read: what OKX says by the sessions, what it is sent by the tap."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connectors.events import BookDelta, BookLost, BookSnapshot, ExecReport, ExecType
from connectors.exchange.verdict import UNLISTED
from connectors.venues.okx import VENUE, private, wire
from connectors.venues.okx.errors import TABLE, classify
from tests.support.okx_account import TAG, Desk, said
from tests.support.okx_frames import Line, of

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def sheet(real_data: Path) -> str:
    text = (real_data.parent / "facts" / "venues.md").read_text()
    return text[text.index("\n## 4. OKX v5\n") : text.index("\n## 5. ")]


@pytest.fixture(scope="module")
def examples(sheet: str) -> list[bytes]:
    blocks = [block.partition("```")[0] for block in sheet.split("```json\n")[1:]]
    return [line.encode() for block in blocks for line in block.splitlines() if line.strip()]


def test_there_are_examples(examples: list[bytes]) -> None:
    assert len(examples) == 11
    for raw in examples:
        json.loads(raw)


def test_every_example_decodes(examples: list[bytes]) -> None:
    assert VENUE.asked is not None
    sent = heard = 0
    for raw in examples:
        message = json.loads(raw)
        if "op" in message and "code" not in message:  # a request
            VENUE.asked(raw)
            sent += 1
            continue
        heard += 1
        if message.get("arg", {}).get("channel") == "books" and "data" in message:
            wire.decode_book(raw)
        elif "op" in message:
            private.decode_items(private.decode_message(raw).data)
        elif "data" in message:
            private.decode_orders(private.decode_message(raw).data)
        else:
            assert wire.decode_message(raw).event
            assert private.decode_message(raw).event
    assert (sent, heard) == (3, 8)


def test_the_books_of_the_sheet_are_followed(examples: list[bytes]) -> None:
    line = Line()
    line.subscribing()
    outputs = line.hear(*(raw for raw in examples if b'"action"' in raw))
    assert [type(one) for one in outputs] == [BookSnapshot, BookDelta]
    assert not of(BookLost, outputs)


def test_the_order_of_the_sheet_is_traded(examples: list[bytes]) -> None:
    """Its answer, its refusal and its fill, under names and numbers of ours."""
    desk = Desk().ready()
    (first,) = said(desk.submit(1, qty_1e8=10**6, px_1e9=62_000 * 10**9))
    (second,) = said(desk.submit(2))
    by_start = {raw[:24]: raw for raw in examples}
    yes = next(raw for raw in by_start.values() if b'"sCode":"0"' in raw)
    no = next(raw for raw in by_start.values() if b'"sCode":"51008"' in raw)
    push = next(raw for raw in examples if b'"partially_filled"' in raw)
    yes = yes.replace(b'"1512"', f'"{first["id"]}"'.encode()).replace(b'"a1"', b'"vg1a2b3c1"')
    no = no.replace(b'"1513"', f'"{second["id"]}"'.encode()).replace(b'"a2"', b'"vg1a2b3c2"')
    push = push.replace(b'"a1"', b'"vg1a2b3c1"').replace("…".encode(), b"1755338645421")
    reports = of(ExecReport, desk.hear(yes, no, push))
    assert [(one.client_order_id, one.exec_type) for one in reports] == [
        (f"{TAG}-2", ExecType.REJECTED), (f"{TAG}-1", ExecType.NEW), (f"{TAG}-1", ExecType.TRADE),
    ]  # fmt: skip
    assert (reports[2].last_qty_1e8, reports[2].leaves_qty_1e8) == (400_000, 600_000)


def test_every_code_of_the_sheet_has_a_verdict(sheet: str) -> None:
    line = next(part for part in sheet.split("\n") if "Error codes:" in part)
    codes = [word.strip("/.,;:()") for word in line.replace("/", " ").split() if word.strip("/.,;:()").isdigit()]
    found = [code for code in codes if len(code) == 5]
    assert len(found) > 12
    assert not [code for code in found if code not in TABLE]
    assert classify("59999 no such code") is UNLISTED
