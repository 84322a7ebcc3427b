"""Random days of money: fills, fees, marks, midnights and restarts, and what was lost since 00:00 UTC, in fractions.

The whole reference is `Book`: cash paid and received, and what is held at the last mid. No average cost, no realised
and unrealised: their sum is this, whatever way the cost is shared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from random import Random

import msgspec

from connectors.book import L2Book
from connectors.events import ExecReport, ExecType
from connectors.instrument import Instrument
from connectors.orders import Approved
from risk.checks import Link, Market
from risk.denial import Denied, DenyReason
from risk.gate import Deployment, Gate
from risk.happenings import DayRolled
from risk.limits import Limits, LimitTree, Scope
from risk.memory import Memory

DAY = 86_400 * 10**9
UNIT_PX, UNIT_QTY = 10**9, 10**8
SYMBOLS = ("BTC/USD", "ETH/USD", "BTC/EUR", "ETH/EUR")
WIDE = 10**6
LOSS = {"account": 40, "algo:one": 25, "algo:two": 25, "instrument:BTC/USD": 20}


def at(text: str) -> int:
    """A moment of UTC in ns."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@dataclass
class Book:
    """What one scope is worth in one currency: cash, and per market what is held."""

    cash: Fraction = Fraction(0)
    held: dict[int, int] = field(default_factory=dict)
    start: Fraction = Fraction(0)
    latched: bool = False

    def worth(self, mids: dict[int, Fraction]) -> Fraction:
        return self.cash + sum((qty * mids[market] for market, qty in self.held.items() if qty), Fraction(0))


