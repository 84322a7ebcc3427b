"""What `gateway quote` on Solana tells beside its numbers: what is missing, damaged, doubtful or taken for granted."""

import json
from pathlib import Path
from struct import pack

import pytest

from connectors.amm.raydium import Raydium
from connectors.chain import PoolPlan
from connectors.venues.solana import pools
from runtime.account_file import read_accounts
from runtime.chains import shipped
from runtime.cluster import doubts
from runtime.sim.solana import keys
from runtime.sim.solana.accounts import Stored
from runtime.sim.solana.faults import SolanaFaults
from runtime.sim.solana.ledger import confirmed
from runtime.sim.solana.node import SolanaSim
from tests.support.solana_quoting import ORCA, RAYDIUM, SOL, USDC, VOLATILE, arrays_of, asking, without
from tests.support.solana_served import answering, dumped, refused, run, served, still, stored, told


@pytest.fixture(scope="module")
def sim() -> SolanaSim:
    return still([RAYDIUM, VOLATILE, ORCA])


@pytest.fixture
def dump(sim: SolanaSim, tmp_path: Path) -> Path:
    return dumped(tmp_path / "accounts.json", stored(sim))


def test_a_person_reads_what_is_not_known_and_each_assumption(sim: SolanaSim, tmp_path: Path) -> None:
    code, out, err = run(*asking(RAYDIUM, accounts=without(sim, tmp_path / "bare.json", SOL, USDC, keys.CLOCK)))
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert (code, err) == (0, "")
    assert lines["slot"].endswith("not known") and "None" not in out
    assert lines["assumed"].count("; ") == 2


def test_a_pool_that_opens_in_time_to_come_is_not_assumed_to_be_open(sim: SolanaSim, tmp_path: Path) -> None:
    """Without a clock nobody says that it is; and no number is too large to be told of."""
    accounts = {key: one for key, one in stored(sim).items() if key != keys.CLOCK}
    pool = accounts[RAYDIUM.address]
    for opens in (2**63 - 1, 2**63, 2**64 - 1, 4_000_000_000):
        data = pool.data[:1080] + pack("<Q", opens) + pool.data[1088:]
        file = dumped(tmp_path / "early.json", accounts | {RAYDIUM.address: Stored(pool.owner, data, 1)})
        error = refused(*asking(RAYDIUM, accounts=file))
        assert f"it opens at {opens} s after 1970, and that is still to come" in error
    data = pool.data[:1080] + pack("<Q", 1_700_000_000) + pool.data[1088:]
    file = dumped(tmp_path / "open.json", accounts | {RAYDIUM.address: Stored(pool.owner, data, 1)})
    assert any("to be opened at 1700000000 s" in text for text in told(*asking(RAYDIUM, accounts=file))["assumed"])


@pytest.mark.parametrize("token_in", [SOL, USDC])
@pytest.mark.parametrize("pool", [ORCA, RAYDIUM], ids=lambda pool: str(pool.kind))
def test_of_missing_arrays_those_on_the_way_are_named_the_nearest_first(
    pool: PoolPlan, token_in: str, sim: SolanaSim, tmp_path: Path
) -> None:
    whole = read_accounts(dumped(tmp_path / "whole.json", stored(sim)))
    ways = [[key for key in pools.way(pool.address, whole, down=down) if whole.get(key)] for down in (True, False)]
    near = [key for key in ways[0] if key in ways[1]]
    way, other = ways if token_in == pool.tokens[0].address else reversed(ways)
    way, other = ([key for key in keys if key not in near] for keys in (way, other))
    assert way and other
    error = refused(*asking(pool, token_in, 10**15, accounts=without(sim, tmp_path / "some.json", *way, *other)))
    assert f"missing: {', '.join(way[:5])}" in error, "of this direction alone"
    assert not any(key in error for key in (*other, keys.CLOCK, SOL, USDC))
    kept = without(sim, tmp_path / "most.json", way[0])
    error = refused(*asking(pool, token_in, 10**15, accounts=kept))
    assert error.count(way[0]) == 1 and not any(key in error for key in (*way[1:], *other))
    if near:
        error = refused(*asking(pool, token_in, 10**6, accounts=without(sim, tmp_path / "few.json", *near)))
        assert error.count(near[0]) == 1 and not any(key in error for key in (*way, *other))


