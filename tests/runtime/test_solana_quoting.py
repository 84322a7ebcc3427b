"""`gateway quote` on Solana as a person runs it: from dumps of accounts, and from an endpoint good or bad."""

import base64
import csv
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from struct import pack, unpack
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base58 import key_text
from connectors.chain import PoolPlan
from connectors.errors import ConfigError
from connectors.venues.solana import pools
from runtime import quoting_solana
from runtime.account_file import read_accounts
from runtime.sim.solana import keys
from runtime.sim.solana.accounts import Stored
from runtime.sim.solana.faults import SolanaFaults
from runtime.sim.solana.ledger import confirmed
from runtime.sim.solana.node import SolanaSim
from tests.support.data import ROOT
from tests.support.solana_quoting import ORCA, RAYDIUM, SOL, USDC, VOLATILE, arrays_of, asking, without
from tests.support.solana_served import dumped, json_of, refused, run, served, still, stored, told

FIRST = ["protocol", "slot", "amount_in", "amount_out", "sqrt_price_x64_after", "tick_after", "ticks_crossed"]
FEE_PPM = 400


@pytest.fixture(scope="module")
def sim() -> SolanaSim:
    return still([RAYDIUM, VOLATILE, ORCA])


@pytest.fixture
def dump(sim: SolanaSim, tmp_path: Path) -> Path:
    return dumped(tmp_path / "accounts.json", stored(sim))


@pytest.mark.parametrize("pool", [ORCA, RAYDIUM], ids=lambda pool: str(pool.kind))
def test_a_dump_is_quoted_both_ways_and_the_way_back_agrees(pool: PoolPlan, dump: Path) -> None:
    sold = told(*asking(pool, SOL, 5 * 10**9, accounts=dump))
    assert list(sold)[: len(FIRST)] == FIRST
    assert (sold["protocol"], sold["amount_in"], sold["exact"]) == (str(pool.kind), 5 * 10**9, "in")
    assert (sold["token_in"], sold["symbol_in"], sold["decimals_in"]) == (SOL, "SOL", 9)
    assert (sold["token_out"], sold["symbol_out"], sold["decimals_out"]) == (USDC, "USDC", 6)
    assert (sold["fee_ppm"] > 0, sold["assumed"], sold["slot"] > 0) == (True, [], True)
    price = float(sold["price_after"])
    assert 0.9 * price < sold["amount_out"] / 5e6 * 1e3 / 1e3 < 1.1 * price
    wanted = told(*asking(pool, SOL, sold["amount_out"], accounts=dump), "--exact-out")
    assert (wanted["exact"], wanted["amount_out"]) == ("out", sold["amount_out"])
    assert wanted["amount_in"] <= sold["amount_in"] < wanted["amount_in"] + 10_000, "the least that pays it"
    bought = told(*asking(pool, USDC, sold["amount_out"], accounts=dump))
    assert bought["amount_out"] < sold["amount_in"], "the fee is paid both ways"
    assert bought["sqrt_price_x64_after"] > sold["sqrt_price_x64_after"]


def test_an_endpoint_answers_what_its_dump_does(sim: SolanaSim, dump: Path) -> None:
    with served(sim) as url:
        for pool in (ORCA, RAYDIUM, VOLATILE):
            live = told(*asking(pool, rpc=url))
            assert live == told(*asking(pool, accounts=dump)) | {key: live[key] for key in ("genesis", "warnings")}
            assert live["slot"] == confirmed(sim.ledger.banks).slot
        late = told(*asking(ORCA, rpc=url), "--commitment", "finalized")
        assert late["slot"] < live["slot"]


def test_a_swap_beyond_what_is_read_first_reads_on(sim: SolanaSim) -> None:
    """A Raydium pool's arrays are as many as the swap needs; all of one answer."""
    with served(sim) as url:
        found = told(*asking(RAYDIUM, USDC, 8 * 10**12, rpc=url))
        assert found["amount_in"] == 8 * 10**12
        assert found["ticks_crossed"] > 0
        assert "at most" in refused(*asking(RAYDIUM, USDC, 10**18, rpc=url), "--exact-out")


