"""How often a venue is dialled, by all its links together, in virtual time. Kraken bans 150 dials in ten minutes."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.dialling import BACKOFF_MAX_S, STEADY_S, Dialling

LINKS = ("public", "private", "audit")
TEN_MINUTES_S = 600.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock jumps to whatever is due next: an hour takes no time, and nothing is early or late."""

    now_s = 0.0

    def time(self) -> float:
        return self.now_s

    def _run_once(self) -> None:
        due = [handle.when() for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        if due and not self._ready:  # type: ignore[attr-defined]
            self.now_s = max(self.now_s, min(due))
        super()._run_once()  # type: ignore[misc]


def virtually(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


class World:
    """Links of one venue that dial it. `reach(link, now_s)`: how long it stays up, or None: it is not reached."""

    def __init__(self, reach: Callable[[str, float], float | None], *, takes_s: float = 0.0) -> None:
        self.dials: list[tuple[float, str]] = []
        self.ups: list[tuple[float, str]] = []
        self._reach = reach
        self._takes_s = takes_s
        self.dialling_now = self.most = 0
        self.shared = Dialling()

    async def link(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self.shared.turn(name)
            self.dials.append((loop.time(), name))
            self.dialling_now += 1
            self.most = max(self.most, self.dialling_now)
            await asyncio.sleep(self._takes_s)
            self.dialling_now -= 1
            lives_s = self._reach(name, loop.time())
            if lives_s is None:
                self.shared.failed(name)
                continue
            self.shared.succeeded(name)
            self.ups.append((loop.time(), name))
            await asyncio.sleep(lives_s)
            self.shared.lost(name)

    def run(self, seconds: float, links: tuple[str, ...] = LINKS) -> None:
        async def main() -> None:
            tasks = [asyncio.create_task(self.link(name)) for name in links]
            await asyncio.sleep(seconds)
            for task in tasks:
                assert not task.done() or task.result()
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

        virtually(main)


@pytest.mark.parametrize("takes_s", [0.0, 0.1, 10.0])
@pytest.mark.parametrize("seed", range(20))
def test_a_venue_that_is_down_is_dialled_23_times_in_ten_minutes_by_all_links_together(
    seed: int, takes_s: float
) -> None:
    """RELIABILITY 17; nautilus#5012, Lean#6006."""
    random.seed(seed)
    world = World(lambda _link, _now_s: None, takes_s=takes_s)
    world.run(TEN_MINUTES_S)
    assert 8 <= len(world.dials) <= 23
    assert world.most == 1
    names = [name for _, name in world.dials]
    assert names[:6] == [*LINKS, *LINKS]  # in rotation
    for name in LINKS:
        assert names.count(name) >= len(names) // 3


def test_after_the_first_success_the_others_follow_at_once() -> None:
    world = World(lambda _link, now_s: 1e6 if now_s > TEN_MINUTES_S else None)
    world.run(TEN_MINUTES_S + 2 * BACKOFF_MAX_S)
    (first_s, _), *others = world.ups
    assert [at_s for at_s, _ in others] == [first_s, first_s]
    assert {name for _, name in world.ups} == {*LINKS}


def test_at_the_start_one_dials_and_the_others_follow() -> None:
    world = World(lambda _link, _now_s: 1e6, takes_s=0.2)
    world.run(1)
    assert world.dials == [(0.0, "public"), (0.2, "private"), (0.2, "audit")]


def test_a_link_that_alone_is_lost_has_a_back_off_of_its_own() -> None:
    """The private host is down, the public one is not: that is dialled as seldom as any."""
    world = World(lambda link, _now_s: None if link == "private" else 1e6)
    world.run(TEN_MINUTES_S)
    names = [name for _, name in world.dials]
    assert names.count("public") == names.count("audit") == 1
    assert 20 <= names.count("private") <= 30


def test_a_steady_connection_that_is_lost_is_dialled_again_at_once() -> None:
    world = World(lambda link, now_s: STEADY_S + 1 if link == "private" and now_s < 5 else 1e6)
    world.run(40)
    again = [at_s for at_s, name in world.dials if name == "private"]
    assert again[0] == 0.0 and 31 <= again[1] <= 31.6


@given(st.integers(0, 2**32), st.floats(0, 60), st.floats(0, 1))
def test_whatever_a_venue_does_no_ban_is_earned(seed: int, lives_s: float, chance: float) -> None:
    """Accepts and closes, refuses now and then, dies in the middle: never 150 dials in any ten minutes."""
    chooser = random.Random(seed)
    world = World(lambda _link, _now_s: chooser.uniform(0, lives_s) if chooser.random() < chance else None)
    world.run(2 * TEN_MINUTES_S)
    times = [at_s for at_s, _ in world.dials]
    for number, start_s in enumerate(times):
        assert sum(at_s < start_s + TEN_MINUTES_S for at_s in times[number:]) < 150


def test_a_link_that_is_ended_in_its_turn_gives_it_up() -> None:
    async def main() -> None:
        shared = Dialling()
        await shared.turn("public")
        other = asyncio.create_task(shared.turn("private"))
        await asyncio.sleep(1)
        assert not other.done()
        shared.left("public")
        await asyncio.sleep(0.01)
        assert other.done()

    virtually(main)


def test_a_link_that_waits_long_follows_the_first_success_at_once_too() -> None:
    """Its own back-off was of a time that is over: the venue was down in between."""

    async def main() -> None:
        shared, loop = Dialling(), asyncio.get_running_loop()
        await shared.turn("public")
        shared.succeeded("public")
        for _ in range(8):
            await shared.turn("private")
            shared.failed("private")
        private = asyncio.create_task(shared.turn("private"))
        shared.lost("public")
        await shared.turn("public")
        shared.succeeded("public")
        at_s = loop.time()
        await private
        assert loop.time() - at_s < 0.01

    virtually(main)
