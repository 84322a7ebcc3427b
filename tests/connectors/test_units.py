"""Text to integers and back: exact, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.errors import NumberError
from connectors.units import (
    I64_MAX,
    FloatGrid,
    RawLevel,
    TextGrid,
    decimal_text,
    rfc3339_ns,
    rfc3339_of_ms,
    scaled,
    trimmed_text,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Level(msgspec.Struct):
    """A level as a venue's JSON gives it: both numbers doubles."""

    price: float
    qty: float


def parsed(price: str, qty: str) -> Level:
    """From the wire's text through the parser that the connector uses."""
    return msgspec.json.decode(f'{{"price":{price},"qty":{qty}}}', type=Level)


def text_of(units: int, decimals: int) -> str:
    """Exactly `decimals` decimals, by `decimal` instead of our own printer."""
    return format(Decimal(units).scaleb(-decimals), "f")


# --- scaled ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "decimals", "expected"),
    [
        ("62807.0", 9, 62_807_000_000_000),
        ("1e-08", 8, 1),
        ("5e-05", 8, 5_000),
        ("5E-05", 9, 50_000),
        ("1.2e3", 0, 1_200),
        ("15113583034416118705", 0, 15_113_583_034_416_118_705),
        ("15113583034416118705", 9, 15_113_583_034_416_118_705 * 10**9),
        ("12345678901234567890.12345678", 8, 1_234_567_890_123_456_789_012_345_678),
        ("0.10000000000000000000", 1, 1),
        ("-0.5", 8, -50_000_000),
        ("-0", 8, 0),
        ("+7", 0, 7),
        (".5", 1, 5),
        ("5.", 0, 5),
        (Decimal("1e-08"), 8, 1),
        (Decimal("0.07500000"), 8, 7_500_000),
        (15_113_583_034_416_118_705, 2, 1_511_358_303_441_611_870_500),
        ("1e64", 0, 10**64),
    ],
)
def test_scaled_is_exact(number: str | Decimal | int, decimals: int, expected: int) -> None:
    """Plain digits, exponents and integers beyond 2^64 give the integer that arithmetic on paper gives."""
    assert scaled(number, decimals) == expected


@pytest.mark.parametrize("number", ["NaN", "nan", "sNaN", "inf", "-Infinity", Decimal("NaN"), Decimal("-Infinity")])
def test_scaled_refuses_what_is_not_finite(number: str | Decimal) -> None:
    """There is no integer for NaN or infinity."""
    with pytest.raises(NumberError):
        scaled(number, 8)


@pytest.mark.parametrize(
    "number", ["1e65", "1e-65", "1e999999999", "-1e-999999999999999999999", Decimal("1e9999"), "9" * 65, 10**65]
)
def test_scaled_refuses_sizes_that_are_no_price_anywhere(number: str | Decimal | int) -> None:
    """A short text must not cost a gigabyte of digits."""
    with pytest.raises(NumberError):
        scaled(number, 8)


def test_scaled_refuses_an_integer_too_long_to_print() -> None:
    """Python will not print more than 4300 digits: the refusal itself must not trip over that."""
    with pytest.raises(NumberError, match="reasonable length"):
        scaled(10**5000, 8)


@pytest.mark.parametrize("number", ["1.000000001", "1e-09", "0.123456789", Decimal("5.5e-8")])
def test_scaled_refuses_more_decimals_than_the_scale(number: str | Decimal) -> None:
    """A digit that does not fit is never dropped."""
    with pytest.raises(NumberError, match="more than 8 decimals"):
        scaled(number, 8)


@pytest.mark.parametrize(
    "number",
    [
        "",
        " ",
        "abc",
        "1,5",
        "1_000",
        " 1",
        "1\n",
        "0x10",
        "1e",
        "--1",
        ".",
        "1.2.3",
        "\u0661",
        "\uff11",
        "1\u00a00",
        "\u00bd",
    ],
)
def test_scaled_refuses_garbage(number: str) -> None:
    """Including what Python's own readers let pass: underscores, blanks, digits of other scripts."""
    with pytest.raises(NumberError, match="not a number"):
        scaled(number, 8)


