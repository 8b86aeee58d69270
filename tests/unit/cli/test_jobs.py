import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.terminal import in_terminal
from typer.testing import Result

from cli.jobs import next_due
from contracts.grid import TimeGrid
from contracts.job import ExportJob
from producer.schedule import due_windows

type Tailrace = Callable[..., Result]
NOWHERE = dict.fromkeys(("ServiceBusConnection", "ExportStorage", "PGHOST", "PGDATABASE", "PGUSER", "PGPASSWORD"), "")


def test_each_job_is_shown_with_its_source_window_schedule_and_blob_name(tailrace: Tailrace) -> None:
    result = tailrace("jobs", **NOWHERE)
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert sum(line.startswith("next due 2") for line in lines) == 2
    lines = [line for line in lines if not line.startswith("next due 2")]
    assert lines == [
        "clicks",
        "exports events.clicks",
        "window 1 day of at (timestamptz, UTC)",
        "blob {job}/{window_start:%Y/%m/%d}.csv.gz",
        "orders",
        "exports events.orders (id, total)",
        "window 1,000 of id",
        "next due on request: tailrace backfill orders",
        "blob {job}/{window_start:012d}.csv.gz",
        "countries",
        "exports query: select * from countries",
        "schedule 0 30 2 * * *",
        "blob {job}/{run:%Y/%m/%d}.csv.gz",
    ]


def test_every_problem_of_the_file_is_a_line_and_the_status_is_2(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text('[[job]]\nname = "a"\nschema = "s"\nblob = "{run}"\n[[job]]\nname = "b"\nquery = "x"\nblob = "y"\n')
    said = refused("jobs", "--jobs", str(path)).splitlines()
    assert len(said) == 2
    assert said[0] == f"error: {path}: job 'a': table: missing; a job needs schema and table, or query"
    assert said[1].startswith(f"error: {path}: job 'b': blob: two runs would get the same name")


def test_a_bad_job_is_shouted_about_and_the_others_are_listed(tailrace: Tailrace, jobs_file: Path) -> None:
    jobs_file.write_text(jobs_file.read_text() + '[[job]]\nname = "bad"\nschema = "s"\nblob = "x/{run}"\n')
    result = tailrace("jobs", **NOWHERE)
    assert result.exit_code == 2
    assert result.stderr == f"error: {jobs_file}: job 'bad': table: missing; a job needs schema and table, or query\n"
    assert [line for line in result.stdout.splitlines() if not line.startswith(" ")] == [
        "clicks",
        "orders",
        "countries",
    ]


def test_commands_that_name_a_disabled_job_say_why_it_is(refused: Callable[..., str], jobs_file: Path) -> None:
    jobs_file.write_text(jobs_file.read_text() + '[[job]]\nname = "bad"\nschema = "s"\nblob = "x/{run}"\n')
    for command in (
        ["submit", "bad"],
        ["backfill", "bad", "--from", "1", "--to", "2"],
        ["verify", "bad"],
        ["restore", "bad"],
    ):
        assert refused(*command).splitlines() == [
            "error: job 'bad' is disabled until jobs.toml is corrected",
            f"error: {jobs_file}: job 'bad': table: missing; a job needs schema and table, or query",
        ]


def test_every_command_names_the_job_that_was_meant(refused: Callable[..., str]) -> None:
    for command in (["submit", "click"], ["backfill", "click", "--from", "1", "--to", "2"], ["verify", "click"]):
        assert refused(*command) == "error: there is no job 'click' in jobs.toml; did you mean clicks?\n"


def test_a_missing_file_says_how_to_name_one(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "nothing.toml"
    assert (
        refused("jobs", TAILRACE_JOBS=str(path))
        == f"error: {path}: no such file; set TAILRACE_JOBS to your jobs.toml\n"
    )


def test_long_values_are_whole_in_a_pipe_and_wrapped_in_a_narrow_terminal(jobs_file: Path) -> None:
    blob = "{job}/" + "x" * 150 + "/{window_start:%Y/%m/%d}.csv.gz"
    jobs_file.write_text(jobs_file.read_text().replace("{job}/{window_start:%Y/%m/%d}.csv.gz", blob))
    environ = {**os.environ, "COLUMNS": "50", "TERM": "xterm", "NO_COLOR": "1"}
    argv = [sys.executable, "-m", "cli", "jobs", "--jobs", str(jobs_file)]
    piped = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    assert f"    blob      {blob}\n" in piped.stdout
    assert "\x1b" not in piped.stdout
    shown = in_terminal(argv, environ)
    assert all(len(line) <= 50 for line in shown.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines())
    assert blob in shown.replace("\r\n" + " " * 14, "")


@settings(deadline=None, max_examples=40)
@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    every=st.sampled_from(["1 hour", "1 day", "1 week", "1 month"]),
    delay=st.sampled_from(["0 days", "90 minutes", "3 days"]),
    schedule=st.sampled_from([None, "0 30 2 * * *", "0 0 6 * * MON", "0 0 0 1 * *"]),
)
def test_nothing_becomes_due_before_the_time_that_is_shown_and_something_does_then(
    now: datetime, every: str, delay: str, schedule: str | None
) -> None:
    window = {"column": "at", "type": "timestamptz", "every": every, "delay": delay, "catch_up": "1 day"}
    table = {"name": "a", "schema": "s", "table": "t", "blob": "{window_start}", "window": window, "schedule": schedule}
    job = ExportJob.model_validate(table)
    due = next_due(job, now)
    assert due is not None
    assert due > now
    assert newest_due(job, now) == newest_due(job, due - timedelta(microseconds=1)) < newest_due(job, due)


def newest_due(job: ExportJob, now: datetime) -> datetime:
    """The start of the newest window that was due by `now`; every tick looks at one day only."""
    assert isinstance(job.window, TimeGrid)
    ticks = (now - timedelta(days=days) for days in range(64))
    return next(max(starts) for tick in ticks if (starts := starts_due(job.window, job.schedule, tick)))


def starts_due(grid: TimeGrid, schedule: str | None, tick: datetime) -> list[datetime]:
    return [window.closed_at for window in due_windows(grid, schedule, tick) if window.closed_at]
