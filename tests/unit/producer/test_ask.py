"""Requests that a person may ask for, and the advice for others."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from contracts.job import ExportJob
from contracts.jobs_file import parse_jobs
from producer.ask import AskRefused, job_named, one_request, requests_between

NOW = datetime(2026, 2, 1, 12, 30, 15, 999, UTC)
BERLIN = {"column": "at", "type": "timestamptz", "every": "1 day", "timezone": "Europe/Berlin"}
HOURLY = {"column": "at", "type": "timestamptz", "every": "1 hour"}
NUMBERS = {"column": "id", "type": "integer", "size": 100}


def job(window: dict[str, Any] | None, **more: Any) -> ExportJob:
    blob = "x/{window_start}" if window else "x/{run}"
    return ExportJob.model_validate({"name": "a", "schema": "s", "table": "t", "blob": blob, "window": window, **more})


def refusal(window: dict[str, Any] | None, start: str | None, **more: Any) -> str:
    with pytest.raises(AskRefused) as caught:
        one_request(job(window, **more), start, NOW)
    return str(caught.value)


def test_an_unknown_job_is_answered_with_those_there_are() -> None:
    jobs = parse_jobs({"job": [{"name": n, "schema": "s", "table": "t", "blob": "{job}/{run}"} for n in ("b", "a")]})
    with pytest.raises(AskRefused, match=r"no job 'c' in jobs\.toml") as caught:
        job_named(jobs, "c")
    assert caught.value.advice == "it has a, b"


def test_a_misspelt_job_is_answered_with_the_one_that_is_meant() -> None:
    jobs = parse_jobs(
        {"job": [{"name": n, "schema": "s", "table": "t", "blob": "{job}/{run}"} for n in ("clicks", "a")]}
    )
    with pytest.raises(AskRefused) as caught:
        job_named(jobs, "click")
    assert caught.value.advice == "did you mean clicks?"


@pytest.mark.parametrize("start", ["2026-01-31", "2026-01-31T00:00:00+01:00", "2026-01-30T23:00:00Z", "20260131"])
def test_a_window_is_asked_for_by_its_day_or_its_instant(start: str) -> None:
    request = one_request(job(BERLIN), start, NOW)
    assert request.blob == "x/20260131T000000"
    assert request.window is not None
    assert str(request.window.start) == "2026-01-30 23:00:00+00:00"


def test_what_is_asked_for_is_what_the_timer_would_send() -> None:
    (by_range,) = requests_between(job(BERLIN), "2026-01-31", "2026-02-01", NOW)
    assert one_request(job(BERLIN), "2026-01-31", NOW + timedelta(days=3)) == by_range


@pytest.mark.parametrize(
    ("window", "start", "expected"),
    [
        (BERLIN, None, "say which by its start"),
        (None, "2026-01-31", "has no windows; leave the window's start out"),
        (
            BERLIN,
            "2026-01-31T00:00:00Z",
            "no window that begins at 2026-01-31T00:00:00Z; the next one begins at 2026-0",
        ),
        (BERLIN, "2026-01-31T01:00", "no window that begins at"),
        (BERLIN, "2026-02-01", "is open until 2026-02-01 23:00:00+00:00"),
        (BERLIN, "2030-01-01", "is open until"),
        (HOURLY, "2026-02-01T12:00Z", "is open until 2026-02-01 13:00:00+00:00"),
        (BERLIN, "yesterday", "'yesterday' is no day or time; write 2026-01-31"),
        (BERLIN, "x" * 100_000, "is no day or time"),
        (BERLIN, "", "'' is no day or time"),
        (BERLIN, "0001-01-01", "is not in the years 1000 to 9000"),
        (BERLIN, "9999-12-31", "is not in the years 1000 to 9000"),
        (NUMBERS, "2026-01-31", "is no whole number; the windows of job 'a' are numbers"),
        (NUMBERS, "1e3", "is no whole number"),
        (NUMBERS, "9" * 5000, "is no whole number"),
        (NUMBERS, "50", "no window that begins at 50; the next one begins at 100"),
        (NUMBERS, str(2**63), "no bigint can hold"),
        (NUMBERS, str(-(2**63) - 1), "no bigint can hold"),
    ],
)
def test_what_does_not_fit_the_job_is_refused(window: dict[str, Any] | None, start: str | None, expected: str) -> None:
    message = refusal(window, start)
    assert expected in message
    assert len(message) < 300


def test_a_day_before_the_start_is_answered_at_once_with_the_first_one() -> None:
    message = refusal({**HOURLY, "start": date(2026, 1, 15)}, "1900-01-01")
    assert "the next one begins at 2026-01-15 00:00:00+00:00" in message


def test_numbers_have_no_clock_that_could_refuse_them() -> None:
    assert one_request(job(NUMBERS), "-100", NOW).blob == "x/-100"
    largest = (2**63 - 1) // 100 * 100 - 200
    assert one_request(job(NUMBERS), str(largest), NOW).blob == f"x/{largest}"


def test_a_run_is_asked_for_as_of_now() -> None:
    assert one_request(job(None), None, NOW).run == NOW.replace(microsecond=0)


def test_a_range_has_the_windows_that_begin_in_it_and_are_closed() -> None:
    names = [r.blob for r in requests_between(job(HOURLY), "2026-02-01T09:30:00Z", "2026-02-02", NOW)]
    assert names == ["x/20260201T100000", "x/20260201T110000"]
    assert len(list(requests_between(job(NUMBERS), "0", "1000", NOW))) == 10


@pytest.mark.parametrize(
    ("window", "since", "until", "expected"),
    [
        (BERLIN, "2026-01-31", "2026-01-31", "the range is empty"),
        (BERLIN, "2026-02-01", "2026-01-31", "the range is empty"),
        (NUMBERS, "10", "9", "the range is empty"),
        (None, "2026-01-31", "2026-02-01", "there is nothing to backfill; use submit"),
    ],
)
def test_an_empty_range_is_refused(window: dict[str, Any] | None, since: str, until: str, expected: str) -> None:
    with pytest.raises(AskRefused, match=expected):
        list(requests_between(job(window), since, until, NOW))
