"""What a simulated venue has for a client: texts, or word to close."""

import msgspec


class Close(msgspec.Struct, frozen=True):
    """Instead of a text frame: close the socket with this code and reason."""

    code: int
    reason: str


Frame = str | Close
