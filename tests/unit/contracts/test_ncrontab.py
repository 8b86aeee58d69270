"""Schedules are read as Azure's timers read them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ncrontab import fire_times, last_fire_time, ncrontab


@pytest.mark.parametrize(
    "schedule",
    ["0 * * * * *", "*/5 * * * * *", "0 30 2 * * MON-FRI", "0 0 0 1 JAN,JUL *", "0 0 8-18/2 * * 1-5", "0 0 0 29 2 1"],
)
def test_what_azure_takes_is_taken(schedule: str) -> None:
    assert ncrontab(schedule) == schedule


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 0 * * *", "has six fields"),
        ("0 0 0 * * * 2026", "has six fields"),
        ("@daily", "has six fields"),
        ("", "has six fields"),
        ("60 * * * * *", "is no schedule"),
        ("0 0 24 * * *", "is no schedule"),
        ("0 0 0 31 2 *", "is no schedule: failed to find next date"),
        ("0 */0 * * * *", "is no schedule"),
        ("0 0 0 * FOO *", "is no schedule"),
        ("0 0 0 L * *", "'L' is not possible"),
        ("0 0 0 15W * *", "'15W' is not possible"),
        ("0 0 0 ? * *", "'?' is not possible"),
        ("0 0 0 * * MON#2", "'MON#2' is not possible"),
        ("R R * * * *", "'R' is not possible"),
        ("H H * * * *", "'H' is not possible"),
        ("0 0 0,, * * *", "'' is not possible"),
        ("-1 * * * * *", "'-1' is not possible"),
        ("0 0 0 * * 7", "Sunday is 0 in a schedule"),
        ("0 0 0 * * 1-7", "Sunday is 0 in a schedule"),
        ("0 0 22-2 * * *", "runs backwards; write two ranges"),
        ("0 0 0 * * FRI-SUN", "runs backwards; write two ranges"),
    ],
)
def test_what_azure_refuses_or_understands_otherwise_is_refused(schedule: str, expected: str) -> None:
    with pytest.raises(ValueError, match=r"schedule|write two ranges") as caught:
        ncrontab(schedule)
    assert expected in str(caught.value)


def test_both_day_fields_must_match() -> None:
    """Azure requires both of them, Unix cron only one."""
    first = next(fire_times("0 0 0 13 * FRI", datetime(2026, 3, 14, tzinfo=UTC)))
    assert first == datetime(2026, 11, 13, tzinfo=UTC)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(["0 * * * * *", "0 */15 * * * *", "30 0 2 * * *", "0 0 0 * * MON", "0 0 0 1 * *", "*/7 * * * * *"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_the_last_time_is_the_one_after_which_the_next_is_still_to_come(schedule: str, at: datetime) -> None:
    last = last_fire_time(schedule, at)
    assert last <= at < next(fire_times(schedule, last))
    assert next(fire_times(schedule, last - timedelta(microseconds=1))) == last


@pytest.mark.parametrize("schedule", ["0 30 2 * * 1-1", "0 5-5 * * * *", "0 0 0 1 JAN-JAN *"])
def test_a_range_of_one_is_refused_if_it_would_mean_every(schedule: str) -> None:
    with pytest.raises(ValueError, match="is a range of one; write"):
        ncrontab(schedule)
