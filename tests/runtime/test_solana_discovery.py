"""`gateway pools discover --chain solana` as a person runs it, and the door it asks through."""

import base64
from pathlib import Path
from struct import unpack
from typing import Any

import msgspec
import pytest
import zstandard

from connectors.base58 import key_bytes
from connectors.chain import PoolKind, PoolPlan, Token
from connectors.errors import ConfigError
from connectors.pool import Protocol
from runtime.chain_plan import plan_of
from runtime.chains import in_order, shipped
from runtime.config import load
from runtime.rpc_solana import SolanaRpc
from runtime.sim.solana import keys
from runtime.sim.solana.faults import SolanaFaults
from tests.support.solana_served import json_of, refused, run, scripted, served, still, stored, told

CHAIN = shipped("solana")
SOL, USDC, JITO = (CHAIN.tokens[name] for name in ("SOL", "USDC", "JitoSOL"))
OWN = Token("DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263", "BONK", 5)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads a gateway.toml that happens to lie about."""
    monkeypatch.chdir(tmp_path)


def pool_of(kind: PoolKind, tier: int, one: Token, other: Token) -> PoolPlan:
    tokens = in_order(one, other)
    mints = tokens[0].address, tokens[1].address
    made = (
        keys.raydium_pool(keys.raydium_config(tier), mints)
        if kind is PoolKind.RAYDIUM_CLMM
        else keys.orca_pool(mints, tier)
    )
    return PoolPlan(
        address=made[0], kind=kind, protocol=Protocol[kind.upper()], tokens=tokens, base=tokens.index(one),
        quote=tokens.index(other), symbol=f"{one.symbol}/{other.symbol}",
    )  # fmt: skip


NEW = [pool_of(PoolKind.RAYDIUM_CLMM, 3, SOL, USDC), pool_of(PoolKind.ORCA_WHIRLPOOL, 128, SOL, USDC)]
KNOWN = [pool for pool in CHAIN.pools if pool.symbol == "SOL/USD" and pool.tokens[1] == USDC][:3]


def asking(url: str, pair: str = "SOL/USDC", *more: object) -> list[object]:
    return ["pools", "discover", "--chain", "solana", "--pair", pair, "--rpc", url, *more]


def test_every_tier_is_looked_at_and_what_is_there_is_read() -> None:
    sim = still([*KNOWN, *NEW, pool_of(PoolKind.RAYDIUM_CLMM, 1, JITO, SOL)])
    with served(sim) as url:
        found = told(*asking(url))
    pools = {pool["address"]: pool for pool in found["pools"]}
    assert pools.keys() == {pool.address for pool in (*KNOWN, *NEW)}
    for key in ("is_shipped", "is_followed"):
        assert {at: pool[key] for at, pool in pools.items()} == {
            **dict.fromkeys((pool.address for pool in KNOWN), True),
            **dict.fromkeys((pool.address for pool in NEW), False),
        }
    assert (found["chain"], found["genesis"], found["base"], found["quote"]) == (
        "solana", CHAIN.genesis, SOL.address, USDC.address,
    )  # fmt: skip
    assert [pools[pool.address]["factory"] for pool in NEW] == ["raydium_clmm 3", "orca_whirlpool 128"]
    assert [pools[pool.address]["fee_ppm"] for pool in NEW] == [10_000, 10_000]
    by_address = {pool.address: pool for pool in (*KNOWN, *NEW)}
    for pool in found["pools"]:
        assert (pool["problem"], pool["liquidity"] > 0, pool["slot"] >= found["slot"]) == ("", True, True)
        vaults = [one.data for one in stored(sim).values() if _is_vault_of(one.data, by_address[pool["address"]])]
        amounts = {data[:32]: unpack("<Q", data[64:72])[0] for data in vaults}
        assert pool["held_units"] == [amounts[key_bytes(token.address)] for token in (SOL, USDC)]
        assert float(pool["held"]["SOL"]) == pytest.approx(pool["held_units"][0] / 1e9)
    assert [pool["held_units"][1] for pool in found["pools"]] == sorted(
        (pool["held_units"][1] for pool in found["pools"]), reverse=True
    )


def test_pools_of_no_known_tier_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every tier were newer than this program, and beside pools of other pairs and the same mints elsewhere."""
    monkeypatch.setattr("runtime.discovery_solana.RAYDIUM_TIERS", range(1))
    monkeypatch.setattr("runtime.discovery_solana.ORCA_TIERS", (128,))
    with served(still([*KNOWN, *NEW, pool_of(PoolKind.RAYDIUM_CLMM, 1, JITO, SOL)])) as url:
        found = told(*asking(url))
    assert {pool["address"]: (pool["factory"], pool["problem"]) for pool in found["pools"]} == {
        pool.address: ("orca_whirlpool 128" if pool is NEW[1] else f"{pool.kind}, searched", "")
        for pool in (*KNOWN, *NEW)
    }
    assert found["not_asked"] == []


