"""The window of an EVM chain: gas is asked every ten seconds, and one in so many emissions of the chain's book is
quoted again on the chain."""

from collections.abc import Iterable
from typing import Final

import msgspec

from connectors.chain import ChainPlan
from connectors.events import Notice
from connectors.onchain.asker import SECOND
from connectors.onchain.jsonrpc import text_of
from connectors.onchain.states import Moment
from connectors.onchain.window import Window
from connectors.session import Output, SessionPlan
from connectors.venues.evm.abi import quantity
from connectors.venues.evm.audit import PPM_A_BP, Check, requoting
from connectors.venues.evm.batch import Batch
from connectors.venues.evm.blocks import Block
from connectors.venues.evm.endpoint import Endpoint
from connectors.venues.evm.gas import Gas

GAS_NS: Final = 10 * SECOND


class Display(Window):
    """`show_block` shows a block's pools. `checks`: by symbol, of the chain's own book."""

    def __init__(self, plan: SessionPlan, chain: ChainPlan, out: list[Output]) -> None:
        self.gas = Gas(chain.gas)
        super().__init__(plan, chain, out, self.gas)
        self.checks: dict[str, Check] = {}
        self._gas_ns = 0
        self._at: tuple[Block, Endpoint] | None = None  # what is shown, and by whose word

    def restart(self) -> None:
        """Another endpoint is followed: what is asked now and then is asked of it at once."""
        self._gas_ns = 0

    def show_block(self, block: Block, keys: Iterable[int], endpoint: Endpoint, now_ns: int) -> None:
        """Shows these pools at this block, which the endpoint has told of."""
        self._at = block, endpoint
        self.gas.saw(block.head)
        self.ask_gas(block, endpoint, now_ns)
        self.show(block, keys, now_ns)

    def ask_gas(self, block: Block, endpoint: Endpoint, now_ns: int) -> None:
        """Every ten seconds."""
        if now_ns < self._gas_ns:
            return
        self._gas_ns = now_ns + GAS_NS

        def tipped(result: msgspec.Raw | None, why_not: str, now_ns: int) -> None:
            if result is not None:
                self.gas.tipped(quantity(text_of(result)))
                self.priced(now_ns)
            else:
                self._out.append(Notice("warning", f"the price of gas is not known: {why_not}"))

        def below(results: dict[int, int | str], why_not: str, now_ns: int) -> None:
            found = results.get(0)
            if isinstance(found, int):
                self.gas.below(found)
                self.priced(now_ns)
            else:
                self._out.append(Notice("warning", f"the L1 part of gas is not known: {why_not or found}"))

        if self.gas.wants_tip:
            endpoint.ask("eth_maxPriorityFeePerGas", [], tipped, now_ns)
        Batch(endpoint, self._plan.multicall, block.head.hash, {0: self.gas.reading()}, below).start(now_ns)

    # --- the chain's own book --------------------------------------------------------------------------------------

    def is_believed(self, symbol: str, moment: Moment, now_ns: int) -> bool:
        """Asked again on the chain, now and then; while it was wrong, always, and not shown."""
        del moment  # a block, the one in `_at`
        check = self.checks.setdefault(symbol, Check())
        check.emissions += 1
        if self._at is not None and (check.suppressed or check.emissions % self._plan.check_every == 0):
            self._requote(symbol, check, *self._at, now_ns)
        return not check.suppressed

    def _requote(self, symbol: str, check: Check, block: Block, endpoint: Endpoint, now_ns: int) -> None:
        index = self.shelf.chain_markets[symbol]

        def done(results: dict[int, tuple[int, int] | str], why_not: str, now_ns: int) -> None:
            del now_ns
            if why_not:
                return  # nothing was said of it
            check.requotes += 1
            found, was_suppressed = results[0], bool(check.suppressed)
            if isinstance(found, str):
                check.suppressed, reason = found, f"cannot be requoted: {found}"
            else:
                check.worst_ppm, allowed = found
                reason = f"a requote is {check.worst_ppm // PPM_A_BP} bps off, {allowed // PPM_A_BP} are allowed"
                if check.worst_ppm <= allowed:
                    check.suppressed = ""
                    return
                check.suppressed = reason
            check.suppressions += 1
            self._out += self.shelf.drop(index, reason)
            if not was_suppressed:
                self._out.append(Notice("error", f"{symbol} of this chain is not shown: {reason}"))

        worth_1e9 = self.worth_1e9(symbol, block)
        readings = {0: requoting(self._plan, self.shelf, block, symbol, self.gas, worth_1e9)}
        Batch(endpoint, self._plan.multicall, block.head.hash, readings, done).start(now_ns)
