"""The exports due at a moment, and their ids."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.job import ExportJob
from producer.identity import request_id
from producer.schedule import due_requests, request_for_run

DAILY = {"column": "at", "type": "date", "every": "1 day", "catch_up": "3 days"}


def job(**more: Any) -> ExportJob:
    keys: dict[str, Any] = {"name": "a", "schema": "s", "table": "t", "blob": "x/{window_start}", "window": DAILY}
    return ExportJob.model_validate(keys | more)


def runs(schedule: str | None, blob: str = "x/{run}", **more: Any) -> ExportJob:
    return job(blob=blob, window=None, schedule=schedule, **more)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(made: ExportJob, now: str) -> list[str]:
    return [str(request.window.start)[:16] for request in due_requests(made, at(now)) if request.window]


def test_a_window_is_due_from_the_moment_it_closes() -> None:
    assert starts(job(), "2026-01-31 23:59:59")[-1] == "2026-01-30"
    assert starts(job(), "2026-02-01 00:00:00")[-1] == "2026-01-31"


def test_a_delay_holds_a_closed_window_back() -> None:
    late = job(window={**DAILY, "delay": "90 minutes"})
    assert starts(late, "2026-02-01 01:29:59")[-1] == "2026-01-30"
    assert starts(late, "2026-02-01 01:30:00")[-1] == "2026-01-31"


def test_catch_up_is_how_far_back_windows_are_named_again() -> None:
    assert starts(job(), "2026-02-01 12:00:00") == ["2026-01-29", "2026-01-30", "2026-01-31"]
    assert starts(job(window={**DAILY, "catch_up": "1 day"}), "2026-02-01 12:00:00") == ["2026-01-31"]


@pytest.mark.parametrize(
    ("more", "last_moment", "start"),
    [
        ({}, "2026-02-01 23:59:59", "2026-01-31"),
        ({"every": "1 month"}, "2026-02-01 23:59:59", "2026-01-01"),
        ({"every": "12 months"}, "2026-01-01 23:59:59", "2025-01-01"),
        ({"delay": "10 days"}, "2026-02-11 23:59:59", "2026-01-31"),
        ({"timezone": "Europe/Berlin"}, "2026-10-26 22:59:59", "2026-10-25"),  # which had 25 hours
    ],
)
def test_a_window_is_named_until_the_last_moment_of_catch_up(
    more: dict[str, str], last_moment: str, start: str
) -> None:
    made = job(blob="x/{window_start:%F}", window={**DAILY, "catch_up": "1 day", **more})
    assert starts(made, last_moment) == [start]
    assert start not in starts(made, str(at(last_moment) + timedelta(seconds=1))[:19])


def test_without_catch_up_nothing_is_ever_due() -> None:
    assert starts(job(window={**DAILY, "catch_up": "0 days"}), "2026-02-01 00:00:00") == []


def test_nothing_before_the_start_is_due() -> None:
    assert starts(job(window={**DAILY, "start": "2026-01-31"}), "2026-02-01 12:00:00") == ["2026-01-31"]
    assert starts(job(window={**DAILY, "start": "2026-02-01"}), "2026-02-01 12:00:00") == []


def test_a_window_waits_for_the_next_time_of_the_schedule() -> None:
    nightly = job(schedule="0 0 3 * * *")
    assert starts(nightly, "2026-02-01 02:59:59")[-1] == "2026-01-30"
    assert starts(nightly, "2026-02-01 03:00:00")[-1] == "2026-01-31"


def test_with_a_schedule_and_a_delay_the_first_time_after_both_counts() -> None:
    nightly = job(schedule="0 0 3 * * *", window={**DAILY, "delay": "4 hours"})
    assert starts(nightly, "2026-02-01 23:00:00")[-1] == "2026-01-30"
    assert starts(nightly, "2026-02-02 03:00:00")[-1] == "2026-01-31"


def test_hours_of_a_day_are_due_together_at_its_nightly_time() -> None:
    hourly = {**DAILY, "type": "timestamptz", "every": "1 hour", "catch_up": "1 day"}
    due = starts(job(schedule="0 0 3 * * *", window=hourly), "2026-02-01 03:00:30")
    assert (len(due), due[0], due[-1]) == (24, "2026-01-31 03:00", "2026-02-01 02:00")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_on_which_clocks_change_is_one_window_of_its_true_length(day: str, hours: int) -> None:
    berlin = {**DAILY, "type": "timestamptz", "timezone": "Europe/Berlin", "catch_up": "1 day"}
    now = at(day) + timedelta(days=1)
    windows: list[Any] = [request.window for request in due_requests(job(window=berlin), now)]
    assert [(window.end - window.start) / timedelta(hours=1) for window in windows] == [hours]


def test_a_local_day_is_due_at_local_midnight_in_summer_and_winter() -> None:
    berlin = job(window={**DAILY, "timezone": "Europe/Berlin"})
    assert starts(berlin, "2026-07-01 21:59:59")[-1] == "2026-06-30"
    assert starts(berlin, "2026-07-01 22:00:00")[-1] == "2026-07-01"
    assert starts(berlin, "2026-01-31 22:59:59")[-1] == "2026-01-30"
    assert starts(berlin, "2026-01-31 23:00:00")[-1] == "2026-01-31"


def test_a_month_is_due_on_the_first() -> None:
    monthly = job(blob="x/{window_start:%Y-%m}", window={**DAILY, "every": "1 month", "catch_up": "40 days"})
    assert starts(monthly, "2026-02-28 23:59:59") == ["2026-01-01"]
    assert starts(monthly, "2026-03-01 00:00:00") == ["2026-01-01", "2026-02-01"]


TICKS = st.lists(st.integers(1, 3 * 24 * 60), min_size=1, max_size=8)  # minutes from one tick to the next


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(TICKS, st.sampled_from([None, "0 0 3 * * *", "0 30 */6 * * *", "0 0 0 * * MON"]), st.integers(0, 30))
def test_missed_ticks_heal(gaps: list[int], schedule: str | None, delay: int) -> None:
    """No window is left out as long as a tick comes once in catch_up; ten days here, with ticks up to three apart."""
    window = {**DAILY, "type": "timestamptz", "every": "6 hours", "delay": f"{delay} hours", "catch_up": "10 days"}
    made = job(window=window, schedule=schedule)
    began = now = at("2026-03-01 00:00:00")
    named: dict[UUID, Any] = {request.request_id: request.window for request in due_requests(made, now)}
    for gap in gaps:
        now += timedelta(minutes=gap)
        named |= {request.request_id: request.window for request in due_requests(made, now)}
    seen = sorted(window.start for window in named.values())
    assert seen == [seen[0] + timedelta(hours=6 * number) for number in range(len(seen))]
    newest: Any = [request.window for request in due_requests(made, now)][-1]
    assert seen[-1] == newest.start
    assert seen[0] < began


def test_every_tick_builds_the_very_same_message() -> None:
    """So that duplicate detection may drop any of them."""
    early, late = (list(due_requests(job(), at(now))) for now in ("2026-02-01 00:00:01", "2026-02-01 23:59:59"))
    assert [request.to_body() for request in early] == [request.to_body() for request in late]


def test_request_ids_never_change() -> None:
    """Another id would give every blob of every deployment a second export."""
    assert str(request_id(runs(None), at("2026-02-01 00:00:00"))) == "460d7cc8-c5fa-56ff-8b70-1adca62b1876"
    (request,) = due_requests(job(window={**DAILY, "catch_up": "1 day"}), at("2026-02-01 00:00:00"))
    assert str(request.request_id) == "7e2b3184-788c-5f52-8c03-4877ef43d2f0"


def ids(made: ExportJob) -> set[UUID]:
    return {request.request_id for request in due_requests(made, at("2026-02-01 12:00:00"))}


def test_another_window_revision_job_or_run_is_another_request() -> None:
    variants = [
        job(),
        job(revision=2),
        job(name="b"),
        job(window={**DAILY, "column": "other"}),
        job(window={**DAILY, "type": "timestamp"}),
        job(window={**DAILY, "type": "timestamptz"}),
        job(window={**DAILY, "timezone": "Europe/Berlin", "type": "timestamptz"}),
        job(window={**DAILY, "every": "1 week", "catch_up": "30 days"}),
        runs("0 0 2 * * *"),
        runs("0 0 3 * * *"),
        runs("0 0 3 * * *", revision=2),
    ]
    assert [len(ids(made)) for made in variants] == [3, 3, 3, 3, 3, 3, 3, 4, 1, 1, 1]
    assert len(set().union(*map(ids, variants))) == sum(len(ids(made)) for made in variants)


def test_the_blob_name_does_not_change_the_request_id() -> None:
    assert ids(job()) == ids(job(blob="y/{window_start:%F}", output={"header": False}, if_exists="replace"))


def test_a_scheduled_run_is_due_at_the_latest_of_its_times() -> None:
    (request,) = due_requests(runs("0 0 3 * * *"), at("2026-02-01 02:59:59.999999"))
    assert (request.run, request.blob) == (at("2026-01-31 03:00:00"), "x/20260131T030000")
    (request,) = due_requests(runs("0 0 3 * * *"), at("2026-02-01 03:00:00"))
    assert request.run == at("2026-02-01 03:00:00")


def test_what_has_no_clock_is_never_due() -> None:
    numbers = job(window={"column": "id", "type": "integer", "size": 10})
    assert list(due_requests(numbers, at("2026-02-01 00:00:00"))) == []
    assert list(due_requests(runs(None), at("2026-02-01 00:00:00"))) == []


def test_a_run_asked_for_twice_in_one_second_is_one_request() -> None:
    first, second = (request_for_run(runs(None), at(f"2026-02-01 10:00:00.{n}00000")) for n in (1, 9))
    assert first == second


def due(**more: Any) -> Iterator[Any]:
    return due_requests(job(**more), at("2026-02-01 12:00:00"))
