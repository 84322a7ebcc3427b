"""Frames that Kraken really sent, one or two of every channel: each is read by one of the two sessions."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from connectors.events import Balance, ExecReport, Movement, Notice
from connectors.session import Output
from connectors.venues.kraken import private
from tests.support.kraken_account import Desk
from tests.support.kraken_frames import Line, of

TRADING = ("add_order", "amend_order", "edit_order", "cancel_order", "cancel_all", "batch_add", "batch_cancel",
           "cancel_all_orders_after")  # fmt: skip


@pytest.fixture(scope="module")
def frames(real_data: Path) -> list[bytes]:
    lines = (real_data / "kraken_v2_async_rs" / "frames.jsonl").read_text().splitlines()
    found = [json.loads(line)["raw"].encode() for line in lines]
    assert len(found) == 53
    return found


def is_mystery(outputs: list[Output]) -> bool:
    return any("unexplained" in one.text for one in of(Notice, outputs))


@pytest.mark.real_data
def test_every_recorded_frame_is_read_by_one_of_the_sessions(frames: list[bytes]) -> None:
    """Private ones by the trading session without a word of complaint, public ones by the market session."""
    for frame in frames:
        head = json.loads(frame)
        is_private = head.get("channel") in ("executions", "balances") or head.get("method", "") in TRADING
        desk, line = Desk().ready(), Line("BTC/USD", "ETH/USD").live()
        by_trading = is_mystery(desk.hear(frame))
        if is_private:
            assert not by_trading, frame
        else:
            assert not is_mystery(line.hear(frame)), frame


@pytest.mark.real_data
def test_no_recorded_execution_loses_a_digit(frames: list[bytes]) -> None:
    """The numbers as Kraken printed them, against the JSON's own text."""
    seen = 0
    for frame in frames:
        if not frame.startswith(b'{"channel":"executions"'):
            continue
        message = private.decode_message(frame)
        assert isinstance(message, private.Executions)
        texts = json.loads(frame, parse_float=str, parse_int=str)["data"]
        for item, text in zip(message.data, texts, strict=True):
            for name in ("order_qty", "limit_price", "cum_qty", "last_qty", "last_price", "cost"):
                value = getattr(item, name)
                assert (value is None) == (name not in text)
                if value is not None:
                    seen += 1
                    assert format(value, "f") == text[name]
    assert seen >= 15


@pytest.mark.real_data
def test_what_the_recorded_snapshots_say(frames: list[bytes]) -> None:
    """Four trades of an account are eight legs and four fees; of nobody's order here there is no report."""
    desk = Desk().ready()
    out = [one for frame in frames if b'"executions"' in frame or b'"balances"' in frame for one in desk.hear(frame)]
    assert of(ExecReport, out) == []
    trades = {one.ref for one in of(Movement, out)}
    assert trades == {"B1Y0D9-6JIJG-W1IB7L", "0CVSSH-KVM0J-TCXLSQ", "QEP2P0-DVAJN-VF1UTF", "NG6PUE-C7MXN-CFCAMC"}
    first = {(one.currency, one.kind, one.amount_1e8) for one in of(Movement, out) if one.ref == "B1Y0D9-6JIJG-W1IB7L"}
    assert first == {("USD", "quote", 1_012_445_000), ("BTC", "base", -16_000), ("USD", "fee", -4_051_000)}
    balances = {one.currency: one.total_1e8 for one in of(Balance, out)}
    assert balances["KAR"] == 77_463_669_826
    assert balances["USD"] == 11_806_770_000
    msgspec.json.encode(out)
