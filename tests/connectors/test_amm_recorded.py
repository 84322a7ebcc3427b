"""Pool maths against what contracts answered on chain: every recorded answer, to the last unit."""

from pathlib import Path

import pytest

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import Beyond
from connectors.amm.ticks import TickMap
from tests.support.amm_checks import recorded, wrong
from tests.support.amm_mutants import MUTANTS, load
from tests.support.amm_pools import OURS

# What these answers cannot see: they hold no states after a swap, no counts of ticks, no exact-out of a V2 pair, no
# dynamic fee and no executed Curve exchange. The slow reference and curvesim see them (test_amm_mutants.py).
UNSEEN = {
    "a digit in the table", "tick below the price on a tick", "down looks below its own tick",
    "stops at the last of equal sums",
    "goes on to the very end", "crosses the end", "counts the tick it stands on", "counts places rounded down",
    "net of the upper tick not turned", "emptied ticks stay", "price falls too far for an amount in",
    "price rises too far for an amount in", "price falls too little for an amount out",
    "price rises too little for an amount out", "no step when nothing is left over",
    "rounding onto a stop does not cross it", "tick anew for an unmoved price", "part of what was asked for is enough",
    "nothing taken is a swap", "a position holds its upper tick", "no + 1 for the pair",
    "exchange takes the fee as the view does", "fee rounds up", "D_P without n at the end",
    "D_P divided as in the other kind", "fee at the balances before", "fee at the balances after",
    "dynamic fee rounds up", "admin's part stays in the pool",
}  # fmt: skip


@pytest.mark.real_data
def test_every_recorded_answer(real_data: Path) -> None:
    """40 of a quoter for a pool of 458 ticks, 12 of a router's, 9 of the 3pool's get_dy, 4 at block 17,600,000."""
    checks = recorded(real_data)
    assert len(checks) == 40 + 12 + 9 + 4
    assert list(wrong(checks, OURS)) == []


@pytest.mark.real_data
def test_what_the_recorded_answers_see(real_data: Path) -> None:
    """Planted mistakes: the answers catch more than half, and exactly those that are not listed above."""
    checks = recorded(real_data)
    unseen = {mutant.name for mutant in MUTANTS if next(wrong(checks, load(mutant)), None) is None}
    assert unseen == UNSEEN
    assert len(MUTANTS) - len(unseen) > 30


@pytest.mark.real_data
def test_a_pool_known_in_part_stops_where_the_knowledge_ends(real_data: Path) -> None:
    """Only the words read count: an amount that leaves them is refused, whatever lies there."""
    import json

    folder = real_data / "dex_evm_degenbot"
    state = json.loads((folder / "uniswap_v3_wbtc_weth_block_24407242.json").read_text())
    here = state["scalars"]
    ticks = {int(tick): (gross, net) for tick, (gross, net, _) in state["tick_data"].items()}
    word = here["tick"] // 60 // 256
    part = TickMap(60, ticks, word * 256 * 60, (word * 256 + 255) * 60)
    pools = [
        Concentrated(here["sqrt_price_x96"], here["tick"], here["liquidity"], here["fee"], known)
        for known in (TickMap(60, ticks), part)
    ]
    amounts = [10**exponent for exponent in range(4, 30)]
    whole, known = [pool.proceeds(1, 0, amounts) for pool in pools]
    assert 0 < len(known) < len(whole)
    assert known == whole[: len(known)]
    with pytest.raises(Beyond):
        pools[1].exact_in(1, 0, amounts[len(known)])
