"""`tailrace submit`: sends one request."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from cli.ranges import AnyJob
from cli.terminal import record, say
from contracts.jobs_file import load_jobs
from contracts.message import Lineage
from producer.ask import job_named, one_request
from producer.asking import Asked
from producer.enqueue import ask, send_asked
from producer.queue import ExportQueue
from producer.store import BlobIndex
from settings import Settings

_NOT_SENT = {
    "there": "its blob exists; nothing was sent",
    "foreign": "another blob has this name, written for something else; nothing was sent",
    "alive": "it is on the queue; nothing was sent",
    "dead": "it is a dead letter; nothing was sent: correct its cause, then `tailrace dlq replay`",
    "postponed": "it is a dead letter that a tick asks for again later; nothing was sent",
    "paused": "its job is paused; nothing was sent: `tailrace resume` it first",
}


def submit(
    job: AnyJob,
    *,
    window_start: Annotated[
        str | None,
        typer.Option(
            "--window",
            "--window-start",
            metavar="X",
            show_default=False,
            help="The window that begins at X; not for a job without windows.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Send it even if it has a blob or a message.")] = False,
) -> None:
    """Send the request of one export, unless it has a blob or a message.

    X is a day (2026-01-31), a time (2026-01-31T13:00, in the job's time zone unless it carries one) or, for windows
    of numbers, a number.

    --force overwrites nothing: the worker finds the blob and ends the request. To export a window again, set
    if_exists = "replace" for the job and raise its revision; to repeat what has failed, use `tailrace dlq replay`.

    Example: tailrace submit clicks --window 2026-01-31
    """
    settings, now = Settings.from_env(os.environ, postgres=False), datetime.now(UTC)
    jobs = load_jobs(settings.jobs)
    request = one_request(job_named(jobs, job), window_start, now)
    record("", {"request": request.request_id, "blob": request.blob})
    with ExportQueue(settings) as queue:
        (found,) = ask([request], jobs, BlobIndex(settings), queue, now)
        if force:
            queue.send([request], lineages={request.request_id: Lineage(jobs[job].version)})
        elif not send_asked([found], queue, now):
            say(_why_not(found))
            return
    say(f"sent to queue {settings.queue!r}")


def _why_not(found: Asked) -> str:
    return _NOT_SENT[found.state] + (f" (reason {found.reason})" if found.reason else "")
