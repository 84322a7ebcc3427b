"""Which crate a module was built with, from its exports alone; and whether calling it unchecked is safe.

The raw call path trusts the caller (`wasm.py`), so every signature is compared here, once, before anything is called.
Multi-venue guests of 0.3.0 and of 0.3.2 export the same names with other layouts: the later is assumed, and a deploy
block may say `abi = "0.3.0"`.
"""

from collections.abc import Callable
from typing import Final

from wasmtime import FuncType, Module

from connectors.errors import ModuleError
from runtime import abi
from runtime.abi import Generation

Refuse = Callable[[str, str], ModuleError]
Exports = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]

# callback → export; a stub `algo_on_book` beside another entry is never called
_CALLBACKS: Final[dict[Generation, dict[str, str]]] = {
    Generation.V0_1: {"on_book": "algo_on_book"},
    Generation.V0_3: {"on_book": "algo_on_book_v3", "on_heartbeat": "algo_on_heartbeat"},
    Generation.V0_3_0_NBBO: {"on_nbbo": "algo_on_nbbo"},
    Generation.V0_3_2_NBBO: {"on_nbbo": "algo_on_nbbo"},
    Generation.V0_4: {
        "on_book": "algo_on_book_v3",
        "on_nbbo": "algo_on_nbbo",
        "on_message": "algo_on_message",
        "on_heartbeat": "algo_on_heartbeat",
    },
}


def check_abi(text: str, refuse: Refuse) -> Generation | None:
    """An `abi =` as a generation; None when nothing was said. Raises what `refuse` makes."""
    if not text:
        return None
    try:
        return Generation(text)
    except ValueError:
        raise refuse(f"abi {text!r} is not a generation", f"choose from: {', '.join(Generation)}") from None


def detect(module: Module, wanted: Generation | None, refuse: Refuse) -> Generation:
    """The generation of a module, `wanted` if given and possible. Raises what `refuse(problem, mend)` makes."""
    found = _exports(module, refuse)
    _check_imports(module, refuse)
    natural = _natural(found, refuse)
    if wanted is None or wanted is natural:
        return natural
    if {wanted, natural} != {Generation.V0_3_0_NBBO, Generation.V0_3_2_NBBO}:
        raise refuse(f"has the exports of {natural}, not of {wanted}", "leave abi out: it is for 0.3.0 against 0.3.2")
    return wanted


def _natural(found: Exports, refuse: Refuse) -> Generation:
    if "algo_on_message" in found and "algo_on_book_v3" in found:
        return Generation.V0_4
    if "algo_on_nbbo" in found:
        return Generation.V0_3_2_NBBO
    if "algo_on_book_v3" in found:
        return Generation.V0_3
    if "algo_on_book" in found:
        return Generation.V0_1
    raise refuse("exports neither algo_on_book nor algo_on_book_v3", "build it with export_algo!")


def callbacks_of(generation: Generation, exports: frozenset[str]) -> dict[str, str]:
    """Callback → export, of those the module has."""
    return {callback: export for callback, export in _CALLBACKS[generation].items() if export in exports}


def _exports(module: Module, refuse: Refuse) -> Exports:
    found: Exports = {}
    has_memory = False
    for export in module.exports:
        if isinstance(export.type, FuncType):
            found[export.name] = signature(export.type)
        has_memory |= export.name == "memory"
    if not has_memory:
        raise refuse("exports no memory", "export it as `memory`, as the crate's guests do")
    for name in abi.CORE_EXPORTS:
        if name not in found:
            raise refuse(f"does not export {name}", "build it with the crate's export_algo! macro")
    for name, wanted in (abi.CORE_EXPORTS | abi.OPTIONAL_EXPORTS).items():
        if name in found and found[name] != wanted:
            raise refuse(f"{name} is {found[name]}, the ABI says {wanted}", "build it with the crate unchanged")
    return found


def _check_imports(module: Module, refuse: Refuse) -> None:
    for item in module.imports:
        if item.module != "env" or item.name not in abi.IMPORTS:
            raise refuse(f"imports {item.module}.{item.name}", "only env.host_log_impl and env.__seq_send exist")
        if not isinstance(item.type, FuncType) or signature(item.type) != abi.IMPORTS[item.name]:
            raise refuse(f"imports {item.name} with another signature", "build it with the crate unchanged")


def signature(func_type: FuncType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(parameters, results) as text."""
    return tuple(map(str, func_type.params)), tuple(map(str, func_type.results))
