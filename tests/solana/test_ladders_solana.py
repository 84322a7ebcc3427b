"""Every level that we publish of a pool on Solana, against its protocol's own maths at that cumulative size.

A book goes the whole way here: accounts as a chain holds them, the venue's reader, curve, ladder. The second opinion
is asked of the pool as it was before it was written into accounts: Orca's npm package in a process of its own; for
Raydium the crate that mainnet's swaps agree with, and for its rules of 2026 its own SDK, where that is asked for.
Walking the book may never be better than what they say, and worse by no more than one unit of the price scale (1e-9) a
level.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import pytest

from connectors.amm import ladder
from connectors.amm.curve import Curve
from connectors.amm.raydium import Raydium
from connectors.amm.raydium_fee import Volatility
from connectors.book import Level
from connectors.chain import PoolKind
from connectors.errors import Unpublishable
from tests.solana.orca_node import OrcaNode, orca_node
from tests.support import clmm_orca, clmm_raydium, solana_made
from tests.support.clmm_raydium_oracles import crate_says, sdk_folder, sdk_says
from tests.support.ladders import MONEY, planted
from tests.support.solana_made import MadePool, decoded, shipped

SLICE: Final = 10**17  # price × size, over the token's own units
DEEDS: Final = int(os.environ.get("VENUEGATE_LADDER_DEEDS", "2"))  # after each a pool is looked at again


class Question(NamedTuple):
    """What so much of the base token costs (`exact_out`), or is paid for."""

    down: bool
    amount: int
    exact_out: bool


class Oracle(Protocol):
    """A second opinion: it takes a pool's state when the book is made, and is asked about all of them in the end."""

    def state(self, made: MadePool, *, is_gross: bool) -> Any:
        """The pool as this oracle has it; `is_gross`: without fee."""

    def say(self, asked: Sequence[tuple[Any, Question]]) -> list[int]:
        """The other side's amount of each, which it must swap in full."""


class OrcaOracle:
    """npm @orca-so/whirlpools-core 1.0.2."""

    def __init__(self, node: OrcaNode) -> None:
        self._node = node

    def state(self, made: MadePool, *, is_gross: bool) -> clmm_orca.Case:
        curve, fee_ppm = made.curve, 0 if is_gross else made.curve.fee_ppm
        positions = tuple((each.low, each.high, each.liquidity) for each in made.held.positions)
        return clmm_orca.Case(curve.sqrt_price_x64, curve.tick, fee_ppm, made.site.spacing, positions)

    def say(self, asked: Sequence[tuple[Any, Question]]) -> list[int]:
        said = []
        for state, question in asked:
            (answer,) = self._node.swaps(state, [clmm_orca.Swap(*question)])
            assert not answer.error
            said.append(_in_full(question, answer.amount_in, answer.amount_out))
        return said


class CrateOracle:
    """Crate solana-clmm-raydium 0.2.0."""

    def state(self, made: MadePool, *, is_gross: bool) -> tuple[clmm_raydium.Pool, int]:
        curve = made.curve
        assert isinstance(curve, Raydium)
        entries = tuple(
            clmm_raydium.Entry(tick, entry.net, entry.gross, entry.orders, entry.part_filled, 1, 1 << 63)
            for tick, entry in curve.ticks.entries().items()
        )
        has_extra = curve.volatility is not None and not is_gross
        volatility = msgspec.structs.astuple(curve.volatility) if has_extra else None  # type: ignore[arg-type]
        fee_ppm, spacing = 0 if is_gross else curve.fee_ppm, made.site.spacing
        pool = clmm_raydium.Pool(
            curve.sqrt_price_x64, curve.tick, curve.liquidity, spacing, fee_ppm, entries, curve.fee_on, volatility
        )
        return pool, made.now_s

    def say(self, asked: Sequence[tuple[Any, Question]]) -> list[int]:
        answers = crate_says(pool.line(_swap(question, now_s)) for (pool, now_s), question in asked)
        assert {words[0] for words in answers} == {"ok"}
        return [
            _in_full(question, int(words[1]), int(words[2]))
            for (_, question), words in zip(asked, answers, strict=True)
        ]


class SdkOracle(CrateOracle):
    """npm @raydium-io/raydium-sdk-v2 0.2.73-alpha."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def say(self, asked: Sequence[tuple[Any, Question]]) -> list[int]:
        answers = sdk_says(self._folder, ((pool, _swap(question, now_s)) for (pool, now_s), question in asked))
        assert not [answer for answer in answers if "no" in answer]
        return [
            _in_full(question, int(answer["in"]), int(answer["out"]))
            for (_, question), answer in zip(asked, answers, strict=True)
        ]


def _swap(question: Question, now_s: int) -> clmm_raydium.Swap:
    return clmm_raydium.Swap(question.amount, question.exact_out, question.down, now_s)


def _in_full(question: Question, taken: int, paid: int) -> int:
    given, other = (paid, taken) if question.exact_out else (taken, paid)
    assert given == question.amount
    return other


class Published(NamedTuple):
    """One pool's book, one way round, and the pool as the oracle was told it."""

    name: str
    state: Any
    pair: ladder.Pair
    bids: list[Level]
    asks: list[Level]

    def rows(self) -> Iterator[tuple[Question, list[Level], int]]:
        """Each cumulative size: what is to be asked, the levels that make it, and itself."""
        for is_ask, levels in ((True, self.asks), (False, self.bids)):
            for end, total in enumerate(accumulate(size for _, size in levels)):
                amount, rest = divmod(total * 10**self.pair.base_decimals, 10**8)
                assert rest == 0, "no token holds such a size"
                yield Question((self.pair.base == 0) != is_ask, amount, is_ask), levels[: end + 1], total


