"""`gateway sim solana` as a process of its own, driven by solana-py: a client that nobody here wrote, unmodified."""

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import typer
from solana.exceptions import SolanaRpcException
from solana.rpc.async_api import AsyncClient
from solana.rpc.async_http_provider import AsyncHTTPProvider
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.models import MemcmpOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.account_decoder import UiAccountEncoding
from solders.commitment_config import CommitmentLevel
from solders.pubkey import Pubkey
from solders.rpc.config import RpcAccountInfoConfig
from solders.rpc.requests import GetMultipleAccounts
from solders.rpc.responses import AccountNotification, GetMultipleAccountsResp, SlotNotification

from connectors.errors import ConfigError
from runtime.chains import shipped
from runtime.cli_sim import register

PROGRAM = "import typer; from runtime.cli_sim import register; app = typer.Typer(); register(app); app()"
LIMIT_S = 30
CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")
RAYDIUM = Pubkey.from_string("CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK")


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    """The command; it is ended with the block if it has not ended itself."""
    command = [sys.executable, "-c", PROGRAM, "sim", "solana", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def said() -> Iterator[dict[str, Any]]:
    with running("--json", "--seed", "4", "--slot-time", "0.05") as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())


def post(url: str, method: str, *params: object) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, body), timeout=LIMIT_S) as answer:  # noqa: S310 - ours, http
        return json.loads(answer.read())["result"]


async def test_solana_py_reads_accounts_slots_and_the_chain(said: dict[str, Any]) -> None:
    chain = shipped("solana")
    pool = Pubkey.from_string(chain.pools[1].address)
    async with AsyncClient(said["rpc"], commitment=Confirmed) as client:
        assert await client.is_connected()
        assert str((await client.get_genesis_hash()).value) == chain.genesis == said["genesis"]
        assert (await client.get_version()).value.solana_core
        slots = [(await client.get_slot(level)).value for level in (Finalized, Confirmed, Processed)]
        assert slots == sorted(slots) and slots[0] < slots[-1]
        found = await client.get_account_info(pool)
        assert found.value is not None and found.value.owner == RAYDIUM and len(found.value.data) == 1544
        several = await client.get_multiple_accounts([pool, CLOCK, Pubkey.from_bytes(bytes([7] * 32))])
        clock = several.value[1]
        assert clock is not None and several.value[2] is None
        assert int.from_bytes(clock.data[:8], "little") == several.context.slot >= found.context.slot
        mint = Pubkey.from_string(said["tokens"]["SOL"])
        pools = await client.get_program_accounts(
            RAYDIUM, encoding="base64", filters=[1544, MemcmpOpts(offset=73, bytes=str(mint))]
        )
        assert pool in {each.pubkey for each in pools.value}
        vault = Pubkey.from_bytes(found.value.data[137:169])
        balance = await client.get_token_account_balance(vault)
        assert balance.value.decimals == 9 and int(balance.value.amount) > 0
        assert (await client.get_balance(pool)).value > 0
        assert (await client.get_epoch_info()).value.slots_in_epoch == 432_000
        assert (await client.get_latest_blockhash()).value.last_valid_block_height > slots[0]
        assert (await client.get_recent_prioritization_fees([pool])).value
        assert ((await client.get_block_time(slots[0])).value or 0) > 1_700_000_000
        with pytest.raises(RPCException, match="could not find account"):
            await client.get_token_account_balance(Pubkey.from_bytes(bytes([7] * 32)))
        with pytest.raises(RPCException, match="max 100"):
            await client.get_multiple_accounts([CLOCK] * 101)


async def test_a_slot_that_is_not_there_yet_is_refused_with_where_the_node_is(said: dict[str, Any]) -> None:
    async with AsyncHTTPProvider(said["rpc"]) as provider:

        async def read(min_slot: int) -> GetMultipleAccountsResp:
            config = RpcAccountInfoConfig(UiAccountEncoding.Base64Zstd, None, CommitmentLevel.Processed, min_slot)
            return await provider.make_request(GetMultipleAccounts([CLOCK], config, 1), GetMultipleAccountsResp)

        first = await read(0)
        again = await read(first.context.slot)
        assert again.context.slot >= first.context.slot and again.value[0] is not None
        with pytest.raises(RPCException, match="Minimum context slot has not been reached"):
            await read(first.context.slot + 10_000)