class Days:
    """One account, four markets, two algos, for as many days as are asked for; checked after every event."""

    def __init__(self, seed: int, start_ns: int) -> None:
        self.rng = Random(seed)
        self.now = start_ns
        self.link = Link()
        self.link.is_reconciled = True
        self.books = [L2Book() for _ in SYMBOLS]
        self.markets = [
            Market(_instrument(symbol), book, self.link, 1, name=f"kraken:{symbol}", symbol=symbol)
            for symbol, book in zip(SYMBOLS, self.books, strict=True)
        ]
        scopes = [
            Scope(label.partition(":")[0], label.partition(":")[2], {"max_daily_loss_1e9": loss * UNIT_PX})
            for label, loss in LOSS.items() if label != "account"
        ]  # fmt: skip
        account = Limits(
            max_position_1e8=WIDE * UNIT_QTY, max_order_notional_1e9=WIDE * UNIT_PX, max_order_rate=WIDE,
            price_collar_bps=10_000, max_daily_loss_1e9=LOSS["account"] * UNIT_PX, max_open_orders=WIDE,
        )  # fmt: skip
        self.tree = LimitTree(account, tuple(scopes))
        self.gate = self.new_gate()
        self.mids: dict[int, Fraction] = {}
        self.scopes = {
            (label, quote): Book() for label in LOSS for quote in ("USD", "EUR")
            if not (label.endswith("USD") and quote == "EUR")
        }  # fmt: skip
        self.serial = self.events = self.trips = self.restarts = self.rolls = 0
        self.date = self.now // DAY
        self.gate.roll(self.now)
        self.refresh(self.now)

    def new_gate(self) -> Gate:
        deployments = [Deployment(1, tuple(range(4)), name=name, sha256=name * 20) for name in ("one", "two")]
        return Gate(self.tree, self.markets, deployments)

    # --- the reference -------------------------------------------------------------------------------------------

    def books_of(self, market: int, algo: int) -> list[Book]:
        symbol = SYMBOLS[market]
        labels = ("account", f"algo:{('one', 'two')[algo]}", f"instrument:{symbol}")
        return [self.scopes[label, symbol[4:]] for label in labels if (label, symbol[4:]) in self.scopes]

    def expect(self) -> bool:
        """What should be latched now; whether that is more than before."""
        tripped = False
        for (label, _), book in self.scopes.items():
            if not book.latched and book.start - book.worth(self.mids) > LOSS[label]:
                book.latched = tripped = True
        self.trips += tripped
        return tripped

    # --- what happens --------------------------------------------------------------------------------------------

    def until(self, now: int) -> None:
        """Time passes; the first input after 00:00 UTC begins the day, and no other does."""
        self.now = now
        self.link.last_ns = now
        self.gate.take()
        rolled = self.gate.roll(now)
        assert rolled == (now // DAY > self.date), f"a day began at {now % DAY} ns after midnight"
        assert [DayRolled(now // DAY * DAY + DAY)] * rolled == self.gate.take()
        if rolled:
            self.date = now // DAY
            self.rolls += 1
            for book in self.scopes.values():
                book.start = book.worth(self.mids)

    def mark(self, market: int, mid: Fraction) -> None:
        """A book whose middle is a multiple of half a unit's thousandth."""
        self.mids[market] = mid
        bid = int(mid * UNIT_PX) - UNIT_PX // 1_000
        ask = int(2 * mid * UNIT_PX) - bid
        self.books[market].load([(bid, WIDE * UNIT_QTY)], [(ask, WIDE * UNIT_QTY)], self.now)
        tripped = self.gate.mark(market, bid + ask, self.now)
        self.agree(tripped, self.expect(), f"mark {SYMBOLS[market]} at {mid}")

    def refresh(self, now: int) -> None:
        """Every market is marked where it was, or at 100: nothing changes by it."""
        self.now = now
        self.link.last_ns = now
        for market in self.rng.sample(range(4), 4):
            self.mark(market, self.mids.get(market, Fraction(100)))

    def order(self, algo: int, market: int, side: int, units: int) -> Approved[object] | Denied:  # type: ignore[type-var]
        self.serial += 1
        action = (self.serial, int(self.mids[market]) * UNIT_PX, units * UNIT_QTY, side, 0, 2, 0, 0, market, 0)
        return self.gate.check_new(algo, f"c{self.serial}", action, self.now)

    def trade(self, algo: int, market: int, side: int, units: int) -> None:
        """An order, filled in one piece or two; refused only where it is latched and does more than reduce."""
        books = self.books_of(market, algo)
        # the algo's own limit looks at its own position, the others at the account's
        reduces = [
            side * book.held.get(market, 0) < 0 and units <= abs(book.held[market])
            for book in (books[0], books[1], *books[:1] * len(books[2:]))
        ]
        verdict = self.order(algo, market, side, units)
        if any(book.latched and not spared for book, spared in zip(books, reduces, strict=True)):
            assert isinstance(verdict, Denied) and verdict.reason is DenyReason.DAILY_LOSS, verdict
            return
        assert isinstance(verdict, Approved), f"{verdict}: reduces={reduces}"
        parts = [units] if units == 1 or self.rng.random() < 0.6 else [1, units - 1]
        done = 0
        for part in parts:
            done += part
            self.fill(algo, market, side, part, done, units - done)

    def fill(self, algo: int, market: int, side: int, part: int, done: int, left: int) -> None:
        rng = self.rng
        price = (self.mids[market] * 1_000 + rng.randint(-900, 900)).__floor__()
        fee = Fraction(rng.randint(0, 300) if rng.random() < 0.5 else 0, 1_000)
        for book in self.books_of(market, algo):
            book.cash -= side * part * Fraction(price, 1_000) + fee
            book.held[market] = book.held.get(market, 0) + side * part
        tripped = self.gate.fold(
            ExecReport(
                client_order_id=f"c{self.serial}", exec_type=ExecType.TRADE, instrument=market,
                exec_id=f"e{self.serial}-{done}", last_qty_1e8=part * UNIT_QTY, last_px_1e9=price * 10**6,
                cum_qty_1e8=done * UNIT_QTY, leaves_qty_1e8=left * UNIT_QTY, fee_1e9=int(fee * UNIT_PX),
            ),
            self.now,
        )  # fmt: skip
        self.agree(tripped, self.expect(), f"fill {side * part} {SYMBOLS[market]} at {price}, fee {fee}")

    def agree(self, tripped: bool, expected: bool, what: str) -> None:
        self.events += 1
        assert tripped == expected, f"{what}: the gate {'tripped' if tripped else 'did not trip'}: {self.account()}"
        if tripped:
            self.compare()

    def account(self) -> dict[tuple[str, str], str]:
        return {key: f"{book.worth(self.mids) - book.start}" for key, book in self.scopes.items()}

    def compare(self) -> None:
        """The latches by name, and the loss of every scope to the last unit."""
        memory = self.gate.memory()
        latched = {
            (scope, quote) for scope, quotes in memory.days.items() for quote, day in quotes.items() if day.latches
        }
        assert latched == {key for key, book in self.scopes.items() if book.latched}
        for one in self.gate.standing():
            if one.key == "max_daily_loss_1e9":
                book = self.scopes[one.scope, one.currency]
                assert one.observed == -((book.worth(self.mids) - book.start) * UNIT_PX).__floor__(), one

    def restart(self) -> None:
        """The gate ends; another begins from its memory, and learns the prices anew."""
        text = msgspec.json.encode(self.gate.memory())
        self.gate = self.new_gate()
        self.gate.restore(msgspec.json.decode(text, type=Memory))
        self.restarts += 1

    def arm(self) -> None:
        self.gate.arm("all", "person", self.now)
        for book in self.scopes.values():
            if book.latched:
                book.latched, book.start = False, book.worth(self.mids)


def _instrument(symbol: str) -> Instrument:
    return Instrument(
        venue="kraken", symbol=symbol, price_precision=9, size_precision=8, tick_size_1e9=1, lot_size_1e8=1
    )  # fmt: skip
