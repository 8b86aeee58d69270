"""Which messages a cancel covers."""

from datetime import UTC, date, datetime, timedelta

import pytest

from contracts.steering import Bound, Cancel, Steering
from contracts.window import DateWindow, IntegerWindow, TimestamptzWindow, TimestampWindow, Window

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = AT - timedelta(minutes=1)
DAY = datetime(2026, 1, 31, tzinfo=UTC)


def instants(start: datetime) -> Window:
    return TimestamptzWindow(column="at", start=start, end=start + timedelta(days=1))


def of_job(since: Bound | None = None, until: Bound | None = None, timezone: str = "UTC") -> Cancel:
    return Cancel(by="ann", at=AT, job="clicks", since=since, until=until, timezone=timezone)


def test_a_cancelled_backfill_covers_its_messages_whenever_they_were_sent_and_no_others() -> None:
    cancel = Cancel(by="ann", at=AT, backfill="b-1")
    assert cancel.covers("clicks", "b-1", AT + timedelta(days=1), instants(DAY))
    assert cancel.covers("clicks", "b-1", None, None)
    assert not cancel.covers("clicks", "b-2", BEFORE, instants(DAY))
    assert not cancel.covers("clicks", None, BEFORE, instants(DAY))


def test_a_cancelled_job_covers_what_was_asked_for_before_and_nothing_that_is_asked_for_later() -> None:
    assert of_job().covers("clicks", None, BEFORE, instants(DAY))
    assert of_job().covers("clicks", "b-1", BEFORE, None)
    assert not of_job().covers("clicks", None, AT, instants(DAY))
    assert not of_job().covers("clicks", None, None, instants(DAY))
    assert not of_job().covers("orders", None, BEFORE, instants(DAY))


@pytest.mark.parametrize(
    ("since", "until", "is_covered"),
    [
        (None, None, True),
        (DAY, None, True),
        (None, DAY, False),
        (DAY, DAY + timedelta(days=1), True),
        (DAY + timedelta(seconds=1), None, False),
        (5, None, False),
    ],
)
def test_a_range_covers_the_windows_that_begin_in_it(
    since: Bound | None, until: Bound | None, *, is_covered: bool
) -> None:
    cancel = of_job(since, until)
    assert cancel.covers("clicks", None, BEFORE, instants(DAY)) == is_covered
    assert Cancel.model_validate_json(cancel.model_dump_json()) == cancel


def test_days_and_times_without_a_zone_are_compared_in_the_jobs_zone() -> None:
    start = datetime.fromisoformat("2026-01-31T00:00:00+01:00")
    cancel = of_job(start, start + timedelta(hours=1), "Europe/Berlin")
    day = DateWindow(column="d", start=date(2026, 1, 31), end=date(2026, 2, 1))
    wall = TimestampWindow(column="at", start=datetime(2026, 1, 31), end=datetime(2026, 2, 1))  # noqa: DTZ001
    assert cancel.covers("clicks", None, BEFORE, day)
    assert cancel.covers("clicks", None, BEFORE, wall)
    assert not of_job(start, start + timedelta(minutes=1)).covers("clicks", None, BEFORE, day)


def test_numbers_are_compared_with_numbers() -> None:
    window = IntegerWindow(column="id", start=100, end=200)
    assert of_job(100, 101).covers("clicks", None, BEFORE, window)
    assert not of_job(0, 100).covers("clicks", None, BEFORE, window)
    assert not of_job(DAY, None).covers("clicks", None, BEFORE, window)


def test_a_body_is_read_only_if_a_cancel_may_cover_its_message() -> None:
    orders = Steering(cancels=(of_job(), Cancel(by="ann", at=AT, backfill="b-1")))
    assert orders.may_cancel("clicks", None)
    assert orders.may_cancel("other", "b-1")
    assert not orders.may_cancel("other", "b-2")
    assert not Steering().may_cancel("clicks", "b-1")
