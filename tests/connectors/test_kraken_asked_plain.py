"""The quick reader of outgoing bytes says nothing that the strict one does not say."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.instrument import Instrument
from connectors.orders import Approved, CancelOrder, NewOrder, OrderType
from connectors.venues.kraken.asked import asked, strictly
from connectors.venues.kraken.asked_plain import plain
from connectors.venues.kraken.orders import KrakenOrders

INSTRUMENTS = [Instrument.parse("kraken", "BTC/USD:1:8"), Instrument.parse("kraken", "PEPE/USD:9:5")]
NS = 1_795_000_000 * 10**9


def written(order_type: OrderType, side: int, px: int, qty: int, market: int, number: int, ns: int) -> bytes:
    px_1e9 = 0 if order_type is OrderType.MARKET else px
    order = NewOrder(f"vg0abc12-{number}", 0, market, 7, side, px_1e9, qty, int(order_type))
    return KrakenOrders(INSTRUMENTS).submit(Approved(order, number, NS + ns, 31), NS + ns).data


orders = st.builds(
    written, st.sampled_from(OrderType), st.sampled_from((1, -1)), st.integers(1, 10**9).map(lambda n: n * 10**8),
    st.integers(1, 10**9).map(lambda n: n * 10**3), st.integers(0, 1), st.integers(1, 10**8),
    st.integers(0, 400 * 86_400 * 10**9),
)  # fmt: skip


@given(data=orders)
def test_it_reads_what_the_encoder_writes_as_the_strict_one_does(data: bytes) -> None:
    (found,) = strictly(data)
    assert plain(data) in (found, None)
    assert asked(data) == [found]


def test_it_reads_most_of_it_itself() -> None:
    data = [written(kind, side, 10**8, 10**3, 0, 1, 0) for kind in OrderType for side in (1, -1)]
    assert None not in [plain(one) for one in data]
    cancel = KrakenOrders(INSTRUMENTS).cancel(Approved(CancelOrder("vg0abc12-1", 0, 0, 7, "x"), 3, NS, 1), NS).data
    assert [plain(cancel)] == strictly(cancel)


@given(data=orders, at=st.integers(0, 400), what=st.binary(max_size=3), length=st.integers(0, 3))
def test_of_bytes_changed_anywhere_it_says_nothing_or_the_same(data: bytes, at: int, what: bytes, length: int) -> None:
    place = at % len(data)
    changed = data[:place] + what + data[place + length :]
    found = plain(changed)
    if found is not None:
        assert strictly(changed) == [found]
