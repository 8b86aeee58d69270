"""`tailrace export`: one export now, in the foreground."""

import json
import os
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.filesize import decimal

from cli.progress import export_bar
from cli.ranges import AnyJob, AsJson
from cli.signals import INTERRUPTED, at_first_signal
from cli.terminal import remark, say
from contracts.errors import ExportInterrupted, TailraceError
from contracts.jobs_file import load_jobs
from contracts.receipt import Closed, Receipt
from producer.ask import job_named, one_request
from settings import Settings


def export(
    job: AnyJob,
    *,
    window: Annotated[
        str | None,
        typer.Option(metavar="X", show_default=False, help="The window that begins at X; none for a job without."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Replace the blob if it is there.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for transactions that keep the window open, as long as the job does.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Export one window now, in the foreground, without the queue.

    X is a day (2026-01-31), a time (2026-01-31T13:00, in the job's time zone unless it carries one) or, for windows
    of numbers, a number. The blob appears whole or not at all: after Ctrl-C or a failure, run it again. Needs no
    settings of Service Bus.

    Example: tailrace export clicks --window 2026-01-31

    Example: tailrace export clicks --window 2026-01-31 --again
    """
    settings, now = Settings.from_env(os.environ, queue=False), datetime.now(UTC)
    request = one_request(job_named(load_jobs(settings.jobs), job), window, now)
    from operations.export_now import export_now
    from worker.cancellation import Cancellation

    cancelled, waiting = Cancellation(), _Waiting() if wait else None
    try:
        with at_first_signal(cancelled.set), export_bar("exporting"):
            done = export_now(settings, request, cancelled, again=again, waiting=waiting)
    except ExportInterrupted:
        remark(f"interrupted: blob {request.blob!r} is as it was; run the command again")
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print(json.dumps({"outcome": done.outcome, "blob": request.blob, **_fields(done.receipt)}))
    elif done.outcome == "exported":
        say(f"exported {request.blob}: {said_of(done.receipt)}")
    else:
        when = done.receipt.exported_at.isoformat(timespec="seconds")
        say(f"{request.blob} is there since {when}: {said_of(done.receipt)}; nothing was done, --again replaces it")


class _Waiting:
    """Says once why a window is waited for."""

    def __init__(self) -> None:
        self._said = False

    def __call__(self, error: TailraceError) -> None:
        if not self._said:
            remark(str(error))
        self._said = True


def said_of(receipt: Receipt) -> str:
    """What an export did, in one line."""
    rows = f"{receipt.rows:,} {'row' if receipt.rows == 1 else 'rows'}"
    sizes = f"{decimal(receipt.csv_bytes)} → {decimal(receipt.blob_bytes)}"
    return f"{rows}, {sizes}, {receipt.seconds:.1f} s{_closed(receipt.closed)}"


def _closed(closed: Closed | None) -> str:
    if closed is None:
        return ""
    return f", closed by {closed.by}" if closed.open is None else f", not proven closed: {closed.open}"


def _fields(receipt: Receipt) -> dict[str, object]:
    """The receipt's fields that are of interest, in JSON's types."""
    shown = {"request_id", "job", "rows", "csv_bytes", "blob_bytes", "exported_at", "row_hash", "closed", "attempts"}
    fields = receipt.model_dump(mode="json", exclude_none=True, include=shown)
    return {**fields, "seconds": round(receipt.seconds, 3)}
