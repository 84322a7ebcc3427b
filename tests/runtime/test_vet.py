"""Vetting in a throwaway child: whatever becomes of the child, this process lives and hears one typed outcome."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.errors import ModuleError
from runtime import vet as vetting
from runtime.abi import Generation
from runtime.vet import vet
from runtime.vet_child import CPU_SECONDS
from tests.hostile.build import code, module, module_0_4

ROOT = Path(__file__).resolve().parents[2]
DEMO = (ROOT / "fixtures/algos/demo.wasm").read_bytes()


@pytest.fixture(autouse=True)
def _unvetted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts with nothing vetted."""
    monkeypatch.setattr(vetting, "_vetted", {})


def child_that(monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """Puts other code in the child's place."""
    monkeypatch.setattr(vetting, "_BOOT", f"import os, sys, json, time, signal; {does}")


@pytest.mark.parametrize(
    ("name", "generation", "callbacks"),
    [("demo", Generation.V0_4, {"on_book", "on_nbbo", "on_message", "on_heartbeat"}),
     ("trader", Generation.V0_4, {"on_book", "on_nbbo", "on_message", "on_heartbeat"}),
     ("trader01", Generation.V0_1, {"on_book"})],
)  # fmt: skip
def test_real_guests_pass(name: str, generation: Generation, callbacks: set[str]) -> None:
    wasm = (ROOT / f"fixtures/algos/{name}.wasm").read_bytes()
    vetted = vet(wasm, name=f"{name}.wasm")
    assert vetted.name == f"{name}.wasm"
    assert vetted.generation is generation
    assert vetted.callbacks == callbacks
    assert len(vetted.sha256) == 64


def test_a_refusal_comes_back_as_the_child_made_it() -> None:
    """Problem and mend are the host's own, the place is the name given here."""
    with pytest.raises(ModuleError) as caught:
        vet(module(fill="", alloc="unreachable"), name="algos/x\0.wasm")
    assert caught.value.problem == "algo_alloc(656) failed: trap: unreachable"
    assert caught.value.place == "algos/x\0.wasm"
    assert caught.value.mend == "its heap must hold the records"


def test_the_abi_is_handed_on() -> None:
    with pytest.raises(ModuleError, match=r"abi '0\.9\\x00' is not a generation"):
        vet(DEMO, name="m", abi="0.9\0")
    with pytest.raises(ModuleError, match=r"has the exports of 0\.4, not of 0\.3"):
        vet(DEMO, name="m", abi="0.3")
    assert vet(DEMO, name="m", abi="0.4").generation is Generation.V0_4


def test_data_in_a_region_are_refused_by_the_layout() -> None:
    with pytest.raises(ModuleError, match="reaches into ConfigRegion") as caught:
        vet(module_0_4(extra='(data (i32.const 0x24008) "x")'), name="m")
    assert "--stack-first" in caught.value.mend


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("os.abort()", "killed the process it was vetted in (SIGABRT)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "killed the process it was vetted in (SIGSEGV)"),
        ("print('thread panicked', flush=True); os.abort()", "(SIGABRT): 'thread panicked'"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", f"takes more than {CPU_SECONDS} s of CPU to load"),
        ("print('memory allocation of 99 bytes failed', flush=True); os.abort()", "takes more than 512 MiB to compile"),
        ("sys.exit(3)", "left its vetting process with status 3"),
        ("pass", "left its vetting process with status 0"),
        ("print('all is well')", "status 0: 'all is well'"),
        ("print('[]')", "status 0: '[]'"),
        ('print(\'{"hosted": {"sha256": 5}}\')', "status 0"),
        ('print(\'{"hosted": {"sha256": "", "generation": "7", "callbacks": []}}\')', "status 0"),
        ("sys.stdout.buffer.write(b'\\xff\\xfe')", "status 0"),
        ("[os.write(1, b'x' * 4096) for _ in iter(int, 1)]", "killed the process it was vetted in (SIGKILL)"),
        ("os.close(1); os.close(2); os.kill(os.getpid(), 9)", "killed the process it was vetted in (SIGKILL)"),
        ("raise ValueError('odd')", "left its vetting process with status 1: 'ValueError: odd'"),
        ("print(json.dumps({'failed': 'KeyError: 5'}))", "broke the process it was vetted in: KeyError: 5"),
    ],
)
def test_every_end_of_the_child_is_typed(monkeypatch: pytest.MonkeyPatch, does: str, said: str) -> None:
    child_that(monkeypatch, does)
    with pytest.raises(ModuleError) as caught:
        vet(DEMO, name="bad.wasm")
    assert said in caught.value.problem
    assert caught.value.place == "bad.wasm"
    assert caught.value.mend


@pytest.mark.parametrize("does", ["time.sleep(99)", "os.close(1); os.close(2); time.sleep(99)"])
def test_a_child_that_does_not_answer_in_time_is_killed(monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    child_that(monkeypatch, does)
    with pytest.raises(ModuleError, match="was not loaded within 1 s"):
        vet(DEMO, name="m", seconds=1)


def test_the_childs_own_children_die_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that holds a pipe to us open until it ends: reading that to its end would hang if it lived on."""
    ours, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    child_that(monkeypatch, "os.fork() or time.sleep(99); print('gone', flush=True)")
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **more: real(*args, **more, pass_fds=(theirs,))
    )  # fmt: skip
    with pytest.raises(ModuleError, match="was not loaded within 1 s"):
        vet(DEMO, name="m", seconds=1)
    os.close(theirs)
    assert os.read(ours, 1) == b""
    os.close(ours)


def test_a_module_that_passed_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = vet(DEMO, name="one")
    child_that(monkeypatch, "os.abort()")
    assert vet(DEMO, name="two") == first._replace(name="two")
    with pytest.raises(ModuleError, match="SIGABRT"):
        vet(DEMO, name="two", abi="0.3")
    with pytest.raises(ModuleError, match="SIGABRT"):
        vet(DEMO + b"\0\2\1x", name="two")


def test_what_our_reader_refuses_starts_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(ModuleError, match="is not a WASM binary"):
        vet(b"text", name="m")


def test_an_interpreter_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ModuleError, match="cannot be vetted: No such file or directory") as caught:
        vet(DEMO, name="m")
    assert "'/nowhere/python'" in caught.value.mend


def test_the_child_has_limits_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reported through a refusal: no core file, bounded CPU, memory and files, none of our variables, own session."""
    monkeypatch.setenv("GATEWAY__KRAKEN__SECRET", "hunter2")
    child_that(monkeypatch, "sys.path[:0] = sys.argv[2:]; import resource as r; import runtime.vet_child as v; "
               "v.outcome = lambda *_: v._refused(json.dumps([r.getrlimit(w) for w, _, _ in v.LIMITS] "
               "+ [os.getsid(0) == os.getpid(), sorted(os.environ), len(os.listdir('/proc/self/fd'))]), 'x'); "
               "v.main(sys.argv[1])")  # fmt: skip
    with pytest.raises(ModuleError) as caught:
        vet(DEMO, name="m")
    said = caught.value.problem
    assert said.startswith(f"[[0, 0], [33554432, 33554432], [{CPU_SECONDS}, {CPU_SECONDS + 1}], [536870912, 536870912]")
    assert "hunter2" not in said
    assert "GATEWAY" not in said
    assert "true" in said


@pytest.mark.slow
def test_a_compile_bomb_is_stopped() -> None:
    """3 MB of functions with thousands of live locals each: one of the child's limits stops it."""
    count = 4_900
    body = b"".join(b"\x20" + _leb(at) + b"\x20" + _leb(at + 1) + b"\x7c\x21" + _leb(at) for at in range(1, count))
    bomb = b"\1" + _leb(count) + b"\x7e\3\x40" + body + b"\x20\0\x0d\0\x0b\x0b"
    with pytest.raises(ModuleError, match=r"takes more than (8 s of CPU to load|512 MiB to compile)|not loaded within"):
        vet(code([bomb] * 75), name="m")


def _leb(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80, value >> 7])


async def test_inside_an_event_loop() -> None:
    """Directly, and from a thread while the loop goes on."""
    assert vet(DEMO, name="m").generation is Generation.V0_4
    wasm = module()
    many = await asyncio.gather(*(asyncio.to_thread(vet, wasm, name=str(at)) for at in range(3)))
    assert [vetted.name for vetted in many] == ["0", "1", "2"]


@pytest.mark.parametrize("closed", ["0", "0, 1", "0, 1, 2"])
def test_with_standard_streams_closed(tmp_path: Path, closed: str) -> None:
    """A daemon may have none: the child's pipes then get the numbers 0 to 2."""
    out = tmp_path / "out"
    program = (
        f"import os\nfor fd in ({closed},): os.close(fd)\nfrom pathlib import Path\nfrom runtime.vet import vet\n"
        f"wasm = Path({str(ROOT / 'fixtures/algos/trader01.wasm')!r}).read_bytes()\n"
        f"Path({str(out)!r}).write_text(vet(wasm, name='m').generation)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False, timeout=60)
    assert out.read_text() == "0.1", done.stderr


def test_the_current_folder_is_never_imported_from(tmp_path: Path) -> None:
    """Started in a folder with a `runtime` of its own, found first by `python -c`: the child uses ours."""
    for package in ("json", "wasmtime"):
        (tmp_path / f"{package}.py").write_text("raise SystemExit('imported from the current folder')")
    program = (
        f"import sys; sys.path.remove(''); sys.path.append({str(ROOT)!r})\n"
        "from pathlib import Path; from runtime.vet import vet; sys.path.insert(0, '')\n"
        f"print(vet(Path({str(ROOT / 'fixtures/algos/demo.wasm')!r}).read_bytes(), name='m').generation)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == (b"0.4\n", b"")
