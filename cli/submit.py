"""`tailrace submit`: one request by hand."""

import os
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from cli.terminal import record, say
from contracts.jobs_file import load_jobs
from contracts.request import ExportRequest
from producer.ask import job_named, one_request
from producer.queue import ExportQueue
from producer.schedule import missing
from producer.store import BlobIndex
from settings import Settings


def submit(
    job: Annotated[str, typer.Argument(metavar="JOB", show_default=False, help="A job of jobs.toml.")],
    *,
    window_start: Annotated[
        str | None,
        typer.Option(metavar="X", show_default=False, help="The window that begins at X; none for a job without."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Send it even if its blob is there or the queue took it lately.")
    ] = False,
) -> None:
    """Send the request of one export, unless its blob is there.

    X is a day (2026-01-31), a time (2026-01-31T13:00, in the job's time zone unless it carries one) or, for windows
    of numbers, a number.

    --force gives the message an id of its own, so that the queue does not drop it. It overwrites nothing: the worker
    finds the blob and ends the request. To export a window anew, set if_exists = "replace" for the job and raise its
    revision; to repeat what has failed, use `tailrace dlq replay`.
    """
    settings = Settings.from_env(os.environ)
    request = one_request(job_named(load_jobs(settings.jobs), job), window_start, datetime.now(UTC))
    record("", {"request": request.request_id, "blob": request.blob})
    found = BlobIndex(settings).present([request.blob])
    if not any(missing([request], found)):
        say(f"{_what_is_there(request, found[request.blob])}{'' if force else '; nothing was sent'}")
        if not force:
            return
    with ExportQueue(settings) as queue:
        queue.send([request], again=force)
    unless = "" if force else ", which drops it if it took the same request within its duplicate detection window"
    say(f"sent to queue {settings.queue!r}{unless}")


def _what_is_there(request: ExportRequest, owner: UUID | None) -> str:
    """What a blob of the request's name means for it; `owner` is the request that wrote the blob."""
    if owner == request.request_id:
        return "its blob is there already, so a worker completes the request without an export"
    by = f"request {owner}" if owner else "something other than Tailrace"
    return f"a blob of this name by {by} is there already, so a worker dead-letters the request as BlobExists"
