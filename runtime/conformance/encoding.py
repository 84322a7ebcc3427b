"""T cards about bytes: what leaves is what was approved, digit for digit. They need `Venue.orders` alone."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from connectors.instrument import Instrument
from connectors.orders import NewOrder, OrderType
from connectors.session import KEYED, REST, OrderEncoder, Send, Venue
from connectors.units import I64_MAX
from runtime.conformance.approvals import T0, Mint, example
from runtime.conformance.base import Kit
from runtime.conformance.cards import card, hold, skip, steady
from runtime.conformance.desk import Desk

_NUMBER: Final = re.compile(rb"[0-9]+(?:\.[0-9]+)?")
_METHODS: Final = ("submit", "amend", "cancel", "cancel_all")


class ByteCards(Kit):
    """What an encoder writes."""

    def _encoder(self, venue: Venue, instruments: list[Instrument]) -> OrderEncoder:
        if venue.orders is None:
            skip("capability order_types: Venue.orders is None, nothing can be ordered there")
        return venue.orders(instruments)

    @card("T10", "orders.py", 5)
    def test_t10_exact_on_the_grid(self, venue: Venue) -> None:
        """Price, quantity, side, type and id of whatever the gate approved stand in the bytes, digit for digit, and
        `asked` reads the same from them; what is declared not to be there raises, and is never written as another."""
        instruments = list(
            dict.fromkeys(
                one for tape in self.tapes_of(venue) for one in self.truth(venue, tape).feed.instruments.values()
            )
        )
        encoder = self._encoder(venue, instruments)
        types = sorted(venue.capabilities.order_types)
        hold(types, "Venue.orders is there, and no order type is declared: Capabilities.order_types")

        @steady
        @given(st.integers(0, len(instruments) - 1), st.sampled_from(types), st.sampled_from((1, -1)), st.data())
        def order(index: int, order_type: int, side: int, data: st.DataObject) -> None:
            one = instruments[index]
            mint = Mint(venue, instruments)
            least_px, least_qty = example(one, 1)
            px = one.tick_size_1e9 * data.draw(st.integers(least_px // one.tick_size_1e9, 10**7))
            most = min(10**9, (I64_MAX // 4 * 10**8 // px - least_qty) // one.lot_size_1e8)
            qty = least_qty + one.lot_size_1e8 * data.draw(st.integers(0, most))
            approved = mint.new(px, qty, T0, index=index, side=side, order_type=order_type)
            send = encoder.submit(approved, T0)
            _exact(send, 0 if order_type == OrderType.MARKET else px, qty)
            _read(mint, venue, send, approved.approval)
            _follow(mint, venue, encoder, approved.order, px, qty)

        order()
        _undeclared(venue, encoder, instruments)

    @card("T20", "orders.py", 5)
    def test_t20_only_approved(self, venue: Venue) -> None:
        """Only what the gate approved can be encoded: every method says `Approved[…]`, and a bare order raises."""
        instruments = [
            one for tape in self.tapes_of(venue) for one in self.truth(venue, tape).feed.instruments.values()
        ]
        makers: list[Any] = [self._encoder(venue, instruments)]
        if venue.trading is not None:
            phrases = self.phrases()
            makers += [Desk(venue, phrases).session] if phrases is not None else []
        for maker in makers:
            for name in _METHODS:
                said = [str(one.annotation) for one in inspect.signature(getattr(maker, name)).parameters.values()]
                hold(
                    any("Approved" in one for one in said),
                    f"{type(maker).__name__}.{name} takes {said}, not Approved[…]",
                )
        px, qty = example(instruments[0])
        bare: Any = NewOrder("vgk1t2x3-1", 0, 0, 1, 1, px, qty, int(OrderType.LIMIT))
        try:
            left = makers[0].submit(bare, T0)
        except Exception:  # noqa: BLE001 - whatever it raises: nothing left
            return
        raise AssertionError(f"an order that nobody approved was encoded: {left}")


def _exact(send: Send, px_1e9: int, qty_1e8: int) -> None:
    """The numbers stand in the bytes as decimals: read by neither the encoder's code nor `asked`'s."""
    numbers = {Decimal(text.decode()) for text in _NUMBER.findall(send.data)}
    for what, value in (("price", Decimal(px_1e9).scaleb(-9)), ("quantity", Decimal(qty_1e8).scaleb(-8))):
        hold(not value or value in numbers, f"{what} {value} stands nowhere in {send.data!r}")


def _read(mint: Mint, venue: Venue, send: Send, approval: int) -> None:
    hold(send.approval == approval, f"approval {approval} left as {send.approval}")
    hold(send.link in KEYED or send.link == REST, f"an order leaves on the link {send.link}, which needs no key")
    problem = mint.tap.leaving(venue.name, send.data, send.approval, send.more)
    hold(not problem, f"what leaves is not what was approved: {problem}")


def _follow(mint: Mint, venue: Venue, encoder: OrderEncoder, order: NewOrder, px: int, qty: int) -> None:
    """The same of an amend and a cancel of that order, where they can name it by our id."""
    if venue.capabilities.amend and order.order_type in (OrderType.LIMIT, OrderType.POST_ONLY):
        amend = mint.amend(order, px, qty, T0)
        send = _unless_unnamed(lambda: encoder.amend(amend, T0))
        if send is not None:
            _exact(send, 0 if venue.capabilities.amend_down_only else px, qty)
            _read(mint, venue, send, amend.approval)
    cancel = mint.cancel(order, T0)
    send = _unless_unnamed(lambda: encoder.cancel(cancel, T0))
    if send is not None:
        _read(mint, venue, send, cancel.approval)
    if venue.capabilities.cancel_all:
        whole = mint.cancel_all(T0)
        _read(mint, venue, encoder.cancel_all(whole, T0), whole.approval)


def _undeclared(venue: Venue, encoder: OrderEncoder, instruments: list[Instrument]) -> None:
    mint, told = Mint(venue, instruments), venue.capabilities
    px, qty = example(instruments[0])
    for kind in sorted(set(OrderType) - set(told.order_types)):
        is_refused = _raises(encoder.submit, mint.new(px, qty, T0, order_type=int(kind)))
        hold(is_refused, f"{OrderType(kind).name} is not declared, and is written nevertheless")
    order = mint.new(px, qty, T0)
    if not told.amend:
        amend = mint.amend(order.order, px, qty, T0)
        hold(_raises(encoder.amend, amend), "amend is not declared, and is written nevertheless")
    if not told.cancel_all:
        whole = mint.cancel_all(T0)
        hold(_raises(encoder.cancel_all, whole), "cancel_all is not declared, and is written nevertheless")


def _raises(encode: Callable[[Any, int], Send], approved: Any) -> bool:
    try:
        encode(approved, T0)
    except Exception:  # noqa: BLE001 - whatever it raises: nothing left
        return True
    return False


def _unless_unnamed(encode: Any) -> Send | None:
    """None: the venue knows the order only by its own id, which nobody told yet; an encoder then says a sentence."""
    try:
        sent: Send = encode()
    except Exception as error:
        if " " not in str(error):
            raise
        return None
    return sent
