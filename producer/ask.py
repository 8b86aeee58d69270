"""Pure: the requests that a person asks for, by job and range. Raises AskRefused, which says what to write instead."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from contracts.errors import ConfigurationError, Problem, TailraceError
from contracts.grid import IntegerGrid, TimeGrid
from contracts.job import ExportJob
from contracts.jobs_file import Jobs
from contracts.request import ExportRequest
from producer.schedule import Planned, planned_of, request_for_run, request_for_window
from producer.windows import GridWindow, integer_windows_between, windows_between

_NAMED = 20  # jobs that are listed to whom names another one
_PIECE = 1_000  # windows in memory at once, if they are wanted newest first


class AskRefused(TailraceError):  # noqa: N818
    """What was asked for does not fit the job."""


def job_named(jobs: Jobs, name: str) -> ExportJob:
    """The job of a name. Raises ConfigurationError that says why if it is disabled."""
    if problems := jobs.why_disabled(name):
        raise ConfigurationError.of(map(Problem, [f"job {name!r} is disabled until jobs.toml is corrected", *problems]))
    if name not in jobs:
        close = get_close_matches(name, [*jobs, *(one.name for one in jobs.disabled if one.name)], n=1)
        advice = f"did you mean {close[0]}?" if close else f"it has {some_of(sorted(jobs), _NAMED)}"
        raise AskRefused(f"there is no job {name!r} in jobs.toml", advice=advice)
    return jobs[name]


def some_of(names: Sequence[str], most: int) -> str:
    """The first `most` of some names, and how many more there are.

    >>> some_of(["a", "b", "c"], 2)
    'a, b, and 1 more'
    """
    more = [f"and {len(names) - most:,} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def one_request(job: ExportJob, window_start: str | None, now: datetime) -> ExportRequest:
    """The request of the window that begins at `window_start`, or of a run at `now` if the job has no windows."""
    if job.window is None:
        if window_start is not None:
            raise AskRefused(f"job {job.name!r} has no windows; leave the window's start out")
        return request_for_run(job, now)
    if window_start is None:
        raise AskRefused(f"job {job.name!r} exports windows; say which by its start")
    window = next(_windows_from(job, window_start), None)
    start = bound(job, window_start)
    if window is None or _begin(job, window) != start:
        end = job.window.end if isinstance(job.window, TimeGrid) else None
        hint = f"; the next one begins at {window.start}" if window else f"; the job's end is {end}" if end else ""
        raise AskRefused(f"job {job.name!r} has no window that begins at {window_start}{hint}")
    _refuse_open(job, window, now)
    return request_for_window(job, window, now)


def requests_between(
    job: ExportJob, since: str, until: str, now: datetime, *, newest_first: bool = False
) -> Iterator[ExportRequest]:
    """The requests of all closed windows that begin in [since, until), oldest first if not `newest_first`."""
    return (one.request for one in planned_between(job, since, until, now, newest_first=newest_first))


def planned_between(
    job: ExportJob, since: str, until: str, now: datetime, *, newest_first: bool = False
) -> Iterator[Planned]:
    """As `requests_between`, of requests that are not made yet."""
    start, end = refuse_empty(job, since, until)
    forwards = takewhile(lambda window: window.closed_at is None or window.closed_at <= now, _windows(job, start, end))
    yield from planned_of(job, _backwards(job, start, end, now) if newest_first else forwards, now)


def refuse_empty(job: ExportJob, since: str, until: str) -> tuple[datetime | int, datetime | int]:
    """The bounds of a range that a person wrote. Raises AskRefused if nothing can begin in it."""
    start, end = bound(job, since), bound(job, until)
    if not start < end:  # type: ignore[operator]  # both are of the one type that the job's windows have
        raise AskRefused(f"the range is empty: {since} is not before {until}")
    return start, end


def bound(job: ExportJob, text: str) -> datetime | int:
    """A bound as a person writes it: a day, a time (without a zone, in the job's), or a whole number."""
    if isinstance(job.window, IntegerGrid):
        return _whole_number(job, text, job.window.size)
    if job.window is None:
        raise AskRefused(f"job {job.name!r} has no windows, so there is nothing to backfill; use submit")
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise AskRefused(f"{text[:64]!r} is no day or time; write 2026-01-31 or 2026-01-31T13:00:00+00:00") from None
    # Far from the ends of Python's calendar, and four digits in a blob's name.
    if not 1000 <= value.year <= 9000:
        raise AskRefused(f"{text!r} is not in the years 1000 to 9000")
    if value.tzinfo is None:
        value = value.replace(tzinfo=ZoneInfo(job.window.timezone))
    return value.astimezone(UTC)


def _whole_number(job: ExportJob, text: str, size: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = None
    if number is None:
        raise AskRefused(f"{text[:64]!r} is no whole number; the windows of job {job.name!r} are numbers")
    if not -(2**63) <= number <= 2**63 - 1 - 2 * size:
        raise AskRefused(f"no bigint can hold {text[:64]} and the numbers of the window that follows")
    return number


def _windows(job: ExportJob, start: datetime | int, end: datetime | int) -> Iterator[GridWindow]:
    match job.window:
        case TimeGrid():
            assert isinstance(start, datetime)
            assert isinstance(end, datetime)
            return windows_between(job.window, start, end)
        case IntegerGrid():
            assert isinstance(start, int)
            assert isinstance(end, int)
            return integer_windows_between(job.window, start, end)
        case None:
            raise AssertionError("bound() has refused a job without windows")


def _backwards(job: ExportJob, start: Any, end: Any, now: datetime) -> Iterator[GridWindow]:
    """The closed windows, newest first: piece by piece, since a grid is walked forwards."""
    assert job.window is not None
    piece = _PIECE * (job.window.every.shortest if isinstance(job.window, TimeGrid) else job.window.size)
    end = min(end, now) if isinstance(job.window, TimeGrid) else end
    while start < end:
        begin = max(start, end - piece)
        windows = list(_windows(job, begin, end))
        yield from (one for one in reversed(windows) if one.closed_at is None or one.closed_at <= now)
        end = begin


def _windows_from(job: ExportJob, text: str) -> Iterator[GridWindow]:
    start = bound(job, text)
    far = start + 2 * job.window.size if isinstance(job.window, IntegerGrid) else datetime.max.replace(tzinfo=UTC)  # type: ignore[operator]
    return _windows(job, start, far)


def _begin(job: ExportJob, window: GridWindow) -> datetime | int:
    return bound(job, str(window.start))


def _refuse_open(job: ExportJob, window: GridWindow, now: datetime) -> None:
    if window.closed_at is not None and window.closed_at > now:
        name = f"the window of job {job.name!r} that begins at {window.start}"
        raise AskRefused(f"{name} is open until {window.closed_at}")
