"""Answers a session's subscriptions in virtual time with the book a real recording holds at that moment."""

import json
from typing import Any

from connectors.session import Send
from runtime.inputs import Frame, Output, VenueOutput
from tests.support.reference import DictBook


def frame(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def snapshot_frame(symbol: str, book: DictBook) -> bytes:
    """The book as Kraken would send it: numbers as their text, checksum by the reference's own rule."""
    sides = {
        name: ",".join(
            f'{{"price":{price},"qty":{qty}}}'
            for _, (price, qty) in sorted(book.sides[name].items(), reverse=name == "bids")
        )
        for name in ("bids", "asks")
    }
    return (
        f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"{symbol}","bids":[{sides["bids"]}],"asks":[{sides["asks"]}],'
        f'"checksum":{book.checksum()},"timestamp":"2026-08-01T00:00:00.000000Z"}}]}}'
    ).encode()


def answers(outputs: list[Output], symbol: str, book: DictBook) -> list[Frame]:
    """Acks of what was asked for, and a fresh snapshot after a subscribe."""
    frames = []
    for output in outputs:
        if not isinstance(output, VenueOutput) or not isinstance(output.output, Send):
            continue
        request = json.loads(output.output.data)
        if request.get("params", {}).get("channel") != "book":
            continue
        result = {"channel": "book", "symbol": symbol, "depth": book.depth}
        ack = {"method": request["method"], "req_id": request["req_id"], "result": result, "success": True}
        frames.append(frame(ack))
        if request["method"] == "subscribe":
            frames.append(snapshot_frame(symbol, book))
    return [Frame("kraken", "public", raw) for raw in frames]