@given(st.text("0123456789.eE+-_ naif", max_size=30) | st.text(max_size=30))
@example("10000000000000000000000000001")  # more digits than a decimal context keeps
def test_scaled_is_the_exact_value_or_number_error(text: str) -> None:
    """Whatever the text, the answer is its exact value or NumberError."""
    try:
        units = scaled(text, 8)
    except NumberError:
        return
    assert units == Fraction(Decimal(text)) * 10**8


@given(st.integers(-(10**40), 10**40), st.integers(0, 18))
def test_decimal_text_and_scaled_round_trip(units: int, decimals: int) -> None:
    """Printed with n decimals and read again with n decimals: the same integer, and exactly n places."""
    text = decimal_text(units, decimals)
    assert scaled(text, decimals) == units
    assert len(text.partition(".")[2]) == decimals
    assert "e" not in text.lower()


@given(st.integers(-(10**40), 10**40), st.integers(0, 18))
def test_trimmed_text_keeps_the_value(units: int, decimals: int) -> None:
    """Trimming removes zeros behind the point, never one before it."""
    text = trimmed_text(units, decimals)
    assert scaled(text, decimals) == units
    assert "." not in text or text[-1] not in "0."


def test_texts_people_see() -> None:
    """The examples of the docstrings."""
    assert decimal_text(628_070, 1) == "62807.0"
    assert decimal_text(-5, 2) == "-0.05"
    assert trimmed_text(62_807_000_000_000, 9) == "62807"
    assert trimmed_text(100, 0) == "100"


# --- FloatGrid ---------------------------------------------------------------------------------------------------

units_any = st.integers(0, 18).flatmap(lambda digits: st.integers(0, 10**digits))


@given(st.integers(0, 9), st.integers(0, 8), units_any, units_any)
@example(9, 8, 10**15 - 1, 10**15 - 1)
@example(0, 0, 2**53 + 1, 1)
@example(1, 8, 628_070, 0)
def test_levels_gives_the_decimal_or_nothing(p: int, q: int, price_units: int, qty_units: int) -> None:
    """For every number on the grid `levels` says what `Decimal` says, or None; never a third thing."""
    price, qty = text_of(price_units, p), text_of(qty_units, q)
    expected = (int(Decimal(price).scaleb(9)), int(Decimal(qty).scaleb(8)))
    got = FloatGrid(p, q).levels([parsed(price, qty)])
    assert got is None or got == [expected]
    in_range = 0 < expected[0] <= I64_MAX and expected[1] <= I64_MAX
    if in_range and price_units < 10**14 and qty_units < 10**14:
        assert got == [expected], "the fast path must carry what a market really prints"
    if in_range:
        assert FloatGrid(p, q).exact_level(price, qty) == expected
    else:
        assert got is None
        with pytest.raises(NumberError):
            FloatGrid(p, q).exact_level(price, qty)


@given(st.integers(0, 9), st.integers(0, 8), units_any, st.integers(1, 9), st.booleans())
@example(8, 8, 953_689_859_206_948, 1, False)  # 15 digits and one more: the same double as without it
@example(9, 8, 969_499_399_626_638, 1, True)
@example(1, 8, 846_354_673_590_732, 1, True)
def test_one_digit_more_is_never_taken_for_a_neighbour(p: int, q: int, units: int, digit: int, in_price: bool) -> None:
    """A price or size with one decimal more than the metadata says is not on the grid, however large it is."""
    decimals = p if in_price else q
    off = text_of(units * 10 + digit, decimals + 1)
    level = parsed(off, text_of(1, q)) if in_price else parsed(text_of(1, p), off)
    assert FloatGrid(p, q).levels([level]) is None
    with pytest.raises(NumberError):
        FloatGrid(p, q).exact_level(*((off, "1") if in_price else ("1", off)))


