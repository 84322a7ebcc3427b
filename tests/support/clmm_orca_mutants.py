"""The maths of Orca's pools, and what Raydium's shares with it, with one thing wrong each: as amm_mutants.py.

`load(mutant)` gives the classes as the mutated source defines them, `load(None)` those of a fresh, unchanged copy.
"""

# ruff: noqa: E501 - one mutant a line

import itertools
import sys
from types import ModuleType
from typing import Any, Final

from tests.support.amm_mutants import FOLDER, Mutant
from tests.support.clmm_orca import Maths

FILES: Final = ("tickmath64.py", "swapstep.py", "ticks64.py", "walk.py", "whirlpool.py")
STOPS_MAX: Final = 200_000  # a wrong tick can make a swap stop at one place for ever
_numbers = itertools.count()

MUTANTS: Final = [
    Mutant("a digit in Raydium's table", "tickmath64.py", "0xFCBE86C7900BB000", "0xFCBE86C7900BB100"),
    Mutant("Raydium's table with Uniswap's places", "tickmath64.py", "0xFFE5CACA7E10F000", "0xFFE5CACA7E10E4E6"),
    Mutant("Raydium's table turned over from 2^128", "tickmath64.py", "((1 << 128) - 1) // ratio", "(1 << 128) // (ratio - 1)"),
    Mutant("a digit in Orca's table below 0", "tickmath64.py", "18212142134806087854", "18212142134806087855"),
    Mutant("a digit in Orca's table above 0", "tickmath64.py", "81282483887344747381513967011", "81282483887344747381613967011"),
    Mutant("Orca above 0 as below", "tickmath64.py", "_ratio(tick, _ORCA_ABOVE, 96) >> 32 if tick > 0", "(1 << 128) // _ratio(tick, _ORCA_BELOW, 64) if tick > 0"),
    Mutant("Orca above 0 rounds up", "tickmath64.py", "_ratio(tick, _ORCA_ABOVE, 96) >> 32", "-(-_ratio(tick, _ORCA_ABOVE, 96) >> 32)"),
    Mutant("Raydium's table for Orca", "tickmath64.py", "TickTable(_orca)", "TickTable(_raydium)"),
    Mutant("tick below the price on a tick", "tickmath64.py", "self.sqrt_at(tick + 1) <= sqrt_price", "self.sqrt_at(tick + 1) < sqrt_price"),
    Mutant("no tick at the upper end", "tickmath64.py", "self.min_sqrt <= sqrt_price <= self.max_sqrt", "self.min_sqrt <= sqrt_price < self.max_sqrt"),
    Mutant("prices of 96 places", "swapstep.py", "X64: Final = Steps(64)", "X64: Final = Steps(96)"),
    Mutant("token A paid rounds up", "swapstep.py", "return (liquidity << self.bits) * (high - low) // high // low", "return -(-(liquidity << self.bits) * (high - low) // high // low)"),
    Mutant("token A taken rounds down", "swapstep.py", "return -(-(liquidity << self.bits) * (high - low) // high // low)", "return (liquidity << self.bits) * (high - low) // high // low"),
    Mutant("token B paid rounds up", "swapstep.py", "return liquidity * (high - low) >> self.bits", "return -(-liquidity * (high - low) >> self.bits)"),
    Mutant("token B taken rounds down", "swapstep.py", "return -(-liquidity * (high - low) >> self.bits)", "return liquidity * (high - low) >> self.bits"),
    Mutant("fee rounds down", "swapstep.py", "return -(-net * fee_ppm // (MILLION - fee_ppm))", "return net * fee_ppm // (MILLION - fee_ppm)"),
    Mutant("fee of the gross", "swapstep.py", "// (MILLION - fee_ppm))", "// MILLION)"),
    Mutant("price falls too far for an amount in", "swapstep.py", "-(-virtual * price // (virtual + product))", "virtual * price // (virtual + product)"),
    Mutant("price rises too far for an amount in", "swapstep.py", "return price + (amount << self.bits) // liquidity", "return price - (-(amount << self.bits) // liquidity)"),
    Mutant("price falls too little for an amount out", "swapstep.py", "price + (-(amount << self.bits) // liquidity)", "price - (amount << self.bits) // liquidity"),
    Mutant("price rises too little for an amount out", "swapstep.py", "return -(-virtual * price // (virtual - product))", "return virtual * price // (virtual - product)"),
    Mutant("fee of the last step rounds down", "swapstep.py", "amount * (MILLION - fee_ppm) // MILLION", "amount - amount * fee_ppm // MILLION"),
    Mutant("fee of the last step not added", "swapstep.py", "        return after, net + fee_on(net, fee_ppm)", "        return after, net"),
    Mutant("down looks below its own tick", "ticks64.py", "index = bisect_right(self._sorted, tick)\n", "index = bisect_left(self._sorted, tick) if down else bisect_right(self._sorted, tick)\n"),
    Mutant("up looks at its own tick", "ticks64.py", "index = bisect_right(self._sorted, tick)\n", "index = bisect_right(self._sorted, tick) if down else bisect_left(self._sorted, tick)\n"),
    Mutant("down goes on past the end", "ticks64.py", "max(end, self._sorted[index - 1]) if index", "self._sorted[index - 1] if index"),
    Mutant("up goes on past the end", "ticks64.py", "min(end, self._sorted[index]) if index", "self._sorted[index] if index"),
    Mutant("counts the tick it stands on going down", "ticks64.py", "bisect_right(self._sorted, after) - bisect_right", "bisect_left(self._sorted, after) - bisect_right"),
    Mutant("goes on with nothing left", "walk.py", "if given[passed] == amount:", "if False:"),
    Mutant("stops at the last of equal sums", "walk.py", "return bisect_left(given, amount), 0", "return bisect_right(given, amount) - 1, 0"),
    Mutant("a leg is passed with one to spare only", "walk.py", "passed = bisect_right(needs, amount)", "passed = bisect_left(needs, amount)"),
    Mutant("a leg's need alone, not on its way", "walk.py", "needs += self._given[-1]", "needs += 0"),
    Mutant("a leg less demanding than the one before", "walk.py", "max(needs, self._needs[-1]) if self._needs else needs", "needs"),
    Mutant("needs of the other side", "walk.py", "other, given, leg.needs_out", "other, given, leg.needs_in"),
    Mutant("a fault is the end", "walk.py", "raise self._fault", "return False"),
    Mutant("amounts beyond 64 bits go in", "walk.py", "if not 0 < amount <= U64_MAX:", "if not 0 < amount:"),
    Mutant("amounts beyond 64 bits come out", "walk.py", "if amount > U64_MAX:", "if amount < 0:"),
    Mutant("part of what was asked for is enough", "walk.py", "if rest and self._exact_out:", "if False:"),
    Mutant("nothing taken is a swap", "walk.py", "if not given:", "if given < 0:"),
    Mutant("a ladder ends with what is there", "walk.py", "if passed == len(self._legs):\n                        break", "if passed == len(self._legs):\n                        results.append(other)\n                        break"),
    Mutant("a ladder forgets the legs before", "walk.py", "other += self._legs[passed].part(rest, self._exact_out).other", "other = self._legs[passed].part(rest, self._exact_out).other"),
    Mutant("taken and paid the wrong way round", "walk.py", "(other, given) if self._exact_out else (given, other)", "(given, other)"),
    Mutant("no −1 after crossing down", "whirlpool.py", "price, tick = target, stop - 1 if down else stop", "price, tick = target, stop"),
    Mutant("−1 after crossing up", "whirlpool.py", "price, tick = target, stop - 1 if down else stop", "price, tick = target, stop - 1"),
    Mutant("crossing adds the net both ways", "whirlpool.py", "liquidity += -entry.net if down else entry.net", "liquidity += entry.net"),
    Mutant("crossing with the wrong sign", "whirlpool.py", "liquidity += -entry.net if down else entry.net", "liquidity += entry.net if down else -entry.net"),
    Mutant("four arrays", "whirlpool.py", "_ARRAYS: Final = 3", "_ARRAYS: Final = 4"),
    Mutant("two arrays", "whirlpool.py", "_ARRAYS: Final = 3", "_ARRAYS: Final = 2"),
    Mutant("arrays of 60 ticks", "whirlpool.py", "ARRAY_TICKS: Final = 88", "ARRAY_TICKS: Final = 60"),
    Mutant("arrays upwards from the tick's own", "whirlpool.py", "min(((tick + spacing) // size", "min((tick // size"),
    Mutant("arrays downwards from the next spacing's", "whirlpool.py", "max((tick // size", "max(((tick + spacing) // size"),
    Mutant("arrays upwards end one tick further", "whirlpool.py", "_ARRAYS) * size - 1, MAX_TICK)", "_ARRAYS) * size, MAX_TICK)"),
    Mutant("a swap beyond its arrays goes on", "whirlpool.py", "if tick == (last - 1 if down else last):", "if False:"),
    Mutant("a swap beyond its arrays is done in part", "whirlpool.py", '                raise QuoteError(f"a swap touches', '                return\n                raise QuoteError(f"a swap touches'),
    Mutant("the last edge not reached", "whirlpool.py", "if tick == (last - 1 if down else last):", "if tick <= last if down else tick >= last:"),
    Mutant("rounding onto a tick does not cross it", "whirlpool.py", "reached=price == self.target", "reached=False"),
    Mutant("what comes out by rounding may exceed 64 bits", "whirlpool.py", "self._pays(price) > U64_MAX", "False"),
    Mutant("tick anew for an unmoved price", "whirlpool.py", "leg.tick if price == leg.price else ORCA.tick_at(price)", "ORCA.tick_at(price)"),
    Mutant("liquidity of the pool after a part", "whirlpool.py", "price, liquidity = part.price, leg.liquidity", "price, liquidity = part.price, self.liquidity"),
    Mutant("liquidity beyond after a part", "whirlpool.py", "price, liquidity = part.price, leg.liquidity", "price, liquidity = part.price, leg.next_liquidity"),
    Mutant("up to the lower end", "whirlpool.py", "limit = ORCA.min_sqrt if down else ORCA.max_sqrt", "limit = ORCA.min_sqrt"),
]  # fmt: skip


