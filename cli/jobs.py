"""`tailrace jobs`: checks jobs.toml, and shows when each job is due."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.terminal import complain, record, remark
from contracts.grid import IntegerGrid, TimeGrid
from contracts.job import ExportJob
from contracts.jobs_file import load_jobs
from contracts.ncrontab import fire_times, last_fire_time
from producer.windows import longest, windows_between
from settings import Settings

_FAR = datetime(9000, 1, 1, tzinfo=UTC)


def jobs(
    *,
    file: Annotated[
        Path, typer.Option("--jobs", envvar="TAILRACE_JOBS", show_default="jobs.toml beside function_app.py")
    ] = Settings.model_fields["jobs"].default,
) -> None:
    """Check jobs.toml and list its jobs with what is due next.

    Needs no other setting and no connection. Problems are listed one a line, with exit status 2. A job with a
    problem is disabled, and the others go on.
    """
    now, known = datetime.now(UTC), load_jobs(file)
    for hint in known.hints:
        remark(f"hint: {hint}")
    for job in known.values():
        due = next_due(job, now)
        fields = {
            "exports": _source_of(job),
            "window": _window_of(job),
            "schedule": job.schedule,
            "next due": _when(job, due, now),
            "blob": job.blob,
        }
        record(job.name, fields)
    if known.disabled:
        complain(problem for one in known.disabled for problem in one.problems)
        raise typer.Exit(2)


def next_due(job: ExportJob, now: datetime) -> datetime | None:
    """When the next export becomes due after `now`, None for a job that runs on request only.

    >>> from contracts.jobs_file import parse_jobs
    >>> window = {"column": "at", "type": "date", "every": "1 week", "delay": "3 hours"}
    >>> table = {"name": "a", "schema": "s", "table": "t", "blob": "{window_start}", "window": window}
    >>> sunday = datetime(2026, 1, 11, tzinfo=UTC)
    >>> next_due(parse_jobs({"job": [table]})["a"], sunday).isoformat()
    '2026-01-12T03:00:00+00:00'
    >>> next_due(parse_jobs({"job": [{**table, "schedule": "0 30 2 * * *"}]})["a"], sunday).isoformat()
    '2026-01-13T02:30:00+00:00'
    """
    if isinstance(job.window, TimeGrid):
        return _next_window_due(job.window, job.schedule, now)
    return next(fire_times(job.schedule, now)) if job.schedule else None


def _next_window_due(grid: TimeGrid, schedule: str | None, now: datetime) -> datetime | None:
    # A window that waits for the schedule became ready after the schedule's last time.
    since = (last_fire_time(schedule, now) if schedule else now) - grid.delay - longest(grid.every)
    for window in windows_between(grid, since, _FAR):
        assert window.closed_at is not None
        ready = window.closed_at + grid.delay
        due = _first_fire_time(schedule, ready) if schedule else ready
        if due > now:
            return due
    return None


def _first_fire_time(schedule: str, at: datetime) -> datetime:
    """The first time of a schedule at or after `at`."""
    return at if last_fire_time(schedule, at) == at else next(fire_times(schedule, at))


def _source_of(job: ExportJob) -> str:
    if job.query is not None:
        return f"query: {' '.join(job.query.split())}"
    columns = f" ({', '.join(job.columns)})" if job.columns else ""
    return f"{job.schema_name}.{job.table}{columns}"


def _window_of(job: ExportJob) -> str | None:
    match job.window:
        case TimeGrid() as grid:
            length = f"{grid.every.count} {grid.every.unit}{'s' if grid.every.count > 1 else ''}"
            return f"{length} of {grid.column} ({grid.type}, {grid.timezone})"
        case IntegerGrid() as grid:
            return f"{grid.size:,} of {grid.column}"
        case None:
            return None


def _when(job: ExportJob, due: datetime | None, now: datetime) -> str:
    if not job.enabled:
        return f"never: enabled = false; {_when_asked(job)}"
    if due is not None:
        return due.isoformat(timespec="seconds")
    end = job.window.end if isinstance(job.window, TimeGrid) else None
    return f"never: its end was {end}; {_when_asked(job)}" if end and end <= now.date() else _when_asked(job)


def _when_asked(job: ExportJob) -> str:
    return f"on request: tailrace {'submit' if job.window is None else 'backfill'} {job.name}"
