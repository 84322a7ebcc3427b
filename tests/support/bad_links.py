"""Networks and providers that do wrong, as filters of a virtual link's frames; see `virtual_chain.Link`.

And what tests of them begin and end with: a session that shows the chain's newest block (`started`, `healed`).
"""

import json
from collections.abc import Callable
from typing import Any

from connectors.chain import PoolPlan
from tests.support.virtual_chain import EXACT, Bare, Filter, chain_plan

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


def started(*pools: PoolPlan, links: tuple[str, ...] = ("rpc1",), is_alive: bool = True, **plan: Any) -> Bare:
    """A session that shows the chain's newest block."""
    bare = Bare(chain_plan(pools or EXACT, links, **plan), is_alive=is_alive)
    return healed(bare)


def healed(bare: Bare, seconds: float = 5) -> Bare:
    """Everything is shown again, of the newest block; and stays so."""
    bare.run(seconds, bare.is_current)
    assert bare.is_current(), f"lost: {bare.session.lost!r}, said: {bare.notices[-3:]}"
    before = bare.watch.compared
    bare.run(2)
    assert bare.watch.compared > before or bare.chain.driver is None
    return bare


def reasons(bare: Bare) -> set[str]:
    return {reason for _, reason in bare.lost}
