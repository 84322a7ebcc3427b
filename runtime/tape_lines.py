"""The lines of a recording, plain, gzip or zstd, as far as they can be read."""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import zstandard

from connectors.errors import TapeError

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_GZIP_MAGIC: Final = b"\x1f\x8b"


class Lines:
    """Iterates, once, over whole lines, then what a cut left of the last one; sets `cut_short` before that one."""

    def __init__(self, path: Path) -> None:
        """Raises TapeError."""
        self.cut_short = ""
        try:
            self._raw: BinaryIO = path.open("rb")
        except OSError as error:
            raise TapeError(
                f"cannot be read: {error.strerror}", place=str(path), mend="give the path of a tape"
            ) from None

    def close(self) -> None:
        self._raw.close()

    def __iter__(self) -> Iterator[bytes]:
        rest = b""
        for chunk in self._chunks():
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
        if rest:
            if not rest.rstrip().endswith(b"}"):
                self.cut_short = self.cut_short or "in the middle of a line"
            yield rest

    def _chunks(self) -> Iterator[bytes]:
        magic = self._raw.read(4)
        self._raw.seek(0)
        if magic.startswith(_GZIP_MAGIC):
            yield from self._decompressed(lambda: zlib.decompressobj(wbits=31))
        elif magic == _ZSTD_MAGIC:
            yield from self._decompressed(zstandard.ZstdDecompressor().decompressobj)
        else:
            while chunk := self._raw.read(1 << 16):
                yield chunk

    def _decompressed(self, fresh: Callable[[], Any]) -> Iterator[bytes]:
        """Block by block; what a damaged or missing end makes unreadable ends the tape there."""
        inflate, is_inside = fresh(), False
        while data := self._raw.read(1 << 16):
            while data:
                is_inside = True
                try:
                    yield inflate.decompress(data)
                except (zlib.error, zstandard.ZstdError) as error:
                    self.cut_short = f"in a compressed block ({error})"
                    return
                data = inflate.unused_data
                if inflate.eof:
                    inflate, is_inside = fresh(), False
        if is_inside:
            self.cut_short = "in a compressed block"