def test_an_endpoint_that_does_not_search_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SolanaRpc, "keys_of", lambda *_: None)
    with served(still([*KNOWN, *NEW])) as url:
        code, out, _ = run(*asking(url))
    assert code == 0
    assert all(pool.address in out for pool in (*KNOWN, *NEW))
    assert "raydium_clmm by getProgramAccounts, orca_whirlpool by getProgramAccounts: this endpoint does not" in out


def test_the_lines_to_paste_are_a_config_that_plans_these_pools(tmp_path: Path) -> None:
    """What is printed goes through the config's own reader, and comes back as the same pools."""
    mine = pool_of(PoolKind.ORCA_WHIRLPOOL, 64, OWN, USDC)
    with served(still([*NEW, KNOWN[0], mine])) as url:
        code, out, _ = run(*asking(url))
        other_code, other, _ = run(*asking(url, f"{OWN.address}/USDC"))
    assert code == other_code == 0
    assert "already followed" in out and "orca_whirlpool" in out
    lines = out[out.index("[[venues") :]
    assert KNOWN[0].address not in lines and "fee_ppm" not in lines
    (tmp_path / "own.toml").write_text(lines + "\n" + other[other.index("[[venues") :])
    settings = load([tmp_path / "own.toml"])
    plan, _, _ = plan_of("dex_sol", settings, ["SOL/USD", f"{OWN.address[:8]}/USD"])
    pasted = {pool.address: pool for pool in plan.pools}
    for pool in (*NEW, mine):
        got = pasted[pool.address]
        assert (got.kind, got.base, got.quote) == (pool.kind, pool.base, pool.quote)
        assert [(token.address, token.decimals) for token in got.tokens] == [
            (token.address, token.decimals) for token in pool.tokens
        ]


def test_what_the_settings_follow_is_not_written_again_and_what_they_leave_out_is(tmp_path: Path) -> None:
    """Their own pools as well as shipped ones; `defaults = false` follows no shipped one."""
    own, file = NEW[0], tmp_path / "own.toml"
    lines = f'[[venues.dex_sol.pools]]\naddress = "{own.address}"\nkind = "{own.kind}"\nbase = "SOL"\nquote = "USDC"\n'
    for head, followed in (("", {own, *KNOWN}), ("[venues.dex_sol]\ndefaults = false\n", {own})):
        file.write_text(head + lines)
        with served(still([*KNOWN, *NEW])) as url:
            found = told(*asking(url, "SOL/USDC", "--config", file))
            out = run(*asking(url, "SOL/USDC", "--config", file))[1]
        addresses = {pool.address for pool in followed}
        assert {pool["address"] for pool in found["pools"] if pool["is_followed"]} == addresses
        assert {pool["address"] for pool in found["pools"] if pool["is_shipped"]} == {pool.address for pool in KNOWN}
        for pool in (*KNOWN, *NEW):
            assert (pool.address in found["toml"]) != (pool.address in addresses)
        assert out.count("already followed") == len(addresses)


def test_prices_are_of_the_pair_that_was_asked_for() -> None:
    with served(still([KNOWN[0], NEW[0]])) as url:
        ways = [
            {pool["address"]: float(pool["price"]) for pool in told(*asking(url, pair))["pools"]}
            for pair in ("SOL/USDC", "USDC/SOL")
        ]
    assert ways[0].keys() == ways[1].keys() == {KNOWN[0].address, NEW[0].address}
    for address, price in ways[0].items():
        assert 100 < price < 200
        assert price * ways[1][address] == pytest.approx(1)


def test_an_endpoint_of_another_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.discovery_solana.now_s", lambda: 1_795_000_000)
    with served(still([KNOWN[0]])) as url:
        late = told(*asking(url))
        assert "s behind ours: it is not the market of now" in late["warnings"][0]
        assert run(*asking(url))[2] == f"warning: {late['warnings'][0]}\n"
        monkeypatch.setattr("runtime.discovery_solana.now_s", lambda: late["time"] + 60)
        now = told(*asking(url))
        assert (now["warnings"], now["genesis"]) == ([], CHAIN.genesis)


