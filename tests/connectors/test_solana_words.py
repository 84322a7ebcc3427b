"""What a notification is to the ones before it and to the read that is shown; and what is told in vain."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import WireError
from connectors.onchain.asker import SECOND
from connectors.venues.solana.account import Account
from connectors.venues.solana.keys import SYSTEM
from connectors.venues.solana.news import KEPT_MAX, NEWS_NS, News
from connectors.venues.solana.rpc import account_told, accounts_told, fees_of, http_answer_of, slot_of, slot_told
from connectors.venues.solana.silence import AWAITED_NS, Silence
from connectors.venues.solana.words import At, Word, Words, against

raw = msgspec.Raw
A, B, C = (Account("x", data) for data in (b"a", b"b", b"c"))
CLOSED = Account(SYSTEM, b"")  # as a notification has it


@pytest.mark.parametrize(
    ("said", "found"),
    [(At(11, A), Word.NEWS), (At(11, B), Word.NEWS), (At(10, A), Word.OLD), (At(10, B), Word.CONTRADICTS),
     (At(9, A), Word.OLD), (At(9, B), Word.BACK), (At(10, None), Word.CONTRADICTS), (At(11, None), Word.NEWS),
     (At(10, Account(SYSTEM, b"a")), Word.CONTRADICTS), (At(10, Account("x", b"")), Word.CONTRADICTS)],
)  # fmt: skip
def test_against_the_last_notification(said: At, found: Word) -> None:
    words = Words()
    assert words.heard("k", At(10, A)) == (Word.NEWS, 0)
    assert words.heard("other", At(20, A)) == (Word.NEWS, 10)
    assert words.heard("k", said) == (found, 20)


@pytest.mark.parametrize(
    ("said", "newest", "found"),
    [(At(11, A), 0, Word.NEWS), (At(10, A), 0, Word.OLD), (At(10, B), 0, Word.CONTRADICTS), (At(9, A), 99, Word.OLD),
     (At(9, B), 9, Word.LATE), (At(9, B), 10, Word.BACK), (At(9, B), 11, Word.BACK)],
)  # fmt: skip
def test_against_the_read_that_is_shown(said: At, newest: int, found: Word) -> None:
    assert against(said, At(10, A), newest) is found


def test_after_going_back_what_follows_is_news() -> None:
    words = Words()
    words.heard("k", At(10, A))
    assert words.heard("k", At(8, B))[0] is Word.BACK
    assert words.heard("k", At(9, C)) == (Word.NEWS, 8)
    words.heard("other", At(12, A))
    words.back(9)
    assert words.heard("other", At(10, B)) == (Word.NEWS, 9)
    assert words.heard("k", At(9, C))[0] is Word.OLD, "what is not above it stands"


def test_a_read_of_a_slot_must_say_what_was_told_of_it() -> None:
    words = Words()
    words.heard("k", At(10, A))
    assert words.agrees("k", At(10, A))
    assert not words.agrees("k", At(10, B))
    assert words.agrees("k", At(11, B))
    assert words.agrees("other", At(10, B))
    words.forget("k")
    assert words.agrees("k", At(10, B))


def test_an_account_that_was_closed_is_one_that_is_not_there() -> None:
    words = Words()
    words.heard("k", At(10, CLOSED))
    assert words.agrees("k", At(10, None))
    assert not words.agrees("k", At(10, A))
    assert words.heard("k", At(9, None))[0] is Word.OLD
    assert against(At(9, CLOSED), At(10, None), 20) is Word.OLD
    assert against(At(10, None), At(10, CLOSED), 20) is Word.OLD
    assert against(At(10, Account(SYSTEM, b"a")), At(10, None), 20) is Word.CONTRADICTS
    for told, read in ((CLOSED, None), (None, CLOSED)):
        silence = Silence()
        silence.read("k", At(10, A), 0)
        silence.read("k", At(12, read), SECOND)
        silence.heard("k", At(11, told))
        assert silence.overdue(100 * SECOND) == []
        silence.heard("k", At(13, told))
        silence.read("k", At(14, read), SECOND)
        assert silence.overdue(100 * SECOND) == []
        silence.forget("k")
        silence.read("k", At(15, A), SECOND)
        silence.heard("k", At(3, told))
        silence.read("k", At(16, read), SECOND)
        assert silence.overdue(100 * SECOND) == []


# --- news ------------------------------------------------------------------------------------------------------------


def test_news_is_overdue_from_the_first_that_was_not_read() -> None:
    news = News()
    assert (news.due_ns, news.overdue(10**20)) == (None, "")
    for slot, now_ns in ((12, 100), (13, 200), (13, 250), (11, 260), (14, 300)):
        news.told(slot, now_ns)
    assert news.due_ns == 100 + NEWS_NS
    assert news.overdue(99 + NEWS_NS) == ""
    assert news.overdue(100 + NEWS_NS) == "changed at slot 12 and not read yet"
    news.read(11)
    assert news.due_ns == 100 + NEWS_NS
    news.read(13)
    assert (news.due_ns, news.overdue(300 + NEWS_NS)) == (300 + NEWS_NS, "changed at slot 14 and not read yet")
    news.back(13)
    assert news.due_ns is None


def test_news_of_a_branch_that_is_gone_is_forgotten_and_what_follows_counts() -> None:
    news = News()
    for slot in (12, 13, 14):
        news.told(slot, slot)
    news.back(12)
    news.told(13, 50)
    news.read(12)
    assert news.due_ns == 50 + NEWS_NS


@given(st.lists(st.tuples(st.sampled_from(["told", "read", "back"]), st.integers(0, 200)), max_size=150))
def test_news_is_never_later_than_each_word_by_itself(deeds: list[tuple[str, int]]) -> None:
    """Against a plain list of all that was told; where more is kept than may be, it is overdue earlier, never later."""
    news, every = News(), list[tuple[int, int]]()
    for now_ns, (deed, slot) in enumerate(deeds):
        if deed == "told":
            news.told(slot, now_ns)
            if all(slot > other for other, _ in every):
                every.append((slot, now_ns))
        else:
            getattr(news, deed)(slot)
            every = [one for one in every if (one[0] > slot) is (deed == "read")]
        due_ns = min((since + NEWS_NS for _, since in every), default=None)
        assert news.due_ns == due_ns


def test_much_news_takes_no_more_room_and_waits_no_longer() -> None:
    news = News()
    for slot in range(10 * KEPT_MAX):
        news.told(slot, slot)
    news.read(9 * KEPT_MAX)
    assert news.due_ns is not None
    assert news.due_ns <= 9 * KEPT_MAX + 1 + NEWS_NS


@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from([A, B, None])), max_size=20))
def test_only_higher_slots_are_news(said: list[tuple[int, Account | None]]) -> None:
    words, last = Words(), -1
    for slot, account in said:
        word, _ = words.heard("k", At(slot, account))
        assert (word is Word.NEWS) == (slot > last)
        if word is not Word.OLD:
            last = slot


def test_a_change_that_is_told_in_time_is_no_silence() -> None:
    silence = Silence()
    silence.read("k", At(10, A), 0)
    silence.read("k", At(12, B), SECOND)
    silence.heard("k", At(12, B))
    assert silence.overdue(SECOND + AWAITED_NS + 1) == []
    silence.heard("k", At(13, C))
    silence.read("k", At(14, C), 2 * SECOND)
    assert silence.overdue(100 * SECOND) == []
    assert silence.missed == 0


def test_a_change_that_is_not_told_is_said_once() -> None:
    silence = Silence()
    silence.read("k", At(10, A), 0)
    silence.read("k", At(12, B), SECOND)
    silence.read("k", At(13, C), 2 * SECOND)
    assert silence.overdue(SECOND + AWAITED_NS) == []
    assert silence.overdue(SECOND + AWAITED_NS + 1) == ["k"]
    assert silence.overdue(100 * SECOND) == []
    assert silence.missed == 1


def test_a_stream_is_broken_when_it_misses_five_in_a_minute() -> None:
    for gap_s, is_broken in ((10, True), (14, True), (16, False)):
        silence = Silence()
        for k in range(5):
            now_ns = k * gap_s * SECOND
            silence.read("k", At(10 * k + 1, A), now_ns)
            silence.read("k", At(10 * k + 2, B), now_ns)
            assert not silence.is_broken(now_ns)
            assert silence.overdue(now_ns + AWAITED_NS + 1) == ["k"]
        assert silence.is_broken(4 * gap_s * SECOND + AWAITED_NS + 1) is is_broken
        assert silence.missed == 5


def test_what_is_told_under_an_old_slot_counts_by_its_data() -> None:
    silence = Silence()
    silence.read("k", At(10, A), 0)
    silence.heard("k", At(3, B))
    silence.read("k", At(12, B), SECOND)
    assert silence.overdue(100 * SECOND) == []


# --- frames ----------------------------------------------------------------------------------------------------------


def test_what_a_node_tells_is_read() -> None:
    assert slot_told(raw(b'{"parent":75,"root":44,"slot":76}')) == 76
    assert slot_of(raw(b"77")) == 77
    slot, value = account_told(raw(b'{"context":{"slot":78,"apiVersion":"2"},"value":{"owner":"x"}}'))
    assert (slot, bytes(value)) == (78, b'{"owner":"x"}')
    slot, values = accounts_told(raw(b'{"context":{"slot":79},"value":[null,{}]}'), 2)
    assert (slot, [bytes(value) for value in values]) == (79, [b"null", b"{}"])
    assert fees_of(raw(b'[{"slot":1,"prioritizationFee":0},{"slot":2,"prioritizationFee":7}]')) == [0, 7]
    assert fees_of(raw(b"[]")) == []


@pytest.mark.parametrize(
    "text",
    [b"null", b"{}", b"[]", b"-1", b"1.5", b'"7"', b"true", b"9223372036854775808", b'{"slot":-1}', b'{"slot":1e3}',
     b'{"context":{"slot":-1},"value":null}', b'{"context":{},"value":null}', b'{"context":{"slot":1}}',
     b'{"context":{"slot":1},"value":[]}', b'{"context":{"slot":1},"value":[null,null]}', b"[7]",
     b'[{"slot":1,"prioritizationFee":-1}]', b'[{"slot":1}]'],
)  # fmt: skip
def test_what_is_not_what_it_should_be_is_an_error(text: bytes) -> None:
    readers = [slot_told, slot_of, lambda given: accounts_told(given, 1), fees_of]
    refused = 0
    for reader in readers:
        try:
            reader(raw(text))
        except WireError:
            refused += 1
    assert refused >= len(readers) - (text == b"[]")


def test_an_answer_of_http_is_its_status_and_the_nodes_word() -> None:
    found = http_answer_of(b'7 200\n{"jsonrpc":"2.0","id":7,"result":1}')
    assert found.number == 7
    assert found.message is not None
    assert not found.problem
    assert http_answer_of(b"7 0\nconnection refused").problem == "no answer: connection refused"
    assert http_answer_of(b"7 429\n").is_limit
    assert http_answer_of(b"7 503\nbusy").is_limit
    assert not http_answer_of(b"7 500\n").is_limit
    said = http_answer_of(b'7 400\n{"jsonrpc":"2.0","id":7,"error":{"code":-32016,"message":"x"}}')
    assert said.message is not None, "the node's word, whatever its gateway makes of it"
    assert http_answer_of(b'7 400\n{"jsonrpc":"2.0","id":8,"error":{"code":-32016,"message":"x"}}').problem
    assert http_answer_of(b'7 500\n{"jsonrpc":"2.0","id":7,"result":1}').problem
    assert http_answer_of(b"7 500\n\xff").problem.startswith("HTTP status 500")
    assert "no JSON-RPC" in http_answer_of(b"7 200\n<html>").problem
    assert "to request 8, not 7" in http_answer_of(b'7 200\n{"jsonrpc":"2.0","id":8,"result":1}').problem
    assert "to request None, not 7" in http_answer_of(b'7 200\n{"jsonrpc":"2.0","id":null,"result":1}').problem


@pytest.mark.parametrize("frame", [b"", b"7", b"7 200", b"x 200\n", b"7 x\n", b"-7 200\n", b"7 2000\n", b" 7 200\n"])
def test_a_frame_without_a_head_is_none_of_http(frame: bytes) -> None:
    with pytest.raises(WireError, match="no answer to a call"):
        http_answer_of(frame)
