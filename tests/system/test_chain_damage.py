"""A session of a chain whose frames are damaged on the way: 10,000 and more, one at a time, each in a running session.

The session never raises, never shows a pool's book that the honest chain did not have, and is itself again after an
undamaged stretch. One kind of damage is out of its reach: what still has the very form of an answer, keys, types and
lengths, and says something else. That is what a provider that lies would say, here the only one (`is_lie`): then the
books are not judged until the next reconciliation has come round, and must be right again after it.

And the same inputs give the same outputs: a tape of such a session replays to its hash, in other processes too.
"""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from os import environ
from pathlib import Path
from typing import Any, Final

import pytest

from connectors.registry import load
from runtime.deploy import guests_for, spec_of_tape
from runtime.digest import Digest
from runtime.host import AlgoHost
from runtime.inputs import Input
from runtime.replay import check_footer, replay
from runtime.session import Session, header_of
from runtime.spec import AlgoSpec
from runtime.tape import TapeReader, TapeWriter
from tests.support.data import ROOT
from tests.support.gateway import gateway
from tests.support.virtual import SECOND
from tests.support.virtual_chain import EXACT, SOLIDLY, V2, V3_DEARER, Bare, ChainWorld, chain_plan

EACH: Final = int(os.environ.get("VENUEGATE_DAMAGE", "1500")) // 15  # of each kind
HEX: Final = b"0123456789abcdef"
Damage = Callable[[bytes, random.Random], bytes]


# --- what happens to a frame -----------------------------------------------------------------------------------------


def truncated(frame: bytes, rng: random.Random) -> bytes:
    return frame[: rng.randrange(len(frame))]


def flipped(frame: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(frame))
    return frame[:at] + bytes([frame[at] ^ 1 << rng.randrange(8)]) + frame[at + 1 :]


def misread(frame: bytes, rng: random.Random) -> bytes:
    """One digit is another."""
    places = [at for at, byte in enumerate(frame) if byte in HEX]
    at = rng.choice(places)
    return frame[:at] + bytes([rng.choice(HEX)]) + frame[at + 1 :]


def garbled(frame: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(frame))
    return frame[:at] + rng.randbytes(rng.randrange(1, 30)) + frame[at + rng.randrange(30) :]


