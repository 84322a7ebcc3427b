"""Counting in half-open windows: what is exactly as old as the window counts no more."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

SECOND = 10**9


@dataclass(slots=True)
class Times:
    """When something happened, by what it happened to."""

    at: dict[Hashable, list[int]] = field(default_factory=dict)

    def add(self, key: Hashable, now: int) -> None:
        self.at.setdefault(key, []).append(now)

    def count(self, key: Hashable, now: int, window: int) -> int:
        return sum(1 for at in self.at.get(key, ()) if now - at < window)

    def forget(self, now: int, window: int) -> None:
        for key, times in self.at.items():
            self.at[key] = [at for at in times if now - at < window]
