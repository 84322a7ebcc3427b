"""Solana's session and what was told but not read: books that are known to be of the past, and answers of a branch that
is gone. Whatever is shown is judged at the moment it is, too (tests/support/solana_watch.py)."""

import base64
import json
from collections.abc import Callable, Sequence

import pytest

from connectors.events import BookLost, BookSnapshot
from connectors.session import Output
from connectors.venues.solana.follow import Follower
from connectors.venues.solana.news import NEWS_NS
from connectors.venues.solana.session import TICK_NS
from tests.support.solana_world import FIRST_POOL, RAYDIUM, SHIPPED, Bare, calls, solana_plan
from tests.support.virtual import SECOND, STEP_NS


class Heard:
    """One pool's session: when its node told of each slot's change first, when it was asked, what was shown when."""

    def __init__(self, bare: Bare) -> None:
        self.bare, self.link = bare, bare.chain.links["rpc1"]
        self.told: dict[int, int] = {}
        self.asked: list[int] = []
        self.shown: list[tuple[int, int]] = []  # (slot, when)
        self.lost: list[tuple[str, int]] = []
        self.link.socket.filter, self.link.calls.asked = self._told, self._asked
        self._hear = bare.watch.hear
        bare.watch.hear = self._shown  # type: ignore[method-assign]

    def _told(self, frame: bytes) -> bytes:
        said = json.loads(frame)
        if said.get("method") == "accountNotification":
            self.told.setdefault(said["params"]["result"]["context"]["slot"], self.bare.now_ns)
        return frame

    def _asked(self, body: bytes) -> bytes:
        if b"getMultipleAccounts" in body:
            self.asked.append(self.bare.now_ns)
        return body

    def _shown(self, outputs: Sequence[Output]) -> None:
        self._hear(outputs)
        for output in outputs:
            if isinstance(output, BookSnapshot) and output.instrument == FIRST_POOL:
                self.shown.append((self.bare.session.display.at.slots[0], self.bare.now_ns))
            elif isinstance(output, BookLost) and output.instrument == FIRST_POOL:
                self.lost.append((output.reason, self.bare.now_ns))

    def unread_ns(self, slot: int, now_ns: int) -> int:
        """For how long a change after this slot has been told of."""
        return max((now_ns - since_ns for told, since_ns in self.told.items() if told > slot), default=0)


def moving() -> Bare:
    return Bare(solana_plan((RAYDIUM,)), drift_ppm=3_000, noise_ppm=100)


def tell(bare: Bare, key: str, slot: int, value: object) -> None:
    """The session is told this of an account."""
    number = next(number for number, other in _ids(bare.session.follower).items() if other == key)
    told = {"subscription": number, "result": {"context": {"slot": slot}, "value": value}}
    frame = {"jsonrpc": "2.0", "method": "accountNotification", "params": told}
    bare.carry(bare.session.receive(json.dumps(frame).encode(), bare.now_ns, "rpc1"))


# --- told, and not read ----------------------------------------------------------------------------------------------


def test_what_was_told_and_is_not_read_for_a_second_loses_the_book_until_it_is() -> None:
    bare = moving().run(5)
    heard = Heard(bare)
    heard.link.calls.is_mute = True
    slot = bare.session.display.at.slots[0]
    bare.run(4, lambda: not bare.watch.shown)
    assert not bare.watch.shown
    first = min(told for told in heard.told if told > slot)
    assert heard.lost == [(f"changed at slot {first} and not read yet", heard.told[first] + NEWS_NS)]
    heard.link.calls.is_mute = False
    bare.run(60, bare.is_well)
    assert heard.shown[-1][0] >= first
    assert bare.is_well()


def test_an_answer_that_is_older_than_what_was_told_long_ago_is_not_shown() -> None:
    bare = moving().run(5)
    heard = Heard(bare)
    heard.link.calls.delay_ns = 4 * SECOND
    bare.run(30)
    assert len(heard.asked) > 4
    assert not heard.shown, "the pool changes every slot, and every answer is four seconds old"
    assert bare.said("and not read yet")
    heard.link.calls.delay_ns = SECOND // 50
    bare.run(10, bare.is_well)
    assert bare.is_well()