def not_utf8(frame: bytes, rng: random.Random) -> bytes:
    at = frame.index(b'"', rng.randrange(len(frame) - 2)) if b'"' in frame[-2:] else len(frame) - 2
    return frame[:at] + rng.choice([b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\x80"]) + frame[at:]


def foreign(_frame: bytes, rng: random.Random) -> bytes:
    return rng.choice([
        b"", b"null", b"[]", b"{}", b"7", b'"x"', b"[1,2]", b'{"id":1}', b'{"jsonrpc":"2.0","id":null,"result":"0x1"}',
        b'{"channel":"heartbeat"}', b"<html>502 Bad Gateway</html>", b'{"method":"eth_subscription","params":{}}',
        b'{"method":"eth_subscription","params":{"subscription":"0x1","result":null}}', b"\x00" * 50, b" ",
        b'{"error":{"code":1,"message":"x"}}', b'{"id":99999999,"result":[]}', b"NaN", b'{"id":1e999}',
    ])  # fmt: skip


def wrong_id(frame: bytes, rng: random.Random) -> bytes:
    said = json.loads(frame)
    if "id" in said:
        said["id"] = rng.choice(
            [0, -1, said["id"] - 1, said["id"] + 1, said["id"] + 2, 10**9, str(said["id"]), None, 1.5]
        )
    else:
        said["params"]["subscription"] = rng.choice(["", "0x1", said["params"]["subscription"][::-1]])
    return json.dumps(said).encode()


def huge(frame: bytes, rng: random.Random) -> bytes:
    """Some number is out of all proportion."""
    long = rng.choice([10**400, -(10**30), 2**64, 2**256])
    return _replaced(frame, rng, rng.choice([long, "0x" + "f" * rng.choice([16, 17, 64, 65, 5000]), f"0x{'0' * 9000}"]))


def retyped(frame: bytes, rng: random.Random) -> bytes:
    return _replaced(
        frame, rng, rng.choice([None, True, 0, -1, 1.5, "", "0x", "0xzz", "latest", [], {}, [[]], {"a": 1}])
    )


def nested(frame: bytes, rng: random.Random) -> bytes:
    depth = rng.choice([60, 1_000, 200_000])
    open_, close = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    inner = open_ * depth + (b"1" if open_ != b"[" else b"") + close * depth
    return rng.choice(
        [inner, frame[:-1] + b',"more":' + inner + b"}", frame.replace(b'"result":', b'"result":' + open_ * depth)]
    )


def refused(frame: bytes, rng: random.Random) -> bytes:
    """The node says no, in its own or nobody's words."""
    said = json.loads(frame)
    said.pop("result", None)
    code = rng.choice([-32000, -32005, -32601, 3, 429, 0, 10**30, -(2**63), "x", None])
    said["error"] = rng.choice([{"code": code, "message": "no" * rng.choice([0, 1, 10**4])}, {}, "no", None, []])
    return json.dumps(said).encode()


def shortened(frame: bytes, rng: random.Random) -> bytes:
    """An answer without its end: some of the data, some of the list."""
    said = json.loads(frame)
    result = said.get("result")
    if isinstance(result, str):
        said["result"] = result[: rng.randrange(len(result))]
    elif isinstance(result, dict):
        result.pop(rng.choice(list(result)))
    elif isinstance(result, list) and result:
        result[0].pop(rng.choice(list(result[0])))
    else:
        return truncated(frame, rng)
    return json.dumps(said).encode()


def _replaced(frame: bytes, rng: random.Random, value: Any) -> bytes:
    """One value anywhere in it is this one."""
    said = json.loads(frame)
    places: list[tuple[Any, Any]] = []

    def collect(at: Any) -> None:
        for key in at if isinstance(at, dict) else range(len(at)):
            places.append((at, key))
            if isinstance(at[key], dict | list):
                collect(at[key])

    collect(said)
    at, key = rng.choice(places)
    at[key] = value
    return json.dumps(said).encode()


IN_PLACE: Final[tuple[Damage, ...]] = (
    truncated, flipped, misread, garbled, not_utf8, foreign, wrong_id, huge, retyped, nested, refused, shortened,
)  # fmt: skip
ON_THE_WAY: Final = ("drop", "duplicate", "swap")  # of whole frames


def shape(value: Any) -> Any:
    """The form of a parsed frame. Hexadecimal texts are alike, the long ones if they are as long."""
    if isinstance(value, dict):
        return {key: inner if key == "subscription" else shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    if (
        isinstance(value, str)
        and value.startswith("0x")
        and all(digit in "0123456789abcdefABCDEF" for digit in value[2:])
    ):
        return ("hex", len(value) if len(value) > 66 else 0)
    return value


def is_lie(before: bytes, after: bytes) -> bool:
    """Whether a provider could have said this instead: another statement in the same form, to the same question."""
    if after == before or after.count(b"[") + after.count(b"{") > 2_000:
        return False
    try:
        was, told = json.loads(before), json.loads(after)
    except (ValueError, RecursionError):
        return False
    return bool(shape(was) == shape(told))


# --- a session that is damaged ---------------------------------------------------------------------------------------


class Storm:
    """A running session, one damage after the other. `counts` is for the figures."""

    def __init__(self, kind: str, seed: int) -> None:
        self.kind, self.rng = kind, random.Random(f"{kind} {seed}")
        self.bare = Bare(chain_plan((V3_DEARER, V2), reconcile_blocks=4, calls_per_s=1000), is_alive=False)
        self.link = self.bare.chain.links["rpc1"]
        self.counts: Counter[str] = Counter()
        self.methods: dict[int, str] = {}
        self._armed = -1  # frames to let pass
        self._held: bytes | None = None
        self._trades = 0
        self.damaged = b""
        self.original = b""
        self.link.filter, self.link.asked = self._frame, self._asked
        self.bare.run(5, self.bare.is_current)

    def _asked(self, frame: bytes) -> bytes:
        request = json.loads(frame)
        self.methods[request["id"]] = request["method"]
        return frame

    def _frame(self, frame: bytes) -> tuple[bytes, ...]:
        if self._held is not None:
            held, self._held = self._held, None
            return frame, held
        if self._armed != 0:
            self._armed -= self._armed > 0
            return (frame,)
        self._armed = -1
        self.original = self.damaged = frame
        self.counts["damaged"] += 1
        if self.kind == "drop":
            return ()
        if self.kind == "duplicate":
            return frame, frame
        if self.kind == "swap":
            self._held = frame
            return ()
        damage = next(one for one in IN_PLACE if one.__name__ == self.kind)
        self.damaged = damage(frame, self.rng)
        if is_lie(frame, self.damaged):
            self.counts["lies"] += 1
            self.bare.watch.check = False
        return (self.damaged,)

    def _live(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Blocks with a trade now and then."""
        for _ in range(int(seconds * 4)):
            self._trades += 1
            pool = (V3_DEARER, V2)[self._trades % 2]
            self.bare.chain.trade(pool, 50 + self._trades % 17 * 300, is_buy=self._trades % 4 < 2)
            self.bare.run(0.25, until)
            if until():
                return True
        return False

    def once(self) -> None:
        """One damage, and the undamaged stretch behind it."""
        bare, before = self.bare, self.counts["damaged"]
        if self.rng.randrange(5) == 0:
            bare.hang_up("rpc1", 0.02)  # so that what begins a session is damaged, too
        self._armed = self.rng.randrange(12)
        self._live(6, lambda: self.counts["damaged"] > before)
        assert self.counts["damaged"] == before + 1
        if not bare.watch.check:
            self._live(2.5)
        if not self._live(45 if self.methods_of_damaged() != "eth_chainId" else 3, self._is_well):
            assert self.methods_of_damaged() == "eth_chainId", self.words()
            self.counts["dialled again"] += 1
            bare.hang_up("rpc1", 0.02)
            assert self._live(20, self._is_well), self.words()
        if self.methods_of_damaged() == "eth_subscribe":  # polled from now on, until it is dialled again
            self.counts["polled"] += 1
            bare.hang_up("rpc1", 0.02)
            assert self._live(20, self._is_well), self.words()
        bare.watch.check = True
        bare.watch.wrong.clear()

    def _is_well(self) -> bool:
        """Every pool is shown, of a block no older than a poll, as it is there."""
        bare = self.bare
        if bare.session.lost or len(bare.watch.shown) < 2 or bare.watch.head not in bare.chain.made_ns:
            return False
        return bare.now_ns - bare.chain.made_ns[bare.watch.head] < 2 * SECOND and not bare.watch.amiss_now()

    def methods_of_damaged(self) -> str:
        """What the damaged frame was the answer to."""
        try:
            return self.methods.get(json.loads(self.original).get("id"), "")
        except ValueError:
            return ""

    def words(self) -> str:
        return f"{self.kind}: {self.original[:300]!r} became {self.damaged[:300]!r}; lost: {self.bare.session.lost!r}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*(damage.__name__ for damage in IN_PLACE), *ON_THE_WAY])
def test_no_damage_raises_or_shows_or_stays(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    storm = Storm(kind, 1)
    for _ in range(EACH):
        try:
            storm.once()
        except Exception as error:
            raise AssertionError(f"{error!r} after {storm.words()}") from error
    assert storm.counts["damaged"] == EACH
    with capsys.disabled():
        compared = storm.bare.watch.compared
        print(f"\n    {kind}: {dict(storm.counts)}, {compared} books judged", end="")


def test_a_lie_is_told_from_damage_by_its_form() -> None:
    said = b'{"jsonrpc":"2.0","id":3,"result":{"number":"0x10","logsBloom":"0x' + b"0" * 512 + b'"}}'
    assert is_lie(said, said.replace(b"0x10", b"0x11"))
    assert is_lie(said, said.replace(b"0x10", b"0x1"))
    assert is_lie(said, said.replace(b"0x0000", b"0x0100"))
    assert not is_lie(said, said)
    assert not is_lie(said, said.replace(b"0x0000", b"0x000"))
    assert not is_lie(said, said.replace(b'"id":3', b'"id":4'))
    assert not is_lie(said, said.replace(b"0x10", b"0x1g"))
    assert not is_lie(said, said[:-1])


# --- the same inputs, the same outputs -------------------------------------------------------------------------------


def recorded(path: Path | None = None) -> str:
    """A session of Kraken and a chain with faults of every kind in it, and its hash; its tape at `path`."""
    wasm = ROOT / "fixtures/algos/trader.wasm"
    guest = AlgoHost(wasm.read_bytes(), name="trader")
    world = ChainWorld(
        chain_plan((*EXACT, SOLIDLY), ("rpc1", "rpc2"), check_every=2),
        algos=[AlgoSpec("trader", guest, ("ETH/USD",), ("kraken", "dex_arb"))],
    )
    digest = Digest()
    spec = world.engine.spec
    tape = TapeWriter(path, header_of(spec, {"trader": str(wasm)})) if path is not None else None

    def watch(given: Input) -> None:
        digest.update(world.engine.trace)
        if tape is not None:
            tape.append(given, world.now_ns)

    world.watchers.append(watch)
    world.run(4)
    for depth in (1, 3):
        world.chain.reorg(depth)
        world.run(2)
    world.chain.node().faults.skip_heads = 5
    world.run(2)
    world.hang_up("rpc1")
    world.run(2)
    world.chain.links["rpc2"].filter = lambda frame: frame[: len(frame) // 2]
    world.run(2)
    world.chain.links["rpc2"].filter = None
    world.hang_up("kraken")
    world.run(4)
    world.command("stop")
    assert world.watch.compared > 60
    if tape is not None:
        tape.close(digest.hexdigest())
    return digest.hexdigest()


def test_a_tape_of_a_chain_replays_to_the_same_hash_in_every_process(tmp_path: Path) -> None:
    path = tmp_path / "chain.tape.zst"
    found = recorded(path)
    tape = TapeReader(path)
    assert tape.header is not None
    wasm = ROOT / "fixtures/algos/trader.wasm"
    session = Session(spec_of_tape(tape.header, guests_for(["ETH/USD"], wasm), None, load))
    replay(session, tape)
    assert check_footer(session, tape) == ""
    assert session.digest.hexdigest() == found
    assert session.engine.desk.actions > 3, "a guest that did nothing proves nothing"
    for seed in ("0", "4242"):
        assert gateway("replay", str(path), environment={"PYTHONHASHSEED": seed})["hash"] == found


def test_the_same_session_is_the_same_in_every_process() -> None:
    """Not only what is replayed: sets and dictionaries decide nothing while it runs."""
    program = "from tests.system.test_chain_damage import recorded; print(recorded())"
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env={**environ, "PYTHONHASHSEED": seed}, capture_output=True,
            text=True, check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }  # fmt: skip
    assert hashes == {recorded() + "\n"}
