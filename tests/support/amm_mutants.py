"""Pool maths with one thing wrong each: a suite that misses one of these would miss the same mistake in the original.

`load(mutant)` gives the classes as the mutated source defines them, `load(None)` those of a fresh, unchanged copy.
Nothing outside is touched: every load compiles its own modules, under names of their own.
"""

# ruff: noqa: E501 - one mutant a line

import itertools
import sys
from types import ModuleType
from typing import Any, NamedTuple

from tests.support.amm_pools import Maths
from tests.support.data import ROOT

FOLDER = ROOT / "connectors" / "amm"
FILES = ("tickmath.py", "swapstep.py", "ticks.py", "concentrated.py", "constant_product.py", "stableswap.py")
STOPS_MAX = 300_000  # a wrong tick can make a swap stop at one place for ever
_numbers = itertools.count()


class Mutant(NamedTuple):
    """`old` stands exactly once in `file`; with `new` instead, the maths is wrong."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = [
    Mutant("table rounds down", "tickmath.py", "return -(-ratio >> 32)", "return ratio >> 32"),
    Mutant("table turned over a unit low", "tickmath.py", "((1 << 256) - 1) // ratio", "((1 << 256) - 1) // (ratio + 1)"),
    Mutant("a digit in the table", "tickmath.py", "0xFFF97272373D413259A46990580E213A", "0xFFF97272373D413259A46991580E213A"),
    Mutant("tick below the price on a tick", "tickmath.py", "sqrt_at(tick + 1) <= sqrt_price", "sqrt_at(tick + 1) < sqrt_price"),
    Mutant("no word border down", "ticks.py", "place // _WORD_TICKS * _WORD_TICKS * self.spacing", "MIN_TICK"),
    Mutant("no word border up", "ticks.py", "((place + 1) // _WORD_TICKS * _WORD_TICKS + _WORD_TICKS - 1) * self.spacing", "MAX_TICK"),
    Mutant("words of 128", "ticks.py", "_WORD_TICKS: Final = 256", "_WORD_TICKS: Final = 128"),
    Mutant("border up seen from the place itself", "ticks.py", "((place + 1) // _WORD_TICKS", "(place // _WORD_TICKS"),
    Mutant("no −1 after crossing down", "ticks.py", "stop - 1 if self._down else stop", "stop"),
    Mutant("−1 after crossing up", "ticks.py", "stop - 1 if self._down else stop", "stop - 1"),
    Mutant("crossing adds the net both ways", "ticks.py", "liquidity += -net if self._down else net", "liquidity += net"),
    Mutant("crossing with the wrong sign", "ticks.py", "-net if self._down else net", "net if self._down else -net"),
    Mutant("down looks below its own tick", "ticks.py", "bisect_right(self._sorted, tick) - 1", "bisect_left(self._sorted, tick) - 1"),
    Mutant("up looks at its own tick", "ticks.py", "            index = bisect_right(self._sorted, tick)\n", "            index = bisect_left(self._sorted, tick)\n"),
    Mutant("stops at the last of equal sums", "ticks.py", "return bisect_left(sums, amount)", "return bisect_right(sums, amount)"),
    Mutant("goes on to the very end", "ticks.py", "(MIN_SQRT + 1, MIN_TICK)", "(MIN_SQRT, MIN_TICK)"),
    Mutant("crosses the end", "ticks.py", "(MAX_SQRT - 1, MAX_TICK - 1)", "(MAX_SQRT - 1, MAX_TICK)"),
    Mutant("whole step at the liquidity beyond", "ticks.py", "whole(start, self.prices[-1], liquidity,", "whole(start, self.prices[-1], self.liquidity[-1],"),
    Mutant("counts the tick it stands on", "ticks.py", "return count - (stood_on in self._ticks)", "return count"),
    Mutant("counts places rounded down", "ticks.py", "abs(tick) // spacing * spacing * (1 if tick > 0 else -1)", "tick // spacing * spacing"),
    Mutant("net of the upper tick not turned", "ticks.py", "(upper, -delta)", "(upper, delta)"),
    Mutant("emptied ticks stay", "ticks.py", "                del ticks[tick]", "                ticks[tick] = 0, 0"),
    Mutant("token 0 paid rounds up", "swapstep.py", "return (liquidity << self.bits) * (high - low) // high // low", "return -(-(liquidity << self.bits) * (high - low) // high // low)"),
    Mutant("token 0 taken rounds down", "swapstep.py", "return -(-(liquidity << self.bits) * (high - low) // high // low)", "return (liquidity << self.bits) * (high - low) // high // low"),
    Mutant("token 1 paid rounds up", "swapstep.py", "return liquidity * (high - low) >> self.bits", "return -(-liquidity * (high - low) >> self.bits)"),
    Mutant("token 1 taken rounds down", "swapstep.py", "return -(-liquidity * (high - low) >> self.bits)", "return liquidity * (high - low) >> self.bits"),
    Mutant("fee rounds down", "swapstep.py", "return -(-net * fee_ppm // (MILLION - fee_ppm))", "return net * fee_ppm // (MILLION - fee_ppm)"),
    Mutant("fee of the gross", "swapstep.py", "// (MILLION - fee_ppm))", "// MILLION)"),
    Mutant("price falls too far for an amount in", "swapstep.py", "-(-virtual * price // (virtual + product))", "virtual * price // (virtual + product)"),
    Mutant("price rises too far for an amount in", "swapstep.py", "return price + (amount << self.bits) // liquidity", "return price - (-(amount << self.bits) // liquidity)"),
    Mutant("price falls too little for an amount out", "swapstep.py", "price + (-(amount << self.bits) // liquidity)", "price - (amount << self.bits) // liquidity"),
    Mutant("price rises too little for an amount out", "swapstep.py", "return -(-virtual * price // (virtual - product))", "return virtual * price // (virtual - product)"),
    Mutant("fee of the last step rounds down", "swapstep.py", "amount * (MILLION - fee_ppm) // MILLION", "amount - amount * fee_ppm // MILLION"),
    Mutant("fee of the last step not taken", "swapstep.py", "liquidity, amount * (MILLION - fee_ppm) // MILLION, down", "liquidity, amount, down"),
    Mutant("fee of the last step not added", "swapstep.py", "    return after, net + fee_on(net, fee_ppm)", "    return after, net"),
    Mutant("no step when nothing is left over", "concentrated.py", "if rest >= 0:", "if rest > 0:"),
    Mutant("last step at the liquidity beyond", "concentrated.py", "price, liquidity, tick = path.prices[at], path.liquidity[at], path.ticks[at]", "price, liquidity, tick = path.prices[at], path.liquidity[at + 1], path.ticks[at]"),
    Mutant("last step from the stop beyond", "concentrated.py", "step = part(path.prices[at], path.liquidity[at], rest", "step = part(path.prices[at + 1], path.liquidity[at], rest"),
    Mutant("ladder forgets the first step", "concentrated.py", "total = other + others[at] + step[1]", "total = others[at] + step[1]"),
    Mutant("rounding onto a stop does not cross it", "concentrated.py", "if after == path.prices[at + 1]:", "if after == 0:"),
    Mutant("tick anew for an unmoved price", "concentrated.py", "tick if after == price else tick_at(after)", "tick_at(after)"),
    Mutant("part of what was asked for is enough", "concentrated.py", "if quote.amount_out != amount:", "if quote.amount_out > amount:"),
    Mutant("nothing taken is a swap", "concentrated.py", "if not quote.amount_in:", "if quote.amount_in < 0:"),
    Mutant("a position holds its upper tick", "concentrated.py", "lower <= self.tick < upper", "lower <= self.tick <= upper"),
    Mutant("pair's quotient rounds up", "constant_product.py", "return net * here // (there * MILLION + net)", "return -(-net * here // (there * MILLION + net))"),
    Mutant("pair's fee on what comes out", "constant_product.py", "return net * here // (there * MILLION + net)", "return amount * here // (there + amount) * (MILLION - self.fee_ppm) // MILLION"),
    Mutant("pair ignores what goes in", "constant_product.py", "(there * MILLION + net)", "(there * MILLION)"),
    Mutant("no + 1 for the pair", "constant_product.py", "(MILLION - self.fee_ppm)) + 1", "(MILLION - self.fee_ppm))"),
    Mutant("no unit kept back", "stableswap.py", "gross = scaled[j] - y - 1", "gross = scaled[j] - y"),
    Mutant("two units kept back", "stableswap.py", "gross = scaled[j] - y - 1", "gross = scaled[j] - y - 2"),
    Mutant("view takes the fee as exchange does", "stableswap.py", "        if self.is_ng:\n            whole", "        if True:\n            whole"),
    Mutant("exchange takes the fee as the view does", "stableswap.py", "return (gross - fee) * ONE // self.rates[j], fee", "return gross * ONE // self.rates[j] - fee * ONE // self.rates[j], fee"),
    Mutant("fee rounds up", "stableswap.py", "// 2) // FEE_ONE\n        return (gross - fee)", "// 2) // FEE_ONE + 1\n        return (gross - fee)"),
    Mutant("D_P without n", "stableswap.py", "else balance * n)", "else balance)"),
    Mutant("D_P without n at the end", "stableswap.py", "d_p //= n**n", "d_p //= n"),
    Mutant("D_P divided as in the other kind", "stableswap.py", "if self.is_ng else balance * n)\n            if self.is_ng:", "if not self.is_ng else balance * n)\n            if not self.is_ng:"),
    Mutant("D's other weight", "stableswap.py", "(n + 1) * d_p)", "n * d_p)"),
    Mutant("A's own unit", "stableswap.py", "over = ann * total // A_PRECISION, ann - A_PRECISION", "over = ann * total // A_PRECISION, ann - 1"),
    Mutant("c before the amount in", "stableswap.py", "held = x if k == i else balance", "held = balance"),
    Mutant("y's weight", "stableswap.py", "(2 * y + b - d)", "(2 * y + b)"),
    Mutant("fee at the balances before", "stableswap.py", "gross * self._rate((scaled[i] + x) // 2, (scaled[j] + y) // 2) // FEE_ONE", "gross * self._rate(scaled[i], scaled[j]) // FEE_ONE"),
    Mutant("fee at the balances after", "stableswap.py", "gross * self._rate((scaled[i] + x) // 2, (scaled[j] + y) // 2) // FEE_ONE", "gross * self._rate(x, y) // FEE_ONE"),
    Mutant("dynamic fee rounds up", "stableswap.py", "// ((factor - FEE_ONE) * 4 * x * y // (x + y) ** 2 + FEE_ONE)", "// ((factor - FEE_ONE) * 4 * x * y // (x + y) ** 2 + FEE_ONE) + 1"),
    Mutant("admin's part stays in the pool", "stableswap.py", "balances[j] -= paid + admin", "balances[j] -= paid"),
]  # fmt: skip


def load(mutant: Mutant | None) -> Maths:
    """The classes of a copy of the maths with `mutant`'s change in it."""
    package = f"amm_mutant_{next(_numbers)}"
    names: dict[str, Any] = {}
    for file in FILES:
        source = (FOLDER / file).read_text()
        if mutant is not None and mutant.file == file:
            assert source.count(mutant.old) == 1, (
                f"{mutant.name}: {mutant.old!r} stands {source.count(mutant.old)} times"
            )
            source = source.replace(mutant.old, mutant.new)
        for earlier in names:
            source = source.replace(f"from connectors.amm.{earlier} import", f"from {package}.{earlier} import")
        module = ModuleType(f"{package}.{file.removesuffix('.py')}")
        sys.modules[module.__name__] = module  # so that the later copies find this one
        exec(compile(source, f"{package}/{file}", "exec"), module.__dict__)  # noqa: S102 - our own source
        names[file.removesuffix(".py")] = module
    for name in names:
        del sys.modules[f"{package}.{name}"]
    _end(names["ticks"].TickMap)
    return Maths(
        names["concentrated"].Concentrated,
        names["ticks"].TickMap,
        names["constant_product"].ConstantProduct,
        names["stableswap"].StableSwap,
        names["tickmath"].sqrt_at,
        names["tickmath"].tick_at,
    )


def _end(tick_map: Any) -> None:
    """A swap of a mutant that would never end raises instead."""
    stop, left = tick_map.stop, itertools.count(STOPS_MAX, -1)

    def counted(self: Any, tick: int, down: bool) -> Any:
        if next(left) <= 0:
            raise AssertionError("this swap does not end")
        return stop(self, tick, down)

    tick_map.stop = counted
