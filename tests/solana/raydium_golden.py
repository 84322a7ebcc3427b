"""Writes fixtures/raydium/sdk.jsonl: what Raydium's SDK says of swaps under the rules of 2026, for tests without it.

    VENUEGATE_RAYDIUM_SDK=1 uv run python -m tests.solana.raydium_golden

One case a line: a pool, as tests/support/clmm_raydium.py makes it from a seed, swaps that follow one another, and the
SDK's answers. Numbers only. The SDK (npm @raydium-io/raydium-sdk-v2 0.2.73-alpha, GPL-3) runs in a process of its own.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from connectors.amm.raydium_legs import HIGHEST, LOWEST
from tests.support.clmm_raydium import U64, Pool, Swap, is_fee_alone, pool, swap
from tests.support.clmm_raydium_oracles import sdk_folder, sdk_says
from tests.support.data import ROOT

FILE: Final = ROOT / "fixtures" / "raydium" / "sdk.jsonl"
CASES: Final = 160
SEEDS: Final = 3000
SWAPS: Final = 3
FAR: Final = -100_000
ENDS: Final = (str(LOWEST), str(HIGHEST))


def refuses(said: dict[str, Any]) -> bool:
    """The program would: not all was swapped, nothing goes in or out, or more than 64 bits."""
    if "no" in said:
        return True
    return not (0 < int(said["in"]) <= U64 and 0 < int(said["out"]) <= U64)


def rounds(folder: Path, seeds: range) -> Iterator[tuple[Pool, list[Swap], list[dict[str, Any]]]]:
    """Cases of up to SWAPS swaps, each of its seed; what is refused ends its case.

    So does one for which the SDK is no oracle, and it is left out: it does not say how much was swapped at the end of
    all prices; the other is `is_fee_alone`.
    """
    open_: dict[int, Pool] = {seed: pool(seed, modern=True) for seed in seeds}
    first = dict(open_)
    swaps: dict[int, list[Swap]] = {seed: [] for seed in seeds}
    answers: dict[int, list[dict[str, Any]]] = {seed: [] for seed in seeds}
    for turn in range(SWAPS):
        asked = {seed: swap(SWAPS * seed + turn, at) for seed, at in open_.items()}
        open_ = {seed: at for seed, at in open_.items() if not is_fee_alone(at, asked[seed])}
        said = sdk_says(folder, [(open_[seed], asked[seed]) for seed in open_])
        for (seed, at), answer in zip(list(open_.items()), said, strict=True):
            is_end = answer.get("sqrt") in ENDS
            if not is_end:
                swaps[seed].append(asked[seed])
                answers[seed].append(answer)
            if is_end or refuses(answer):
                del open_[seed]
            else:
                open_[seed] = at.after(answer)
    for seed in seeds:
        yield first[seed], swaps[seed], answers[seed]


def _interest(first: Pool, swaps: list[Swap], said: list[dict[str, Any]]) -> int:
    """Orders bought count most, and what is rare: few places in a price, an end on the edge of a leg. A refusal alone
    is of little use."""
    total = 0
    for one, answer in zip(swaps, said, strict=True):
        if refuses(answer):
            break
        total += 2 + bool(answer["volatility"]) + 2 * bool(answer["orders"])
        total += 9 * (bool(answer["orders"]) and answer["tick"] < FAR and not one.down)
        total += 9 * _is_on_edge(first, one)
        first = first.after(answer)
    return total


def _is_on_edge(at: Pool, one: Swap) -> bool:
    """Within a leg with all that it pays, or at its end with a part of it."""
    i, j = (0, 1) if one.down else (1, 0)
    stop = at.curve(one.now_s)._walk(i, j, exact_out=one.exact_out).stop(one.amount)
    if stop.part is None:
        return False
    return stop.part.reached or (one.exact_out and stop.rest == stop.leg.paid)


def main() -> None:
    folder = sdk_folder()
    cases = list(rounds(folder, range(SEEDS)))
    kept = sorted(sorted(range(len(cases)), key=lambda at: -_interest(*cases[at]))[:CASES])
    rows = []
    for first, swaps, said in (cases[at] for at in kept):
        state = first.ask(swaps[0])
        row = {
            name: state[name]
            for name in ("sqrt", "tick", "liquidity", "spacing", "fee", "fee_on", "ticks", "volatility")
        }
        rows.append(json.dumps({**row, "swaps": swaps, "said": said}, separators=(",", ":")))
    text = "\n".join(rows) + "\n"
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text)
    (FILE.parent / "origin.toml").write_text(
        "# Where each file in this directory comes from: tests/solana/raydium_golden.py writes both.\n\n"
        f'["{FILE.name}"]\n'
        'source = "tests/solana/raydium_golden.py"\n'
        'what = "answers of npm @raydium-io/raydium-sdk-v2 0.2.73-alpha to swaps through pools of our own making"\n'
        f'sha256 = "{hashlib.sha256(text.encode()).hexdigest()}"\n'
        f"size = {len(text)}\n"
    )
    count = sum(len(said) for _, _, said in (cases[at] for at in kept))
    print(f"{FILE.relative_to(ROOT)}: {len(rows)} cases, {count} swaps, {len(text)} bytes")


if __name__ == "__main__":
    main()