@given(st.integers(0, 9), st.integers(0, 8), st.floats(), st.floats())
@example(1, 8, 62807.0, -45035996.27370498)
@example(1, 8, -45035996273704.98, 1.0)
@example(0, 0, float("nan"), 1.0)
def test_levels_never_raises(p: int, q: int, price: float, qty: float) -> None:
    """NaN, infinities, subnormals, negatives: what is accepted is positive, within 63 bits and equal to the double."""
    got = FloatGrid(p, q).levels([Level(price, qty)])
    if got is not None:
        ((px, sz),) = got
        assert 0 < px <= I64_MAX
        assert 0 <= sz <= I64_MAX
        assert px / 10**9 == price


@pytest.mark.parametrize(
    ("price", "qty"),
    [
        ("0", "1"),  # no price
        ("0.0", "1"),
        ("-62807.0", "1"),
        ("62807.0", "-1"),
        ("62807.0", "-0.00000001"),
        ("62807.0", "-45035996.27370498"),  # × 10^8 + ½ is no longer a double of its own
        ("1e300", "1"),
        ("62807.0", "1e300"),
        ("9223372036.9", "1"),  # × 10^9 is more than 63 bits
        ("62807.0", "92233720368.54775808"),  # × 10^8 is 2^63
    ],
)
def test_values_out_of_range_are_not_levels(price: str, qty: str) -> None:
    """Neither way in lets a zero or negative price, a negative size or an overflow pass."""
    grid = FloatGrid(1, 8)
    assert grid.levels([parsed(price, qty)]) is None
    with pytest.raises(NumberError):
        grid.exact_level(price, qty)


def test_one_bad_level_spoils_the_message() -> None:
    """`levels` answers for the whole list: no half of a message is ever applied."""
    grid = FloatGrid(1, 8)
    good, bad = parsed("62807.0", "1"), parsed("62807.05", "1")
    assert grid.levels([good, good]) == [(62_807 * 10**9, 10**8)] * 2
    assert grid.levels([good, bad]) is None
    assert grid.levels([bad, good]) is None


def test_a_grid_answers_the_same_for_ever() -> None:
    """One grid reads a whole day: what it remembers of thousands of prices changes no answer."""
    grid = FloatGrid(1, 8)
    levels: list[RawLevel] = [parsed(f"{units // 10}.{units % 10}", "1.5") for units in range(1, 10_001)]
    expected = [(units * 10**8, 150_000_000) for units in range(1, 10_001)]
    for _ in range(2):
        assert grid.levels(levels) == expected
        assert [grid.levels([level]) for level in levels[::97]] == [[level] for level in expected[::97]]
    assert grid.levels([parsed("62807.05", "1.5")]) is None


def test_exact_level_says_which_rule_was_broken() -> None:
    """Off the instrument's grid, off the scale, out of range: three different sentences."""
    grid = FloatGrid(1, 5)
    assert grid.exact_level("62807.0", "5e-05") == (62_807 * 10**9, 5_000)
    assert grid.exact_level(Decimal("62807.10"), Decimal("0.00000")) == (62_807_100_000_000, 0)
    with pytest.raises(NumberError, match="more decimals than the instrument's metadata says"):
        grid.exact_level("62807.05", "1")
    with pytest.raises(NumberError, match="more decimals than the instrument's metadata says"):
        grid.exact_level("62807.0", "0.000001")
    with pytest.raises(NumberError, match="more than 9 decimals"):
        grid.exact_level("62807.0000000001", "1")
    with pytest.raises(NumberError, match="outside the guest's range"):
        grid.exact_level("0", "1")
    with pytest.raises(NumberError, match="outside the guest's range"):
        grid.exact_level("1", "-1")


