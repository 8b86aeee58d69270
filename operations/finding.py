"""Finds the one window that a person means: by job and start, by request, or by the name of its blob."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from contracts.errors import TailraceError
from contracts.job import ExportJob
from contracts.jobs_file import Jobs
from contracts.request import ExportRequest
from operations.blobs import Blobs
from operations.coverage import Cell
from operations.looking import Lookout
from operations.running import Running
from producer.ask import AskRefused, bound, job_named, one_request
from producer.queue_view import find_requests
from producer.schedule import window_of
from settings import Settings


def find(seen: Lookout, jobs: Jobs, what: str, window: str | None = None) -> Cell:
    """The window that begins at `window` of the job `what`; or the one of a request id or blob name.

    Raises AskRefused if there is none.
    """
    if window is not None:
        return _of_window(seen, job_named(jobs, what), window)
    with suppress(ValueError):
        wanted = UUID(what)
        return _first(seen, jobs.values(), lambda cell: cell.request_id == wanted, f"request {what}")
    near = [job for job in jobs.values() if what.startswith(job.blob_prefix)]
    if not near and what in jobs:
        many = "many windows" if jobs[what].window else "a run each time"
        raise AskRefused(f"job {what!r} has {many}", advice=f"say which by its start: tailrace show {what} START")
    if not near and "/" not in what:
        job_named(jobs, what)  # which says what else may be meant
    return _first(seen, near, lambda cell: cell.name == what, f"blob {what!r}")


def cells_of(settings: Settings, jobs: Jobs, found: Sequence[Running]) -> dict[UUID, Cell]:
    """The windows that are being exported, by request id: as the queue says, or else as the coverage does.

    An export in the foreground has no message; a message may be of a window that no coverage begins with.
    """
    if not found:
        return {}
    ids, cells = {one.request_id: one for one in found}, dict[UUID, Cell]()
    with suppress(TailraceError):
        requests = find_requests(settings, ids)
        cells = {id_: cell for id_, one in requests.items() if (cell := _of_request(one, jobs, ids[id_]))}
        if cells.keys() == ids.keys():
            return cells
    seen = Lookout(settings, datetime.now(UTC), Blobs(settings), running=list(found))
    near = [job for job in jobs.values() if any(job.name.startswith(one.job) for one in found)]
    covered = {cell.request_id: cell for one in seen.coverages(near, None, None) for cell in one.cells if cell.running}
    return {**cells, **covered}


def _of_request(request: ExportRequest, jobs: Jobs, running: Running) -> Cell | None:
    job = jobs.get(request.job)
    window = window_of(request, job) if job else None
    if job is None or (window is None and job.window is not None):
        return None
    return Cell(job, window, request.run, request.blob, request.request_id.int, "running", running=running)


def _of_window(seen: Lookout, job: ExportJob, window: str) -> Cell:
    start = None if job.window is None else bound(job, window)
    (covered,) = seen.coverages([job], None if job.window is None else window, None)
    means = (lambda cell: cell.start.startswith(window)) if start is None else lambda cell: _begin(cell) == start
    cell = next(filter(means, covered.cells), None)
    if cell is None:
        if start is not None:
            one_request(job, window, seen.now)  # which says why there is none
        what = "window" if job.window else "run"
        raise AskRefused(
            f"job {job.name!r} has no {what} that begins at {window}",
            advice=f"`tailrace history {job.name}` lists those that have a blob",
        )
    return cell


def _begin(cell: Cell) -> datetime | int | None:
    """The beginning of its window."""
    return bound(cell.job, str(cell.window.start)) if cell.window else None


def _first(seen: Lookout, jobs: Iterable[ExportJob], is_it: Callable[[Cell], bool], what: str) -> Cell:
    for covered in seen.coverages(jobs, None, None):
        if cell := next(filter(is_it, covered.cells), None):
            return cell
    raise AskRefused(
        f"{what} belongs to no window of jobs.toml", advice="`tailrace show JOB WINDOW` names one by its start"
    )