@pytest.mark.parametrize("delay_ms", [20, 200, 350])
def test_a_pool_that_changes_with_every_slot_is_shown_all_the_time(delay_ms: int) -> None:
    bare = Bare(solana_plan((RAYDIUM,))).run(5)
    heard = Heard(bare)
    heard.link.calls.delay_ns = delay_ms * SECOND // 1_000
    bare.run(15)
    assert not heard.lost
    assert len(heard.shown) > 15
    assert any(heard.unread_ns(slot, now_ns) for slot, now_ns in heard.shown), "newer news does not hide it"
    assert all(heard.unread_ns(slot, now_ns) < NEWS_NS for slot, now_ns in heard.shown)


def test_news_that_cannot_be_read_is_news() -> None:
    bare = Bare(solana_plan((RAYDIUM,)), is_still=True).run(5)
    link, pool = bare.chain.links["rpc1"], bare.session.follower.pools[0]
    link.calls.is_mute = True
    slot = bare.chain.head
    tell(bare, RAYDIUM.address, slot, {"owner": RAYDIUM.address, "data": ["?", "base64"]})
    bare.run(1.02)
    assert not bare.watch.shown
    assert bare.watch.lost_for[FIRST_POOL] == f"changed at slot {slot} and not read yet"
    assert pool.is_due


@pytest.mark.parametrize("is_slot", [False, True])
def test_news_stays_news_when_something_older_is_told_after_it(is_slot: bool) -> None:
    """Of several nodes behind one address another may tell it: nobody knows which of the two is later."""
    bare = Bare(solana_plan((RAYDIUM,)), is_still=True).run(5)
    seen = bare.session.follower.pools[0].seen
    assert seen is not None
    account = seen.accounts[RAYDIUM.address]
    assert account is not None
    bare.chain.links["rpc1"].calls.is_mute = True
    now, before = ({"owner": account.owner, "data": [base64.b64encode(data).decode(), "base64"]}
                   for data in (account.data[:-1] + b"?", account.data))  # fmt: skip
    tell(bare, RAYDIUM.address, bare.chain.head, now)
    if is_slot:
        told = {"subscription": bare.session.endpoints[0].slots, "result": {"slot": seen.slot, "parent": 1, "root": 1}}
        frame = {"jsonrpc": "2.0", "method": "slotNotification", "params": told}
        bare.carry(bare.session.receive(json.dumps(frame).encode(), bare.now_ns, "rpc1"))
    else:
        tell(bare, RAYDIUM.address, seen.slot, before)
    assert bare.watch.shown
    bare.run(1.02)
    assert not bare.watch.shown
    assert "and not read yet" in bare.watch.lost_for[FIRST_POOL]


def test_a_book_is_as_old_as_the_question() -> None:
    bare = Bare(solana_plan((RAYDIUM,)), is_still=True).run(5)
    heard = Heard(bare)
    bare.run(3, lambda: bool(heard.asked))
    heard.link.calls.delay_ns = 2 * SECOND
    bare.run(8, lambda: len(heard.asked) == 3)
    assert len(heard.asked) == 3
    heard.link.calls.is_mute = True  # the second was answered just now
    bare.run(6)
    reason, lost_ns = heard.lost[0]
    assert reason == "not read for 5 s"
    assert 5 * SECOND < lost_ns - heard.asked[1] <= 5 * SECOND + TICK_NS + STEP_NS


# --- slots that go back ----------------------------------------------------------------------------------------------


def _went_back(bare: Bare) -> list[tuple[int, int]]:
    """(slot gone back to, when), as the node will have told of it."""
    found, last = list[tuple[int, int]](), [0]

    def told(frame: bytes) -> bytes:
        said = json.loads(frame)
        if said.get("method") == "slotNotification":
            slot = said["params"]["result"]["slot"]
            if slot < last[0]:
                found.append((slot, bare.now_ns))
            last[0] = slot
        return frame

    bare.chain.links["rpc1"].socket.filter = told
    return found


