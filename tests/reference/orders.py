"""An approved order as the account sees it: what may still trade, at which price at worst, and what ended it."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.events import ExecReport, ExecType

ENDS = (ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED)


@dataclass(slots=True)
class Order:
    """`waiting`: (price, total) of amends that nothing answered yet, `refused` how many refusals came meanwhile.

    `batch`: (price, total) of all that it may have been since the first of them left. `final`: the total at which it
    ended, by the venue's word; `is_over`: nothing more trades of it, though executions are still to be told.
    """

    name: str
    algo: int
    market: int
    order_id: int
    side: int
    px: int
    total: int
    kind: int
    reach: int
    waiting: list[tuple[int, int]] = field(default_factory=list)
    refused: int = 0
    batch: list[tuple[int, int]] = field(default_factory=list)
    filled: int = 0
    final: int | None = None
    is_live: bool = True
    is_over: bool = False
    seen: set[str] = field(default_factory=set)

    @property
    def is_open(self) -> bool:
        """At the venue, as far as anybody knows: it may be cancelled, met, and its id is taken."""
        return self.is_live and not self.is_over

    @property
    def most(self) -> int:
        if self.is_over and self.final is not None:
            return self.final
        return max([self.total, *(total for _, total in self.batch)])

    @property
    def leaves(self) -> int:
        """What may still trade, or be told, of the largest that it may be."""
        return max(self.most - self.filled, 0) if self.is_live else 0

    @property
    def prices(self) -> list[int]:
        return [self.px, *(px for px, _ in self.batch)]

    @property
    def far(self) -> int:
        """The price that trades furthest."""
        return max(self.prices) if self.side > 0 else min(self.prices)

    def ask(self, px: int, total: int) -> None:
        """An amend leaves."""
        self.batch += [(self.px, self.total), (px, total)]
        self.waiting.append((px, total))

    def answer(self, report: ExecReport) -> None:
        """REPLACED answers the amend that asked for it, if any did; which one was refused is not said.

        One without a total says nothing. When the last is answered, an order that is filled already is done.
        """
        if report.exec_type is ExecType.REPLACED:
            if report.qty_1e8 > 0:
                self._replaced(report.px_1e9, report.qty_1e8)
        else:
            self.refused += 1
        if self.refused >= len(self.waiting):
            self.waiting.clear()
            self.batch.clear()
            self.refused = 0
            self.is_live = self.filled < self.total

    def _replaced(self, px: int, total: int) -> None:
        for asked in self.waiting:
            if asked[1] == total and px in (0, asked[0]):
                self.waiting.remove(asked)
                break
        self.px, self.total = px or self.px, total
        if self.waiting:
            self.batch.append((self.px, self.total))

    def end(self, cum: int) -> None:
        """Over; but what was filled beyond what we were told counts until it is told."""
        self.waiting.clear()
        self.batch.clear()
        self.refused = 0
        if cum > self.filled:
            self.final = max(cum, self.final or 0) if self.is_over else cum
            self.is_over = True
        elif not self.is_over:
            self.is_live = False

    def execute(self, report: ExecReport) -> bool:
        """One execution, once; True when it is new. Ended when all that was told is filled: a fill that left nothing
        says how much that is, whatever else comes out of order."""
        if report.exec_id in self.seen:
            return False
        self.seen.add(report.exec_id)
        self.filled += report.last_qty_1e8
        told = report.cum_qty_1e8 + report.leaves_qty_1e8
        if report.cum_qty_1e8 > 0 and report.leaves_qty_1e8 == 0:
            self.final = report.cum_qty_1e8
        if self.filled >= (max(self.total, told) if self.final is None else self.final):
            self.is_live = False
        return True
