"""What `replay` tells besides its data: notices, warnings, the exit code, a disk that fills up."""

import json
import subprocess
from pathlib import Path

import pytest
import zstandard

from runtime.inputs import ActionRecord
from runtime.replay import REPEATS_MAX
from runtime.session import Session
from runtime.sinks import action_row
from runtime.spec import AlgoSpec
from tests.runtime.world import GATEWAY, INSTRUMENT, ROOT, gateway, recording, rows, told
from tests.support.guests import once
from tests.support.puppet import Puppet, cancel, intent
from tests.support.virtual import World


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("recordings") / "day.jsonl", seconds=4)


def with_commands(day: Path, *names: str) -> Path:
    """The recording with a person's commands at its end."""
    last_ns = rows(day)[-1]["recv_ns"]
    lines = [json.dumps({"recv_ns": last_ns, "kind": "command", "name": name, "who": "ana"}) for name in names]
    path = Path("commands.jsonl")
    path.write_text(day.read_text() + "\n".join(lines) + "\n")
    return path


def test_a_recording_that_is_as_it_should_be_needs_no_warning(day: Path) -> None:
    ended = gateway("replay", day, "--instrument", INSTRUMENT)
    assert ended.exit_code == 0
    assert [line for line in ended.stderr.splitlines() if line[:1] in "!×"] == []


@pytest.mark.parametrize(
    ("instrument", "said"),
    [
        ("BTC/USD:2:8", "BTC/USD never had a valid book (checksum"),
        ("ETH/USD:2:8", "ETH/USD never had a valid book (no snapshot yet)"),
    ],
)
def test_a_wrong_instrument_is_said(instrument: str, said: str, day: Path) -> None:
    ended = gateway("replay", day, "--instrument", instrument)
    (line,) = [line for line in ended.stderr.splitlines() if "never had a valid book" in line]
    assert said in line
    assert "--instrument" in line
    assert "decimals" in line


def test_a_bad_checksum_is_said(day: Path) -> None:
    lines = day.read_text().splitlines()
    at = next(n for n, line in enumerate(lines) if "checksum" in line and "update" in line)
    key = lines[at].index("checksum") + len("checksum") + 4
    lines[at] = lines[at][:key] + "1" + lines[at][key:]
    Path("bad.jsonl").write_text("\n".join(lines) + "\n")
    ended = gateway("replay", "bad.jsonl", "--instrument", INSTRUMENT, "--json")
    assert json.loads(ended.stdout)["checksums"]["failed"] == 1
    assert "kraken BTC/USD: checksum" in ended.stderr
    assert "never had a valid book" not in ended.stderr


def test_a_command_in_a_recording_is_obeyed_and_said(day: Path) -> None:
    ended = gateway("replay", with_commands(day, "dance", "kill"), "--instrument", INSTRUMENT, "--json")
    assert ended.exit_code == 6
    assert json.loads(ended.stdout)["state"] == "HALTED"
    assert "unknown command 'dance'" in ended.stderr
    assert "HALTED by ana" in ended.stderr


def test_a_notice_is_told_so_often_then_counted(day: Path) -> None:
    path = with_commands(day, *["dance"] * (REPEATS_MAX + 30), "sing")
    told_ = gateway("replay", path, "--instrument", INSTRUMENT).stderr.splitlines()
    assert told_.count("× unknown command 'dance'") == REPEATS_MAX
    assert told_.count("× unknown command 'sing'") == 1
    assert told_[-1] == "! 30 times more: unknown command 'dance'"


def test_another_hash_than_the_footers_is_exit_5() -> None:
    told("serve", "--sim", "--duration", "1.2", "--record", "a.tape")
    assert gateway("replay", "a.tape").exit_code == 0
    data, text = Path("a.tape").read_bytes(), b""
    while data:
        inflate = zstandard.ZstdDecompressor().decompressobj()
        text, data = text + inflate.decompress(data), inflate.unused_data
    head, _, footer = text.rstrip(b"\n").rpartition(b"\n")
    Path("b.tape").write_bytes(head + b"\n" + footer.replace(b'"hash":"', b'"hash":"0') + b"\n")
    ended = gateway("replay", "b.tape", "--json")
    assert ended.exit_code == 5
    result = json.loads(ended.stdout)
    assert "was recorded with hash 0" in result["outcome"]
    assert result["outcome"] in ended.stderr
    assert result["recorded"] != result["hash"]
    Path("one.wasm").write_bytes(once())
    assert gateway("replay", "b.tape", "--algo", "one.wasm").exit_code == 0  # another session: nothing to compare


def test_a_gateway_toml_decides_nothing_in_a_replay(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same recording gives the same hash in whatever folder it is replayed."""
    Path("buy.wasm").write_bytes(once(qty_1e8=100_000))
    words = ("replay", day, "--instrument", INSTRUMENT, "--algo", "buy.wasm")
    before = told(*words)
    assert before["approved"] > 0
    Path("gateway.toml").write_text(
        "[limits]\nmax_position=0.0001\nmax_order_notional=1\nmax_order_rate=1\nprice_collar_bps=1\n"
        "max_daily_loss=1\n[paper]\nmaker_fee_pct=1\ntaker_fee_pct=2\n[venues.kraken]\ndepth=25\n"
    )
    monkeypatch.setenv("GATEWAY__PAPER__TAKER_FEE_PCT", "3")
    assert told(*words) == before
    said = gateway(*words).stderr
    assert "shipped paper limits: position 10," in said
    assert "fees: maker 0.25 %, taker 0.4 %" in said


def test_a_full_disk_under_stdout_is_one_clear_error(day: Path) -> None:
    for option in (["--json"], []):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                [*GATEWAY, "replay", str(day), "--instrument", INSTRUMENT, *option],
                check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
                env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            )  # fmt: skip
        assert done.returncode == 4
        assert "error: stdout: cannot be written: No space left on device\n  mend: " in done.stderr
        assert "Traceback" not in done.stderr
        assert "Exception" not in done.stderr


def test_fills_on_a_full_disk(day: Path) -> None:
    Path("buy.wasm").write_bytes(once(qty_1e8=100_000))
    words = ("replay", day, "--instrument", INSTRUMENT, "--algo", "buy.wasm")
    assert told(*words)["fills"] > 0
    ended = gateway(*words, "--fills", "/dev/full")
    assert ended.exit_code == 4
    assert "error: /dev/full: cannot be written: No space left on device" in ended.stderr
    assert gateway(*words, "--fills", "/dev/null", "--actions", "/dev/null").exit_code == 0


def test_one_file_under_two_names_is_refused(day: Path) -> None:
    Path("a").touch()
    Path("b").hardlink_to("a")
    ended = gateway("replay", day, "--instrument", INSTRUMENT, "--actions", "a", "--books", "b")
    assert ended.exit_code == 4
    assert "b: is asked for twice" in ended.stderr


@pytest.mark.parametrize("ttl_ms", [0, 750, 65_535])
def test_an_intents_row_has_its_time_to_live_and_no_others_has(ttl_ms: int) -> None:
    session = Session(World(algos=[AlgoSpec("a", Puppet("on_book"), ("BTC/USD",))]).engine.spec)
    asked = ActionRecord(1, 0, "algo", intent(7, 1, 100, 10**12, 0, ttl_ms), 1, "vg1", None)
    assert action_row(session, asked, 5)["ttl_ms"] == ttl_ms
    assert "ttl_ms" not in action_row(session, ActionRecord(1, 0, "algo", cancel(7), 1, "vg1", None), 5)