def test_an_answer_on_its_way_when_slots_go_back_is_dropped_and_asked_for_again() -> None:
    bare = Bare(solana_plan(commitment="processed"), noise_ppm=5_000).run(5)
    bare.chain.links["rpc1"].calls.delay_ns = 9 * SECOND // 10
    bare.run(4)
    heard = Heard(bare)
    back = _went_back(bare)
    bare.chain.node().faults.rollback = 6
    bare.run(12)
    assert len(back) == 1
    slot, when_ns = back[0]
    branch = {one for one in bare.chain.truths if one > slot} - bare.chain.chain
    assert branch & {shown for shown, _ in heard.shown}, "nothing was shown of the branch: the test shows nothing"
    after = [(shown, now_ns) for shown, now_ns in heard.shown if now_ns >= when_ns]
    assert after
    assert not [shown for shown, _ in after if shown not in bare.chain.chain]


def test_what_was_told_of_a_branch_that_is_gone_is_not_waited_for() -> None:
    bare = Bare(solana_plan((RAYDIUM,), commitment="processed"), noise_ppm=5_000).run(5)
    heard = Heard(bare)
    heard.link.calls.delay_ns = 9 * SECOND // 10
    back = _went_back(bare)
    bare.chain.node().faults.rollback = 6
    bare.run(8, lambda: bool(back))
    heard.link.calls.delay_ns = SECOND // 50
    bare.run(3)
    assert bare.is_well()
    first_ns = min(now_ns for _, now_ns in heard.shown if now_ns > back[0][1])
    asked = [asked_ns for asked_ns in heard.asked if back[0][1] < asked_ns < first_ns]
    assert len(asked) == 1, "in the place of the one that was dropped"


# --- subscriptions ---------------------------------------------------------------------------------------------------


def _ids(follower: Follower) -> dict[int | str, str]:
    return {number: key for number in range(10_000) if (key := follower.subscriptions.key_of(number)) is not None}


def every(count: int, status: int = 500) -> Callable[[str], int]:
    """One read in so many ends with this status."""
    asked = [0]

    def of(method: str) -> int:
        asked[0] += method == "getMultipleAccounts"
        return status if method == "getMultipleAccounts" and not asked[0] % count else 200

    return of


@pytest.mark.parametrize("count", [3, 12])
def test_subscriptions_come_though_reads_fail_and_nothing_is_asked_in_vain(count: int) -> None:
    bare = Bare(solana_plan(SHIPPED.pools[:14], calls_per_s=25))
    link = bare.chain.links["rpc1"]
    link.status = every(count)
    for _ in range(40):
        bare.run(0.5)
        assert len(calls(bare, "accountUnsubscribe")) < 20
    assert link.connection is not None
    assert len(link.connection.watches) > 125, "132 and the slots', but for arrays that come and go"
    link.status = lambda _method: 200
    bare.run(10, bare.is_well)
    bare.run(2)
    watched = {key for pool in bare.session.follower.pools for key in pool.watched}
    assert all(bare.session.follower.subscriptions.has(key) for key in watched)
    assert len(link.connection.watches) == len(watched) + 1
    assert len(calls(bare, "accountSubscribe")) < 250


class OneId:
    """A validator's habit: equal subscriptions of one connection have one id, and one unsubscription ends them."""

    def __init__(self, bare: Bare) -> None:
        self.link = bare.chain.links["rpc1"]
        self.asked: dict[int, str] = {}  # by request
        self.public: dict[str, int] = {}
        self.nodes: dict[int, list[int]] = {}
        self.link.socket.asked, self.link.socket.filter = self._asks, self._tells

    def _asks(self, frame: bytes) -> list[bytes]:
        said = json.loads(frame)
        if said["method"] == "accountSubscribe":
            self.asked[said["id"]] = said["params"][0]
        if said["method"] != "accountUnsubscribe":
            return [frame]
        gone = self.nodes.pop(said["params"][0], [])
        made = [{**said, "params": [number]} for number in gone]
        return [json.dumps({**one, "id": said["id"] if not at else 10**9}).encode() for at, one in enumerate(made)]

    def _tells(self, frame: bytes) -> bytes | None:
        said = json.loads(frame)
        if said.get("id") in self.asked and "result" in said:
            number = self.public.setdefault(self.asked.pop(said["id"]), 500_000 + len(self.public))
            self.nodes.setdefault(number, []).append(said["result"])
            return json.dumps({**said, "result": number}).encode()
        if said.get("method") == "accountNotification":
            real = said["params"]["subscription"]
            number = next((one for one, numbers in self.nodes.items() if numbers[0] == real), 0)
            if not number:
                return None
            said["params"]["subscription"] = number
        return json.dumps(said).encode()