def load(mutant: Mutant | None) -> Maths:
    """The classes of a copy of the maths with `mutant`'s change in it."""
    modules = modules_of(FILES, mutant)
    _end(modules["ticks64"].Ticks)
    return Maths(
        modules["whirlpool"].Whirlpool,
        modules["ticks64"].Ticks,
        modules["ticks64"].Tick,
        modules["tickmath64"].ORCA,
        modules["tickmath64"].RAYDIUM,
        modules["walk"].Walk,
    )


def modules_of(files: tuple[str, ...], mutant: Mutant | None) -> dict[str, Any]:
    """Copies of these files of connectors/amm by name, each importing the copies before it; one with the change."""
    package = f"clmm_mutant_{next(_numbers)}"
    modules: dict[str, Any] = {}
    for file in files:
        name, source = file.removesuffix(".py"), (FOLDER / file).read_text()
        if mutant is not None and mutant.file == file:
            found = source.count(mutant.old)
            assert found == 1, f"{mutant.name}: {mutant.old!r} stands {found} times"
            source = source.replace(mutant.old, mutant.new)
        for earlier in modules:
            source = source.replace(f"from connectors.amm.{earlier} import", f"from {package}.{earlier} import")
        module = ModuleType(f"{package}.{name}")
        sys.modules[module.__name__] = module  # so that the later copies find this one
        exec(compile(source, f"{package}/{file}", "exec"), module.__dict__)  # noqa: S102 - our own source
        modules[name] = module
    for name in modules:
        del sys.modules[f"{package}.{name}"]
    return modules


def _end(ticks: Any) -> None:
    """A swap of a mutant that would never end raises instead."""
    find, left = ticks.next, itertools.count(STOPS_MAX, -1)

    def counted(self: Any, tick: int, down: bool, end: int) -> Any:
        if next(left) <= 0:
            raise AssertionError("this swap does not end")
        return find(self, tick, down, end)

    ticks.next = counted
