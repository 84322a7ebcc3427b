"""What a chain's session shows, judged at once by the states that the honest chain had: nothing of ours follows it.

Two things hold for every pool and every moment. The ladder that stands is that of the pool's curve at the block the
session says it is of: at every cumulative size it is never better than the curve's own quote, and worse by no more than
one unit of the price scale a level. And that block is no older than the plan allows.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, Protocol

import msgspec

from connectors.amm.ladder import from_quotes
from connectors.book import Level
from connectors.chain import PROBED, ChainPlan, PoolPlan
from connectors.events import BookLost, BookSnapshot
from connectors.onchain.shelf import pair_of
from connectors.pool import PoolUpdate
from connectors.session import Output
from connectors.venues.evm.blocks import Block
from connectors.venues.evm.session import CLOCK_NS, TICK_NS, ChainSession
from tests.support.virtual import STEP_NS

VALUE: Final = 10**17  # price × size, over the token's own units


class Honest(Protocol):
    """The chain's word: every pool's curve by block and place in the plan, and when each block was made."""

    plan: ChainPlan
    truths: dict[str, dict[int, Any]]
    made_ns: dict[str, int]


class Shown(msgspec.Struct, frozen=True):
    """A pool's book as it stands, with the block that it was shown for."""

    bids: list[Level]
    asks: list[Level]
    block_hash: str


