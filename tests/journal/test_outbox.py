"""No order leaves before its record is durable; cancels always may."""

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from connectors.session import Send
from runtime.inputs import VenueOutput
from runtime.outbox import Outbox, Unsent


class Desk:
    """An outbox with a journal of the test's hands: `write` makes the oldest sealed turn durable."""

    def __init__(self) -> None:
        self.failed = ""
        self.later: list[Callable[[], None]] = []
        self.soon = self.later.append
        self.sent: list[str] = []
        self.unsent: list[Unsent] = []
        self.turns: list[Callable[[], None]] = []
        self.outbox = Outbox(self, self.send, self.on_unsent)

    def send(self, output: VenueOutput) -> None:
        assert isinstance(output.output, Send)
        self.sent.append(output.output.data.decode())

    def on_unsent(self, orders: Sequence[Unsent]) -> None:
        self.unsent += orders

    def offer(
        self, kind: str, order: str = "", venue: str = "kraken", approval: int = 1, *, is_ours: bool = False
    ) -> None:  # fmt: skip
        text = f"{kind} {order}".strip()
        self.outbox.offer(VenueOutput(venue, Send("public", text.encode(), approval)), kind, order, is_ours=is_ours)

    def seal(self) -> None:
        if (durable := self.outbox.seal()) is not None:
            self.turns.append(durable)

    def write(self) -> None:
        self.turns.pop(0)()

    def fail(self) -> None:
        self.failed = "disk full"
        self.outbox.fail()

    def loop(self) -> None:
        while self.later:
            self.later.pop(0)()


def test_an_order_waits_for_the_record_of_its_turn() -> None:
    desk = Desk()
    desk.offer("new", "a")
    desk.seal()
    desk.offer("amend", "b")
    assert desk.sent == []
    assert desk.outbox.held == ("a", "b")
    desk.write()
    assert desk.sent == ["new a"]
    desk.seal()
    desk.write()
    assert desk.sent == ["new a", "amend b"]


def test_what_carries_no_order_goes_at_once() -> None:
    desk = Desk()
    desk.offer("new", "a")
    desk.offer("", approval=0)
    assert desk.sent == [""]


def test_what_cannot_be_told_apart_is_taken_for_an_order() -> None:
    """An approval without a kind, a kind without an approval, and a kind that nobody knows."""
    desk = Desk()
    desk.offer("", "a", approval=3)
    desk.offer("new", "b", approval=0)
    desk.offer("transfer", "c")
    assert desk.sent == []
    assert desk.outbox.held == ("a", "b", "c")


def test_a_turn_with_nothing_to_wait_for_asks_for_no_call() -> None:
    desk = Desk()
    desk.offer("cancel", "x")
    assert desk.outbox.seal() is None


def test_a_cancel_takes_back_an_order_that_still_waits_and_neither_leaves() -> None:
    """With everything asked of that order, before and after; no other waits or goes because of it."""
    desk = Desk()
    desk.offer("new", "a")
    desk.offer("new", "b")
    desk.offer("amend", "a")
    desk.offer("amend", "c")
    desk.seal()
    desk.offer("cancel", "a")
    desk.offer("amend", "a")
    desk.offer("cancel", "a")
    desk.offer("cancel", "c")
    desk.offer("cancel", "z")
    assert desk.sent == ["cancel c", "cancel z"]
    desk.write()
    desk.loop()
    assert desk.sent == ["cancel c", "cancel z", "new b", "amend c"]
    assert desk.unsent == [("new", "a")]


def test_a_cancel_of_the_gateways_own_takes_back_amends_that_still_wait() -> None:
    """The order is open at the venue; should the cancel be refused there, nothing makes the order larger."""
    desk = Desk()
    desk.offer("amend", "a")
    desk.offer("amend", "b")
    desk.seal()
    desk.offer("cancel", "a", is_ours=True)
    desk.write()
    desk.loop()
    assert desk.sent == ["cancel a", "amend b"]
    assert desk.unsent == [("amend", "a")]


