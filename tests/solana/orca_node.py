"""Orca's own maths, npm @orca-so/whirlpools-core 1.0.2 (Apache-2.0), as one process: JSON lines in, JSON lines out."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any, Final, NamedTuple

from tests.support.clmm_orca import Case, Swap
from tests.support.clmm_orca_reference import ARRAY, arrays
from tests.support.npm import modules

_TOOLS: Final = Path(__file__).parent / "tools" / "orca"
_LIFE_S: Final = 120  # a swap beyond its arrays never ends there


class Answer(NamedTuple):
    """`error`: the package refused."""

    amount_in: int = 0
    amount_out: int = 0
    error: str = ""


class OrcaNode:
    """Asks the process; an answer that never comes ends the test by way of the process's end."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def swaps(self, of: Case, swaps: Sequence[Swap]) -> list[Answer]:
        """Each from this state, with the three arrays that the program would be given. They must fit these arrays."""
        pool = {
            "spacing": of.spacing,
            "fee": of.fee_ppm,
            "liquidity": str(of.liquidity),
            "price": str(of.price),
            "tick": of.tick,
        }
        asked = [
            {
                "arrays": _arrays(of, swap.down),
                "a_to_b": swap.down,
                "exact_out": swap.exact_out,
                "amount": str(swap.amount),
            }
            for swap in swaps
        ]
        answers = self._ask({"pool": pool, "swaps": asked})
        return [
            Answer(error=answer["error"]) if isinstance(answer, dict) else Answer(int(answer[0]), int(answer[1]))
            for answer in answers
        ]

    def sqrt_at(self, ticks: Sequence[int]) -> list[int]:
        return [int(price) for price in self._ask({"sqrt_at": list(ticks)})]

    def tick_at(self, prices: Sequence[int]) -> list[int]:
        return [int(tick) for tick in self._ask({"tick_at": [str(price) for price in prices]})]

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"node ended or did not answer within {_LIFE_S} s: {str(question)[:400]}"
        return json.loads(line)


@contextmanager
def orca_node() -> Iterator[OrcaNode]:
    """The process, for as long as the block lasts. Skips or (CI) fails where the package is not installed."""
    home = modules(_TOOLS, "orca").parent
    command = ["node", str(_TOOLS / "swaps.cjs")]
    with subprocess.Popen(command, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        life = Timer(_LIFE_S, process.kill)
        life.start()
        try:
            yield OrcaNode(process)
        finally:
            life.cancel()
            process.kill()


def _arrays(of: Case, down: bool) -> dict[str, dict[str, str]]:
    """start → place → net, for the arrays of one direction."""
    size = ARRAY * of.spacing
    found: dict[str, dict[str, str]] = {str(start): {} for start in arrays(of.tick, of.spacing, down)}
    for tick, (net, _) in of.entries().items():
        start = str(tick // size * size)
        if start in found:
            found[start][str(tick % size // of.spacing)] = str(net)
    return found
