"""Which markets are followed, under which names their books are told, and what is known of them.

Markets are looked up by base and quote in the venue's own words, and their book's name is the product's `alias`, where
it has one: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels says that public
channels answer for BTC-USDC with BTC-USD; a stored answer of the products call has `"alias":"BTC-USD"` there.
"""

import re
from collections.abc import Sequence

import msgspec

from connectors.errors import InstrumentError, WireError
from connectors.events import BookLost, InstrumentUpdate, Notice
from connectors.exchange.subscription import UNREADABLE, State
from connectors.instrument import Instrument
from connectors.session import Output, SessionPlan
from connectors.units import TextGrid
from connectors.venues.coinbase import reading, wire
from connectors.venues.coinbase.metadata import Found
from connectors.venues.coinbase.product import Follower, Product


class Learnt(msgspec.Struct):
    """What metadata changed: `ready` may be subscribed, `again` must be, for the reason beside it."""

    out: list[Output] = []
    ready: list[Product] = []
    again: list[tuple[Product, str]] = []


class Listing:
    """`products`: by any name that their messages may have; `of`: by the engine's index."""

    def __init__(self, plan: SessionPlan) -> None:
        self.products: dict[str, Product] = {}
        self.of: dict[int, Product] = {}
        self._followers = [Follower(index, symbol) for index, symbol in plan.symbols]
        self._made: dict[int, tuple[Instrument, tuple[int, int]]] = {}  # and the decimals of its book
        for follower in self._followers:
            self._join(follower, self.products.get(follower.name) or Product(follower.name))
            known = plan.instruments.get(follower.index)
            if known is not None:
                self.of[follower.index].texts = TextGrid(known.price_precision, known.size_precision)

    @property
    def names(self) -> list[str]:
        return [follower.name for follower in self._followers]

    def each(self) -> list[Product]:
        return list(dict.fromkeys(self.of.values()))

    def named_in(self, text: str, products: Sequence[Product]) -> list[Product]:
        """Those that words of the venue name: BTC-USDC does not name BTC-USD."""
        words = frozenset(re.findall(r"[A-Z0-9]+-[A-Z0-9]+", text))
        return [one for one in products if one.is_named(words)]

    def refuse(self, follower: Follower, why: str) -> list[Output]:
        product = self.of[follower.index]
        if len(product.followers) > 1:  # the others' book goes on
            product.followers.remove(follower)
            product = Product(follower.name)
            self._join(follower, product)
        product.move(State.REFUSED)
        return [
            BookLost(follower.index, f"refused: {why}"),
            Notice("error", f"coinbase {follower.symbol}: {why}; the other symbols go on"),
        ]

    def learn(self, found: Found) -> Learnt:
        learnt = Learnt(list(found.out))
        for name, why in found.missing:
            for follower in self._followers:
                if follower.name == name and self.of[follower.index].state is not State.REFUSED:
                    learnt.out += self.refuse(follower, why)
        for raw in found.products:
            try:
                said = wire.decode_product_name(raw)
            except UNREADABLE as error:
                learnt.out.append(Notice("error", f"coinbase: a product that cannot be read: {error}"))
                continue
            for follower in self._followers:
                if follower.name == said.product_id:
                    self._define(follower, raw, learnt)
        learnt.ready = [one for one in dict.fromkeys(learnt.ready) if one.state in (State.IDLE, State.REFUSED)]
        return learnt

    def _define(self, follower: Follower, raw: msgspec.Raw, learnt: Learnt) -> None:
        try:
            said = wire.decode_product(raw)
            made = reading.instrument(said, follower.symbol)
            names = (said.base_currency_id, said.quote_currency_id)
            if names != ("", "") and "-".join(names) != follower.name:
                raise WireError(f"{said.product_id} trades {names[0]} for {names[1]}")
        except (*UNREADABLE, InstrumentError) as error:
            if self.of[follower.index].state is not State.REFUSED:
                learnt.out += self.refuse(follower, str(error))
            return
        before = self._made.get(follower.index)
        self._made[follower.index] = (made, reading.book_decimals(made, said))
        if before is None or before[0] != made:
            learnt.out.append(InstrumentUpdate(follower.index, made))
        self._place(follower, said.alias or follower.name, learnt)
        self._measure(self.of[follower.index], learnt)
        learnt.ready.append(self.of[follower.index])

    def _place(self, follower: Follower, name: str, learnt: Learnt) -> None:
        """Its book is told under this name, perhaps with another market's."""
        old = self.of[follower.index]
        product = self.products.get(name)
        if product is old and old.symbol == name:
            return
        old.followers.remove(follower)
        self._join(follower, product if product is not None and product.symbol == name else Product(name))
        product = self.of[follower.index]
        if product.state is State.LIVE:
            learnt.again.append((product, f"{follower.symbol} has the book of {name}"))  # and no snapshot of it yet

    def _join(self, follower: Follower, product: Product) -> None:
        product.followers.append(follower)
        self.of[follower.index] = self.products[product.symbol] = self.products[follower.name] = product

    def _measure(self, product: Product, learnt: Learnt) -> None:
        """One grid for the book, fine enough for every market that has it."""
        known = [self._made[one.index][1] for one in product.followers if one.index in self._made]
        grid = TextGrid(max(price for price, _ in known), max(size for _, size in known))
        old, product.texts = product.texts, grid
        if old is None or (old.price_power, old.size_power) == (grid.price_power, grid.size_power):
            return
        if product.state is State.LIVE:
            learnt.out += lost(product, "precision changed")
            learnt.again.append((product, "precision changed"))


def lost(product: Product, reason: str, *, is_gap: bool = False) -> list[Output]:
    return [BookLost(one.index, reason, is_gap) for one in product.followers]