async def test_solana_py_hears_of_accounts_and_slots(said: dict[str, Any]) -> None:
    chain = shipped("solana")
    async with asyncio.timeout(LIMIT_S), SolanaWsClient(said["ws"]) as client:
        slots = await client.slot_subscribe()
        clock = await client.account_subscribe(pubkey=CLOCK, commitment=Confirmed, encoding="base64")
        for plan in chain.pools:
            await client.account_subscribe(
                pubkey=Pubkey.from_string(plan.address), commitment=Processed, encoding="base64+zstd"
            )
        told: list[tuple[int, int]] = []
        pools = times = 0
        while len(told) < 5 or pools < 3 or times < 5:
            news = await client.recv()
            if isinstance(news, SlotNotification):
                assert news.subscription == slots.subscription_id
                told.append((news.result.parent, news.result.slot))
            elif news.subscription == clock.subscription_id:
                assert isinstance(news, AccountNotification)
                data = news.result.value.data
                assert int.from_bytes(data[:8], "little") == news.result.context.slot, "what a read there says"
                times += 1
            else:
                assert isinstance(news, AccountNotification) and len(news.result.value.data) in (653, 1544)
                pools += 1
        assert all(parent == slot - 1 for parent, slot in told)
        await client.unsubscribe(slots)


async def test_faults_are_switched_while_it_runs(said: dict[str, Any]) -> None:
    assert await asyncio.to_thread(post, said["rpc"], "sim_fault", "error_answers", 1)
    async with AsyncClient(said["rpc"]) as client:
        with pytest.raises(SolanaRpcException) as refused:
            await client.get_slot()
        response = getattr(refused.value.__cause__, "response", None)
        assert response is not None and response.status_code == 429 and response.headers["Retry-After"] == "1"
        assert (await client.get_slot()).value
        assert await asyncio.to_thread(post, said["rpc"], "sim_fault", "behind", 30)
        assert await asyncio.to_thread(post, said["rpc"], "sim_fault", "genesis", True)
        assert str((await client.get_genesis_hash()).value) != said["genesis"]
        await asyncio.to_thread(post, said["rpc"], "sim_fault", "genesis", False)
        await asyncio.to_thread(post, said["rpc"], "sim_fault", "behind", 0)


def test_its_first_line_says_where_everything_is_and_a_signal_ends_it() -> None:
    with running("--json", "--fault", "behind=3", "--slot-time", "0") as process:
        assert process.stdout is not None and process.stderr is not None
        said = json.loads(process.stdout.readline())
        chain = shipped("solana")
        assert [pool["address"] for pool in said["pools"]] == [plan.address for plan in chain.pools]
        assert {pool["kind"] for pool in said["pools"]} == {"raydium_clmm", "orca_whirlpool"}
        assert said["tokens"]["SOL"] == chain.tokens["SOL"].address
        assert said["pools"][0]["mints"] == [token.address for token in chain.pools[0].tokens]
        assert said["ws"].startswith("ws://127.0.0.1:") and said["rpc"].startswith("http://127.0.0.1:")
        head = post(said["rpc"], "sim_slot", 5)
        assert post(said["rpc"], "getSlot", {"commitment": "processed"}) == head, "only sim_slot makes slots"
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
        assert process.stderr.read() == ""


def test_it_ends_by_itself_and_says_the_same_to_people() -> None:
    with running("--duration", "0.1") as process:
        out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0 and err == ""
    assert out.startswith("rpc") and all(plan.address in out for plan in shipped("solana").pools)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["solana", "--fault", "nothing=1"], "no fault 'nothing'"),
        (["solana", "--fault", "mute"], "'mute' has no value"),
        (["solana", "--fault", "stale=x"], "takes an integer"),
        (["evm", "--chain", "solana"], "solana is no EVM chain"),
    ],
)
def test_a_mistake_is_one_error(options: list[str], says: str) -> None:
    app = typer.Typer()
    register(app)
    with pytest.raises(ConfigError, match=says):
        typer.main.get_command(app).main(["sim", *options], standalone_mode=False)
