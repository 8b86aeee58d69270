"""`tailrace backfills` and `tailrace cancel`: what became of backfills, and stopping them."""

import json
import os
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from cli.completion import job_names
from cli.ranges import AsJson
from cli.terminal import record, remark, say
from contracts.job import ExportJob
from contracts.jobs_file import Jobs, load_jobs
from contracts.steering import Cancel
from operations.backfills import Standing, cancel_of, covered, order, standings
from producer.ask import job_named
from producer.queue import ExportQueue
from settings import Settings


def backfills(
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List backfills with their ids, and how far each has come.

    waiting: some of its messages are on the queue. sending: a command feeds the queue. interrupted: that command ended
    before all was sent; run it again. done: nothing of it is on the queue any more. cancelled: what has ended was
    exported or left out, and nothing records which; `tailrace missing` shows what has no blob.

    Example: tailrace backfills --limit 5
    """
    settings = Settings.from_env(os.environ, postgres=False)
    with ExportQueue(settings) as queue:
        found = standings(settings, queue, datetime.now(UTC))
    for one in islice(found, limit):
        show_standing(one, as_json=as_json)
    if not found and not as_json:
        say("there are no backfills")
    if len(found) > limit:
        remark(f"there are {len(found) - limit:,} more; see them with --limit")


def show_standing(one: Standing, *, as_json: bool) -> None:
    """Prints one backfill."""
    asked = one.backfill
    counts = {"done": one.done, "waiting": one.waiting, "dead": one.dead}
    if as_json:
        fields = asked.model_dump(mode="json", exclude_none=True)
        print(json.dumps({"backfill": one.id, "state": one.state, **counts, **fields}))
        return
    more = "".join(f", {count:,} {name}" for name, count in counts.items() if count and name != "done")
    shown = {
        "job": f"{asked.job}, {asked.only} from {asked.since} to {asked.until}",
        "ended" if one.state == "cancelled" else "done": f"{one.done:,} of {asked.sent:,}{more}",
        "by": f"{asked.by} at {asked.at.isoformat(timespec='seconds')}",
        "in flight": asked.in_flight,
    }
    record(f"{one.id}  {one.state}", shown)


def cancel(
    what: Annotated[
        str,
        typer.Argument(
            metavar="BACKFILL|JOB",
            show_default=False,
            help="An id of a backfill, or a job.",
            autocompletion=job_names,
        ),
    ],
    *,
    since: Annotated[
        str | None, typer.Option("--from", metavar="X", show_default=False, help="Of a job: windows from X on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="Y", show_default=False, help="Of a job: windows that begin before Y.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the messages, and cancel nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Cancel what waits on the queue: all messages of a backfill, or those of a job that were sent until now.

    Workers complete such messages without an export, and notice within half a minute; what runs by then is finished,
    and messages of others are not touched. The next tick asks again for windows that are due: pause the job to keep it
    from doing so.

    Example: tailrace cancel b-3f9a1c2d

    Example: tailrace cancel clicks --from 2026-01-01 --to 2026-02-01
    """
    settings, now = Settings.from_env(os.environ, postgres=False), datetime.now(UTC)
    jobs = load_jobs(settings.jobs)
    wanted = cancel_of(settings, what, _job(jobs, what), (since, until), now)
    ordered = wanted if dry_run else order(settings, wanted, now)
    # Counting takes a while for many, and the order is in force by then.
    counted = covered(settings, wanted)
    if as_json:
        fields = ordered.model_dump(mode="json", exclude_none=True)
        print(json.dumps({"messages": counted, "cancelled": not dry_run, **fields}))
        return
    of = f"{counted:,} {'message' if counted == 1 else 'messages'} of {what}"
    if dry_run:
        say(f"{of} would be cancelled")
    elif ordered.at != wanted.at:
        say(f"{what} was cancelled already {_said_of(ordered)}; {of} wait for a worker to complete them")
    else:
        say(f"{of} cancelled; workers complete them without an export")


def _job(jobs: Jobs, what: str) -> ExportJob | None:
    """The job of that name, None if it is to be the id of a backfill. Raises ConfigurationError if it is disabled."""
    return job_named(jobs, what) if what in jobs or jobs.why_disabled(what) else None


def _said_of(cancel: Cancel) -> str:
    return f"by {cancel.by} at {cancel.at.isoformat(timespec='seconds')}"
