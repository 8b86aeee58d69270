"""Pure: which exports of a job are due."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

from contracts.grid import TimeGrid
from contracts.job import ExportJob
from contracts.jobs_file import Jobs
from contracts.ncrontab import last_fire_time
from contracts.request import ExportRequest
from producer.identity import identified, request_id
from producer.windows import GridWindow, integer_windows_between, longest, windows_between


class Planned(NamedTuple):
    """The request of a window before it is made: what decides about it, at a fifth of the cost.

    `shared` is what all requests of its job say.
    """

    window: GridWindow
    blob: str
    id: int
    run: datetime
    shared: Mapping[str, Any]

    @property
    def request_id(self) -> UUID:
        """The request's id."""
        return UUID(int=self.id)

    @property
    def job(self) -> str:
        """The name of its job."""
        return str(self.shared["job"])

    @property
    def revision(self) -> int:
        """The revision of its job."""
        return int(self.shared["revision"])

    @property
    def if_exists(self) -> Literal["refuse", "replace"]:
        """What it does to another request's blob of its name."""
        return "refuse" if self.shared["if_exists"] == "refuse" else "replace"

    @property
    def request(self) -> ExportRequest:
        """The request, whole and validated."""
        window = self.window.interval
        return ExportRequest(request_id=self.request_id, blob=self.blob, run=self.run, window=window, **self.shared)


def due_requests(job: ExportJob, now: datetime) -> Iterator[ExportRequest]:
    """Every export of a job that is due at `now`, oldest first, whether its blob exists or not.

    A window is due once it is closed and its delay has passed; with a schedule, at the schedule's next
    time after that. Each tick names all windows that became due within `catch_up` before `now`, so a
    missed tick or an outage heals itself. A scheduled job without windows is due at its schedule's
    latest time.
    """
    if not job.enabled:
        return
    if isinstance(job.window, TimeGrid):
        yield from requests_of(job, due_windows(job.window, job.schedule, now), now)
    elif job.schedule is not None:
        yield request_for_run(job, last_fire_time(job.schedule, now))


def due_windows(grid: TimeGrid, schedule: str | None, now: datetime) -> Iterator[GridWindow]:
    """The windows that became due in (now - catch_up, now], oldest first.

    >>> grid = TimeGrid(column="at", type="date", every="1 day", delay="1 hour", catch_up="2 days")
    >>> [str(window.start) for window in due_windows(grid, None, datetime(2026, 1, 10, 0, 59, tzinfo=UTC))]
    ['2026-01-07', '2026-01-08']
    >>> [str(window.start) for window in due_windows(grid, None, datetime(2026, 1, 10, 1, 0, tzinfo=UTC))]
    ['2026-01-08', '2026-01-09']
    """
    opened, closed = due_between(grid.catch_up, schedule, now)
    for window in windows_between(grid, opened - grid.delay - longest(grid.every), closed):
        assert window.closed_at is not None
        if opened < window.closed_at + grid.delay <= closed:
            yield window


def due_between(catch_up: timedelta, schedule: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Windows that became ready in (first, second] are those that a tick at `now` asks for."""
    # With a schedule, a window waits for the schedule's next time. So both ends move back to such a time.
    opened, closed = now - catch_up, now
    return (
        (opened, closed) if schedule is None else (last_fire_time(schedule, opened), last_fire_time(schedule, closed))
    )


def requests_of(job: ExportJob, windows: Iterable[GridWindow], now: datetime) -> Iterator[ExportRequest]:
    """The request of each window."""
    return (planned.request for planned in planned_of(job, windows, now))


def planned_of(job: ExportJob, windows: Iterable[GridWindow], now: datetime) -> Iterator[Planned]:
    """What is to be asked of each window. Its run is the window's end, so that every tick builds the same body."""
    shared, asked = _shared(job), _whole_seconds(now)
    for window, name, id_ in identified(job, windows):
        yield Planned(window, name, id_, window.closed_at or asked, shared)


def request_for_window(job: ExportJob, window: GridWindow, now: datetime) -> ExportRequest:
    """The request of one window."""
    return next(requests_of(job, [window], now))


def request_for_run(job: ExportJob, run: datetime) -> ExportRequest:
    """The request of a job without windows, at a time of its schedule or at the time of a submit."""
    run = _whole_seconds(run)
    return ExportRequest(request_id=request_id(job, run), blob=job.blob_for(run=run), run=run, **_shared(job))


def _shared(job: ExportJob) -> dict[str, Any]:
    """What all requests of a job say."""
    return {
        "job": job.name,
        "source": job.source,
        "revision": job.revision,
        "if_exists": job.if_exists,
        "output": job.output,
        "streams": job.streams,
        "closing": job.closing,
    }


def _whole_seconds(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def rebuilt(request: ExportRequest, jobs: Jobs) -> ExportRequest | None:
    """The same export by today's job; None if the job is gone or has other windows now."""
    job = jobs.get(request.job)
    if job is None:
        return None
    if request.window is None and job.window is None:
        return request_for_run(job, request.run)
    window = window_of(request, job)
    return request_for_window(job, window, request.run) if window else None


def window_of(request: ExportRequest, job: ExportJob) -> GridWindow | None:
    """The window of the job's grid that a request asks for; None if it is not one of them."""
    if request.window is None or job.window is None:
        return None
    start, end = request.window.bounds()
    if isinstance(job.window, TimeGrid):
        # A window starts once on the clock of the job's zone, whatever the type of its column.
        since = request.run - longest(job.window.every)
        windows = windows_between(job.window, since, request.run)
    else:
        are_numbers = isinstance(start, int) and isinstance(end, int)
        windows = integer_windows_between(job.window, start, end) if are_numbers else iter(())  # type: ignore[arg-type]
    return next((window for window in windows if window.interval.bounds() == (start, end)), None)
