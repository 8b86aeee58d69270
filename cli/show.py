"""`tailrace show`: the whole life of one window, request or blob."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.completion import job_names
from cli.history import closed_by, numbers_of
from cli.looks import configured, end, size
from cli.ranges import AsJson
from cli.terminal import keys_of, record
from operations.coverage import Cell
from operations.finding import find
from operations.looking import looking
from producer.facts import QueueView

_WORDS = {"size", "so_far", "sessions"}  # fields that say several numbers


def show(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", show_default=False, help="A job, request id or blob name.", autocompletion=job_names
        ),
    ],
    window: Annotated[
        str | None, typer.Argument(metavar="[WINDOW]", show_default=False, help="With a job: the window's start.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of one window: state, message, sessions, blob and receipt.

    In JSON rows, csv_bytes, blob_bytes, seconds, attempts, parts and revision are numbers; so are rows_so_far,
    bytes_so_far and seconds_so_far of an export that runs, and pids lists its sessions.

    Example: tailrace show clicks 2026-01-03

    Example: tailrace show clicks/2026/01/03.csv.gz
    """
    now, (settings, jobs) = datetime.now(UTC), configured()
    with looking(settings, now) as seen:
        cell = find(seen, jobs, what, window)
    if as_json:
        print(json.dumps(as_json_of(cell, seen.queue)))
    else:
        show_cell(cell, fields_of(cell, seen.queue))
    end(seen, is_well=True)


def show_cell(cell: Cell, fields: Mapping[str, object]) -> None:
    """Prints all fields of a window, a line each."""
    record(f"{cell.job.name} {cell.start}: {cell.state}", fields)


def fields_of(cell: Cell, queue: QueueView) -> dict[str, object]:
    """All that is known of a cell, in the order of its life."""
    return {
        "why": cell.why,
        "retry at": cell.when.isoformat(timespec="seconds") if cell.when else None,
        "request id": str(cell.request_id),
        **_message(cell, queue),
        **_session(cell),
        "blob": cell.name if cell.blob else None,
        **_receipt(cell),
    }


def as_json_of(cell: Cell, queue: QueueView) -> dict[str, object]:
    """The same for programs: numbers are numbers, and not words with their units."""
    known: dict[str, object] = {"job": cell.job.name, "window": cell.start, "state": cell.state}
    known |= {key: value for key, value in keys_of(fields_of(cell, queue)).items() if key not in _WORDS}
    if receipt := cell.blob.receipt if cell.blob else None:
        known |= numbers_of(receipt)
    if one := cell.running:
        known |= {"rows_so_far": one.rows, "bytes_so_far": one.bytes, "seconds_so_far": round(one.seconds, 1)}
        known["pids"] = one.pids
    return known


def _message(cell: Cell, queue: QueueView) -> dict[str, object]:
    live, dead = queue.live.get(cell.request_id), queue.dead.get(cell.request_id)
    return {
        "attempt": live.attempt if live else None,
        "dead letter": dead.sequence_number if dead else None,
        "dead since": dead.enqueued_at.isoformat(timespec="seconds") if dead and dead.enqueued_at else None,
    }


def _session(cell: Cell) -> dict[str, object]:
    one = cell.running
    if one is None:
        return {}
    so_far = f"{one.rows:,} rows, {size(one.bytes)} in {one.seconds:.0f} s"
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
        "seconds": f"{receipt.seconds:.2f}" if receipt.seconds < 1 else f"{receipt.seconds:.1f}",
        "attempts": receipt.attempts,
        "rows": f"{receipt.rows:,}",
        "size": f"{size(receipt.csv_bytes)}, {size(receipt.blob_bytes)} compressed",
        "parts": len(receipt.parts),
        "row hash": receipt.row_hash,
        "closed by": closed_by(receipt),
        "still open": receipt.closed.open if receipt.closed else None,
        "snapshot": receipt.snapshot,
        "revision": receipt.revision,
    }
