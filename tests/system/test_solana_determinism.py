"""Solana's session is pure: the same frames at the same times give the same outputs, in every process, and no bytes
whatever make it raise."""

import json
import random
import subprocess
import sys
from hashlib import sha256
from os import environ

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.chain import calls_of
from connectors.session import Output
from connectors.venues.solana.session import SolanaSession
from tests.support.data import ROOT
from tests.support.solana_damage import CONTENTS, SHAPES
from tests.support.solana_world import Bare, session_plan, solana_plan
from tests.support.virtual import START_NS


def recorded() -> str:
    """A session with faults of every kind in it, and the hash of all that it said."""
    bare = Bare(solana_plan(links=("rpc1", "rpc2")), drift_ppm=1_500).run(5)
    node, link = bare.chain.node(), bare.chain.links["rpc1"]
    node.faults.rollback = 4
    bare.run(6)
    node.faults.stale = 2
    bare.run(4)
    node.faults.stale, node.faults.drop_notifications = 0, 40
    bare.run(8)
    bare.hang_up("rpc2")
    link.calls.filter = lambda frame: frame[: len(frame) // 2]
    bare.run(6)
    link.calls.filter = None
    bare.run(10, bare.is_well)
    assert bare.is_well()
    assert len(bare.outputs) > 300
    return sha256(repr(bare.outputs).encode()).hexdigest()


def test_the_same_session_is_the_same_in_every_process() -> None:
    """Sets and dictionaries decide nothing."""
    program = "from tests.system.test_solana_determinism import recorded; print(recorded())"
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env={**environ, "PYTHONHASHSEED": seed}, capture_output=True,
            text=True, check=True,
        ).stdout
        for seed in ("0", "77")
    }  # fmt: skip
    assert hashes == {recorded() + "\n"}


def test_the_same_frames_give_the_same_outputs() -> None:
    """What was received is given to another session, which nobody answers but the recording."""
    bare = Bare()
    given_: list[tuple[str, bytes, str, int]] = []
    session = bare.session
    opened, received, ticked = session.open, session.receive, session.tick

    def open_(now_ns: int, link: str, /) -> list[Output]:
        given_.append(("open", b"", link, now_ns))
        return opened(now_ns, link)

    def receive(frame: bytes, now_ns: int, link: str, /) -> list[Output]:
        given_.append(("receive", frame, link, now_ns))
        return received(frame, now_ns, link)

    def tick(now_ns: int) -> list[Output]:
        given_.append(("tick", b"", "", now_ns))
        return ticked(now_ns)

    session.open, session.receive, session.tick = open_, receive, tick  # type: ignore[method-assign,assignment]
    bare.run(10)
    again, said = SolanaSession(bare.plan), list[Output]()
    for what, frame, link, now_ns in given_:
        if what == "open":
            said += again.open(now_ns, link)
        else:
            said += again.tick(now_ns) if what == "tick" else again.receive(frame, now_ns, link)
    assert said == bare.outputs
    assert len(said) > 150


FRAMES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["id", "result", "error", "params", "method", "subscription", "context", "slot", "value",
                             "data", "owner", "code", "message"]), inner, max_size=5),
    ).map(lambda value: json.dumps(value).encode()),
)  # fmt: skip


@settings(max_examples=100)
@given(st.lists(st.tuples(FRAMES, st.booleans(), st.integers(0, 60)), max_size=12))
def test_no_bytes_make_it_raise(frames: list[tuple[bytes, bool, int]]) -> None:
    session = SolanaSession(session_plan(solana_plan()))
    session.open(START_NS, "rpc1")
    for frame, is_call, number in frames:
        head = b"%d 200\n" % number if is_call and number else b""
        session.receive(head + frame, START_NS + number, calls_of("rpc1") if is_call else "rpc1")
        session.tick(START_NS + number)


def test_no_damage_of_real_frames_makes_it_raise() -> None:
    """The session is the same one throughout: what one frame leaves behind the next one meets."""
    bare = Bare()
    rng = random.Random(5)
    link = bare.chain.links["rpc1"]
    bare.watch.check = False  # that what is shown is right, test_solana_damage.py shows

    def damaged(frame: bytes) -> bytes:
        return rng.choice((*SHAPES, *CONTENTS))(frame, rng) if rng.randrange(2) else frame

    link.socket.filter = link.calls.filter = damaged
    bare.run(60)
    assert len(bare.lost) > 10
