"""Networks and providers that do wrong, as filters of a virtual link's frames; see `virtual_chain.Link`."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.virtual_chain import Filter

Change = Callable[[dict[str, Any]], None]


def heads(change: Change) -> Filter:
    """Changes every block's header, told or asked for."""

    def filtered(frame: bytes) -> bytes:
        said = json.loads(frame)
        block = said.get("result") or said.get("params", {}).get("result")
        if isinstance(block, dict) and "parentHash" in block:
            change(block)
        return json.dumps(said).encode()

    return filtered


def other_hash(block: dict[str, Any]) -> None:
    """Another chain, consistent in itself."""
    for name in ("hash", "parentHash"):
        block[name] = block[name][:-4] + "beef"


def far_ahead(block: dict[str, Any]) -> None:
    block["number"] = hex(int(block["number"], 16) + 10_000)


def without_bloom(block: dict[str, Any]) -> None:
    block["logsBloom"] = "0x" + 512 * "0"


def answers(method: str, change: Change) -> tuple[Filter, Filter]:
    """(asked, filter) of a link: every answer to this method is changed; `result` or `error` are to be set."""
    ids: set[int] = set()

    def asked(frame: bytes) -> bytes:
        request = json.loads(frame)
        if request["method"] == method:
            ids.add(request["id"])
        return frame

    def filtered(frame: bytes) -> bytes:
        said = json.loads(frame)
        if said.get("id") in ids:
            change(said)
        return json.dumps(said).encode()

    return asked, filtered


def says(result: Any) -> Change:
    """This answer, whatever was asked."""

    def change(said: dict[str, Any]) -> None:
        said.pop("error", None)
        said["result"] = result

    return change


def refuses(code: int, message: str) -> Change:
    """An error instead of the answer."""

    def change(said: dict[str, Any]) -> None:
        said.pop("result", None)
        said["error"] = {"code": code, "message": message}

    return change


def drops(*parts: bytes) -> Filter:
    """Frames that hold any of these never arrive."""
    return lambda frame: None if any(part in frame for part in parts) else frame
