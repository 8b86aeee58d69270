"""The windows of a grid tile the time line: no gap, no overlap, also where clocks are put forward or back."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.grid import IntegerGrid, TimeGrid
from contracts.window import TimestamptzWindow
from producer.windows import GridWindow, integer_windows_between, windows_between

ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "Africa/Cairo", "Asia/Beirut"),
    *("Atlantic/Azores", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kwajalein", "Asia/Kathmandu"),
    *("Antarctica/Troll", "America/St_Johns", "Asia/Tehran", "America/Santiago", "America/Asuncion"),
]
STEPS = ["1 day", "2 days", "1 week", "3 weeks", "1 month", "3 months", "12 months"]


def grid(every: str = "1 day", zone: str = "UTC", kind: str = "timestamptz", **more: Any) -> TimeGrid:
    return TimeGrid.model_validate({"column": "at", "type": kind, "every": every, "timezone": zone, **more})


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def bounds(window: GridWindow) -> tuple[Any, Any]:
    interval: Any = window.interval
    return interval.start, interval.end


def hours(windows: list[GridWindow]) -> list[float]:
    return [(end - start).total_seconds() / 3600 for start, end in map(bounds, windows)]


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@example("1 day", "Pacific/Apia", utc(2011, 12, 20))
@example("1 day", "America/Sao_Paulo", utc(2018, 10, 28))
@example("1 day", "Atlantic/Azores", utc(2026, 10, 20))
@example("1 day", "Africa/Cairo", utc(2026, 4, 20))
@given(
    st.sampled_from(STEPS),
    st.sampled_from(ZONES),
    st.datetimes(datetime(1985, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_by_instants_tile_the_time_line(every: str, zone: str, since: datetime) -> None:
    by = grid(every, zone)
    windows = list(windows_between(by, since, since + 12 * by.every.shortest + timedelta(days=9)))
    assert len(windows) >= 10
    for earlier, later in pairwise(windows):
        assert bounds(earlier)[1] == bounds(later)[0]
    assert all(start < end == window.closed_at for window in windows for start, end in [bounds(window)])


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@example("1 day", "Pacific/Apia", "date", utc(2011, 12, 20))
@given(
    st.sampled_from(STEPS),
    st.sampled_from(ZONES),
    st.sampled_from(["date", "timestamp"]),
    st.datetimes(datetime(1985, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_by_days_and_wall_clock_times_tile_them_too(every: str, zone: str, kind: str, since: datetime) -> None:
    by = grid(every, zone, kind)
    windows = list(windows_between(by, since, since + 12 * by.every.shortest + timedelta(days=9)))
    for earlier, later in pairwise(windows):
        assert bounds(earlier)[1] == bounds(later)[0]
        assert earlier.closed_at is not None
        assert later.closed_at is not None
        assert earlier.closed_at <= later.closed_at


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(["1 minute", "15 minutes", "1 hour", "6 hours"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(0, 3000),
)
def test_a_range_split_anywhere_has_the_windows_of_the_whole(every: str, since: datetime, minutes: int) -> None:
    middle, end = since + timedelta(minutes=minutes), since + timedelta(minutes=3000)
    parts = [*windows_between(grid(every), since, middle), *windows_between(grid(every), middle, end)]
    assert parts == list(windows_between(grid(every), since, end))


def test_the_day_on_which_clocks_are_put_forward_has_23_hours() -> None:
    windows = list(windows_between(grid(zone="Europe/Berlin"), utc(2026, 3, 27, 12), utc(2026, 3, 30)))
    assert hours(windows) == [24, 23, 24]
    assert bounds(windows[1]) == (utc(2026, 3, 28, 23), utc(2026, 3, 29, 22))


def test_the_day_on_which_clocks_are_put_back_has_25_hours() -> None:
    windows = list(windows_between(grid(zone="Europe/Berlin"), utc(2026, 10, 23, 12), utc(2026, 10, 26)))
    assert hours(windows) == [24, 25, 24]


def test_a_day_whose_midnight_is_missing_begins_when_the_clock_jumps() -> None:
    """In São Paulo 2018-11-04 began at one o'clock."""
    (window,) = windows_between(grid(zone="America/Sao_Paulo"), utc(2018, 11, 4), utc(2018, 11, 4, 12))
    assert bounds(window) == (utc(2018, 11, 4, 3), utc(2018, 11, 5, 2))


def test_a_day_that_a_zone_left_out_is_a_date_without_instants() -> None:
    """Samoa went from 29 to 31 December 2011."""
    since, until = utc(2011, 12, 29), utc(2012, 1, 1)
    instants = windows_between(grid(zone="Pacific/Apia"), since, until)
    dates = windows_between(grid(zone="Pacific/Apia", kind="date"), since, until)
    assert [f"{window.start:%d}" for window in instants] == ["29", "31", "01"]
    assert [f"{window.start:%d}" for window in dates] == ["29", "30", "31", "01"]


def test_months_have_their_lengths_in_leap_years_too() -> None:
    windows = windows_between(grid("1 month", kind="date"), utc(2028, 1, 1), utc(2028, 5, 1))
    assert [(end - start).days for start, end in map(bounds, windows)] == [31, 29, 31, 30]


@pytest.mark.parametrize(("every", "first"), [("3 months", "2026-04-01"), ("12 months", "2027-01-01")])
def test_quarters_and_years_begin_where_people_expect_them(every: str, first: str) -> None:
    window = next(windows_between(grid(every, kind="date"), utc(2026, 2, 15), utc(2030, 1, 1)))
    assert str(window.start) == first


def test_weeks_begin_on_monday_across_the_year() -> None:
    windows = windows_between(grid("1 week", kind="date"), utc(2026, 12, 20), utc(2027, 1, 12))
    starts = [f"{window.start:%a %G-%V}" for window in windows]
    assert starts == ["Mon 2026-52", "Mon 2026-53", "Mon 2027-01", "Mon 2027-02"]


def test_no_window_begins_before_the_start_and_no_time_is_spent_there() -> None:
    """Counting minutes from the year 1000 on would take minutes itself."""
    late = grid("1 minute", start=date(2026, 1, 31), catch_up="1 day")
    first = next(windows_between(late, utc(1000, 1, 1), utc(2027, 1, 1)))
    assert first.start == utc(2026, 1, 31)


def test_a_start_in_the_middle_of_a_month_waits_for_the_next_one() -> None:
    late = grid("1 month", kind="date", start=date(2026, 1, 15))
    assert str(next(windows_between(late, utc(2026, 1, 1), utc(2027, 1, 1))).start) == "2026-02-01"


def test_a_start_at_the_end_of_all_days_is_no_fault() -> None:
    assert list(windows_between(grid(start=date.max, zone="America/New_York"), utc(2026, 1, 1), utc(2027, 1, 1))) == []


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 10**6), st.integers(-(10**12), 10**12), st.integers(0, 50))
def test_by_numbers_tile_them(size: int, since: int, count: int) -> None:
    numbers = IntegerGrid(column="id", type="integer", size=size)
    windows = list(integer_windows_between(numbers, since, since + count * size))
    assert len(windows) == count
    assert all(bounds(earlier)[1] == bounds(later)[0] for earlier, later in pairwise(windows))
    assert all(start % size == 0 and end - start == size for start, end in map(bounds, windows))


def test_a_window_closes_when_its_zone_says_so() -> None:
    (window,) = windows_between(grid(zone="Asia/Kathmandu", kind="date"), utc(2026, 1, 30, 18, 15), utc(2026, 1, 31))
    assert window.closed_at == utc(2026, 1, 31, 18, 15)
    assert not isinstance(window.interval, TimestamptzWindow)