def test_who_pulled_the_switch_goes_before_each_order_that_waited() -> None:
    """A kill that was noted while the record was on its way, or between two orders of one turn."""
    desk, pulled = Desk(), ["", "b"]

    def first() -> None:
        desk.outbox.withdraw(orders=frozenset(pulled.pop(0)))

    desk.outbox = Outbox(desk, desk.send, desk.on_unsent, first)
    for order in "abc":
        desk.offer("new", order)
        pulled.append("")
    desk.seal()
    desk.write()
    desk.loop()
    assert desk.sent == ["new a", "new c"]
    assert desk.unsent == [("new", "b")]


def test_cancel_all_goes_at_once_and_no_order_of_its_venue_after_it() -> None:
    """What was approved before a kill and still waits never leaves: the cancel-all would have missed it."""
    desk = Desk()
    desk.offer("new", "a")
    desk.offer("new", "b", venue="other")
    desk.seal()
    desk.offer("cancel_all")
    assert desk.sent == ["cancel_all"]
    desk.write()
    assert desk.sent == ["cancel_all", "new b"]
    desk.loop()
    assert desk.unsent == [("new", "a")]


def test_a_kill_of_some_orders_takes_them_back() -> None:
    desk = Desk()
    for order in "abc":
        desk.offer("new", order)
    desk.seal()
    desk.outbox.withdraw(orders=frozenset("ac"))
    desk.write()
    desk.loop()
    assert desk.sent == ["new b"]
    assert desk.unsent == [("new", "a"), ("new", "c")]


def test_when_the_journal_fails_what_waits_is_dropped_and_told_after_the_turn() -> None:
    """New orders and amends of an order that never left are one; cancels still leave."""
    desk = Desk()
    desk.offer("new", "a")
    desk.offer("amend", "a")
    desk.offer("amend", "b")
    desk.offer("cancel", "a")
    desk.seal()
    desk.fail()
    assert desk.unsent == []
    desk.loop()
    assert desk.unsent == [("new", "a"), ("amend", "b")]
    desk.offer("cancel", "old")
    desk.offer("cancel_all")
    desk.offer("new", "late")
    desk.turns.pop()()  # a record that became durable too late
    desk.loop()
    assert desk.sent == ["cancel old", "cancel_all"]
    assert desk.unsent == [("new", "a"), ("amend", "b"), ("new", "late")]


MOVES = st.one_of(
    st.tuples(st.sampled_from(["new", "amend", "cancel"]), st.sampled_from("abcdef")),
    st.tuples(st.sampled_from(["seal", "write", "cancel_all", "fail"]), st.just("")),
)


@given(st.lists(MOVES, max_size=60))
def test_whatever_happens_no_order_leaves_unrecorded(moves: list[tuple[str, str]]) -> None:
    """Every order that left had its turn durable before; each is sent or told, never both; orders keep their order."""
    desk, durable, turn = Desk(), 0, 1
    turn_of: dict[str, int] = {}
    sealed: list[int] = []
    for n, (what, order) in enumerate(moves):
        before = len(desk.sent)
        match what:
            case "seal":
                if (done := desk.outbox.seal()) is not None:
                    desk.turns.append(done)
                    sealed.append(turn)
                    turn += 1
            case "write":
                if desk.turns:
                    durable = sealed.pop(0)
                    desk.write()
            case "fail":
                desk.fail()
            case "cancel_all" | "cancel":
                desk.offer(what, order)
            case _:
                turn_of[f"{what} {order}{n}"] = turn
                desk.offer(what, f"{order}{n}")
        for sent in desk.sent[before:]:
            if not sent.startswith("cancel"):
                assert turn_of[sent] <= durable
                assert not desk.failed
            elif sent == "cancel_all":
                assert what == "cancel_all"
    desk.loop()
    left = [sent for sent in desk.sent if not sent.startswith("cancel")]
    assert left == sorted(left, key=list(turn_of).index)
    dropped = [f"{kind} {order}" for kind, order in desk.unsent]
    held = [text for text in turn_of if text.split()[1] in desk.outbox.held]
    assert sorted(left + dropped + held) == sorted(turn_of)
    assert sum(what == "cancel" for what, _ in moves) == sum(sent.startswith("cancel ") for sent in desk.sent)