def test_what_cannot_be_followed_is_listed_with_the_reason() -> None:
    sim = still([NEW[1], KNOWN[0], NEW[0]], is_alive=False)
    ledger = sim.ledger
    closed = ledger.head.account(NEW[0].address)
    assert closed is not None
    data = bytearray(closed.data)
    data[389] |= 1 << 4  # status: swaps are switched off
    ledger.set_account(NEW[0].address, msgspec.structs.replace(closed, data=bytes(data)))
    empty = next(key for key, (one, _) in ledger.head.accounts.items() if _is_vault_of(one.data, NEW[1]))
    vault = ledger.head.account(empty)
    assert vault is not None
    ledger.set_account(empty, msgspec.structs.replace(vault, data=vault.data[:64] + bytes(8) + vault.data[72:]))
    adaptive = pool_of(PoolKind.ORCA_WHIRLPOOL, 1028, SOL, USDC)
    plain = ledger.head.account(KNOWN[0].address)
    assert plain is not None and KNOWN[0].kind is PoolKind.ORCA_WHIRLPOOL
    mints = SOL.address, USDC.address
    bump = keys.orca_pool(mints, 1028)[1].to_bytes()
    seeded = plain.data[:40] + bump + plain.data[41:43] + (1028).to_bytes(2, "little") + plain.data[45:]
    ledger.set_account(adaptive.address, msgspec.structs.replace(plain, data=seeded))
    for _ in range(40):
        ledger.advance(ledger.head.unix_s * 10**9 + 400_000_000)
    with served(sim) as url:
        found = told(*asking(url))
    problems = {pool["address"]: pool["problem"] for pool in found["pools"]}
    assert "switched off" in problems[NEW[0].address]
    assert problems[NEW[1].address] == "it holds nothing of a token"
    assert "adaptive fee" in problems[adaptive.address]
    rows = {pool["address"]: pool for pool in found["pools"]}
    adapts, sound = rows[adaptive.address], rows[KNOWN[0].address]
    assert (adapts["price"], adapts["liquidity"]) == (sound["price"], sound["liquidity"]), "shown, though not as a book"
    assert 100 < float(adapts["price"]) < 200
    assert [bool(pool["problem"]) for pool in found["pools"]] == [False, True, True, True], "good ones first"
    assert found["toml"] == ""


def _is_vault_of(data: bytes, pool: PoolPlan) -> bool:
    return len(data) == 165 and data[32:64] == key_bytes(pool.address)


