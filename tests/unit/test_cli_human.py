"""Figures and moments as people write and read them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accel.cli import human
from accel.cli.errors import WrongUse

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
FACTORS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50, "EiB": 2**60}


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (80 * 2**30, "80 GiB"),
        (3_840_000_000_000, "3.5 TiB"),
        (2**70, "1024 EiB"),
    ],
)
def test_bytes_are_shown_in_the_largest_unit_that_leaves_at_least_one(count: int, text: str) -> None:
    assert human.size(count) == text


@given(st.integers(min_value=1, max_value=2**66))
def test_a_size_read_back_is_within_five_percent(count: int) -> None:
    number, unit = human.size(count).split()
    assert abs(float(number) * FACTORS[unit] - count) <= count * 0.05


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1.5d", 129600), ("1w", 604800), ("1h30m", 5400)]
)
def test_a_duration_is_read_as_people_write_it(text: str, seconds: float) -> None:
    assert human.duration(text) == timedelta(seconds=seconds)


@given(st.lists(st.tuples(st.integers(0, 9999), st.sampled_from(sorted(UNIT_SECONDS))), min_size=1, max_size=3))
def test_the_parts_of_a_duration_add_up(parts: list[tuple[int, str]]) -> None:
    total = timedelta(seconds=sum(number * UNIT_SECONDS[unit] for number, unit in parts))
    text = "".join(f"{number}{unit}" for number, unit in parts)
    if total > timedelta(days=36525):
        with pytest.raises(WrongUse):
            human.duration(text)
    else:
        assert human.duration(text) == total


def said_about(text: str) -> str:
    """Why the text is no moment; empty where it is one."""
    try:
        human.moment(text, now=NOW)
    except WrongUse as error:
        return str(error)
    return ""


@given(st.text(max_size=20))
def test_any_text_is_a_moment_or_a_refusal_that_quotes_it(text: str) -> None:
    assert repr(text) in said_about(text) or human.moment(text, now=NOW).tzinfo is not None


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("10m", NOW - timedelta(minutes=10)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("2026-11-21T10:00", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        ("2026-11-21T10:00+02:00", datetime(2026, 11, 21, 8, tzinfo=UTC)),
    ],
)
def test_a_moment_is_how_long_ago_or_when_and_utc_unless_it_says_otherwise(text: str, when: datetime) -> None:
    assert human.moment(text, now=NOW) == when


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=-3), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=3), "3 d"),
    ],
)
def test_an_age_has_one_unit(ago: timedelta, text: str) -> None:
    assert human.age((NOW - ago).isoformat(), now=NOW) == text


def test_what_never_happened_has_no_age() -> None:
    assert human.age(None) == human.ago(None) == "-"


def test_the_clock_leaves_out_the_date_of_the_last_day_only() -> None:
    assert human.clock("2026-11-21T11:00:00+00:00", now=NOW) == "11:00:00"
    assert human.clock("2026-11-20T11:00:00+00:00", now=NOW) == "2026-11-20 11:00:00"