def amiss(pool: PoolPlan, curve: Any, bids: Sequence[Level], asks: Sequence[Level], money: Sequence[int]) -> str:
    """'' or what is wrong with this ladder of that curve. `money`: the ladder's sizes, of a pool that is probed."""
    if pool.kind in PROBED:
        return _amiss_of_quotes(pool, curve, bids, asks, money)
    decimals, quote_decimals = pool.tokens[pool.base].decimals, pool.tokens[pool.quote].decimals
    for side, is_ask in ((asks, True), (bids, False)):
        totals = list(accumulate(size for _, size in side))
        amounts = [total * 10**decimals // 10**8 for total in totals]
        said = curve.costs(pool.quote, pool.base, amounts) if is_ask else curve.proceeds(pool.base, pool.quote, amounts)
        if len(said) < len(totals):
            return f"{len(totals)} {'asks' if is_ask else 'bids'}, the pool has {len(said)}"
        walked = accumulate(price * size for price, size in side)
        for total, value, money_said in zip(totals, walked, said, strict=True):
            loss = value - money_said * VALUE // 10**quote_decimals
            loss = loss if is_ask else -loss
            if not 0 <= loss <= total:
                return f"{'asks' if is_ask else 'bids'} to {total}: {loss} off"
    return "" if bids or asks else "empty"


def _amiss_of_quotes(
    pool: PoolPlan, curve: Any, bids: Sequence[Level], asks: Sequence[Level], money: Sequence[int]
) -> str:
    """A probed pool's ladder is made of its own answers at the plan's sizes, and of nothing else."""
    decimals, quote_decimals = pool.tokens[pool.base].decimals, pool.tokens[pool.quote].decimals
    spent = [amount * 10**quote_decimals // 10**9 for amount in money]
    bought = [(amount, curve.exact_in(pool.quote, pool.base, amount).amount_out) for amount in spent]
    step = 10 ** max(decimals - 8, 0)
    sold = [base // step * step for _, base in bought]
    paid = [(base, curve.exact_in(pool.base, pool.quote, base).amount_out) for base in sold]
    expected = from_quotes(bought, paid, pair_of(pool))
    return "" if (list(bids), list(asks)) == expected else "not the pool's own answers"


class Watch:
    """Wraps a session. `shown`: the pools' books now, by place in the plan; `head`: the block shown last.

    `check` False: what is shown is kept and not judged, for a time in which the only provider lies. `wrong` collects
    what an unjudged time has shown.
    """

    def __init__(self, session: ChainSession, chain: Honest) -> None:
        self.session, self.chain = session, chain
        self.shown: dict[int, Shown] = {}
        self.chain_books: dict[int, BookSnapshot] = {}
        self.head = ""
        self.compared = 0
        self.check = True
        self.wrong: list[str] = []
        self.blocks: list[str] = []
        self._keys = {index: key for key, index in session.display.markets.items()}
        self._tags: dict[int, str] = {}
        self._wrap()

    def _wrap(self) -> None:
        session, show, taken = self.session, self.session.display.show_block, self.session._taken
        out = session._out

        def showing(block: Block, keys: Any, endpoint: Any, now_ns: int) -> None:
            first = len(out)
            show(block, keys, endpoint, now_ns)
            for output in out[first:]:
                self._tags[id(output)] = block.head.hash
            self._pending.append((len(out), block.head.hash))

        def taking(now_ns: int) -> list[Output]:
            outputs = taken(now_ns)
            self._hear(outputs)
            return outputs

        self._pending: list[tuple[int, str]] = []
        session.display.show_block = showing  # type: ignore[method-assign]
        session._taken = taking  # type: ignore[method-assign]

    def _hear(self, outputs: list[Output]) -> None:
        pending = self._pending
        self._pending = []
        for place, output in enumerate(outputs):
            while pending and pending[0][0] <= place:
                self._at_block(pending.pop(0)[1])
            self._output(output)
        for _, block_hash in pending:
            self._at_block(block_hash)
        self._tags.clear()

    def _output(self, output: Output) -> None:
        match output:
            case BookSnapshot(index, bids, asks) if index in self._keys:
                self._book(self._keys[index], bids, asks, self._tags[id(output)])
            case BookSnapshot(index):
                self.chain_books[index] = output
            case BookLost(index):
                self.shown.pop(self._keys.get(index, -1), None)
                self.chain_books.pop(index, None)
            case PoolUpdate(index, _, amm) if amm is not None and self.check:
                self._update(self._keys[index], output)

    def _book(self, key: int, bids: list[Level], asks: list[Level], block_hash: str) -> None:
        self.shown[key] = Shown(bids, asks, block_hash)
        self.compared += 1
        self._judge(key, bids, asks, block_hash)

    def _judge(self, key: int, bids: list[Level], asks: list[Level], block_hash: str) -> None:
        plan, truth = self.chain.plan, self.chain.truths.get(block_hash)
        pool = plan.pools[key]
        money = plan.sizes_1e9.get(pool.tokens[pool.quote].symbol) or plan.sizes_1e9[""]
        if truth is None:
            self._found(f"pool {key}: no such block {block_hash}")
        elif key not in truth:
            self._found(f"pool {key}: nothing to show at {block_hash}")
        elif found := amiss(pool, truth[key], bids, asks, money):
            self._found(f"pool {key} at {block_hash[:10]}: {found}")

    def _update(self, key: int, update: PoolUpdate) -> None:
        """The guest's record of the curve, against the node's own."""
        amm = update.amm
        block_hash = self._tags.get(id(update)) or self.head
        truth = self.chain.truths.get(block_hash, {}).get(key)
        if amm is None or truth is None:
            return
        names = ("tick", "liquidity", "fee_ppm") if hasattr(truth, "tick") else ()
        if any(getattr(amm, name) != getattr(truth, name) for name in names) or (
            hasattr(truth, "reserves") and (amm.reserve0, amm.reserve1) != tuple(truth.reserves)
        ):
            self._found(f"pool {key} at {block_hash[:10]}: its record is not the curve")

    def _at_block(self, block_hash: str) -> None:
        """What stood before and was not shown again is said to be of this block as well."""
        self.head = block_hash
        self.blocks.append(block_hash)
        truth = self.chain.truths.get(block_hash)
        if truth is None:
            self._found(f"no such block {block_hash}")
            return
        for key, shown in self.shown.items():
            before = self.chain.truths.get(shown.block_hash, {})
            if truth.get(key) is not before.get(key):
                self._judge(key, shown.bids, shown.asks, block_hash)

    def _found(self, text: str) -> None:
        self.wrong.append(text)
        assert not self.check, text

    def amiss_now(self) -> list[str]:
        """What stands and is not of the block that was shown last."""
        before, self.wrong, check, self.check = self.wrong, [], self.check, False
        for key, shown in self.shown.items():
            self._judge(key, shown.bids, shown.asks, self.head)
        found, self.wrong, self.check = self.wrong, before, check
        return found

    def at(self, now_ns: int) -> None:
        """A moment: nothing that stands is older than the plan allows."""
        if self.shown and self.head in self.chain.made_ns:
            age_ns = now_ns - self.chain.made_ns[self.head]
            allowed_ns = self.chain.plan.stale_after_ns + CLOCK_NS + TICK_NS + STEP_NS
            if age_ns > allowed_ns:
                self._found(f"a book of {age_ns / 10**9} s ago stands")
