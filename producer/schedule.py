"""Pure: which exports of a job are due."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid5

from contracts.grid import TimeGrid
from contracts.job import ExportJob
from contracts.jobs_file import Jobs
from contracts.ncrontab import last_fire_time
from contracts.request import ExportRequest
from contracts.window import Window
from producer.windows import Cut, cuts_between, integer_cuts_between, longest

# Fixed for ever: another value would give every request a new id, and every blob a second export.
_NAMESPACE = UUID("6f0b8a52-1d3e-5c74-9a86-0f6f5d1b7c21")


def due_requests(job: ExportJob, now: datetime) -> Iterator[ExportRequest]:
    """Every export of a job that a tick at `now` stands for, oldest first, whether its blob is there or not.

    A window is due once it is closed and its delay has passed; with a schedule, at the next time of
    the schedule after that. All windows that became due within `catch_up` before `now` are named again
    at each tick, so that a missed tick or an outage heals itself. A scheduled job without windows is
    due at the latest time of its schedule.
    """
    if not job.enabled:
        return
    if isinstance(job.window, TimeGrid):
        for cut in due_cuts(job.window, job.schedule, now):
            yield request_for_cut(job, cut, now)
    elif job.schedule is not None:
        yield request_for_run(job, last_fire_time(job.schedule, now))


def due_cuts(grid: TimeGrid, schedule: str | None, now: datetime) -> Iterator[Cut]:
    """The windows that became due in (now - catch_up, now], oldest first.

    >>> grid = TimeGrid(column="at", type="date", every="1 day", delay="1 hour", catch_up="2 days")
    >>> [str(cut.start) for cut in due_cuts(grid, None, datetime(2026, 1, 10, 0, 59, tzinfo=UTC))]
    ['2026-01-07', '2026-01-08']
    >>> [str(cut.start) for cut in due_cuts(grid, None, datetime(2026, 1, 10, 1, 0, tzinfo=UTC))]
    ['2026-01-08', '2026-01-09']
    """
    # With a schedule a window waits for the next of its times: those ready since the last time before the
    # horizon, up to the last time before now.
    opened, closed = now - grid.catch_up, now
    if schedule is not None:
        opened, closed = last_fire_time(schedule, opened), last_fire_time(schedule, closed)
    for cut in cuts_between(grid, opened - grid.delay - longest(grid.every), closed):
        assert cut.closed_at is not None
        if opened < cut.closed_at + grid.delay <= closed:
            yield cut


def request_for_cut(job: ExportJob, cut: Cut, now: datetime) -> ExportRequest:
    """The request of one window; its run is the window's end, so that every tick builds the same body."""
    return ExportRequest(
        request_id=request_id(job, cut.window),
        job=job.name,
        source=job.source,
        window=cut.window,
        blob=job.blob_for(window_start=cut.start, window_end=cut.end),
        run=cut.closed_at or now.astimezone(UTC).replace(microsecond=0),
        revision=job.revision,
        if_exists=job.if_exists,
        output=job.output,
        streams=job.streams,
        closing=job.closing,
    )


def request_for_run(job: ExportJob, run: datetime) -> ExportRequest:
    """The request of a job without windows, for one time of its schedule or of somebody's asking."""
    run = run.astimezone(UTC).replace(microsecond=0)
    return ExportRequest(
        request_id=request_id(job, run),
        job=job.name,
        source=job.source,
        blob=job.blob_for(run=run),
        run=run,
        revision=job.revision,
        if_exists=job.if_exists,
        output=job.output,
        streams=job.streams,
        closing=job.closing,
    )


def rebuilt(request: ExportRequest, jobs: Jobs) -> ExportRequest | None:
    """The same export as its job asks for it today; None if there is no such job, or if its windows are others now."""
    job = jobs.get(request.job)
    if job is None:
        return None
    if request.window is None or job.window is None:
        return request_for_run(job, request.run) if request.window is None and job.window is None else None
    start, end = request.window.bounds()
    if isinstance(job.window, TimeGrid):
        # By the clock of the job's zone a window has one start, whatever the type of its column.
        since = request.run - longest(job.window.every)
        cuts = list(cuts_between(job.window, since, request.run))
    else:
        is_of_numbers = isinstance(start, int) and isinstance(end, int)
        cuts = list(integer_cuts_between(job.window, start, end)) if is_of_numbers else []  # type: ignore[arg-type]
    for cut in cuts:
        if cut.window.bounds() == (start, end):
            return request_for_cut(job, cut, request.run)
    return None


def request_id(job: ExportJob, what: Window | datetime) -> UUID:
    """The same for the same job, window or run, and revision: receipts and messages carry it."""
    name = what.isoformat() if isinstance(what, datetime) else what.model_dump_json()
    return uuid5(_NAMESPACE, f"{job.name}\n{job.revision}\n{name}")
