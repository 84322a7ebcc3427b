"""What a session counts beside its money."""


class Stats:
    """What happened so far, for people and for `replay --json`."""

    __slots__ = ("book_frames", "checksums_failed", "checksums_ok", "dropped", "frames", "gaps", "resyncs", "trades")

    def __init__(self) -> None:
        self.frames = self.book_frames = self.checksums_ok = self.checksums_failed = 0
        self.resyncs = self.trades = self.dropped = self.gaps = 0