# --- time --------------------------------------------------------------------------------------------------------


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)), st.integers(0, 999))  # noqa: DTZ001
@example(datetime(2000, 2, 29), 0)  # noqa: DTZ001
@example(datetime(2024, 2, 29, 23, 59, 59), 999)  # noqa: DTZ001
@example(datetime(2100, 3, 1), 1)  # noqa: DTZ001
@example(datetime(1970, 1, 1), 0)  # noqa: DTZ001
def test_times_agree_with_datetime(naive: datetime, ns: int) -> None:
    """Nine decimals of a second, from year 1 to 9999, against the standard library's calendar."""
    text = f"{naive.isoformat(timespec='microseconds')}{ns:03d}Z"
    microseconds = (naive.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert rfc3339_ns(text) == microseconds * 1000 + ns


def test_every_month_end_of_a_leap_cycle() -> None:
    """The last and first days of all months of 1896–2004: century rules included."""
    day = datetime(1896, 1, 1, tzinfo=UTC)
    while day.year < 2005:
        if day.day == 1 or (day + timedelta(days=1)).day == 1:
            assert rfc3339_ns(f"{day:%Y-%m-%d}T00:00:00Z") == (day - EPOCH).days * 86_400 * 10**9
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("fraction", "ns"), [("", 0), (".5", 500_000_000), (".000001", 1000), (".123456789", 123456789)]
)
def test_any_number_of_decimals_up_to_nine(fraction: str, ns: int) -> None:
    """A short fraction is a fraction, not a count of nanoseconds."""
    assert rfc3339_ns(f"1970-01-01T00:00:01{fraction}Z") == 10**9 + ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "2026-08-01T02:53:53",  # no zone
        "2026-08-01T02:53:53+00:00",
        "2026-08-01 02:53:53Z",
        "2026/08/01T02:53:53Z",
        "2026-8-1T2:53:53Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-08-00T00:00:00Z",
        "2026-08-01T24:00:00Z",
        "2026-08-01T00:60:00Z",
        "2026-08-01T00:00:61Z",
        "2026-08-01T00:00:00.Z",
        "2026-08-01T00:00:00.1234567890Z",
        "2026-08-01T00:00:00.-1Z",
        "2026-08-01T00:00:00.1_0Z",
        "2026-08-01T00:00:00.1.2Z",
        "-026-08-01T00:00:00Z",
        "\uff12026-08-01T00:00:00Z",
        "2026-08-01T00:00:00Z\n",
    ],
)
def test_other_texts_are_no_time(text: str) -> None:
    """A day that no calendar has is refused, not carried over into the next month."""
    with pytest.raises(NumberError, match="not an RFC 3339 UTC time"):
        rfc3339_ns(text)


@given(st.text("0123456789-:.TZ", max_size=32) | st.text(max_size=40))
def test_times_raise_nothing_but_number_error(text: str) -> None:
    """What is not a time is refused by name, and by no other error."""
    with pytest.raises(NumberError):
        rfc3339_ns(text)


# --- TextGrid ----------------------------------------------------------------------------------------------------

ODD = ["1.", ".5", "1e-05", "1e5", " 1", "1 ", "1_0", "nan", "inf", "-1", "+1", "٣", "0x1", "", ".", "1..2", "00001.50",
       "123456789012345678", "0.1000000000000000001", "9007199254740993", "0", "0.0"]  # fmt: skip
NUMBERS = st.sampled_from(ODD) | st.decimals(0, 10**13, allow_nan=False, allow_infinity=False).map(lambda d: f"{d:f}")


@given(st.integers(0, 9), st.integers(0, 8), st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4))
@example(8, 5, [("0.00001234", "5.00000"), ("0.00001234", "1000")])
def test_levels_of_texts_are_what_their_digits_say(p: int, q: int, raw: list[tuple[str, str]]) -> None:
    """The quick way gives what reading digit for digit gives, or refuses what that refuses."""

    def read() -> list[tuple[int, int]] | None:
        try:
            return [FloatGrid(p, q).exact_level(price, qty) for price, qty in raw]
        except NumberError:
            return None

    grid = TextGrid(p, q)
    for _ in range(2):  # the second time from what it remembers
        try:
            found: list[tuple[int, int]] | None = grid.of_texts(raw)
        except NumberError:
            found = None
        assert found == read()


@given(st.integers(0, 253_402_300_799_999))
def test_times_in_ms_are_the_same_time_as_text(ms: int) -> None:
    assert rfc3339_ns(rfc3339_of_ms(ms)) == ms * 10**6


@pytest.mark.parametrize("ms", [-1, 253_402_300_800_000])
def test_times_that_have_no_text(ms: int) -> None:
    with pytest.raises(NumberError):
        rfc3339_of_ms(ms)
