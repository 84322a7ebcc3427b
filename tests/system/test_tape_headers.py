"""A tape's header holds all that decides a session besides its inputs: read back from the files it names, it replays to
the same hash; without any one part of it, to another."""

import json
import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from typer.testing import CliRunner, Result

from connectors import registry
from connectors.book import L2Book
from connectors.session import Venue
from connectors.venues.evm import ARBITRUM
from connectors.venues.kraken import VENUE
from runtime.chain_plan import plan_of
from runtime.cli import app
from runtime.config import Config, paper_limits
from runtime.deploy import Guests, load_guest, spec_of, venue_spec
from runtime.engine import Engine
from runtime.features import Prediction, Predictor
from runtime.inputs import Command, LinkUp
from runtime.regions import parse_param
from runtime.session import header_of
from runtime.spec import AlgoSpec
from runtime.tape import TapeReader, TapeWriter
from tests.support import chain_venue
from tests.support.chain_venue import chain, frame
from tests.support.data import ROOT
from tests.support.guests import guest
from tests.support.replays import taped
from tests.support.virtual import OTHER, World

FIXTURES = ROOT / "fixtures/algos"
LEAN = "tests.system.test_tape_headers:lean"
ANSWERS = ("--predictor", LEAN, "--allow-python")  # what the header has and a person must say, too
VENUES = {"kraken": VENUE, "other": OTHER, chain_venue.NAME: chain_venue.VENUE}


def lean(market: str) -> Predictor:
    """A model that depends on what it is shown, and on nothing else."""

    def model(features: memoryview, book: L2Book, now_ns: int) -> Prediction | None:
        del now_ns
        return Prediction(pred_dir_up_1e4=features[8] + len(market), pred_toxic_1e4=len(book.bids))

    return model


@pytest.fixture
def venues(monkeypatch: pytest.MonkeyPatch) -> dict[str, Venue]:
    """The venues of the tests, as if plugins offered them."""
    monkeypatch.setattr(registry, "names", lambda: sorted(VENUES))
    monkeypatch.setattr(registry, "load", VENUES.__getitem__)
    monkeypatch.setattr(registry, "is_offered", VENUES.__contains__)
    return VENUES


def trapping(folder: Path) -> Path:
    """Logs a line at its first book and traps at its 40th; a restart counts anew."""
    path = folder / "trap.wasm"
    path.write_bytes(
        guest(
            """(i32.store (i32.const 1024) (i32.const 0))
                 (if (i32.eq (global.get $calls) (i32.const 1))
                   (then (call $log (i32.const 2) (i32.const 0) (i32.const 1))))
                 (if (i32.eq (global.get $calls) (i32.const 40)) (then (unreachable)))""",
            imports='(import "env" "host_log_impl" (func $log (param i32 i32 i32)))',
        )
    )
    return path


def deployed(paths: dict[str, str]) -> list[AlgoSpec]:
    """Every part of a deployment in some algo of these."""

    def of(name: str, abi: str = "") -> Any:
        return load_guest(paths[name], name, Path(paths[name]).read_bytes(), abi)

    params = parse_param("0", "25bps"), parse_param("3", "0.1"), parse_param("5", True)
    every = ("other", "kraken", chain_venue.NAME)
    return [
        AlgoSpec("all", of("all"), ("BTC/USD", "ETH/USD"), every, params, "alpha", 3),
        AlgoSpec("old", of("old", "0.3.0"), ("BTC/USD",), ("kraken", "other")),
        AlgoSpec("maker", of("maker"), ("BTC/USD",), (), (), "maker"),
        AlgoSpec("python", of("python"), ("BTC/USD",)),
        AlgoSpec("trap", of("trap"), ("BTC/USD",), restarts=2),
    ]


def live(world: World) -> None:
    """Books of all venues, pools, parameters, the kill switch, a lost link."""
    rng = random.Random(1)
    world.feed(LinkUp(chain_venue.NAME, "public"))
    for step in range(60):
        world.run(0.1)
        bid, ask = 62_000 + rng.randint(0, 9), 63_000 - rng.randint(0, 9)
        world.feed(frame(book=rng.choice((0, 2, 3)), bids=[[bid * 10**9, 10**7]], asks=[[ask * 10**9, 10**7]]))
        if step % 9 == 0:
            world.feed(Command("set", "ana", "all", (parse_param("3", f"0.{step + 1}"),)))
        if step in (30, 33):
            world.command("kill" if step == 30 else "arm")
        if step == 40:
            world.hang_up("other", "the test says so", 1)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("headers")
    paths = {
        "all": str(FIXTURES / "referee04.wasm"), "old": str(FIXTURES / "referee030m.wasm"),
        "maker": str(FIXTURES / "mesh_maker.wasm"), "python": str(FIXTURES / "market_maker_py/market_maker.py"),
        "trap": str(trapping(folder)),
    }  # fmt: skip
    world = World(symbols=("BTC/USD", "ETH/USD"), venues=(VENUE, OTHER), chains=[chain(pools=2)], algos=deployed(paths))
    world.engine = Engine(msgspec.structs.replace(world.engine.spec, predictors=lean))
    path = folder / "all.tape"
    with taped(world, path, paths, LEAN) as digest:
        live(world)
    engine = world.engine
    calls: dict[str, dict[str, int]] = {algo.name: algo.callbacks for algo in engine.algos}
    assert all(calls[name]["on_book"] for name in ("all", "maker", "python", "trap"))
    assert calls["all"]["on_nbbo"] and calls["old"]["on_nbbo"]
    assert {algo.name: algo.restarts for algo in engine.algos}["trap"] == 2
    assert engine.desk.approved > 10
    assert digest.hexdigest()
    return path


