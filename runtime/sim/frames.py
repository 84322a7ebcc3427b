"""What a simulated venue has for a client: texts, pings of its own, or word to close."""

import msgspec


class Close(msgspec.Struct, frozen=True):
    """Instead of a text frame: close the socket with this code and reason."""

    code: int
    reason: str


class Ping(msgspec.Struct, frozen=True):
    """Instead of a text frame: the protocol's ping; the client owes a pong with the same payload."""

    payload: bytes


Frame = str | Close
