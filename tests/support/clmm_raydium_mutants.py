"""Raydium's maths with one thing wrong each; `load(mutant)` gives its classes, `load(None)` those of a true copy."""

# ruff: noqa: E501 - one mutant a line

import itertools
import sys
from types import ModuleType
from typing import Any, Final

from tests.support.amm_mutants import FOLDER, Mutant
from tests.support.clmm_raydium import Maths

FILES: Final = ("raydium_fee.py", "raydium_orders.py", "raydium_legs.py", "raydium.py")
_BENEATH: Final = ("tickmath64.py", "swapstep.py", "ticks64.py", "walk.py")
_STEPS_MAX: Final = 4000  # of one swap: a wrong step may never arrive
_numbers = itertools.count()

FEE, ORDERS, LEGS, POOL = FILES
MUTANTS: Final = [
    Mutant("a filter longer by a second", FEE, "if passed < self.filter_s:", "if passed <= self.filter_s:"),
    Mutant("no filter", FEE, "if passed < self.filter_s:", "if passed < 0:"),
    Mutant("a decay longer by a second", FEE, "if passed < self.decay_s else 0", "if passed <= self.decay_s else 0"),
    Mutant("never forgets", FEE, "if passed < self.decay_s else 0", "if True else 0"),
    Mutant("does not reduce", FEE, "self.accumulator * self.reduction // GROUP", "self.accumulator"),
    Mutant("reduces the reference", FEE, "self.accumulator * self.reduction", "self.reference * self.reduction"),
    Mutant("reduces rounding up", FEE, "kept = self.accumulator * self.reduction // GROUP", "kept = -(-self.accumulator * self.reduction // GROUP)"),
    Mutant("keeps the old group", FEE, "index=group, reference=kept", "reference=kept"),
    Mutant("keeps the old time", FEE, ", updated_s=now_s)", ")"),
    Mutant("accumulates from the accumulator", FEE, "min(self.reference + abs", "min(self.accumulator + abs"),
    Mutant("accumulates with a sign", FEE, "abs(self.index - group)", "(self.index - group)"),
    Mutant("no maximum", FEE, "* GROUP, self.maximum)", "* GROUP, 10**9)"),
    Mutant("fee of the distance, not its square", FEE, "self.control * distance * distance //", "self.control * distance * GROUP //"),
    Mutant("fee without the spacing", FEE, "distance = self.accumulator * spacing", "distance = self.accumulator"),
    Mutant("volatile fee rounds down", FEE, "extra = -(-self.control * distance * distance // (_CONTROL * GROUP * GROUP))", "extra = self.control * distance * distance // (_CONTROL * GROUP * GROUP)"),
    Mutant("volatile fee alone", FEE, "min(base_ppm + extra,", "min(max(base_ppm, extra),"),
    Mutant("volatile fee without an end", FEE, "min(base_ppm + extra, MAX_FEE_PPM)", "min(base_ppm + extra, 999_999)"),
    Mutant("orders at the other rounded price", ORDERS, "square >> _HALF if down else -(-square >> _HALF)", "-(-square >> _HALF) if down else square >> _HALF"),
    Mutant("orders at a price always down", ORDERS, "square >> _HALF if down else -(-square >> _HALF)", "square >> _HALF"),
    Mutant("goes on with as much as there is", ORDERS, "more = self.amount + 1", "more = self.amount"),
    Mutant("orders need no fee", ORDERS, "return net + fee_on(net, self.fee_ppm), self.amount", "return net, self.amount"),
    Mutant("orders out need the net", ORDERS, "(self.amount - 1) * (MILLION - self.fee_ppm) // MILLION + 1", "self._net(self.amount)"),
    Mutant("orders' fee rounds down", ORDERS, "rest - -(-rest * self.fee_ppm // MILLION) if self.on_input", "rest - rest * self.fee_ppm // MILLION if self.on_input"),
    Mutant("orders without a fee in", ORDERS, "rest - -(-rest * self.fee_ppm // MILLION) if self.on_input else rest", "rest"),
    Mutant("orders pay rounding up", ORDERS, "gross = net * self.price >> _HALF if self.down", "gross = -(-net * self.price >> _HALF) if self.down"),
    Mutant("orders the wrong way round", ORDERS, "gross = net * self.price >> _HALF if self.down else (net << _HALF) // self.price", "gross = (net << _HALF) // self.price if self.down else net * self.price >> _HALF"),
    Mutant("orders sell the net", ORDERS, "gross = rest if self.on_input else -(-rest * MILLION // (MILLION - self.fee_ppm))", "gross = rest"),
    Mutant("orders cost rounding down", ORDERS, "net = -(-(gross << _HALF) // self.price) if self.down else", "net = (gross << _HALF) // self.price if self.down else"),
    Mutant("orders cost no fee", ORDERS, "return net + fee_on(net, self.fee_ppm) if self.on_input else net", "return net"),
    Mutant("orders pay no fee out", ORDERS, "return gross if self.on_input else gross - -(-gross * self.fee_ppm // MILLION)", "return gross"),
    Mutant("orders' fee out rounds down", ORDERS, "gross - -(-gross * self.fee_ppm // MILLION)", "gross - gross * self.fee_ppm // MILLION"),
    Mutant("untouched orders first", ORDERS, "    if gross <= part_filled:\n        return orders, part_filled - gross\n    return 0, orders + part_filled - gross", "    if gross <= orders:\n        return orders - gross, part_filled\n    return 0, orders + part_filled - gross"),
    Mutant("touched orders stay apart", ORDERS, "return 0, orders + part_filled - gross", "return orders + part_filled - gross, 0"),
    Mutant("fee out rounds down", LEGS, "return -(-gross * fee_ppm // MILLION)", "return gross * fee_ppm // MILLION"),
    Mutant("fee always on the input", POOL, "return fee_on == FEE_ON_INPUT or (fee_on == FEE_ON_TOKEN0) == down", "return True"),
    Mutant("fee on the other token", POOL, "(fee_on == FEE_ON_TOKEN0) == down", "(fee_on == FEE_ON_TOKEN1) == down"),
    Mutant("whole steps without a fee out", LEGS, "self.paid = gross - _fee_of(gross, fee_ppm)", "self.paid = gross"),
    Mutant("goes on with the net out", LEGS, "(gross - 1) * (MILLION - fee_ppm) // MILLION + 1 if gross else 0", "self.paid"),
    Mutant("last step pays no fee out", LEGS, "other = gross if self.on_input else gross - _fee_of(gross, self.fee_ppm)", "other = gross"),
    Mutant("last step out without the fee", LEGS, "gross = rest if self.on_input else -(-rest * MILLION // (MILLION - self.fee_ppm))", "gross = rest"),
    Mutant("last step out's fee rounds down", LEGS, "else -(-rest * MILLION // (MILLION - self.fee_ppm))", "else rest * MILLION // (MILLION - self.fee_ppm)"),
    Mutant("pays beyond 64 bits", LEGS, "if gross > U64_MAX:", "if gross < 0:"),
    Mutant("rounding onto a tick does not cross it", LEGS, "reached=after == self.end.price", "reached=False"),
    Mutant("tick anew for an unmoved price", LEGS, "        if part.price == start.price:\n            return start\n", ""),
    Mutant("orders bought up leave the tick uncrossed", LEGS, "reached=gross == self.resting.amount", "reached=False"),
    Mutant("orders bought stay", LEGS, "changed=(*self.start.changed, (self.tick, entry))", "changed=self.start.changed"),
    Mutant("orders bought before are forgotten", LEGS, "changed=(*self.start.changed, (self.tick, entry))", "changed=((self.tick, entry),)"),
    Mutant("bought up orders stay", LEGS, "changed = (*changed, (stop,", "changed = (*changed[:0], (stop + 1,"),
    Mutant("emptied ticks stay", LEGS, "Tick(entry.net, entry.gross) if entry.gross else None", "Tick(entry.net, entry.gross)"),
    Mutant("emptied ticks with liquidity go", LEGS, "Tick(entry.net, entry.gross) if entry.gross else None", "None"),
    Mutant("goes to the very end", LEGS, "RAYDIUM.min_sqrt + 1", "RAYDIUM.min_sqrt + 2"),
    Mutant("group cut towards zero", LEGS, "self.group = state.tick // ticks.spacing", "self.group = int(state.tick / ticks.spacing)"),
    Mutant("orders ignored", LEGS, "resting = entry.orders + entry.part_filled", "resting = 0"),
    Mutant("touched orders ignored", LEGS, "resting = entry.orders + entry.part_filled", "resting = entry.orders"),
    Mutant("a tick with orders is crossed", LEGS, "here if resting else beyond", "beyond"),
    Mutant("stands beyond a tick with orders", LEGS, "here = State(goal, stop if down else stop - 1,", "here = State(goal, stop - 1 if down else stop,"),
    Mutant("orders' own tick crossed the wrong way", LEGS, "beyond = State(goal, stop - 1 if down else stop,", "beyond = State(goal, stop,"),
    Mutant("crosses with the wrong sign", LEGS, "liquidity += -entry.net if down else entry.net", "liquidity += entry.net"),
    Mutant("orders alone change the liquidity", LEGS, "        if entry.gross:\n            liquidity +=", "        if True:\n            liquidity += 1 if not entry.gross else"),
    Mutant("volatility is not counted", LEGS, "volatility = state.volatility.moved(self.group)", "volatility = state.volatility.moved(state.volatility.index)"),
    Mutant("volatility is not kept", LEGS, "self.state = State(state.price, state.tick, state.liquidity, volatility, state.changed)\n", "pass\n"),
    Mutant("no steps at groups", LEGS, "if not state.liquidity or volatility.is_at_most:", "if True:"),
    Mutant("steps at groups without liquidity", LEGS, "if not state.liquidity or volatility.is_at_most:", "if volatility.is_at_most:"),
    Mutant("edge of the wrong group down", LEGS, "(self.group if self.down else self.group + 1)", "(self.group - 1 if self.down else self.group + 1)"),
    Mutant("edge of the wrong group up", LEGS, "(self.group if self.down else self.group + 1)", "(self.group if self.down else self.group + 2)"),
    Mutant("the group skipped to is the tick's own", LEGS, " - (not self.down and tick % spacing == 0)", ""),
    Mutant("the group skipped to stays", LEGS, "            self.group = tick // spacing - (not self.down and tick % spacing == 0)\n", "            pass\n"),
    Mutant("skipping is not counted", LEGS, "            if not volatility.is_at_most:\n", "            if False:\n"),
    Mutant("the next group is this one", LEGS, "self.group += -1 if self.down else 1", "self.group += 0"),
    Mutant("orders at the fee without volatility", LEGS, "Resting.at(goal, resting, fee_ppm, down", "Resting.at(goal, resting, self.fee_ppm, down"),
    Mutant("steps at the fee without volatility", LEGS, "yield Stretch(start, here if resting else beyond, fee_ppm, down", "yield Stretch(start, here if resting else beyond, self.fee_ppm, down"),
    Mutant("volatility as it was kept", POOL, "pool.volatility.begun(tick // spacing, pool.now_s) if pool.volatility else None", "pool.volatility"),
    Mutant("volatility begins a group too high", POOL, "begun(tick // spacing,", "begun(tick // spacing + 1,"),
    Mutant("swaps in part", POOL, "if quote.amount_in != amount:", "if quote.amount_in > amount:"),
    Mutant("swaps for nothing", POOL, "if not taken or not paid:", "if not taken:"),
    Mutant("forgets the orders", POOL, "self.ticks.replaced(dict(state.changed)) if state.changed else self.ticks", "self.ticks"),
    Mutant("forgets the volatility", POOL, "            volatility=state.volatility,\n", ""),
    Mutant("forgets the liquidity", POOL, "            liquidity=state.liquidity,\n", ""),
    Mutant("ends within the leg", POOL, "if part is None or part.reached else", "if part is None else"),
]  # fmt: skip