@pytest.mark.parametrize("pool", [ORCA, RAYDIUM], ids=lambda pool: str(pool.kind))
def test_a_damaged_account_is_named_with_its_file(pool: PoolPlan, sim: SolanaSim, tmp_path: Path) -> None:
    """Of a dozen arrays that look alike: which."""
    there = stored(sim)
    known = read_accounts(dumped(tmp_path / "whole.json", there))
    array = next(key for key in pools.way(pool.address, known, down=True) if there.get(key))
    other = next(key for key in arrays_of(sim, VOLATILE if pool is RAYDIUM else ORCA) if key != array)
    config = [keys.raydium_config(8)] if pool is RAYDIUM else []
    for key, data in [(array, there[array].data[:-8]), (array, there[other].data), *((key, b"x") for key in config)]:
        file = dumped(tmp_path / "bad.json", there | {key: Stored(there[key].owner, data, 1)})
        error = refused(*asking(pool, accounts=file))
        assert f"account {key}" in error and str(file) in error and pool.address in error
        assert "dump its accounts again" in error


@pytest.mark.parametrize("token_in", [SOL, USDC])
def test_the_fee_is_what_a_swap_pays_now_volatility_in_it(token_in: str, dump: Path) -> None:
    found = told(*asking(VOLATILE, token_in, 10**9, accounts=dump))
    known = read_accounts(dump)
    curve = pools.state_of(pools.plan_of(VOLATILE.address, known), known)
    assert isinstance(curve, Raydium) and curve.volatility is not None
    assert found["fee_ppm"] == curve.charged_ppm >= curve.fee_ppm


@pytest.mark.parametrize("off_s", [0, -61, 61, -60, 60, 5_000_000])
def test_an_endpoint_of_another_time_is_told(off_s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sim = still([ORCA])
    there = told_time(sim)
    monkeypatch.setattr("runtime.quoting_solana.now_s", lambda: there - off_s)
    with served(sim) as url:
        code, out, err = run(*asking(ORCA, rpc=url), "--json")
        plain_code, plain, plain_err = run(*asking(ORCA, rpc=url))
    found = json.loads(out)
    assert (code, plain_code, found["time"], found["genesis"]) == (0, 0, there, shipped("solana").genesis)
    assert err == plain_err == "".join(f"warning: {text}\n" for text in found["warnings"])
    if abs(off_s) <= 60:
        assert found["warnings"] == []
    else:
        (text,) = found["warnings"]
        assert f"{abs(off_s)} s {'ahead of' if off_s > 0 else 'behind'} ours" in text and "2026-09-21 14:13:" in text
    assert "warnings" not in plain


def told_time(sim: SolanaSim) -> int:
    return int(confirmed(sim.ledger.banks).unix_s)


def test_an_endpoint_of_another_cluster_is_told_unless_the_settings_name_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    sim = still([ORCA], faults=SolanaFaults(genesis=True))
    monkeypatch.setattr("runtime.quoting_solana.now_s", lambda: told_time(sim))
    other = keys.named("another chain")
    with served(sim) as url:
        code, out, err = run(*asking(ORCA, rpc=url), "--json")
        found = json.loads(out)
        (text,) = found["warnings"]
        assert (code, found["genesis"], err) == (0, other, f"warning: {text}\n")
        assert other in text and shipped("solana").genesis in text
        (tmp_path / "gateway.toml").write_text(f'[venues.dex_sol]\ngenesis = "{other}"\n')
        assert told(*asking(ORCA, rpc=url))["warnings"] == []


def test_a_clock_that_no_calendar_has_is_told_too() -> None:
    for clock_s in (2**63 - 1, 253_402_300_800, 0):
        (text,) = doubts("x", "x", clock_s, 1_790_000_000)
        assert str(clock_s) in text or "1970-01-01" in text


def test_words_of_a_file_and_of_an_endpoint_steer_no_terminal(tmp_path: Path) -> None:
    file = tmp_path / "steering.json"
    file.write_text(json.dumps({"\x1b[2J\nmend: all is well": {"owner": "\x1b[2J", "data": []}}))
    for error in (refused(*asking(ORCA, accounts=file)), refused_by("\x1b[2J\r\nmend: all is well\x07")):
        assert "\x1b" not in error and "\x07" not in error
        assert not any(line.startswith(("mend: all", "error: all")) for line in error.splitlines())


def refused_by(words: str) -> str:
    with answering({"error": {"code": -1, "message": words}}) as url:
        return refused(*asking(ORCA, rpc=url))
