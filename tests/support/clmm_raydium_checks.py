"""Swaps with known answers for Raydium's maths: the crate's, and those of the SDK that fixtures/raydium keeps.

Each runs against the project's classes and against every mutant of them.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from connectors.amm import raydium_legs
from tests.support.clmm_raydium import OURS, REFUSED, U64, Maths, Pool, Swap, pool, said_by_sdk, said_of, swap, swapped
from tests.support.clmm_raydium_oracles import crate_says
from tests.support.data import ROOT

SWAPS_EACH: Final = 3
GOLDEN: Final = ROOT / "fixtures" / "raydium" / "sdk.jsonl"


class Check(NamedTuple):
    """One question to some maths, and the answer."""

    name: str
    ask: Callable[[Maths], Any]
    answer: Any


def wrong(checks: Iterable[Check], maths: Maths) -> Iterator[str]:
    """What `maths` answers otherwise. An exception is an answer too."""
    for check in checks:
        try:
            got = check.ask(maths)
        except Exception as error:  # noqa: BLE001 - a mutant may break in any way
            got = error
        if got != check.answer:
            yield f"{check.name}: {got!r} instead of {check.answer!r}"


def crate_checks(seeds: Iterable[int]) -> list[Check]:
    """Swaps through pools of the classic rules: amounts, price, tick and liquidity after, or a refusal."""
    pools = {seed: pool(seed, modern=False) for seed in seeds}
    asked = [(at, swap(SWAPS_EACH * seed + turn, at)) for seed, at in pools.items() for turn in range(SWAPS_EACH)]
    said = crate_says(at.line(one) for at, one in asked)
    return [
        Check(f"crate {at} {one}", partial(_classic, at, one), _crate_answer(at, one, words))
        for (at, one), words in zip(asked, said, strict=True)
    ]


def _classic(at: Pool, one: Swap, maths: Maths) -> Any:
    quote = _swapped(at.curve(maths=maths), one)
    return quote if quote == REFUSED else said_of(quote)[:5]


def _swapped(curve: Any, one: Swap) -> Any:
    """One quote, which a ladder of one must agree with."""
    quote = swapped(curve, one)
    i, j = (0, 1) if one.down else (1, 0)
    ladder = (curve.costs if one.exact_out else curve.proceeds)(i, j, [one.amount])
    if quote == REFUSED:
        assert ladder in ([], [0])
    else:
        assert ladder == [quote.amount_in if one.exact_out else quote.amount_out]
    return quote


def _crate_answer(at: Pool, one: Swap, words: list[str]) -> Any:
    """What the program would say: the crate swaps in part, where the program refuses without a price limit.

    The crate takes the tick anew from an unmoved price; the program leaves it, as a tick that was crossed downwards
    leaves the pool one lower on the same price. At the end of all prices it is the other way round.
    """
    if words[0] != "ok":
        return REFUSED
    taken, paid, price, tick, liquidity = map(int, words[1:])
    if one.amount != (paid if one.exact_out else taken) or not taken or not paid:
        return REFUSED
    if price in (raydium_legs.LOWEST, raydium_legs.HIGHEST):
        tick = OURS.table.tick_at(price)
    elif one.down and OURS.table.sqrt_at(tick) == price:
        crossed = {entry.tick for entry in at.entries if entry.tick <= at.tick}
        if tick in crossed or (price == at.price and at.tick == tick - 1):
            tick -= 1
    return taken, paid, price, tick, liquidity


def golden_checks() -> list[Check]:
    """Each case's swaps in a row, each on what the one before left: all that the SDK says, and all that changed."""
    return [_case(f"golden {number}", *case) for number, case in enumerate(_golden())]


def golden_swaps() -> Iterator[tuple[Pool, Swap, Any]]:
    """The same swaps one by one, each with the pool it finds and the answer."""
    for at, swaps, said in _golden():
        for one, answer in zip(swaps, said, strict=True):
            yield at, one, sdk_answer(at, answer)
            if "no" not in answer:
                at = at.after(answer)  # noqa: PLW2901 - the next one finds it so


def _golden() -> Iterator[tuple[Pool, list[Swap], list[dict[str, Any]]]]:
    for line in GOLDEN.read_text().splitlines():
        row = json.loads(line)
        yield Pool.of(row), [Swap(*one) for one in row["swaps"]], row["said"]


def live_checks(cases: Iterable[tuple[Pool, list[Swap], list[dict[str, Any]]]]) -> list[Check]:
    """The same of answers just asked for."""
    return [_case(f"{at} {swaps}", at, swaps, said) for at, swaps, said in cases]


def _case(name: str, at: Pool, swaps: list[Swap], said: list[dict[str, Any]]) -> Check:
    return Check(name, partial(_played, at, swaps), list(_answers(at, said)))


def _played(at: Pool, swaps: list[Swap], maths: Maths) -> list[Any]:
    curve, said = at.curve(maths=maths), []
    for one in swaps:
        quote = _swapped(msgspec.structs.replace(curve, now_s=one.now_s), one)
        said.append(quote if quote == REFUSED else said_of(quote))
        if quote != REFUSED:
            curve = quote.after
    return said


def _answers(at: Pool, said: list[dict[str, Any]]) -> Iterator[Any]:
    for one in said:
        yield sdk_answer(at, one)
        if "no" not in one:
            at = at.after(one)


def sdk_answer(at: Pool, said: dict[str, Any]) -> Any:
    """What the program would say: it refuses to pay nothing, and amounts beyond 64 bits, which the SDK does not."""
    if "no" in said or not 0 < int(said["in"]) <= U64 or not 0 < int(said["out"]) <= U64:
        return REFUSED
    return said_by_sdk(at, said)