def shapes(accounts: dict[str, Stored]) -> dict[str, Any]:
    plain = {key: json_of(account) for key, account in accounts.items()}
    listed = [{"pubkey": key, "account": value} for key, value in plain.items()]
    packed = {
        key: {"owner": one.owner, "data": [base64.b64encode(zstandard.compress(one.data)).decode(), "base64+zstd"]}
        for key, one in accounts.items()
    }
    wrapped = {key: {"pubkey": key, "account": value} for key, value in plain.items()}
    answer = {"jsonrpc": "2.0", "id": 1, "result": listed}
    at_slot = {"jsonrpc": "2.0", "id": 1, "result": {"context": {"slot": 5}, "value": listed}}
    return {"plain": plain, "list": listed, "zstd": packed, "wrapped": wrapped, "more": plain | {keys.SYSTEM: None},
            "answer": answer, "answer at a slot": at_slot}  # fmt: skip


@pytest.mark.parametrize("shape", ["plain", "list", "zstd", "wrapped", "more", "answer", "answer at a slot"])
def test_every_shape_that_tools_print_is_read(shape: str, sim: SolanaSim, tmp_path: Path, dump: Path) -> None:
    file = tmp_path / "shaped.json"
    file.write_text(json.dumps(shapes(stored(sim))[shape]))
    assert told(*asking(ORCA, accounts=file)) == told(*asking(ORCA, accounts=dump))


def test_what_a_dump_lacks_is_named(sim: SolanaSim, tmp_path: Path) -> None:
    file, config = tmp_path / "some.json", keys.raydium_config(8)
    error = refused(*asking(RAYDIUM, accounts=without(sim, file, RAYDIUM.address)))
    assert f"the pool's account is missing: {RAYDIUM.address}" in error
    assert f"accounts are missing: {config}" in refused(*asking(RAYDIUM, accounts=without(sim, file, config)))
    error = refused(*asking(VOLATILE, accounts=without(sim, file, keys.CLOCK)))  # its fee follows price and time
    assert f"accounts are missing: {keys.CLOCK}" in error


@pytest.mark.parametrize("pool", [ORCA, RAYDIUM], ids=lambda pool: str(pool.kind))
def test_missing_tick_arrays_are_named_once_a_swap_gets_there(pool: PoolPlan, sim: SolanaSim, tmp_path: Path) -> None:
    arrays = arrays_of(sim, pool)
    file = tmp_path / "some.json"
    assert len(arrays) > 3
    error = refused(*asking(pool, accounts=without(sim, file, *arrays)))
    assert "read" in error or "missing" in error
    assert any(key in error for key in arrays)
    amount = 1_000
    near = [key for key in arrays if _is_needed(sim, file, pool, key, amount)]
    kept = without(sim, file, *(key for key in arrays if key not in near))
    assert told(*asking(pool, amount=amount, accounts=kept))["amount_in"] == amount, "this little needs no other"
    error = refused(*asking(pool, amount=4 * 10**13, accounts=kept))
    assert "missing: " in error
    assert any(key in error for key in arrays if key not in near)


def _is_needed(sim: SolanaSim, file: Path, pool: PoolPlan, key: str, amount: int) -> bool:
    return run(*asking(pool, amount=amount, accounts=without(sim, file, key)))[0] != 0


