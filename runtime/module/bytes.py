"""Reading a WASM binary byte by byte: LEB128, names, counts. Nothing is believed, and nothing is read twice.

Source: WebAssembly Core Specification 2.0, chapter 5 (binary format). Numbers may be padded, as linkers do, but never
be longer than their type allows. Whatever does not fit raises ModuleError, naming what it is and at which byte.
"""

from typing import Final

from connectors.errors import ModuleError

MEND: Final = "build it for wasm32-unknown-unknown with the target features left as they are"
CUT: Final = "give the whole file: it ends too early"
NAME_BYTES_MAX: Final = 1_000

VALUE_TYPES: Final = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x70: "funcref", 0x6F: "externref"}
# what else the byte can mean: refused by name, so that an author knows what to switch off
_REFUSED_TYPES: Final = {
    0x7B: "v128, which is SIMD",
    0x78: "i8, which is GC",
    0x77: "i16, which is GC",
    0x74: "noexnref, which is exceptions",
    0x73: "nofuncref, which is GC",
    0x72: "noexternref, which is GC",
    0x71: "nullref, which is GC",
    0x6E: "anyref, which is GC",
    0x6D: "eqref, which is GC",
    0x6C: "i31ref, which is GC",
    0x6B: "structref, which is GC",
    0x6A: "arrayref, which is GC",
    0x69: "exnref, which is exceptions",
    0x68: "contref, which is stack switching",
    0x64: "(ref …), which is typed function references",
    0x63: "(ref null …), which is typed function references",
}


class Cursor:
    """A place in `data` that moves on as things are read, never beyond `end`. `name` is the module's, for errors."""

    __slots__ = ("at", "data", "end", "name")

    def __init__(self, data: bytes, name: str, at: int, end: int) -> None:
        self.data = data
        self.name = name
        self.at = at
        self.end = end

    def refused(self, problem: str, mend: str = MEND, *, at: int | None = None) -> ModuleError:
        """The error to raise; `at` is the byte it is about, else the one reached."""
        where = self.at if at is None else at
        return ModuleError(f"is not a module we run: {problem}, at byte {where:#x}", place=self.name, mend=mend)

    def sub(self, size: int, what: str) -> "Cursor":
        """The next `size` bytes as a cursor of their own; this one goes on behind them."""
        if size > self.end - self.at:
            raise self.refused(f"{what} of {size} bytes is cut short: {self.end - self.at} are left", CUT)
        inner = Cursor(self.data, self.name, self.at, self.at + size)
        self.at += size
        return inner

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes."""
        inner = self.sub(size, what)
        return self.data[inner.at : inner.end]

    def byte(self, what: str) -> int:
        if self.at >= self.end:
            raise self.refused(f"{what} is cut short", CUT)
        self.at += 1
        return self.data[self.at - 1]

    def u32(self, what: str) -> int:
        """An unsigned LEB128 of at most 32 bits."""
        start, value = self.at, 0
        for shift in range(0, 35, 7):
            byte = self.byte(what)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> 32:
                    break
                return value
        raise self.refused(f"{what} is a number of more than 32 bits", at=start)

    def signed(self, bits: int, what: str) -> int:
        """A signed LEB128 of at most `bits` bits."""
        start, value = self.at, 0
        for shift in range(0, bits + 6, 7):
            byte = self.byte(what)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                value -= (byte & 0x40) << (shift + 1)
                if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
                    break
                return value
        raise self.refused(f"{what} is a number of more than {bits} bits", at=start)

    def count(self, what: str, most: int) -> int:
        """How many of a thing follow; no more than `most`, and no more than there are bytes left."""
        start = self.at
        count = self.u32(f"the number of {what}")
        if count > most:
            raise self.refused(f"{count} {what}, at most {most} are allowed", "make the module smaller", at=start)
        if count > self.end - self.at:
            raise self.refused(f"{count} {what} do not fit in the {self.end - self.at} bytes left", at=start)
        return count

    def text(self, what: str, most: int = NAME_BYTES_MAX) -> str:
        """A name: its length and that many bytes of UTF-8. Printable, because it will stand in messages to people."""
        start = self.at
        size = self.u32(f"the length of {what}")
        if size > most:
            raise self.refused(f"{what} is {size} bytes long, at most {most} are allowed", at=start)
        try:
            text = self.take(size, what).decode()
        except UnicodeDecodeError:
            raise self.refused(f"{what} is not UTF-8", at=start) from None
        if not text.isprintable():
            raise self.refused(f"{what} has characters that cannot be printed: {text[:100]!a}", at=start)
        return text

    def value_type(self, what: str) -> str:
        """One of the six types a guest may use, as text."""
        byte = self.byte(f"the type of {what}")
        found = VALUE_TYPES.get(byte)
        if found is None:
            said = _REFUSED_TYPES.get(byte, f"type {byte:#04x}, which is unknown")
            raise self.refused(f"{what} uses {said}", at=self.at - 1)
        return found

    def done(self, what: str) -> None:
        """Everything must have been read."""
        if self.at != self.end:
            raise self.refused(f"{self.end - self.at} bytes follow the end of {what}")
