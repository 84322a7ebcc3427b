"""The point of exit: bytes on their way to a venue are read once more and compared with the approvals, one to one.

What the Knight order asks for (SEC 34-70694): orders *leaving* against orders *entered*. The tap reads bytes as the
venue will (`Venue.asked`, which shares no code with the encoder) and lets them go when they ask for exactly what one
approval of the gate says, which no bytes carried before; bytes that ask for nothing carry none. The first difference
latches: from then on only cancels leave, and those must agree, too.

Bytes may call things by the venue's own names: a market by its symbol without `/` or by a number, an order by the
venue's id. Whose id that is the OMS says, from what the venue reported, and not the session that wrote the bytes.

A tap sees every approval (`approved` is the gate's hook) and is asked about everything that leaves at one place
(`leaving`). It keeps what has not left yet, and no more.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, Asked, CancelAll, CancelOrder, NewOrder
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, trimmed_text
from risk.denial import DenyReason

Reader = Callable[[bytes], list[Asked]]

# How many checks there are, from the table of reasons and not from the tuple the gate runs: every reason is a check's,
# but for these five, which are said where there is no market to judge by, or of any of them.
_NO_CHECK: Final = frozenset(
    {DenyReason.RISK_STATE_UNKNOWN, DenyReason.BAD_VENUE, DenyReason.UNKNOWN_POOL, DenyReason.DUPLICATE_ORDER_ID,
     DenyReason.UNKNOWN_ORDER}
)  # fmt: skip
CHECKS_OF_AN_ORDER: Final = len(DenyReason) - len(_NO_CHECK)
CHECKS_OF_A_CANCEL: Final = 1
WAITING_MAX: Final = 10_000  # approvals whose bytes have not left; no outbox is ever as long
LATE_MAX: Final = 1_000  # cancels that a session keeps for later; beyond them the oldest is forgotten
_SHOWN_MAX: Final = 80
_CANCELS: Final = frozenset({"cancel", "cancel_all"})
_SIDES: Final = {1: "buy", -1: "sell"}


class Waiting(msgspec.Struct, frozen=True, array_like=True):
    """An approval whose bytes have not left: for which market (of a cancel-all ""), and what they must ask for."""

    approval: int
    venue: str
    symbol: str
    asked: Asked
    checks: int


class Tap:
    """What leaves at one place. `difference` is the first that was found, in one sentence; "" while there is none.

    `readers`: venue → its `asked`; from a venue without one nothing leaves. `names[market]`: `venue:symbol`, as the
    gate numbers markets. `silent`: venues whose approved orders are never encoded (chains, on paper). `instruments`: of
    each market, kept current by whoever has them. `venue_ids(client_order_id)`: the venue's id of an order, "" while
    nobody told it. `lowering`: venues whose amends say no price, for they cannot change it.
    """

    def __init__(
        self, readers: Mapping[str, Reader | None], names: Sequence[str], silent: Collection[str] = (), *,
        instruments: Sequence[Instrument | None] = (), venue_ids: Callable[[str], str] = lambda _name: "",
        lowering: Collection[str] = (),
    ) -> None:  # fmt: skip
        self._readers = dict(readers)
        self._markets = [(venue, symbol) for venue, _, symbol in (name.partition(":") for name in names)]
        self._index = {market: index for index, market in enumerate(self._markets)}
        self._silent, self._lowering = frozenset(silent), frozenset(lowering)
        self._instruments, self._venue_ids = instruments, venue_ids
        self._waiting: dict[int, Waiting] = {}
        self._late: dict[int, Waiting] = {}  # cancels without bytes in their own turn: they may leave in a later one
        self._last = 0  # the highest approval there was
        self.difference = ""
        self.passed = 0

    # --- approvals ---------------------------------------------------------------------------------------------------

    def approved(self, approved: Approved[Any]) -> None:
        """The gate approved this."""
        venue, symbol, asked = self._expected(approved.order)
        number = approved.approval
        if self._last and number != self._last + 1:
            self._latch(f"approval {number} was issued after approval {self._last}")
        self._last = max(self._last, number)
        if venue in self._silent:
            return
        if len(self._waiting) >= WAITING_MAX:
            self._latch(f"the bytes of {WAITING_MAX} approvals never left")
            if asked.what not in _CANCELS:
                return
            del self._waiting[next(iter(self._waiting))]
        self._waiting[number] = Waiting(number, venue, symbol, asked, approved.checks)

    def dropped(self, approval: int) -> None:
        """No bytes of it are in the turn that approved it. Of a cancel they may still come, once: a session keeps one
        back until the venue has told the order's id (Coinbase). An order's or an amend's will never leave.
        """
        one = self._waiting.pop(approval, None)
        if one is not None and one.asked.what in _CANCELS:
            if len(self._late) >= LATE_MAX:
                del self._late[next(iter(self._late))]
            self._late[approval] = one

    def unsent(self, what: str, client_order_id: str) -> None:
        """The outbox threw away this order's new or amend: with a new order everything that waits for it."""
        gone = [
            one.approval
            for one in self._waiting.values()
            if one.asked.client_order_id == client_order_id and what in ("new", one.asked.what)
        ]
        for approval in gone:
            self._taken(approval)

    def waiting(self, approval: int) -> Waiting | None:
        """What the bytes of this approval must ask for, while they have not left."""
        return self._waiting.get(approval) or self._late.get(approval)

    def open(self) -> list[Waiting]:
        """Approvals whose bytes have not left, the oldest first."""
        return list(self._waiting.values())

    def _expected(self, order: NewOrder | AmendOrder | CancelOrder | CancelAll) -> tuple[str, str, Asked]:
        """The market, and what bytes of this order ask for, in the fields that such bytes have."""
        if type(order) is CancelAll:
            return order.venue, "", Asked("cancel_all")
        if not isinstance(order, NewOrder | AmendOrder | CancelOrder):
            msg = f"an approval of {type(order).__name__}, which the tap does not know"
            raise ValueError(msg)  # noqa: TRY004 - the gate's mistake, as all others here are
        venue, symbol = self._markets[order.instrument]
        name = order.client_order_id
        if type(order) is NewOrder:
            side, px, qty = order.side, order.px_1e9, order.qty_1e8
            return venue, symbol, Asked("new", name, symbol, side, px, qty, int(order.order_type))
        if type(order) is AmendOrder:
            return venue, symbol, Asked("amend", name, px_1e9=order.px_1e9, qty_1e8=order.qty_1e8)
        return venue, symbol, Asked("cancel", name)

    # --- bytes -------------------------------------------------------------------------------------------------------

    def leaving(self, venue: str, data: bytes, approval: int, more: Sequence[int] = ()) -> str:
        """Asked at the last moment: "" lets these bytes go, anything else is why they must not.

        `more`: approvals of further orders in the same bytes, in their order.
        """
        approvals = (approval, *more)
        reader = self._readers.get(venue)
        if reader is None:
            return self._latch(f"{venue} has nobody who reads what leaves for it")
        try:
            found = reader(data)
        except Exception as error:  # noqa: BLE001 - whatever the reader made of it, it could not be read
            for one in approvals:
                self._taken(one)
            return self._latch(f"bytes for {venue} cannot be read ({str(error)[:_SHOWN_MAX]}): {_shown(data)}")
        if not found and not approval:
            return ""
        expected = [self._taken(one) for one in approvals]
        problem = self._problem(venue, found, approvals, expected)
        if problem:
            return self._latch(f"{problem}: {_shown(data)}")
        if self.difference and found[0].what not in _CANCELS:
            return f"nothing but cancels leaves since: {self.difference}"
        self.passed += 1
        return ""

    def _taken(self, approval: int) -> Waiting | None:
        """Used, or gone for good."""
        return self._waiting.pop(approval, None) or self._late.pop(approval, None)

    def _problem(
        self, venue: str, found: list[Asked], approvals: tuple[int, ...], expected: list[Waiting | None]
    ) -> str:
        if not all(approvals):
            return f"bytes for {venue} ask for {_what(found)} without an approval"
        if len(found) == len(approvals):
            each = zip(found, approvals, expected, strict=True)
            return next((problem for one in each if (problem := self._difference(venue, *one))), "")
        if len(approvals) > 1:
            return f"bytes for {venue} ask for {_what(found)} with {len(approvals)} approvals"
        return self._difference(venue, None, approvals[0], expected[0], _what(found))

    def _difference(
        self, venue: str, found: Asked | None, approval: int, expected: Waiting | None, what: str = ""
    ) -> str:
        what = what or (_what([found]) if found is not None else "")
        if expected is None:
            why = "was used before, or dropped" if approval <= self._last else "was never issued"
            return f"bytes for {venue} ask for {what} with approval {approval}, which {why}"
        if venue != expected.venue:
            return f"approval {approval} is for {expected.venue}, its bytes are for {venue}"
        if found is None:
            return f"bytes for {venue} ask for {what} with approval {approval}, which is for one {expected.asked.what}"
        if found != expected.asked:
            found = self._in_our_words(found, expected)
        if found != expected.asked:
            return f"approval {approval} differs from its bytes for {venue}: {_differences(found, expected.asked)}"
        there_are = CHECKS_OF_A_CANCEL if expected.asked.what in _CANCELS else CHECKS_OF_AN_ORDER
        if expected.checks != there_are:
            return f"approval {approval} was given after {expected.checks} checks, and there are {there_are}"
        return ""

    def _in_our_words(self, found: Asked, waiting: Waiting) -> Asked:
        """The same, with our name for whatever the bytes call by the venue's, where both mean the same.

        Bytes of a cancel or an amend may say the market, which is then the order's; or not.
        """
        venue, expected = waiting.venue, waiting.asked
        changes: dict[str, Any] = {}
        if found.symbol and self._is_same_market(venue, found.symbol, waiting.symbol):
            changes["symbol"] = expected.symbol
        name, number = expected.client_order_id, found.venue_order_id
        is_by_number = bool(number) and not found.client_order_id and found.what in ("cancel", "amend")
        if is_by_number and self._venue_ids(name) == number:
            changes |= {"client_order_id": name, "venue_order_id": ""}
        if found.what == "amend" and not found.px_1e9 and venue in self._lowering:
            changes["px_1e9"] = expected.px_1e9
        return msgspec.structs.replace(found, **changes)

    def _is_same_market(self, venue: str, said: str, symbol: str) -> bool:
        ours = symbol.replace("-", "/")
        if said.replace("-", "/") == ours or said == ours.replace("/", ""):
            return True
        index = self._index.get((venue, symbol), -1)
        instrument = self._instruments[index] if 0 <= index < len(self._instruments) else None
        return instrument is not None and bool(instrument.venue_code) and said == instrument.venue_code

    def _latch(self, problem: str) -> str:
        self.difference = self.difference or problem
        return problem


# --- for people ------------------------------------------------------------------------------------------------------


def _what(found: list[Asked]) -> str:
    if not found:
        return "nothing"
    first = found[0].what[:_SHOWN_MAX]
    return first if len(found) == 1 else f"{len(found)} things, the first being {first}"


def _differences(found: Asked, expected: Asked) -> str:
    said = [
        f"{field} {_field(field, there)} where {_field(field, wanted)} was approved"
        for field, there, wanted in zip(
            Asked.__struct_fields__, msgspec.structs.astuple(found), msgspec.structs.astuple(expected), strict=True
        )
        if there != wanted
    ]
    return ", ".join(said)


def _field(field: str, amount: Any) -> str:
    if field == "side":
        return _SIDES.get(amount, str(amount))
    if field in ("px_1e9", "qty_1e8"):
        return trimmed_text(amount, PRICE_DECIMALS if field == "px_1e9" else SIZE_DECIMALS)
    return repr(amount)[:_SHOWN_MAX]


def _shown(data: bytes) -> str:
    """The bytes, short; a secret is only a placeholder here."""
    return repr(data[: 4 * _SHOWN_MAX])[1:]
