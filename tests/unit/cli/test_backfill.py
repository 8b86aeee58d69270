from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.backfill import left_out
from contracts.job import ExportJob
from operations.backfill import Wanted

type Refused = Callable[..., str]
NOW = datetime(2026, 2, 10, 12, tzinfo=UTC)


def daily(**window: str) -> ExportJob:
    grid = {"column": "at", "type": "timestamptz", "every": "1 day", **window}
    return ExportJob.model_validate(
        {"name": "a", "schema": "s", "table": "t", "blob": "{window_start}", "window": grid}
    )


@pytest.mark.parametrize(
    ("job", "since", "until", "said"),
    [
        ("nothing", "2026-01-01", "2026-01-02", "there is no job 'nothing' in jobs.toml; it has clicks"),
        ("countries", "2026-01-01", "2026-01-02", "job 'countries' has no windows, so there is nothing to backfill"),
        ("clicks", "2026-01-02", "2026-01-02", "the range is empty: 2026-01-02 is not before 2026-01-02"),
        ("clicks", "soon", "2026-01-02", "'soon' is no day or time; write 2026-01-31 or"),
        (
            "clicks",
            "2026-01-01T01:00",
            "2026-01-01T02:00",
            "job 'clicks' has no window that begins at 2026-",
        ),
        (
            "clicks",
            "8000-01-01",
            "8000-02-01",
            "the window of job 'clicks' that begins at 8000-01-01 00:00",
        ),
        ("orders", "1", "2", "job 'orders' has no window that begins at 1; the next one begins at 1000"),
    ],
)
def test_what_cannot_be_asked_for_is_one_clear_line(
    refused: Refused, job: str, since: str, until: str, said: str
) -> None:
    (line,) = refused("backfill", job, "--from", since, "--to", until).splitlines()
    assert line.startswith(f"error: {said}")


def test_a_range_without_its_end_says_which_option_is_missing(refused: Refused) -> None:
    assert "Missing option '--to'" in refused("backfill", "clicks", "--from", "2026-01-01")


def test_missing_settings_are_all_named(refused: Refused) -> None:
    said = refused(
        "backfill", "clicks", "--from", "2026-01-01", "--to", "2026-01-02", ServiceBusConnection="", ExportStorage=""
    )
    assert [line.split(" is missing")[0] for line in said.splitlines()] == [
        "error: settings: ServiceBusConnection",
        "error: settings: ExportStorage",
    ]


@pytest.mark.parametrize("newest_first", [False, True])
def test_windows_that_are_still_open_are_left_out_and_said_to_be(*, newest_first: bool) -> None:
    wanted = Wanted(daily(), "2026-02-08", "8000-01-01", newest_first=newest_first)
    asked = [request.blob for request in wanted.planned(NOW)]
    assert sorted(asked) == ["20260208T000000", "20260209T000000"]
    assert asked == sorted(asked, reverse=newest_first)
    assert left_out(wanted, NOW) == "windows from 2026-02-10T00:00+00:00 on were left out: they are still open"


def test_windows_after_the_job_s_end_are_left_out_and_the_end_is_named() -> None:
    job = daily(end="2026-02-09", timezone="Europe/Oslo")
    assert left_out(Wanted(job, "2026-02-07", "2026-02-20"), NOW) == (
        "windows from 2026-02-09 on were left out: the job has this end"
    )


@pytest.mark.parametrize("until", ["2026-02-10", "2026-02-09T00:00:01"])
def test_nothing_is_said_of_open_windows_where_the_range_ends_before_them(until: str) -> None:
    assert left_out(Wanted(daily(), "2026-02-08", until), NOW) is None


def test_a_range_before_the_first_day_of_a_job_names_that_day(refused: Refused, jobs_file: Path) -> None:
    jobs_file.write_text(jobs_file.read_text().replace('every = "1 day"', 'every = "1 day"\nstart = 2026-02-01'))
    said = refused("backfill", "clicks", "--from", "2026-01-01", "--to", "2026-01-05")
    assert "the next one begins at 2026-02-01" in said


def test_a_kind_of_windows_that_is_not_known_is_refused_with_those_that_are(refused: Refused) -> None:
    said = refused("backfill", "clicks", "--from", "2026-01-01", "--to", "2026-01-05", "--only", "some")
    assert "'missing', 'failed' or 'all'" in said


@pytest.mark.parametrize(
    ("window", "since", "until", "expected"),
    [
        ({"every": "1 day"}, "2025-01-01", "2026-01-01", 365),
        ({"every": "1 day", "start": "2026-02-01"}, "2020-01-01", "2030-01-01", 10),
        ({"every": "1 month"}, "2024-01-01", "2026-01-01", 24),
        ({"every": "15 minutes"}, "2026-01-01", "2026-01-02", 96),
    ],
)
def test_a_bar_knows_about_how_many_windows_there_are(
    window: dict[str, str], since: str, until: str, expected: int
) -> None:
    assert Wanted(daily(**window), since, until).expected(NOW) == expected
