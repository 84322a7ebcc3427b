"""How Python algos look at the crate's structs: a record is bytes and an address, a field is unpacked when it is read.

Nothing is decoded ahead: an algo that reads two fields of a book pays for two fields. The bytes are immutable copies of
what the engine holds, so a record that an algo keeps stays what it was, and nothing of ours can be written to.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, overload

U64: Final = 2**64 - 1
I64_MAX: Final = 2**63 - 1
I64_MIN: Final = -(2**63)
U32_MAX: Final = 2**32 - 1
I32_MAX: Final = 2**31 - 1


def as_i32(value: int) -> int:
    """Rust's `as i32`: the low 32 bits."""
    return (value + 2**31) % 2**32 - 2**31


def as_i64(value: int) -> int:
    """Rust's `as i64`, and what its 64-bit arithmetic does in a release build: the low 64 bits."""
    return (value + 2**63) % 2**64 - 2**63


def quotient(value: int, by: int) -> int:
    """Rust's integer division: towards zero, where Python's `//` goes down."""
    size = abs(value) // abs(by)
    return -size if (value < 0) != (by < 0) else size


class Record:
    """One struct at `at` in `raw`. Without arguments all its bytes are zero, as the crate's `EMPTY` mostly are."""

    __slots__ = ("_at", "_raw")
    SIZE: ClassVar[int]

    def __init__(self, raw: bytes | None = None, at: int = 0) -> None:
        self._raw = bytes(self.SIZE) if raw is None else raw
        self._at = at

    def to_bytes(self) -> bytes:
        """The record as the crate lays it out."""
        return self._raw[self._at : self._at + self.SIZE]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, Record) and other.to_bytes() == self.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __repr__(self) -> str:
        named = (f"{name}={getattr(self, name)!r}" for name in fields_of(type(self)))
        return f"{type(self).__name__}({', '.join(named)})"

    @classmethod
    def of(cls, **values: Any) -> Self:
        """A record with these fields set, the others zero: for tests. Raises TypeError, struct.error, ValueError."""
        raw = bytearray(cls.SIZE)
        fields = fields_of(cls)
        for name, value in values.items():
            if name not in fields:
                raise TypeError(f"{cls.__name__} has no field {name!r}, only {', '.join(fields)}")
            fields[name].put(raw, value)
        return cls(bytes(raw))


R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Field(Generic[T]):
    """A field at a fixed offset; what it unpacks to is its type."""

    def __init__(self, at: int) -> None:
        self.at = at

    @overload
    def __get__(self, record: None, owner: type) -> Self: ...
    @overload
    def __get__(self, record: Record, owner: type) -> T: ...
    def __get__(self, record: Record | None, owner: type) -> Self | T:
        return self if record is None else self.get(record._raw, record._at + self.at)  # noqa: SLF001 - its own parts

    def get(self, raw: bytes, at: int) -> T:
        raise NotImplementedError

    def put(self, raw: bytearray, value: Any) -> None:
        raise NotImplementedError


class Int(Field[int]):
    """One integer; `code` as in the struct module."""

    def __init__(self, at: int, code: str) -> None:
        super().__init__(at)
        self.struct = Struct("<" + code)
        self._unpack = self.struct.unpack_from

    def get(self, raw: bytes, at: int) -> int:
        value: int = self._unpack(raw, at)[0]
        return value

    def put(self, raw: bytearray, value: Any) -> None:
        self.struct.pack_into(raw, self.at, value)


class U128(Field[int]):
    """Sixteen bytes, little-endian."""

    def get(self, raw: bytes, at: int) -> int:
        return int.from_bytes(raw[at : at + 16], "little")

    def put(self, raw: bytearray, value: Any) -> None:
        raw[self.at : self.at + 16] = int(value).to_bytes(16, "little")


class Ints(Field[tuple[int, ...]]):
    """An array of integers, all of it at once."""

    def __init__(self, at: int, code: str, count: int) -> None:
        super().__init__(at)
        self.struct = Struct(f"<{count}{code}")
        self.count = count

    def get(self, raw: bytes, at: int) -> tuple[int, ...]:
        return self.struct.unpack_from(raw, at)

    def put(self, raw: bytearray, value: Any) -> None:
        self.struct.pack_into(raw, self.at, *value, *[0] * (self.count - len(value)))


class Bytes(Field[bytes]):
    """Text or an address: bytes as they lie there."""

    def __init__(self, at: int, size: int) -> None:
        super().__init__(at)
        self.size = size

    def get(self, raw: bytes, at: int) -> bytes:
        return raw[at : at + self.size]

    def put(self, raw: bytearray, value: Any) -> None:
        if len(value) > self.size:
            raise ValueError(f"{len(value)} bytes, {self.size} fit")
        raw[self.at : self.at + self.size] = bytes(value).ljust(self.size, b"\0")


class Sub(Field[R]):
    """A struct within a struct."""

    def __init__(self, at: int, kind: type[R]) -> None:
        super().__init__(at)
        self.kind = kind

    def get(self, raw: bytes, at: int) -> R:
        return self.kind(raw, at)

    def put(self, raw: bytearray, value: Any) -> None:
        raw[self.at : self.at + self.kind.SIZE] = value.to_bytes()


class Array(Field["Records[R]"]):
    """An array of structs."""

    def __init__(self, at: int, kind: type[R], count: int) -> None:
        super().__init__(at)
        self.kind = kind
        self.count = count

    def get(self, raw: bytes, at: int) -> "Records[R]":
        return Records(raw, at, self.kind, self.count)

    def put(self, raw: bytearray, value: Any) -> None:
        if len(value) > self.count:
            raise ValueError(f"{len(value)} entries, {self.count} fit")
        for place, item in enumerate(value):
            at = self.at + place * self.kind.SIZE
            raw[at : at + self.kind.SIZE] = item.to_bytes()


class Records(Sequence[R]):
    """An array of structs that are looked at one by one. An index is 0 … len − 1; −1 is an error, as in the crate."""

    __slots__ = ("_at", "_count", "_kind", "_raw")

    def __init__(self, raw: bytes, at: int, kind: type[R], count: int) -> None:
        self._raw, self._at, self._kind, self._count = raw, at, kind, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> list[R]: ...
    def __getitem__(self, index: int | slice) -> R | list[R]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(f"index {index} of {self._count} {self._kind.__name__}s")
        return self._kind(self._raw, self._at + index * self._kind.SIZE)

    def __iter__(self) -> Iterator[R]:
        kind, raw, size = self._kind, self._raw, self._kind.SIZE
        for at in range(self._at, self._at + self._count * size, size):
            yield kind(raw, at)

    def __repr__(self) -> str:
        return repr(list(self))


def fields_of(kind: type[Record]) -> dict[str, Field[Any]]:
    """Its fields by name, in the order of the struct."""
    return {name: field for name, field in vars(kind).items() if isinstance(field, Field)}


def text_of(raw: bytes) -> str:
    """Null-padded text; empty where it is not UTF-8, as in the crate."""
    try:
        return raw.partition(b"\0")[0].decode()
    except UnicodeDecodeError:
        return ""
