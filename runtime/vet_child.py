"""The throwaway process in which a module is first read, compiled and started (`vet.py` runs it, nobody else).

The module comes in on stdin; one JSON line goes out on stdout. Before the first byte is read the process takes limits
that it cannot lift again, so that a module that breaks out of its sandbox, or blows the compiler up, has little to
break. Found by trial: wasmtime reserves 4 GiB of address space for a memory and as much for the heap behind an
externref table, so RLIMIT_AS must be above 8 GiB and bounds little. RLIMIT_DATA counts what is really writable, of
which a typical guest needs 16 MiB. A memory's first image is an unnamed file of at most its own 16 MiB, which
RLIMIT_FSIZE must allow.
"""

import json
import resource
import sys
from typing import Final

CPU_SECONDS: Final = 8
DATA_BYTES: Final = 512 * 2**20
ADDRESS_BYTES: Final = 16 * 2**30
FILE_BYTES: Final = 32 * 2**20

# what, soft, hard: SIGXCPU comes at the soft limit, SIGKILL at the hard one
LIMITS: Final = (
    (resource.RLIMIT_CORE, 0, 0),
    (resource.RLIMIT_FSIZE, FILE_BYTES, FILE_BYTES),
    (resource.RLIMIT_CPU, CPU_SECONDS, CPU_SECONDS + 1),
    (resource.RLIMIT_DATA, DATA_BYTES, DATA_BYTES),
    (resource.RLIMIT_AS, ADDRESS_BYTES, ADDRESS_BYTES),
)


def main(abi_json: str) -> None:
    """Vets what stdin holds and prints the outcome: {"hosted": …}, {"refused": …} or {"failed": …}."""
    for what, soft, hard in LIMITS:
        most = resource.getrlimit(what)[1]
        if most == resource.RLIM_INFINITY:
            resource.setrlimit(what, (soft, hard))
        else:
            resource.setrlimit(what, (min(soft, most), min(hard, most)))
    wasm = sys.stdin.buffer.read()
    print(json.dumps(outcome(wasm, json.loads(abi_json))), flush=True)


def outcome(wasm: bytes, abi: str) -> dict[str, object]:
    """Reads the bytes ourselves, then loads the module as the gateway would: compile, start, allocate records.

    No callback is called: a guest may rightly fault on a book that means nothing.
    """
    from connectors.errors import ModuleError
    from runtime.host import AlgoHost

    try:
        host = AlgoHost(wasm, name="module", abi=abi)
    except ModuleError as error:
        return _refused(error.problem, error.mend)
    except MemoryError:
        return _refused("needs too much memory to load", "make it smaller")
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it, typed
        return {"failed": f"{type(error).__name__}: {error}"}
    return {
        "hosted": {
            "sha256": host.sha256,
            "generation": str(host.generation),
            "callbacks": sorted(host.callbacks),
            "fuel_to_load": host.fuel_used,
        }
    }


def _refused(problem: str, mend: str) -> dict[str, object]:
    return {"refused": {"problem": problem, "mend": mend}}