@pytest.mark.parametrize(
    ("pair", "more", "why"),
    [
        ("SOL", [], "is no pair"), ("SOL/", [], "is no pair"), ("SOL/USDC/USDT", [], "is no pair"),
        ("SOL/SOL", [], "is no pair"), (f"SOL/{SOL.address}", [], "the same token twice"),
        ("NOPE/USDC", [], "called 'NOPE'"), ("sol/USDC", [], "called 'sol'"),
        (f"{keys.named('nobody')}/USDC", [], "there is no such account"),
        (f"{KNOWN[0].address}/USDC", [], "is no token"), (f"{SOL.address}x/USDC", [], "no token of solana"),
        ("SOL/USDC", ["--factory", "raydium_clmm=x"], "--factory"),
        ("SOL/USDC", ["--rpc", "nothing"], "--rpc"), ("SOL/USDC", ["--rpc", "ws://127.0.0.1:1"], "HTTP alone"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_error(pair: str, more: list[str], why: str) -> None:
    with served(still([KNOWN[0]])) as url:
        assert why in refused(*asking(url, pair, *more))


def test_another_cluster_is_refused_unless_the_settings_name_it(tmp_path: Path) -> None:
    with served(still([KNOWN[0]], faults=SolanaFaults(genesis=True))) as url:
        assert f"wanted is {CHAIN.genesis}" in refused(*asking(url))
        (tmp_path / "own.toml").write_text(
            f'[venues.dex_sol]\ngenesis = "{keys.named("another chain")}"\nurl = "{url}"'
        )
        asked = ["pools", "discover", "--chain", "dex_sol", "--pair", "SOL/USDC", "--config", tmp_path / "own.toml"]
        assert len(told(*asked)["pools"]) == 1, "the endpoint comes from the settings, too"
    assert "no endpoint is set" in refused(*asked[:6])


def test_without_a_pool_it_says_so() -> None:
    with served(still([KNOWN[0]])) as url:
        code, out, _ = run(*asking(url, "JitoSOL/USDC"))
    assert (code, "none of this pair was found" in out, "[[venues" in out) == (0, True, False)


# --- the door --------------------------------------------------------------------------------------------------------


def at(slot: int, *values: Any) -> dict[str, Any]:
    return {"result": {"context": {"slot": slot}, "value": list(values)}}


LATE = {"error": {"code": -32016, "message": "Minimum context slot has not been reached"}}


def test_all_that_is_used_is_of_one_answer_no_older_than_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.rpc_solana.LATE_S", 0)
    account = still([KNOWN[0]]).ledger.head.account(SOL.address)
    assert account is not None
    one = json_of(account)
    with scripted(at(7, one), LATE, LATE, at(9, None, one)) as (url, asked), SolanaRpc(url) as rpc:
        slot, accounts = rpc.whole(lambda known: ["a", "b"] if known else ["a"])
    assert (slot, accounts["a"], accounts["b"] is not None) == (9, None, True), "the first answer is forgotten"
    assert [(said[0], said[1].get("minContextSlot")) for said in asked] == [
        (["a"], None), (["a", "b"], 7), (["a", "b"], 7), (["a", "b"], 7),
    ]  # fmt: skip
    assert {said[1]["commitment"] for said in asked} == {"confirmed"}


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([at(7)], "no accounts that can be read"), ([at(7, None, None)], "no accounts that can be read"),
        ([{"result": None}], "no accounts that can be read"), ([{"result": {"value": []}}], "no accounts"),
        ([at(7, 5)], "no accounts that can be read"),
        ([{"result": {"context": {"slot": "7"}, "value": [None]}}], "slot"),
        ([at(7, None), at(6, None, None)], "slot 6 is before 7"), ([LATE] * 10, "-32016"),
        ([{"error": {"code": -32602, "message": "Too many inputs"}}], "Too many inputs"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_used_is_one_error(
    answers: list[Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.rpc_solana.LATE_S", 0)
    with (
        scripted(*answers) as (url, _),
        SolanaRpc(url) as rpc,
        pytest.raises(ConfigError, match="mend:") as caught,
    ):
        rpc.whole(lambda known: ["a", "b"] if known else ["a"])
    assert why in str(caught.value)


def test_a_genesis_that_is_no_hash_is_one_error() -> None:
    with scripted({"result": 7}, {"result": "\x1b[2J"}) as (url, _), SolanaRpc(url) as rpc:
        for _ in range(2):
            with pytest.raises(ConfigError, match="getGenesisHash: its answer is no hash"):
                rpc.genesis()


def test_an_account_as_long_as_no_pool_s_is_refused() -> None:
    """However few bytes it comes in: a hundred of ten megabytes are in one answer of some kilobytes."""
    packed = base64.b64encode(zstandard.compress(bytes(10 << 20))).decode()
    long = {"owner": keys.ORCA, "data": [packed, "base64+zstd"]}
    with (
        scripted(at(7, long)) as (url, _),
        SolanaRpc(url) as rpc,
        pytest.raises(ConfigError, match=r"no accounts that can be read .*would be 10485760 bytes"),
    ):
        rpc.accounts(["a"])


def test_a_search_is_answered_refused_or_nonsense() -> None:
    refusal = {"error": {"code": -32010, "message": "excluded from account secondary indexes"}}
    with scripted({"result": [{"pubkey": SOL.address}]}, refusal, {"result": [{"pubkey": 5}]}, {"result": 7}) as (
        url, asked,
    ), SolanaRpc(url) as rpc:  # fmt: skip
        assert rpc.keys_of(keys.ORCA, 653, {101: SOL.address}) == [SOL.address]
        assert rpc.keys_of(keys.ORCA, 653, {}) is None
        for _ in range(2):
            with pytest.raises(ConfigError, match="no accounts that can be read"):
                rpc.keys_of(keys.ORCA, 653, {})
    filters = asked[0][1]["filters"]
    assert filters[0] == {"dataSize": 653}
    assert filters[1]["memcmp"] == {"offset": 101, "bytes": SOL.address, "encoding": "base58"}


def test_what_is_never_whole_and_too_much_at_once_end() -> None:
    with scripted(*(at(7 + turn, *[None] * (turn + 1)) for turn in range(20))) as (url, _), SolanaRpc(url) as rpc:
        with pytest.raises(ConfigError, match="change faster than they can be read"):
            rpc.whole(lambda known: [*known, f"{len(known)}"])
        with pytest.raises(ConfigError, match="101 accounts are wanted of one answer"):
            rpc.accounts(str(number) for number in range(101))
