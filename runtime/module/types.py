"""What a WASM binary is made of, as `reader.parse` hands it out. Data only."""

from typing import Final, NamedTuple

FUNC, TABLE, MEMORY, GLOBAL, TAG = range(5)
KINDS: Final = ("func", "table", "memory", "global", "tag")


class Signature(NamedTuple):
    """A function's type: names of value types."""

    params: tuple[str, ...]
    results: tuple[str, ...]


class Limits(NamedTuple):
    """Of a memory in pages of 65,536 bytes, of a table in elements; `most` is None where none is given."""

    least: int
    most: int | None


class Import(NamedTuple):
    """`kind` is one of KINDS by number; `signature` is there for a function."""

    module: str
    name: str
    kind: int
    signature: Signature | None


class Export(NamedTuple):
    """`number` counts imports first, as in the binary."""

    name: str
    kind: int
    number: int


class Global(NamedTuple):
    """`value` is None where it is no integer constant; integers are signed as written."""

    type: str
    is_mutable: bool
    value: int | None


class Data(NamedTuple):
    """A data segment; `at` is an unsigned address, None for a passive one."""

    at: int | None
    size: int


class WasmFile:
    """What `parse` found. Lists count imports first where the binary's indices do; spans are (byte offset, size)."""

    def __init__(self, name: str, wasm: bytes) -> None:
        self.name = name
        self.wasm = wasm
        self.types: list[Signature] = []
        self.imports: list[Import] = []
        self.functions: list[int] = []  # index of each one's type
        self.tables: list[Limits] = []
        self.memories: list[Limits] = []
        self.globals: list[Global] = []
        self.exports: list[Export] = []
        self.start: int | None = None
        self.elements: list[int] = []  # how many each segment holds
        self.data_count: int | None = None
        self.bodies: list[tuple[int, int]] = []  # of functions that are not imported, behind their locals
        self.data: list[Data] = []
        self.custom: list[tuple[str, tuple[int, int]]] = []
        self.global_imports = 0

    def export(self, name: str, kind: int) -> Export | None:
        """The export of that name and kind."""
        return next((export for export in self.exports if export.name == name and export.kind == kind), None)

    def signature(self, function: int) -> Signature:
        """Of a function by its index, imported ones first."""
        return self.types[self.functions[function]]