def test_where_equal_subscriptions_have_one_id_none_is_ended_that_is_needed() -> None:
    bare = Bare(solana_plan(SHIPPED.pools[:6], calls_per_s=25))
    one = OneId(bare)
    one.link.socket.delay_ns = 3 * SECOND // 2  # so that a read fails while subscriptions are under way
    bare.run(1.2)
    one.link.status = every(3)
    bare.run(4)
    one.link.status = lambda _method: 200
    bare.run(10)
    subscriptions = bare.session.follower.subscriptions
    keys = {key for pool in bare.session.follower.pools for key in pool.watched}
    assert all(subscriptions.has(key) and one.nodes.get(one.public[key]) for key in keys)
    bare.run(20)
    assert bare.session.follower.silence.missed == 0
    assert not bare.reconnects


def test_a_connection_that_is_made_anew_is_subscribed_to_anew() -> None:
    bare = Bare().run(5)
    link = bare.chain.links["rpc1"]
    bare.hang_up("rpc1", 0.1)
    bare.run(5)
    assert link.connection is not None
    keys = {key for pool in bare.session.follower.pools for key in pool.watched}
    assert len(link.connection.watches) == len(keys) + 1
    assert bare.session.follower.silence.missed == 0
    assert bare.is_well()


def test_an_endpoint_that_is_left_and_connects_anew_may_be_followed_again() -> None:
    bare = Bare(solana_plan(links=("rpc1", "rpc2"))).run(5)
    first, second = bare.chain.links["rpc1"], bare.chain.links["rpc2"]
    first.status = every(1)
    bare.run(3)
    assert bare.session.report().link == "rpc2"
    first.status = lambda _method: 200
    bare.hang_up("rpc1", 0.1)
    bare.run(3)
    second.status = every(1)
    bare.run(20, lambda: bare.session.report().link == "rpc1" and bare.is_well())
    bare.run(2)
    assert bare.session.report().link == "rpc1"
    assert first.connection is not None
    keys = {key for pool in bare.session.follower.pools for key in pool.watched}
    assert len(first.connection.watches) == len(keys) + 1
    assert second.connection is not None
    assert len(second.connection.watches) == 1, "slots alone"
    bare.run(10)
    assert bare.session.follower.silence.missed == 0


def test_an_endpoint_that_fails_and_is_followed_again_is_not_subscribed_to_anew() -> None:
    bare = Bare().run(5)
    link, asked = bare.chain.links["rpc1"], len(calls(bare, "accountSubscribe"))
    link.status = every(1)
    bare.run(2)
    assert not bare.watch.shown
    link.status = lambda _method: 200
    bare.chain.driver.is_still = True
    bare.run(10, bare.is_well)
    assert bare.is_well()
    assert len(calls(bare, "accountSubscribe")) == asked
    assert not calls(bare, "accountUnsubscribe")
    bare.chain.driver.is_still = False
    before = bare.watch.compared
    bare.run(5)
    assert bare.watch.compared - before > 10, "it is told as before"


def test_an_id_of_two_accounts_is_no_subscription() -> None:
    bare = Bare().run(0.3)
    link, spoilt = bare.chain.links["rpc1"], list[int]()

    def told(frame: bytes) -> bytes:
        said = json.loads(frame)
        if link.methods.get(said.get("id", 0)) == "accountSubscribe" and len(spoilt) < 2:
            spoilt.append(said["result"])
            said["result"] = spoilt[0]
        return json.dumps(said).encode()

    link.socket.filter = told
    bare.run(10, lambda: bool(bare.reconnects))
    assert len(spoilt) == 2
    assert bare.reconnects == [("rpc1", f"subscription {spoilt[0]} is of two accounts")]
    bare.run(10, bare.is_well)
    assert bare.is_well()
    assert bare.session.follower.silence.missed == 0