def books(made: MadePool, oracle: Oracle, done: Counter[str]) -> Iterator[Published]:
    """Both ways round, net and gross, $10 … $500,000; nothing of these pools may be refused."""
    net = decoded(made)
    for base in (0, 1):
        for is_gross in (False, True):
            curve: Curve = net.without_fee() if is_gross else net
            pair = made.pair(base)
            money = [int(each / made.worth(pair.quote)) for each in MONEY]
            sizes = ladder.grid(money, ladder.mid_1e9(curve, pair), pair.base_decimals)
            bids, asks = ladder.levels(ladder.measure(curve, pair, sizes), pair)
            assert bids and asks and bids[0][0] < asks[0][0]
            for side, sign in ((bids, -1), (asks, 1)):
                prices = [sign * price for price, _ in side]
                assert prices == sorted(set(prices)), "worse from level to level"
            done += Counter({f"base {base}": 1, "gross" if is_gross else "net": 1, "books": 1})
            name = f"{made.plan.symbol} {made.plan.address} base {base} at {made.slot}"
            yield Published(name, oracle.state(made, is_gross=is_gross), pair, bids, asks)


def compared(pools: Iterable[MadePool], oracle: Oracle) -> str:
    """Each pool as it begins and after each of some deeds of traders and providers. Says what there was."""
    done, shown, worst = Counter[str](), list[Published](), Fraction(0)
    for made in pools:
        for deed in range(DEEDS + 1):
            shown += books(made, oracle, done)
            if deed < DEEDS:
                made.settle(lambda: done.update([made.stir(), made.stir()]))  # noqa: B023 - called at once
    rows = [(book, *row) for book in shown for row in book.rows()]
    answers = oracle.say([(book.state, question) for book, question, _, _ in rows])
    for (book, question, levels, total), said in zip(rows, answers, strict=True):
        walked = sum(price * size for price, size in levels)
        loss = Fraction(walked) - Fraction(said * SLICE, 10**book.pair.quote_decimals)
        loss = loss if question.exact_out else -loss
        assert 0 <= loss <= total, f"{book.name}: {total}"
        worst = max(worst, loss / total)
    assert len(rows) >= 3_000
    assert min(done[name] for name in ("swap", "provide", "withdraw", "base 0", "base 1", "net", "gross")) > 0
    return f"{len(rows)} levels of {done['books']} books, worst {float(worst):.3f} of a unit of 1e-9"


def classic(kind: PoolKind) -> Iterator[MadePool]:
    """Every shipped pool of a kind, with a fee on what goes in and nothing else."""
    for seed, plan in enumerate(shipped(kind)):
        yield MadePool(plan, seed, volatility=None, fee_on=0)


def modern() -> Iterator[MadePool]:
    """Every shipped Raydium pool, each with other rules of 2026, and orders resting on both sides of the price."""
    for seed, plan in enumerate(shipped(PoolKind.RAYDIUM_CLMM)):
        volatility = Volatility(30, 600, 5_000, 2_000, 350_000) if seed % 2 else None
        made = MadePool(plan, seed, volatility=volatility, fee_on=seed % 3)

        def rest(made: MadePool = made) -> None:
            for away in (-40, -7, -3, 4, 9, 55):
                made.order(away, 5_000)

        made.settle(rest)
        yield made


def test_no_level_of_an_orca_pool_is_better_than_the_pool(capsys: pytest.CaptureFixture[str]) -> None:
    with orca_node() as node:
        said = compared(classic(PoolKind.ORCA_WHIRLPOOL), OrcaOracle(node))
    with capsys.disabled():
        print(f"\n    Orca: {said}", end="")


def test_no_level_of_a_raydium_pool_is_better_than_the_pool(capsys: pytest.CaptureFixture[str]) -> None:
    said = compared(classic(PoolKind.RAYDIUM_CLMM), CrateOracle())
    with capsys.disabled():
        print(f"\n    Raydium: {said}", end="")


def test_nor_is_one_by_the_rules_of_2026(capsys: pytest.CaptureFixture[str]) -> None:
    """A fee on what comes out, a fee that follows the price, orders resting on ticks."""
    said = compared(modern(), SdkOracle(sdk_folder()))
    with capsys.disabled():
        print(f"\n    Raydium by the rules of 2026: {said}", end="")


def _cheaper(made: MadePool) -> Any:
    """A reader that takes the fee for one millionth less than it is."""
    curve: Any = solana_made.decoded(made)
    return msgspec.structs.replace(curve, fee_ppm=curve.fee_ppm - 1)


def _emptier(made: MadePool) -> Any:
    """A reader that overlooks one tick beside the price."""
    curve: Any = solana_made.decoded(made)
    gone = min(curve.ticks.entries(), key=lambda tick: abs(tick - curve.tick))
    return msgspec.structs.replace(curve, ticks=curve.ticks.replaced({gone: None}))


@pytest.mark.parametrize("reader", [_cheaper, _emptier])
def test_a_wrong_reader_is_noticed(reader: Callable[[MadePool], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "decoded", reader)
    with pytest.raises(AssertionError):
        compared(classic(PoolKind.RAYDIUM_CLMM), CrateOracle())


def test_a_ladder_that_rounds_for_the_taker_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = "gain = paid * scale // (size * unit)"
    monkeypatch.setitem(globals(), "ladder", planted(ladder, right, "gain = -(-paid * scale // (size * unit))"))
    with pytest.raises((AssertionError, Unpublishable)):  # a pool without fee crosses then
        compared(classic(PoolKind.RAYDIUM_CLMM), CrateOracle())
