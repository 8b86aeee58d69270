"""`tailrace show`: the whole life of one window, request or blob."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from cli.history import closed_by, seconds_of
from cli.looks import configured, end, megabytes
from cli.ranges import AsJson
from cli.terminal import record
from contracts.job import ExportJob
from contracts.jobs_file import Jobs
from operations.coverage import Cell
from operations.looking import Lookout, looking
from producer.ask import AskRefused, bound, job_named


def show(
    what: Annotated[str, typer.Argument(metavar="WHAT", show_default=False, help="A job, request id or blob name.")],
    window: Annotated[
        str | None, typer.Argument(metavar="[WINDOW]", show_default=False, help="With a job: the window's start.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of one window: state, message, sessions, blob and receipt.

    Example: tailrace show clicks 2026-01-03

    Example: tailrace show clicks/2026/01/03.csv.gz
    """
    now, (settings, jobs) = datetime.now(UTC), configured()
    with looking(settings, now) as seen:
        cell = _found(seen, jobs, what, window)
    fields = fields_of(cell, seen)
    if as_json:
        print(json.dumps({"job": cell.job.name, "window": cell.start, **fields}, default=str))
    else:
        record(f"{cell.job.name} {cell.start}: {cell.state}", fields)
    end(seen, jobs, is_well=True)


def _found(seen: Lookout, jobs: Jobs, what: str, window: str | None) -> Cell:
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


def fields_of(cell: Cell, seen: Lookout) -> dict[str, object]:
    """All that is known of a cell, in the order of its life."""
    return {
        "why": cell.why,
        "retry at": cell.when.isoformat(timespec="seconds") if cell.when else None,
        "request id": str(cell.request_id),
        **_message(cell, seen),
        **_session(cell),
        "blob": cell.name if cell.blob else None,
        **_receipt(cell),
    }


def _message(cell: Cell, seen: Lookout) -> dict[str, object]:
    live, dead = seen.queue.live.get(cell.request_id), seen.queue.dead.get(cell.request_id)
    return {
        "attempt": live.attempt if live else None,
        "dead letter": dead.sequence_number if dead else None,
        "dead since": dead.enqueued_at.isoformat(timespec="seconds") if dead and dead.enqueued_at else None,
    }


def _session(cell: Cell) -> dict[str, object]:
    one = cell.running
    if one is None:
        return {}
    so_far = f"{one.rows:,} rows, {megabytes(one.bytes)} MB in {one.seconds:.0f} s"
    return {"so far": so_far, "sessions": ", ".join(map(str, one.pids)), "waits for": one.waits_for}


def _receipt(cell: Cell) -> dict[str, object]:
    if cell.blob is None:
        return {}
    receipt = cell.blob.receipt
    if receipt is None:
        return {"receipt": "none: something other than Tailrace wrote this blob"}
    return {
        "written by": None if cell.state == "there" else f"request {receipt.request_id} of job {receipt.job}",
        "exported at": receipt.exported_at.isoformat(timespec="seconds"),
        "seconds": f"{seconds_of(receipt):.1f}",
        "rows": f"{receipt.rows:,}",
        "size": f"{megabytes(receipt.csv_bytes)} MB, {megabytes(receipt.blob_bytes)} MB in {len(receipt.parts)} parts",
        "row hash": receipt.row_hash,
        "closed by": closed_by(receipt),
        "still open": receipt.closed.open if receipt.closed else None,
        "snapshot": receipt.snapshot,
        "revision": receipt.revision,
    }
