"""Finds the one window that a person means: by job and start, by request, or by the name of its blob."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from uuid import UUID

from contracts.job import ExportJob
from contracts.jobs_file import Jobs
from operations.coverage import Cell
from operations.looking import Lookout
from producer.ask import AskRefused, bound, job_named


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
        raise AskRefused(f"job {what!r} has many windows", advice=f"say which: tailrace show {what} WINDOW")
    return _first(seen, near, lambda cell: cell.name == what, f"blob {what!r}")


def _of_window(seen: Lookout, job: ExportJob, window: str) -> Cell:
    if job.window is not None:
        bound(job, window)
    (covered,) = seen.coverages([job], None if job.window is None else window, None)
    cell = next((cell for cell in covered.cells if cell.start.startswith(window)), None)
    if cell is None:
        raise AskRefused(f"job {job.name!r} has no window that begins at {window}")
    return cell


def _first(seen: Lookout, jobs: Iterable[ExportJob], is_it: Callable[[Cell], bool], what: str) -> Cell:
    for covered in seen.coverages(jobs, None, None):
        if cell := next(filter(is_it, covered.cells), None):
            return cell
    raise AskRefused(
        f"{what} belongs to no window of jobs.toml", advice="`tailrace show JOB WINDOW` names one by its start"
    )
