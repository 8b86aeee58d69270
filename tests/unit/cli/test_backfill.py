from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from cli.backfill import Range
from contracts.job import ExportJob
from producer.ask import AskRefused

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
        ("orders", "0", "60000000", "there are more than 50,000 windows from 0 to 60000000"),
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


def test_windows_that_are_still_open_are_left_out_and_said_to_be() -> None:
    wanted = Range(daily(), "2026-02-08", "2026-03-01")
    asked = wanted.requests(NOW)
    assert [request.blob for request in asked] == ["20260208T000000", "20260209T000000"]
    assert wanted.left_open(asked) == "2026-02-10T00:00+00:00"


@pytest.mark.parametrize("until", ["2026-02-10", "2026-02-09T00:00:01"])
def test_open_windows_after_the_range_are_not_mentioned(until: str) -> None:
    wanted = Range(daily(), "2026-02-08", until)
    assert wanted.left_open(wanted.requests(NOW)) is None


def test_a_range_before_the_first_day_of_a_job_names_that_day() -> None:
    wanted = Range(daily(start="2026-02-01"), "2026-01-01", "2026-01-05")
    with pytest.raises(AskRefused, match="the next one begins at 2026-02-01"):
        wanted.requests(NOW)