def test_what_changes_no_number_may_be_left_out_and_is_said(sim: SolanaSim, tmp_path: Path, dump: Path) -> None:
    for pool in (ORCA, RAYDIUM):
        bare = told(*asking(pool, accounts=without(sim, tmp_path / "bare.json", SOL, USDC, keys.CLOCK)))
        whole = told(*asking(pool, accounts=dump))
        assert {key: value for key, value in bare.items() if key not in ("slot", "time", "assumed")} == {
            key: value for key, value in whole.items() if key not in ("slot", "time", "assumed")
        }
        assert (bare["slot"], bare["time"], whole["time"] > 0) == (None, None, True)
        assert [text for text in bare["assumed"] if SOL in text or USDC in text or keys.CLOCK in text] == bare[
            "assumed"
        ]
        assert len(bare["assumed"]) == (2 if pool is ORCA else 3)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--pool", "0x" + "ab" * 20], "a key is wanted"), (["--token-in", "SOL"], "a key is wanted"),
        (["--token-in", keys.TOKEN], "is no token of this pool"), (["--token-out", SOL], "is the token that goes in"),
        (["--token-out", keys.TOKEN], "is no token of this pool"),
        (["--amount", "0"], "is no amount"), (["--amount", "-1"], "is no amount"),
        (["--amount", "1.5"], "is no amount"), (["--amount", str(2**64)], "is no amount"),
        (["--amount", str(2**64 - 1)], "--amount"),
        (["--fee-ppm", "3000"], "only for pools on EVM chains"), (["--quoter", SOL], "only for pools on EVM chains"),
        (["--commitment", "confirmed"], "a dump is of the slot"), (["--rpc", "http://127.0.0.1:1"], "are both given"),
        (["--accounts", "/nowhere/at.all"], "cannot be read"),
        (["--pool", SOL], "no pool of a kind that is known"), (["--pool", keys.SYSTEM], "is missing"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_error(more: list[str], why: str, dump: Path) -> None:
    assert why in refused(*asking(ORCA, accounts=dump), *more)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"), ("7", "no dump"), ("[7]", "no dump"), ('{"x": null}', "account x"), ("[" * 5000, "no JSON"),
        (json.dumps({SOL: {"owner": "x", "data": ["", "base64"]}}), f"account {SOL}"),
        (json.dumps({SOL: {"owner": keys.TOKEN, "data": ["?", "base64"]}}), "no base64"),
        (json.dumps({SOL: {"owner": keys.TOKEN, "data": ["", "base58"]}}), "ask for base64"),
        (json.dumps([{"pubkey": SOL, "account": None},
                     {"pubkey": SOL, "account": {"owner": keys.TOKEN, "data": ["", "base64"]}}]), "there twice"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_dump_is_one_error(text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "no.json"
    file.write_text(text)
    assert why in refused(*asking(ORCA, accounts=file))


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"truncate_data": 8}, "bytes long"), ({"foreign_owner": True}, "program"), ({"error_answers": 99}, "429"),
    ],
)  # fmt: skip
def test_an_endpoint_that_is_wrong_is_refused(fault: dict[str, Any], why: str) -> None:
    with served(still([ORCA], faults=SolanaFaults(**fault))) as url:
        assert why in refused(*asking(ORCA, rpc=url))


def test_endpoints_are_told_by_their_host_alone_and_sockets_are_not_asked() -> None:
    assert "are both missing" in refused(*asking(ORCA))
    assert "over HTTP alone" in refused(*asking(ORCA, rpc="wss://h.example/secretsecret"))
    error = refused(*asking(ORCA, rpc="http://127.0.0.1:9/secretsecret?api-key=secretsecret"))
    assert "cannot be reached" in error and "secretsecret" not in error
    assert "no commitment 'soon'" in refused(*asking(ORCA, rpc="http://127.0.0.1:9"), "--commitment", "soon")
    evm = ["quote", "--rpc", "http://127.0.0.1:9", "--pool", "0x" + "ab" * 20, "--token-in", "x", "--amount", "1"]
    assert "only for pools on Solana" in refused(*evm, "--commitment", "confirmed")
    with served(still([ORCA])) as url:
        assert "there is no such account" in refused(*asking(RAYDIUM, rpc=url))


def test_without_solders_it_says_what_to_install(dump: Path) -> None:
    code = "import sys; sys.modules['solders'] = None; from runtime.cli import main; sys.exit(main())"
    for asked in (asking(ORCA, accounts=dump), ["pools", "discover", "--chain", "solana", "--pair", "SOL/USDC"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, asked)], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.returncode == 4
        assert "solders is not installed" in done.stderr and "venuegate[dex]" in done.stderr


# --- damage ----------------------------------------------------------------------------------------------------------

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9) | st.just(SOL),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(max_size=9) | st.sampled_from([SOL, "pubkey", "account", "owner", "data"]), inner, max_size=3
    ),
    max_leaves=9,
)  # fmt: skip
EXAMPLES = int(os.environ.get("VENUEGATE_SOLANA_DAMAGE", "150"))


@given(ANY_JSON)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_json_is_read_or_refused(tmp_path: Path, value: Any) -> None:
    file = tmp_path / "any.json"
    file.write_text(json.dumps(value))
    with suppress(ConfigError):
        assert all(account is None or account.owner for account in read_accounts(file).values())


@pytest.fixture(scope="module")
def parts(sim: SolanaSim, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Stored]]:
    """Of each pool the accounts that it is made of."""
    there = stored(sim)
    known = read_accounts(dumped(tmp_path_factory.mktemp("whole") / "whole.json", there))
    return {
        pool.address: {key: there[key] for key in pools.wanted(pool.address, known) if key in there}
        for pool in (ORCA, RAYDIUM, VOLATILE)
    }


