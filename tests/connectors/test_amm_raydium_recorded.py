"""Raydium's classic rules against swaps that happened on mainnet: SOL/USDC, 26 April 2026.

A recording holds the pool and the tick arrays right before the swap, and what went in and came out; where the price and
the tick ended, the crate says from the same accounts. Eight of the seventeen lie in ../shared/data, all in the crate.
"""

import base64
import json
from pathlib import Path

import pytest

from connectors.amm.raydium import Raydium
from connectors.amm.raydium_legs import HIGHEST, LOWEST
from connectors.amm.ticks64 import Tick, Ticks
from connectors.venues.solana.account import Account
from connectors.venues.solana.keys import RAYDIUM
from connectors.venues.solana.raydium_layout import pool_of
from connectors.venues.solana.raydium_ticks import array_of, span
from tests.support.clmm_raydium import Entry, Pool, Swap, said_of, swapped
from tests.support.clmm_raydium_oracles import SWAPS_IN_CRATE, crate_folder, crate_says
from tests.support.data import data_folder


def _account(text: str) -> Account:
    return Account(RAYDIUM, base64.b64decode(text))


def recorded(folder: Path) -> list[tuple[str, Raydium, Swap, tuple[int, int]]]:
    """(name, pool before, swap, what went in and out) of each recording in a folder."""
    facts = json.loads((folder / "clmm_pool_metadata.json").read_text())
    fee_ppm = round(facts["fee_rate"] * 10**6)
    found = []
    for path in sorted(folder.glob("swap_*.json")):
        row = json.loads(path.read_text())
        state, done = pool_of(_account(row["pool_b64"])), row["swap"]
        assert state.spacing == facts["tick_spacing"]
        assert int(done["sqrt_price_limit_x64"]) in (0, LOWEST, HIGHEST)  # no limit, in the program's words or in full
        arrays = [array_of(_account(array["data_b64"]), state.spacing) for array in row["tick_arrays"]]
        ticks = {
            at: Tick(tick.net, tick.gross, tick.orders, tick.part_filled)
            for array in arrays
            for at, tick in array.ticks.items()
        }
        starts = [array.start for array in arrays]
        known = Ticks(state.spacing, ticks, min(starts), max(starts) + span(state.spacing) - 1)
        curve = Raydium(
            state.sqrt_price_x64, state.tick, state.liquidity, fee_ppm, known, state.fee_on, state.volatility,
            done["block_time"],
        )  # fmt: skip
        swap = Swap(done["amount"], not done["is_base_input"], done["zero_for_one"])
        found.append((path.stem, curve, swap, (done["observed_amount_in"], done["observed_amount_out"])))
    return found


def crate_line(curve: Raydium, swap: Swap) -> str:
    entries = tuple(Entry(at, tick.net, tick.gross) for at, tick in curve.ticks.entries().items())
    at = Pool(curve.sqrt_price_x64, curve.tick, curve.liquidity, curve.ticks.spacing, curve.fee_ppm, entries)
    return at.line(swap)


def check(swaps: list[tuple[str, Raydium, Swap, tuple[int, int]]]) -> None:
    said = crate_says(crate_line(curve, swap) for _, curve, swap, _ in swaps)
    for (name, curve, swap, observed), words in zip(swaps, said, strict=True):
        quote = swapped(curve, swap)
        assert (quote.amount_in, quote.amount_out) == observed, name
        assert list(map(str, said_of(quote)[:5])) == words[1:], name


def test_all_seventeen_swaps_of_the_crate() -> None:
    """Amounts as on the chain; price, tick and liquidity after as the crate has them."""
    swaps = recorded(crate_folder() / "swaps")
    assert len(swaps) == SWAPS_IN_CRATE
    check(swaps)


@pytest.mark.real_data
def test_the_eight_in_the_shared_data() -> None:
    folder = data_folder()
    assert folder is not None
    swaps = recorded(folder / "dex_raydium_clmm")
    assert len(swaps) == 8
    check(swaps)


def test_a_recorded_pool_knows_no_rule_of_2026() -> None:
    """None of those accounts has a byte set where the newer fields are: the classic rules are all there is."""
    for _, curve, _, _ in recorded(crate_folder() / "swaps"):
        assert (curve.fee_on, curve.volatility) == (0, None)
        assert not any(tick.orders or tick.part_filled for tick in curve.ticks.entries().values())
