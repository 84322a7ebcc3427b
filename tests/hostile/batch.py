"""Runs many hostile modules in one process: `python -m tests.hostile.batch < stream`.

The stream is modules, each as its length (u32) and its bytes. For each one line goes out: its number, written before
anything is done with it, then what became of it: `refused: …`, `<callback>: <kind>: …`, `runs`, or `UNTYPED …`. If
the process dies, the last line names the module.
"""

import gc
import os
import random
import resource
import sys
from collections.abc import Iterator

from connectors.errors import GuestFault, ModuleError
from runtime import abi
from runtime.host import LOG_BYTES_MAX, LOG_LINES_MAX, SENT_MAX, AlgoHost
from runtime.module.layout import check_layout, function_names
from runtime.module.reader import parse
from runtime.wasm import FUEL

ROUNDS = 3


def main() -> None:
    """Reads the whole stream, then answers line by line."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for number, wasm in enumerate(unpacked(sys.stdin.buffer.read())):
        os.write(1, f"{number} ".encode())
        os.write(1, (outcome(wasm, number).replace("\n", " ") + "\n").encode())
        if number % 50 == 49:
            gc.collect()  # a host is a ring of references, and each holds 4 GiB of address space


def packed(modules: list[bytes]) -> bytes:
    return b"".join(len(wasm).to_bytes(4, "little") + wasm for wasm in modules)


def unpacked(stream: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(stream):
        size = int.from_bytes(stream[at : at + 4], "little")
        yield stream[at + 4 : at + 4 + size]
        at += 4 + size


def outcome(wasm: bytes, seed: int) -> str:
    """Loads and calls one module; every way this can end, in one line."""
    at = "load"
    try:
        parsed = parse(wasm, name="m")
        function_names(parsed)
        host = AlgoHost(wasm, name="m")
        problem = check_layout(parsed, host.regions)
        if problem:
            return f"refused: {problem}"
        for at, arguments in calls(host, random.Random(seed)):
            _check(host, at, getattr(host, at)(*arguments))
    except ModuleError as error:
        return f"refused: {error.problem}"
    except GuestFault as fault:
        return f"{at}: {fault}"
    except BaseException as error:  # noqa: BLE001 - the property is that there is none
        return f"UNTYPED {at}: {type(error).__name__}: {error}"
    return "runs"


def calls(host: AlgoHost, dice: random.Random) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Each callback with its arguments: once with zeros, then with records of noise, on_shutdown last.

    Regions are shown before.
    """
    for round_ in range(ROUNDS):
        noise = (lambda size: bytearray(dice.randbytes(size))) if round_ else bytearray
        for region, (_, size) in host.regions.items():
            host.show(region, noise(size))
        book, state, features = noise(656), noise(abi.STATE_BYTES), noise(abi.FEATURES_BYTES)
        given: dict[str, tuple[object, ...]] = {
            "on_book": (book, state, features, 1),
            "on_nbbo": (noise(abi.NBBO_BYTES.get(host.generation, 0)), state),
            "on_message": (2**64 - 1, bytes(noise(dice.randrange(257))), state),
            "on_heartbeat": (state,),
        }
        yield from ((name, arguments) for name, arguments in given.items() if name in host.callbacks)
        yield "on_fill", (bytes(noise(abi.FILL_BYTES)), state)
        yield "on_reject", (bytes(noise(abi.REJECT_BYTES)),)
    yield "on_shutdown", (bytearray(abi.STATE_BYTES),)


def _check(host: AlgoHost, at: str, answer: object) -> None:
    """What the host promises of anything that did not fault. Raises AssertionError."""
    if answer is not None:
        assert isinstance(answer, list)
        assert len(answer) <= abi.ACTIONS_MAX
        assert all(len(action) == 10 and all(type(part) is int for part in action) for action in answer), at
    assert host.fuel_used <= 2 * FUEL
    logs, sent = host.take_logs(), host.take_sent()
    assert len(logs) <= LOG_LINES_MAX
    assert all(0 <= level <= 4 and len(line) <= LOG_BYTES_MAX for level, line in logs)
    assert len(sent) <= SENT_MAX
    assert all(0 <= to < 2**64 and len(payload) <= abi.MESSAGE_BYTES_MAX for to, payload in sent)


if __name__ == "__main__":
    main()
