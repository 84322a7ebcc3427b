"""What `gateway inspect X.wasm` tells: a module's facts without running a callback, and figures on what callbacks cost.

The facts are read from the bytes (`module/`); whether it can be hosted, and as which generation, is found out in
the throwaway child (`vet.py`). Nothing is compiled in this process.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.errors import ModuleError
from runtime.abi import REGIONS, Region, Span
from runtime.module.code import addresses
from runtime.module.layout import check_layout, function_names, layout_of
from runtime.module.reader import parse
from runtime.module.sections import PAGE_BYTES
from runtime.module.types import FUNC, KINDS, Limits, Signature, WasmFile
from runtime.vet import Vetted, vet

# what the crate's traits turn into, as exports and imports show it
_FEATURES = {
    "algo_on_book_v3": "online features",
    "algo_on_nbbo": "multi venue",
    "algo_on_heartbeat": "heartbeat",
    "algo_on_message": "mesh messages in",
    "__seq_send": "mesh messages out",
    "host_log_impl": "log",
}
Fact = dict[str, Any]


def inspect(wasm: bytes, *, name: str, abi: str = "") -> Fact:
    """A module as plain JSON values. Raises ModuleError only when the bytes cannot be read as a module at all.

    Keys: `name`, `bytes`, `sha256`; `hosted`: {`ok`, `problem`, `mend`}; `generation` and `callbacks` (None and [] when
    not hosted); `features` of the crate as its imports and exports show them; `exports` and `imports` with signatures;
    `memory`: {`pages`, `pages_max`, `bytes`}; `data`: {`segments`, `bytes`, `start`, `end`}; `stack_top`, `data_end`,
    `heap_base`; `layout_problem` ("" when there is none); `regions`: those it is given, with `start`, `end` and `uses`
    (see `_regions`); `functions`, `code_bytes`, `largest`: the five largest bodies; `custom`: custom sections by size.
    Addresses and sizes in bytes.
    """
    parsed = parse(wasm, name=name)
    vetted, problem, mend = _verdict(wasm, name, abi)
    layout = layout_of(parsed)
    given = REGIONS[vetted.generation] if vetted else {}
    touched = {item.name for item in parsed.imports} | {item.name for item in parsed.exports}
    return {
        "name": name,
        "bytes": len(wasm),
        "sha256": hashlib.sha256(wasm).hexdigest(),
        "hosted": {"ok": vetted is not None, "problem": problem, "mend": mend},
        "generation": str(vetted.generation) if vetted else None,
        "callbacks": sorted(vetted.callbacks) if vetted else [],
        "features": [feature for export, feature in _FEATURES.items() if export in touched],
        "exports": [_export(parsed, position) for position in range(len(parsed.exports))],
        "imports": [
            {"module": item.module, "name": item.name, "kind": KINDS[item.kind], "signature": _text(item.signature)}
            for item in parsed.imports
        ],
        "memory": _memory(parsed.memories[0]) if parsed.memories else None,
        "data": _data(parsed),
        "stack_top": layout.stack_top,
        "data_end": layout.data_end,
        "heap_base": layout.heap_base,
        "layout_problem": check_layout(parsed, given),
        "regions": _regions(parsed, given),
        **_code(parsed),
        "custom": {title: size for title, (_, size) in sorted(parsed.custom)},
    }


def fuel_profile(samples: Sequence[int]) -> dict[str, int]:
    """`calls`, `p50`, `p99`, `max` of the fuel that calls used: nearest rank, so each figure is one that was measured.

    All zero where there is no sample.
    """
    ordered = sorted(samples)
    if not ordered:
        return {"calls": 0, "p50": 0, "p99": 0, "max": 0}

    def rank(percent: int) -> int:
        return ordered[-(-percent * len(ordered) // 100) - 1]

    return {"calls": len(ordered), "p50": rank(50), "p99": rank(99), "max": ordered[-1]}


def _verdict(wasm: bytes, name: str, abi: str) -> tuple[Vetted | None, str, str]:
    try:
        return vet(wasm, name=name, abi=abi), "", ""
    except ModuleError as error:
        return None, error.problem, error.mend


def _text(signature: Signature | None) -> str:
    """`(i32, i32) -> i32`; empty for what is no function."""
    if signature is None:
        return ""
    return f"({', '.join(signature.params)}) -> {', '.join(signature.results) or '()'}"


def _export(parsed: WasmFile, position: int) -> Fact:
    export = parsed.exports[position]
    signature = parsed.signature(export.number) if export.kind == FUNC else None
    return {"name": export.name, "kind": KINDS[export.kind], "signature": _text(signature)}


def _memory(limits: Limits) -> Fact:
    return {"pages": limits.least, "pages_max": limits.most, "bytes": limits.least * PAGE_BYTES}


def _data(parsed: WasmFile) -> Fact:
    placed = [(segment.at, segment.at + segment.size) for segment in parsed.data if segment.at is not None]
    return {
        "segments": len(parsed.data),
        "bytes": sum(segment.size for segment in parsed.data),
        "start": min((start for start, _ in placed), default=None),
        "end": max((end for _, end in placed), default=None),
    }


def _regions(parsed: WasmFile, given: Mapping[Region, Span]) -> list[Fact]:
    """The regions a module is given, and how many of its instructions name an address in each.

    `uses` counts constants and load or store offsets that fall into the region. A hint, no proof: a number may be no
    address, and an address may be computed.
    """
    named = addresses(parsed)
    return [
        {
            "region": str(region),
            "start": start,
            "end": start + size,
            "uses": sum(start <= address < start + size for address in named),
        }
        for region, (start, size) in given.items()
    ]


def _code(parsed: WasmFile) -> Fact:
    names = function_names(parsed)
    imported = len(parsed.functions) - len(parsed.bodies)
    exported = {export.number: export.name for export in parsed.exports if export.kind == FUNC}
    sizes = [(size, number + imported) for number, (_, size) in enumerate(parsed.bodies)]
    return {
        "functions": len(sizes),
        "code_bytes": sum(size for size, _ in sizes),
        "largest": [
            {"function": names.get(number) or exported.get(number) or f"#{number}", "bytes": size}
            for size, number in sorted(sizes, reverse=True)[:5]
        ],
    }
