"""T cards about what becomes of orders. They need `Venue.trading`, and the venue's words in trading.toml."""

from __future__ import annotations

from typing import Any, Final

from connectors.events import Doubt, ExecReport, ExecType, Movement, RejectCode
from connectors.orders import NewOrder
from connectors.session import PRIVATE, TRADE, Venue
from runtime.conformance.base import Kit
from runtime.conformance.cards import card, hold, skip
from runtime.conformance.desk import Desk
from runtime.conformance.phrases import DOUBT, FILE, Phrases

BURST: Final = 3_000  # orders in one moment: more than any venue takes


class TradeCards(Kit):
    """Executions, silence, refusals, rates."""

    def _desk(self, venue: Venue) -> Desk:
        return Desk(venue, self._phrases(venue)).ready()

    def _phrases(self, venue: Venue) -> Phrases:
        if venue.trading is None:
            skip("capability trading: Venue.trading is None, orders are filled on paper")
        found = self.phrases()
        if found is None:
            raise AssertionError(f"no {FILE} in {self.folder()}: it says how the venue answers (docs/add-a-venue.md)")
        return found

    @card("T30", "trading.py", 5)
    def test_t30_fills_add_up(self, venue: Venue) -> None:
        """Of every order the executions add up to what it says is filled, and what is left agrees; an order that is
        filled or cancelled says so once."""
        desk = self._desk(venue)
        approved = desk.new()
        hold(len(desk.reports(approved, ExecType.NEW)) == 1, f"taken by the venue, told: {_kinds(desk, approved)}")
        part = approved.order.qty_1e8 // 3
        for count in (1, 2, 3):
            desk.fill(approved, part, part * count, str(880_000 + count))
        desk.wait(5)
        _adds_up(desk, approved.order, desk.reports(approved), 3)
        other = desk.new()
        desk.fill(other, part, part, "880004")
        desk.cancel(other)
        desk.wait(5)
        reports = desk.reports(other)
        _adds_up(desk, other.order, reports, 1)
        ends = [one for one in reports if one.exec_type in (ExecType.CANCELED, ExecType.EXPIRED)]
        hold(len(ends) == 1, f"cancelled once, told: {_kinds(desk, other)}")
        doubted = [one for one in desk.outputs if isinstance(one, ExecReport) and one.exec_type is ExecType.UNKNOWN]
        hold(not doubted, f"everything was answered, and {doubted[:1]} is in doubt")

    @card("T40", "trading.py", 5)
    def test_t40_executions_count_once(self, venue: Venue) -> None:
        """An execution that is told again, at once or after others, is counted once, and its money moves once."""
        desk = self._desk(venue)
        approved = desk.new()
        part = approved.order.qty_1e8 // 3
        first = desk.fill(approved, part, part, "880001")
        desk.again(first)
        desk.fill(approved, part, 2 * part, "880002")
        desk.again(first)
        desk.fill(approved, part, part, "880001")  # told anew, as after a reconnection
        desk.wait(5)
        _adds_up(desk, approved.order, desk.reports(approved), 2)
        moved = [(one.ref, one.currency, one.kind) for one in desk.outputs if isinstance(one, Movement)]
        hold(len(moved) == len(set(moved)), f"money moved twice: {moved}")

    @card("T50", "trading.py", 5)
    def test_t50_silence_is_doubt(self, venue: Venue) -> None:
        """An order that nobody answers is UNKNOWN, told once, and looked for; it is never sent again, and never called
        refused. So is one whose link is cut."""
        for is_cut in (False, True):
            desk = self._desk(venue)
            desk.mute = {"new"}
            approved = desk.new()
            name = approved.order.client_order_id
            if desk.phrases.listed:
                desk.speaker.open[name] = desk.places[name]
            if is_cut:
                for link in (TRADE, PRIVATE) if desk.trading.trade_url else (PRIVATE,):
                    desk.down(link)
                desk.wait(1)
                for link in (TRADE, PRIVATE) if desk.trading.trade_url else (PRIVATE,):
                    desk.up(link)
            before = len(desk.pictures())
            desk.wait(desk.trading.deadline_ns // 10**9 + 30)
            kinds = _kinds(desk, approved)
            is_proved = is_cut and "new" in kinds  # a look after the cut found it before doubt was told
            hold(kinds.count("unknown") == 1 or (is_proved and "unknown" not in kinds), f"unanswered, told: {kinds}")
            hold(not {"rejected", "canceled", "expired"} & set(kinds), f"nothing was proved, and told is {kinds}")
            hold(desk.asked_for("new", name) == 1, "an order that nobody answered was sent again")
            hold(any(isinstance(one, Doubt) for one in desk.outputs) or is_cut, "in doubt, and nobody is asked to look")
            hold(
                len(desk.pictures()) > before or is_cut,
                "in doubt, and no look at the account was answered with a Picture",
            )
            if desk.phrases.listed:
                shown = [one.client_order_id for picture in desk.pictures() for one in picture.open]
                hold(name in shown, f"the venue lists {name} as open, and no Picture names it: {shown}")

    @card("T60", "errors.py", 5)
    def test_t60_refusals_are_a_closed_table(self, venue: Venue) -> None:
        """Each refusal that the venue documents means one thing; one that nobody documented is UNKNOWN, and loud."""
        phrases = self._phrases(venue)
        hold(phrases.refusals and phrases.unlisted, f"{FILE} names no [refusals], or no `unlisted` ones")
        for said, means in phrases.refusals.items():
            desk, kinds, codes = self._refused(venue, said)
            if means == DOUBT:
                hold(kinds == ["unknown"], f"{said!r} decides nothing, and was told as {kinds}")
                hold(
                    any(isinstance(one, Doubt) for one in desk.outputs),
                    f"{said!r}: in doubt, and nobody is asked to look",
                )
            else:
                hold(kinds == ["rejected"], f"{said!r} is a refusal, and was told as {kinds}")
                hold(codes == [RejectCode[means]], f"{said!r} means {means}, and was told as {codes}")
        for said in phrases.unlisted:
            desk, kinds, _ = self._refused(venue, said)
            hold(kinds == ["unknown"], f"{said!r} is documented nowhere, and was told as {kinds}")
            hold(desk.notices("error"), f"{said!r} is documented nowhere, and no person is told")

    def _refused(self, venue: Venue, said: str) -> tuple[Desk, list[str], list[RejectCode]]:
        code, bar, text = said.partition("|")
        desk = self._desk(venue)
        desk.refusal = (code, text) if bar else ("", said)
        approved = desk.new()
        desk.wait(1)
        reports = [one for one in desk.reports(approved) if one.exec_type is not ExecType.NEW]
        return desk, [str(one.exec_type) for one in reports], [one.reject_code for one in reports]

    @card("T70", "limits.py", 5)
    def test_t70_requests_are_counted(self, venue: Venue) -> None:
        """Every request is counted against the venue's rate: of more orders than it takes, the rest is refused here,
        for certain and in words, and cancels still leave."""
        desk = self._desk(venue)
        several = []
        for _ in range(BURST):
            several.append(desk.new(1))
            if any(one.exec_type is ExecType.REJECTED for one in desk.reports(several[-1])):
                break
        refused = desk.reports(several[-1], ExecType.REJECTED)
        hold(refused, f"{BURST} orders left in one moment, and none was held back")
        hold(
            refused[0].reject_code is RejectCode.RATE_LIMIT,
            f"held back with {refused[0].reject_code!r}: {refused[0].text}",
        )
        hold(desk.asked_for("new", several[-1].order.client_order_id) == 0, "refused here, and sent nevertheless")
        hold(len(several) > 1, "not even one order may leave")
        first = several[0].order
        desk.cancel(several[0])
        hold(
            desk.asked_for("cancel", first.client_order_id) + _by_id(desk, first) == 1,
            "the rate is used up, and cancels do not leave",
        )


def _by_id(desk: Desk, order: NewOrder) -> int:
    """Cancels that name the order by the venue's id."""
    number = desk.places[order.client_order_id]["order"]
    reader = desk.venue.asked
    return sum(
        one.venue_order_id == number for send in desk.sent if send.approval and reader for one in reader(send.data)
    )


def _adds_up(desk: Desk, order: NewOrder, reports: list[ExecReport], executions: int) -> None:
    del desk
    trades = [one for one in reports if one.exec_type is ExecType.TRADE]
    hold(len(trades) == executions, f"{executions} executions, told as {len(trades)}")
    total = 0
    for one in trades:
        total += one.last_qty_1e8
        hold(one.exec_id, "an execution without exec_id")
        hold(one.last_px_1e9 == order.px_1e9, f"executed at {order.px_1e9}, told as {one.last_px_1e9}")
        hold(one.cum_qty_1e8 == total, f"executions add up to {total}, cum_qty is {one.cum_qty_1e8}")
        hold(
            one.leaves_qty_1e8 == order.qty_1e8 - total,
            f"{order.qty_1e8} − {total} is left, told as {one.leaves_qty_1e8}",
        )


def _kinds(desk: Desk, approved: Any) -> list[str]:
    return [str(one.exec_type) for one in desk.reports(approved)]
