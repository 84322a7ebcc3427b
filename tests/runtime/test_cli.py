"""`gateway` as a person uses it: what is imported, what a mistake is told, what is printed and written."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from connectors.orders import OrderType
from tests.runtime.world import GATEWAY, INSTRUMENT, ROOT, gateway, recording, rows, told
from tests.support.guests import guest, once

HEAVY = (
    "ccxt",
    "web3",
    "eth_account",
    "solana",
    "pyarrow",
    "textual",
    "wasmtime",
    "pydantic",
    "websockets",
    "zstandard",
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("recordings") / "day.jsonl")


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape of ours: one second of the embedded venue, over loopback."""
    path = tmp_path_factory.mktemp("tapes") / "a.tape"
    told("serve", "--venues", "kraken", "--sim", "--seed", "5", "--duration", "1.2", "--record", path)
    return path


def test_help_imports_nothing_heavy() -> None:
    code = f"""
import sys
from runtime.cli import app
try:
    app(["--help"])
except SystemExit:
    pass
print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    assert "serve" in done.stdout
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("command", [["serve"], ["record"], ["replay"], ["tape"], ["tape", "show"], ["tape", "verify"]])
def test_every_option_says_what_it_does(command: list[str]) -> None:
    result = gateway(*command, "--help")
    assert result.exit_code == 0
    options = [line for line in result.stdout.splitlines() if line.startswith("  --")]
    assert all(len(line.split(maxsplit=2)) > 1 for line in options)
    assert command[0] == "tape" or any("--json" in line for line in options)


def test_version() -> None:
    assert gateway("--version").stdout.strip().count(".") == 2


# --- mistakes --------------------------------------------------------------------------------------------------------

SERVE = ("serve", "--venues", "kraken", "--sim", "--duration", "1")
MISTAKES = [
    ("replay none.jsonl", "none.jsonl: cannot be read: No such file"),
    ("replay .", "Is a directory"),
    ("replay empty.jsonl", "empty.jsonl: is empty"),
    ("replay day.jsonl", "day.jsonl: has no metadata of its own"),
    ("replay text.jsonl --instrument BTC/USD:1:8", "text.jsonl: line 1 cannot be read"),
    ("replay day.jsonl --instrument BTC/USD", "--instrument: cannot read 'BTC/USD'"),
    ("replay day.jsonl --instrument BTC/USD:one:8", "--instrument: 'BTC/USD:one:8'"),
    ("replay day.jsonl --instrument BTC/USD:12:8", "price has 12 decimals"),
    ("replay day.jsonl --instrument BTC/USD:1:8:-1", "must not be negative"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --venue krakn", "no venue is called 'krakn'"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --depth 11", "no book of depth 11"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --depth -10", "no book of depth -10"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --algo none.wasm", "none.wasm: cannot be read"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --algo text.jsonl", "text.jsonl: is not a WASM binary"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --limits none.toml", "none.toml: cannot be read"),
    (
        "replay day.jsonl --instrument BTC/USD:1:8 --limits bad.toml",
        "bad.toml:1: limits.max_order_notional: is missing",
    ),
    ("replay day.jsonl --instrument BTC/USD:1:8 --actions no/such/folder", "no/such/folder: cannot be written"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --books day.jsonl", "day.jsonl: is the recording itself"),
    ("replay day.jsonl --instrument TOO/LONGSYMBOLNAME:1:8", "longer than the 16 bytes"),
    ("tape show none", "none: cannot be read"),
    ("tape verify day.jsonl", "day.jsonl: is a foreign recording"),
    ("tape verify none", "none: cannot be read"),
    ("serve --venues krakn --sim", "no venue is called 'krakn'"),
    ("serve --venues kraken,coinbse --sim", "no venue is called 'coinbse'"),
    ("serve --venues kraken --sim --depth 3", "no book of depth 3"),
    ("serve --venues kraken --sim --algo none.wasm", "none.wasm: cannot be read"),
    ("serve --venues kraken --sim --limits bad.toml", "bad.toml:1: limits.max_order_notional: is missing"),
    ("serve --venues kraken --sim --config none.toml", "none.toml: cannot be read"),
    ("serve --venues kraken --sim --config bad.toml", "bad.toml:1: limits.max_order_notional: is missing"),
    ("serve --venues kraken --sim --config algos.toml", "algo a wants ETH/USD, which is not followed"),
    ("serve --venues kraken --sim --config twice.toml", "two algos are called 'a'"),
    ("serve --venues kraken --sim --record day.jsonl", "day.jsonl: exists already"),
    ("serve --venues kraken --sim --record no/such/folder", "no/such/folder: cannot be written"),
    ("record day.jsonl --sim", "day.jsonl: exists already"),
    ("replay own.tape --depth 10", "--depth: own.tape is a tape of ours"),
    ("replay own.tape --venue kraken", "--venue: own.tape is a tape of ours"),
    ("replay own.tape --instrument BTC/USD:1:8", "--instrument: own.tape is a tape of ours"),
    ("replay cut.tape", "cut.tape: is damaged or cut short in a compressed block, before its first line ends"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --venue krakn", "--venue: no venue is called 'krakn'"),
    ("replay day.jsonl --instrument BTC/USD:1:20", "a price has 0 to 9 decimals, a size 0 to 8"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --depth 0", "--depth: kraken has no book of depth 0"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --limits two.toml", "two.toml: serve: a limits file holds one"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --books /dev/full", "/dev/full: cannot be written: No space left"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --actions /dev/full", "/dev/full: cannot be written: No space left"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --guest-log /dev/full", "/dev/full: cannot be written: No space"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --actions a --fills ./a", "a: is asked for twice"),
    ("serve --venues kraken --sim --symbols ,", "--symbols: names no symbol"),
    ("serve --venues kraken,coinbase --sim --symbols BTC-USD", "--symbols: 'BTC-USD' is not BASE/QUOTE"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --venue okx", "okx's\n  mend: say whose it is: --venue kraken"),
    ("replay day.jsonl --instrument BTC/USD:1:8 --venue ccxt:okx", "frames is ccxt_okx's"),
    ("serve --venues , --sim", "--venues: names no venue"),
    ("serve --venues kraken --sim --depth 0", "--depth: kraken has no book of depth 0"),
    ("serve --venues kraken --sim --depth -1", "--depth: kraken has no book of depth -1"),
    (
        "serve --venues kraken --sim --config deep.toml",
        "deep.toml: venues.kraken.depth: kraken has no book of depth 11",
    ),
    ("serve --sim --config venue.toml", "venue.toml: no venue is called 'krakn'"),
]


@pytest.mark.parametrize(("line", "said"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_gets_one_clear_message(line: str, said: str, day: Path, tape: Path, here: Path) -> None:
    """Exit 4, nothing on stdout, on stderr the problem with its place and its mend, and no traceback."""
    (here / "day.jsonl").write_bytes(day.read_bytes())
    (here / "empty.jsonl").touch()
    (here / "own.tape").write_bytes(tape.read_bytes())
    (here / "cut.tape").write_bytes(tape.read_bytes()[:20])
    (here / "two.toml").write_text("[limits]\nmax_position = 1\n[serve]\n")
    (here / "deep.toml").write_text("[venues.kraken]\ndepth = 11\n")
    (here / "venue.toml").write_text("[serve]\nvenues = ['krakn']\n")
    (here / "text.jsonl").write_text("hello\n")
    (here / "bad.toml").write_text("[limits]\nmax_position = 1\n")
    algo = f"[[algos]]\nname = 'a'\nwasm = '{ROOT / 'fixtures/algos/demo.wasm'}'\nsymbols = ['{{}}']\n"
    (here / "algos.toml").write_text(algo.format("ETH/USD"))
    (here / "twice.toml").write_text(algo.format("BTC/USD") * 2)
    result = gateway(*line.split())
    assert result.exit_code == 4, result.output
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.count("error: ") == 1
    assert "\n  mend: " in result.stderr
    assert "Traceback" not in result.output
    assert (here / "day.jsonl").read_bytes() == day.read_bytes()


@pytest.mark.parametrize("words", [["serve", "--duration", "0"], ["replay"], ["sing"], ["serve", "--seed", "x"]])
def test_wrong_usage_is_exit_2(words: list[str]) -> None:
    assert gateway(*words).exit_code == 2


# --- replay ----------------------------------------------------------------------------------------------------------


def test_replay_of_a_foreign_recording(day: Path) -> None:
    """The shape that issue and README promise; counts agree with the files written beside."""
    out = {name: Path(name) for name in ("actions", "fills", "books", "guest-log")}
    options = [word for name, path in out.items() for word in (f"--{name}", path)]
    result = told("replay", day, "--venue", "kraken", "--instrument", INSTRUMENT, *options)
    lines = rows(day)
    assert result["frames"] == len(lines)
    assert result["book_frames"] == sum(row["raw"].startswith('{"channel":"book"') for row in lines)
    assert result["checksums"] == {"ok": result["book_frames"], "failed": 0}
    assert (result["resyncs"], result["state"], result["disabled"]) == (0, "ACTIVE", [])
    assert result["callbacks"]["on_book"] == result["book_frames"]
    assert result["callbacks"]["on_shutdown"] == 1
    assert len(result["hash"]) == 64
    assert set(result["pnl"]) <= {"USD"}

    actions, fills, books = rows(out["actions"]), rows(out["fills"]), rows(out["books"])
    assert [row["n"] for row in actions] == list(range(1, result["actions"] + 1))
    assert sum(row["verdict"] == "approved" for row in actions) == result["approved"] > 0
    assert sum(row["verdict"] == "denied" for row in actions) == sum(result["denied"].values())
    assert len(fills) == result["fills"]
    assert result["positions"].get("kraken:BTC/USD", {"position_1e8": 0})["position_1e8"] == sum(
        row["side"] * row["qty_1e8"] for row in fills
    )
    assert len(books) == result["book_frames"]
    last = result["books"]["kraken:BTC/USD"]
    assert books[-1] == {"bids": last["bids"], "asks": last["asks"]}
    assert all(set(row) == {"bids", "asks"} and len(row["bids"]) == 10 for row in books)
    log = out["guest-log"].read_text().splitlines()
    assert all(line.split()[1] == "demo" and line.split()[2] in {"INFO", "DEBUG", "WARN"} for line in log)
    assert len(log) > 0


def test_orders_fills_and_denials_are_written_as_they_were(day: Path) -> None:
    Path("buy.wasm").write_bytes(once(OrderType.MARKET, qty_1e8=1000, at_call=3))
    result = told("replay", day, "--instrument", INSTRUMENT, "--algo", "buy.wasm", "--actions", "a", "--fills", "f")
    (action,) = rows(Path("a"))
    (fill,) = rows(Path("f"))
    assert action | {
        "algo": "buy", "by": "algo", "kind": "new", "order_id": 1, "side": 1, "qty_1e8": 1000,
        "order_type": "market", "verdict": "approved",
    } == action  # fmt: skip
    assert fill["client_order_id"] == action["client_order_id"]
    assert (fill["qty_1e8"], fill["symbol"], fill["order_id"]) == (1000, "BTC/USD", 1)
    assert fill["fee_1e9"] * 1000 == pytest.approx(fill["px_1e9"] * 1000 // 10**8 * 4, rel=1e-6)
    assert result["positions"]["kraken:BTC/USD"]["position_1e8"] == 1000

    Path("huge.wasm").write_bytes(once(OrderType.MARKET, qty_1e8=10**12, at_call=3))
    result = told("replay", day, "--instrument", INSTRUMENT, "--algo", "huge.wasm", "--actions", "a")
    (denied,) = rows(Path("a"))
    assert denied["verdict"] == "denied"
    assert result["denied"] == {denied["reason"]: 1}
    assert denied["observed"] > denied["limit"]


def test_limits_that_nobody_gave_are_printed(day: Path) -> None:
    Path("own.toml").write_text(
        "[limits]\nmax_position=1\nmax_order_notional=500\nmax_order_rate=5\nprice_collar_bps=50\nmax_daily_loss=9\n"
    )
    shipped = gateway("replay", day, "--instrument", INSTRUMENT)
    assert "no limits given" in shipped.stderr
    assert "paper limits" in shipped.stderr
    assert "position 10," in shipped.stderr
    own = gateway("replay", day, "--instrument", INSTRUMENT, "--limits", "own.toml")
    assert "paper limits" not in own.stderr


def test_a_faulty_guest_is_named_and_the_rest_goes_on(day: Path) -> None:
    Path("bad.wasm").write_bytes(guest("(if (i32.eq (global.get $calls) (i32.const 5)) (then unreachable))"))
    ended = gateway("replay", day, "--instrument", INSTRUMENT, "--algo", "bad.wasm", "--json")
    assert ended.exit_code == 1
    assert "algo bad disabled" in ended.stderr
    assert "unreachable" in ended.stderr  # why, in the guest's own terms
    result = json.loads(ended.stdout)
    assert (result["disabled"], result["outcome"]) == (["bad"], "disabled for a fault: bad")
    assert result["callbacks"]["on_book"] == 5
    assert result["book_frames"] > 100


def test_a_recording_cut_short_is_replayed_as_far_as_it_goes(day: Path) -> None:
    Path("cut.jsonl").write_bytes(day.read_bytes()[:-40])
    result = gateway("replay", "cut.jsonl", "--instrument", INSTRUMENT, "--json")
    assert result.exit_code == 0
    assert "cut.jsonl is cut short in the middle of a line" in result.stderr
    assert json.loads(result.stdout)["frames"] == len(rows(day)) - 1


@pytest.mark.parametrize("later", [100_000, 150_000, 220_000])
def test_ctrl_c_during_a_replay_ends_between_turns(later: int, tmp_path: Path) -> None:
    """A guest that thinks long, then logs: the signal arrives while it thinks, Python sees it in the log call.

    An exception there would cross the C library's frames: in 9 of 12 tries it aborted. The log is longer than a
    pipe holds, so the replay cannot be over before; `later` moves the signal away from the moment of writing.
    """
    day = recording(tmp_path / "long.jsonl", seconds=120)
    imports = '(import "env" "host_log_impl" (func $log (param i32 i32 i32)))'
    chatty = """
      (global.set $n (i32.const 190000))
      (loop (global.set $n (i32.sub (global.get $n) (i32.const 1))) (br_if 0 (global.get $n)))
      (call $log (i32.const 2) (i32.const 0) (i32.const 4))"""
    wasm = guest(chatty, imports=imports, globals_="(global $n (mut i32) (i32.const 0))")
    (tmp_path / "chatty.wasm").write_bytes(wasm)
    command = [
        *GATEWAY,
        "replay",
        day,
        "--instrument",
        INSTRUMENT,
        "--algo",
        "chatty.wasm",
        "--guest-log",
        "/dev/stdout",
    ]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"chatty" in process.stdout.readline()
        assert sum(range(later)) > 0
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert b"Traceback" not in errors
    assert b"ctypes" not in errors


# --- tapes -----------------------------------------------------------------------------------------------------------


def test_tape_show(tape: Path, day: Path) -> None:
    shown = told("tape", "show", tape, "--lines", "3")
    assert shown["venues"] == ["kraken"]
    assert (shown["symbols"], shown["end"], len(shown["lines"])) == (["BTC/USD"], "footer", 3)
    assert shown["inputs"]["Frame"] > 10
    assert shown["algos"][0].startswith("demo ")
    assert 0 < shown["seconds"] < 30
    assert json.loads(shown["lines"][0])["kind"] == "up"
    foreign = told("tape", "show", day)
    assert foreign["kind"] == "foreign recording"
    assert (foreign["inputs"], foreign["hash"]) == ({"Frame": len(rows(day))}, "")


def test_tape_verify_and_replay_give_the_session_hash(tape: Path) -> None:
    verified = told("tape", "verify", tape)
    assert verified["verdict"] == "same"
    assert verified["recorded"] == verified["replayed"] == told("tape", "show", tape)["hash"]
    assert told("replay", tape)["hash"] == verified["recorded"]


def test_a_tampered_tape_is_noticed(tape: Path) -> None:
    """One digit of one frame, one of the footer, one line less: packed anew, so that only what it says is different."""
    data, text = tape.read_bytes(), b""
    while data:
        inflate = zstandard.ZstdDecompressor().decompressobj()
        text, data = text + inflate.decompress(data), inflate.unused_data
    lines = text.splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if b"checksum" in line and b"update" in line)
    qty = lines[at].index(b"qty") + 6
    digit = lines[at][qty : qty + 1]
    assert digit.isdigit()
    changed = lines[at][:qty] + str(9 - int(digit)).encode() + lines[at][qty + 1 :]
    quiet = next(n for n, line in enumerate(lines) if b"heartbeat" in line or b'"timer"' in line)
    for name, forged in {
        "a digit": [*lines[:at], changed, *lines[at + 1 :]],
        "a line": [*lines[:quiet], *lines[quiet + 1 :]],
        "the hash": [*lines[:-1], lines[-1].replace(b'"hash":"', b'"hash":"0')],
        "the end": lines[:-1],
    }.items():
        Path("forged.tape").write_bytes(zstandard.ZstdCompressor().compress(b"".join(forged)))
        result = gateway("tape", "verify", "forged.tape", "--json")
        assert result.exit_code == 5, name
        assert json.loads(result.stdout)["verdict"] != "same"
    result = gateway("replay", "forged.tape", "--json")
    assert result.exit_code == 0


def test_a_tape_of_a_damaged_header_is_a_clear_error(tape: Path) -> None:
    text = zstandard.ZstdDecompressor().decompressobj().decompress(tape.read_bytes())
    for old, new, said in (
        (b'"max_position_1e8"', b'"max_positron"', "header: "),
        (b'"maker_ppm"', b'"m"', "header: "),
        (b'"instruments":[]', b'"instruments":[{"symbol":1}]', "header: "),
        (b'"depth":10', b'"depth":11', "no book of depth 11"),
        (b'"symbols":["BTC/USD"],"limits"', b'"symbols":["ETH/USD"],"limits"', "wants BTC/USD, which is not followed"),
        (b'"name":"kraken"', b'"name":"krakn"', "no venue is called"),
        (b'"sha256":"', b'"sha256":"0', "which is not at"),
    ):
        assert old in text
        Path("forged.tape").write_bytes(text.replace(old, new))
        result = gateway("tape", "verify", "forged.tape")
        assert result.exit_code == 4
        assert said in result.stderr


def test_what_was_recorded_without_an_algo_is_replayed_with_one() -> None:
    recorded = told("record", "a.tape", "--venues", "kraken", "--sim", "--duration", "1.2")
    assert (recorded["actions"], recorded["callbacks"]["on_book"]) == (0, 0)
    assert told("tape", "verify", "a.tape")["verdict"] == "same"
    Path("buy.wasm").write_bytes(once(qty_1e8=100_000))
    played = told("replay", "a.tape", "--algo", "buy.wasm")
    assert played["callbacks"]["on_book"] == played["book_frames"] == recorded["book_frames"] > 0
    assert played["actions"] == 1


def test_another_guest_gives_another_hash(tape: Path) -> None:
    Path("other.wasm").write_bytes(once())
    result = gateway("tape", "verify", tape, "--algo", "other.wasm", "--json")
    assert result.exit_code == 5
    assert json.loads(result.stdout)["verdict"] == "hash differs"


def test_plain_output_is_for_people(tape: Path) -> None:
    result = gateway("tape", "verify", tape)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].split() == ["verdict", "same"]
    assert "{" not in result.stdout