def gateway(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def lines(path: Path) -> list[bytes]:
    data, text = path.read_bytes(), b""
    while data:
        inflate = zstandard.ZstdDecompressor().decompressobj()
        text, data = text + inflate.decompress(data), inflate.unused_data
    return text.splitlines(keepends=True)


@pytest.mark.usefixtures("venues")
def test_what_the_header_says_replays_to_the_same_hash(tape: Path) -> None:
    with closing(TapeReader(tape)) as reader:
        header = reader.header
        kinds = {type(given).__name__ for _, _, given in reader}
    assert header is not None
    assert kinds == {"Command", "Frame", "LinkDown", "LinkUp", "Timer"}
    assert header.venues[2].pools == chain(pools=2).pools
    verified = gateway("tape", "verify", tape, *ANSWERS, "--json")
    assert verified.exit_code == 0, verified.output
    replayed = gateway("replay", tape, *ANSWERS, "--json")
    assert replayed.exit_code in (0, 1), replayed.output  # 1: the trapping guest is out for good
    result = json.loads(replayed.stdout)
    assert result["hash"] == result["recorded"] == json.loads(verified.stdout)["replayed"]
    assert result["restarts"]["trap"] == 2
    assert result["unsandboxed"] == ["python"]


@pytest.mark.usefixtures("venues")
def test_both_answers_are_asked_for(tape: Path) -> None:
    assert "was made with Python: python" in gateway("tape", "verify", tape, "--predictor", LEAN).stderr
    assert f"was recorded with the predictor {LEAN!r}" in gateway("tape", "verify", tape, "--allow-python").stderr


def algo(name: str, **fields: object) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        (entry,) = [entry for entry in header["algos"] if entry["name"] == name]
        assert entry.keys() >= fields.keys()
        entry.update(fields)

    return change


def fields(**given: object) -> Callable[[dict[str, Any]], None]:
    return lambda header: header.update(given)


def other_pools(header: dict[str, Any]) -> None:
    header["venues"][2]["pools"].reverse()


def another_order(header: dict[str, Any]) -> None:
    header["venues"] = [header["venues"][place] for place in (1, 0, 2)]


@pytest.mark.parametrize(
    "change",
    [
        algo("all", params=[]), algo("all", label=""), algo("all", venues=[]), algo("all", symbols=["BTC/USD"]),
        algo("maker", label="else"), algo("old", venues=["other", "kraken"]), algo("trap", restarts=0),
        other_pools, another_order, fields(predictor=""), fields(tag="vgx"),
        fields(fees={"maker_ppm": 0, "taker_ppm": 0}),
    ],
    ids=["params", "label", "venues", "symbols", "peer", "own venue", "restarts", "pools", "order", "predictor", "tag",
         "fees"],
)  # fmt: skip
@pytest.mark.usefixtures("venues")
def test_without_any_part_of_it_the_hash_is_another(
    change: Callable[[dict[str, Any]], None], tape: Path, tmp_path: Path
) -> None:
    first, *rest = lines(tape)
    header = json.loads(first)
    change(header)
    assert header != json.loads(first)
    changed = tmp_path / "changed.tape"
    changed.write_bytes(json.dumps(header).encode() + b"\n" + b"".join(rest))
    answers = ANSWERS if header["predictor"] else ("--allow-python",)
    ended = gateway("replay", changed, *answers, "--json")
    assert ended.exit_code == 5, ended.output
    result = json.loads(ended.stdout)
    assert result["hash"] != result["recorded"]


@pytest.mark.usefixtures("venues")
def test_the_generation_is_the_headers_where_exports_do_not_tell(tape: Path, tmp_path: Path) -> None:
    first, *rest = lines(tape)
    assert b'"abi":"0.3.0' in first
    changed = tmp_path / "changed.tape"
    changed.write_bytes(first.replace(b'"abi":"0.3.0', b'"abi":"0.9.0') + b"".join(rest))
    assert gateway("replay", changed, *ANSWERS).exit_code == 4


# --- a chain's plan in it --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chain_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan, pools, instruments = plan_of("dex_arb", Config(), ["ETH/USD"])
    made = venue_spec(ARBITRUM, depth=20, depth_from="", instruments=instruments, pools=pools, chain=plan)
    spec = spec_of([made], ["ETH/USD"], Guests(), paper_limits(), fees=Config().fees(), tag="vg")
    path = tmp_path_factory.mktemp("chains") / "arb.tape"
    writer = TapeWriter(path, header_of(spec, {}))
    writer.append(LinkUp("dex_arb", "rpc1"), 10**18)
    writer.cut()
    return path


def said_of(path: Path, tape: Path, change: Callable[[dict[str, Any]], None]) -> Result:
    first, *rest = lines(tape)
    header = json.loads(first)
    change(header["venues"][0])
    path.write_bytes(json.dumps(header).encode() + b"\n" + b"".join(rest))
    return gateway("replay", path, "--json")


def test_a_chains_plan_comes_back_from_the_header(chain_tape: Path, tmp_path: Path) -> None:
    with closing(TapeReader(chain_tape)) as reader:
        assert reader.header is not None
        assert reader.header.venues[0].chain == plan_of("dex_arb", Config(), ["ETH/USD"])[0]
    same = said_of(tmp_path / "same.tape", chain_tape, lambda _: None)
    assert same.exit_code == 7, "it is replayed, and had no book"
    without = said_of(tmp_path / "without.tape", chain_tape, lambda venue: venue.update(chain=None))
    assert without.exit_code == 4 and "no chain is described" in without.stderr


def pool(**fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda venue: venue["chain"]["pools"][0].update(fields)


def token(**fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda venue: venue["chain"]["pools"][0]["tokens"][0].update(fields)


def plan_with(**fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda venue: venue["chain"].update(fields)


def one_contract_of_two_kinds(venue: dict[str, Any]) -> None:
    pools = venue["chain"]["pools"]
    one = next(pool for pool in pools if pool["kind"] == "curve_crypto")
    pools.append(one | {"kind": "curve_meta", "base": one["quote"], "quote": 3 - one["base"] - one["quote"]})


def one_pool_twice(venue: dict[str, Any]) -> None:
    venue["chain"]["pools"].append(venue["chain"]["pools"][0])


DAMAGED: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("calls_per_s is 0", plan_with(calls_per_s=0)), ("calls_per_s is -3", plan_with(calls_per_s=-3)),
    ("check_every is 0", plan_with(check_every=0)), ("check_bps is 0", plan_with(check_bps=0)),
    ("chain_id is 0", plan_with(chain_id=0)), ("block_time_ns is 0", plan_with(block_time_ns=0)),
    ("stale_after_ns is -1", plan_with(stale_after_ns=-1)), ("reconcile_blocks is 0", plan_with(reconcile_blocks=0)),
    ("split_above_1e9 is -1", plan_with(split_above_1e9=-1)),
    ("links none", plan_with(links=[])), ("links rpc1, rpc1", plan_with(links=["rpc1", "rpc1"])),
    ("quorum is 2", plan_with(quorum=2)), ("quorum is 0", plan_with(quorum=0)),
    ("multicall 'zz'", plan_with(multicall="zz")), ("native ''", plan_with(native="")),
    ("native 'ETH'", plan_with(native="ETH")), ("sizes of every quote", plan_with(sizes_1e9={"": []})),
    ("sizes of X", plan_with(sizes_1e9={"X": [5, 5]})), ("sizes of X", plan_with(sizes_1e9={"X": [-1, 5]})),
    ("sizes of X", plan_with(sizes_1e9={"X": list(range(1, 22))})),
    ("address '0xzz'", pool(address="0xzz")), ("quoter 'zz'", pool(quoter="zz")),
    ("pool_id '0x1'", pool(pool_id="0x1")),
    ("base is 9", pool(base=9)), ("quote is -1", pool(quote=-1)),
    ("base and quote are both token 0", pool(base=0, quote=0)), ("fee_ppm is 1000000", pool(fee_ppm=10**6)),
    ("gas_units is -1", pool(gas_units=-1)), ("0 tokens are not two", pool(tokens=[])),
    ("Invalid enum value", pool(kind="foo")), ("decimals is -5", token(decimals=-5)),
    ("decimals is 37", token(decimals=37)), ("address 'zz'", token(address="zz")),
    ("is both curve_crypto and curve_meta", one_contract_of_two_kinds), ("is there twice", one_pool_twice),
]  # fmt: skip


@pytest.mark.parametrize(("said", "change"), DAMAGED)
def test_a_damaged_plan_is_the_tapes_fault(
    said: str, change: Callable[[dict[str, Any]], None], chain_tape: Path, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.tape"
    done = said_of(path, chain_tape, change)
    assert done.exit_code == 4, done.output
    assert f"{path}: header: " in done.stderr and said in done.stderr
    assert "this tape's head is damaged" in done.stderr and "Traceback" not in done.output