@given(st.data())
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_damaged_accounts_give_an_answer_or_one_error(
    parts: dict[str, dict[str, Stored]], tmp_path: Path, data: st.DataObject
) -> None:
    """Bits turned, ends cut off, accounts swapped: never a traceback."""
    pool = data.draw(st.sampled_from([ORCA, RAYDIUM, VOLATILE]))
    want = quoting_solana.asked(pool.address, SOL, "1000000000")
    accounts = dict(parts[pool.address])
    for _ in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(sorted(accounts)))
        raw = bytearray(accounts[key].data)
        how = data.draw(st.sampled_from(["turn", "cut", "swap", "own"]))
        if how == "turn" and raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        elif how == "cut":
            del raw[data.draw(st.integers(0, len(raw))) :]
        elif how == "swap":
            raw = bytearray(accounts[data.draw(st.sampled_from(sorted(accounts)))].data)
        owner = keys.SYSTEM if how == "own" else accounts[key].owner
        accounts[key] = Stored(owner, bytes(raw), 1)
    with suppress(ConfigError):
        found = quoting_solana.quote_dump(dumped(tmp_path / "damaged.json", accounts), want)
        assert found["amount_in"] == 10**9


# --- recorded on mainnet -------------------------------------------------------------------------------------------


def config_of(index: int, fee_ppm: int, spacing: int) -> Stored:
    """An AmmConfig, which the recordings leave out; their metadata tells the fee."""
    data = bytes.fromhex("daf42168cbcb2b6f") + pack("<BH32xIIHI", 0, index, 120_000, fee_ppm, spacing, 40_000)
    return Stored(keys.RAYDIUM, data.ljust(117, b"\0"), 1)


@pytest.mark.real_data
def test_recorded_raydium_swaps_are_quoted_to_the_unit(real_data: Path, tmp_path: Path) -> None:
    files = sorted((real_data / "dex_raydium_clmm").glob("swap_*.json"))
    assert len(files) >= 8
    for file in files:
        said = json.loads(file.read_text())
        swap = said["swap"]
        accounts = {
            one["address"]: Stored(keys.RAYDIUM, base64.b64decode(one["data_b64"]), 1) for one in said["tick_arrays"]
        }
        accounts[said["pool_address"]] = Stored(keys.RAYDIUM, base64.b64decode(said["pool_b64"]), 1)
        accounts[keys.raydium_config(8)] = config_of(8, FEE_PPM, 1)
        found = told(
            "quote", "--accounts", dumped(tmp_path / file.name, accounts), "--pool", said["pool_address"],
            "--token-in", SOL if swap["zero_for_one"] else USDC, "--amount", swap["amount"],
            *([] if swap["is_base_input"] else ["--exact-out"]),
        )  # fmt: skip
        observed = swap["observed_amount_in"], swap["observed_amount_out"]
        assert (found["amount_in"], found["amount_out"], found["fee_ppm"]) == (*observed, FEE_PPM), file.name
        assert (found["decimals_in"], found["decimals_out"]) == ((9, 6) if swap["zero_for_one"] else (6, 9))


@pytest.mark.real_data
def test_recorded_orca_swaps_are_quoted_to_the_unit_and_an_adaptive_fee_is_refused(
    real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "dex_orca_whirlpool_yugure"
    rows = list(csv.reader((folder / "eos365795240.dump.csv").read_text().splitlines()))
    accounts = {key: Stored(keys.ORCA, base64.b64decode(data), 1) for key, data in rows}
    dump = dumped(tmp_path / "orca.json", accounts)
    exact = 0
    for swap in json.loads((folder / "observed_swaps.json").read_text())["swaps"]:
        at = 101 if swap["a_to_b"] else 181
        token_in = key_text(accounts[swap["whirlpool"]].data[at : at + 32])
        asked = ["quote", "--accounts", dump, "--pool", swap["whirlpool"], "--token-in", token_in]
        if swap["oracle"]:
            error = refused(*asked, "--amount", swap["amount_in"])
            assert "adaptive fee: not computed exactly" in error
            assert f"tick {unpack('<i', accounts[swap['whirlpool']].data[81:85])[0]}, liquidity " in error
            continue
        found = told(*asked, "--amount", swap["amount_in"])
        assert (found["amount_in"], found["amount_out"]) == (int(swap["amount_in"]), int(swap["amount_out"]))
        exact += 1
    assert exact == 3