def load(mutant: Mutant | None) -> Maths:
    """The classes of a copy of the maths with `mutant`'s change in it."""
    package = f"raydium_mutant_{next(_numbers)}"
    names: dict[str, Any] = {}
    for file in (*_BENEATH, *FILES):
        source = (FOLDER / file).read_text()
        if mutant is not None and mutant.file == file:
            assert source.count(mutant.old) == 1, f"{mutant.name}: stands {source.count(mutant.old)} times"
            source = source.replace(mutant.old, mutant.new)
        for earlier in names:
            source = source.replace(f"from connectors.amm.{earlier} import", f"from {package}.{earlier} import")
        module = ModuleType(f"{package}.{file.removesuffix('.py')}")
        sys.modules[module.__name__] = module  # so that the later copies find this one
        exec(compile(source, f"{package}/{file}", "exec"), module.__dict__)  # noqa: S102 - our own source
        names[file.removesuffix(".py")] = module
    for name in names:
        del sys.modules[f"{package}.{name}"]
    maths = Maths(
        names["raydium"].Raydium, names["raydium_fee"].Volatility, names["ticks64"].Ticks, names["ticks64"].Tick,
        names["tickmath64"].RAYDIUM, names["raydium_legs"].Course, names["raydium_orders"].Resting,
    )  # fmt: skip
    _end(maths)
    return maths


def _end(maths: Maths) -> None:
    """A swap of a mutant that would never end raises instead."""
    begin, build, steps = maths.course._begin, maths.course.__init__, [0]

    def counted(self: Any, target: int) -> Any:
        steps[0] += 1
        if steps[0] > _STEPS_MAX:
            raise AssertionError("this swap does not end")
        return begin(self, target)

    def built(self: Any, *given: Any) -> None:
        steps[0] = 0
        build(self, *given)

    maths.course._begin, maths.course.__init__ = counted, built
