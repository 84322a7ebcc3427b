"""The session's hash: SHA-256 over the ordered outputs, so that two runs can be compared by 64 characters.

What counts: every action with its verdict, every request in placeholder form, every execution report applied, every
line a guest logged. A turn's outputs are encoded once, as MessagePack of array-like records, after the Sends have been
handed over.
"""

import hashlib

import msgspec

from runtime.inputs import Trace


class Digest:
    """`update` once a turn; `hexdigest` at any time."""

    __slots__ = ("_encode", "_sha")

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._encode = msgspec.msgpack.Encoder().encode

    def update(self, trace: Trace) -> None:
        if trace:
            self._sha.update(self._encode(trace))

    def hexdigest(self) -> str:
        return self._sha.hexdigest()
