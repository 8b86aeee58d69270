"""The calls that steer: pauses, backfills and cancels."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field

from contracts.errors import QueueUnavailable
from contracts.job import ExportJob
from contracts.jobs_file import Jobs, load_jobs
from contracts.model import JobName, Model
from contracts.steering import Pause
from operations import backfills, pauses
from operations.backfills import Standing
from operations.resuming import bring_back
from producer.ask import AskRefused, job_named
from web.api.audit import audit, who
from web.api.looks import Looking
from web.api.shapes import Bound

router = APIRouter(tags=["steer"])


class PauseOrder(Model):
    """A job whose exports stop, and why."""

    job: JobName
    why: Annotated[str, Field(max_length=1000)] | None = None


class ResumeOrder(Model):
    """A job whose exports go on."""

    job: JobName


class PausedJob(Model):
    """A job, and its pause if it is paused. `changed`: whether this call did it.

    `brought_back`: how many messages that were put off a resume sent to the queue at once; None if it could not.
    """

    job: str
    pause: Pause | None
    changed: bool = False
    brought_back: int | None = None


class Paused(Model):
    """All paused jobs."""

    jobs: list[PausedJob]


class BackfillStanding(Model):
    """How far a backfill has come: of `sent` requests `waiting` are on the queue, `dead` are dead letters."""

    id: str
    job: str
    since: str
    until: str
    only: str
    state: str
    by: str
    at: datetime
    windows: int
    sent: int
    waiting: int
    dead: int
    done: int


class Backfills(Model):
    """All remembered backfills, the newest first."""

    backfills: list[BackfillStanding]


class CancelOrder(Model):
    """A backfill, or a job with the range of windows whose messages are cancelled; without a range all of them."""

    backfill: Annotated[str, Field(pattern=r"^b-[0-9a-f]{1,32}$")] | None = None
    job: JobName | None = None
    since: Bound | None = None
    until: Bound | None = None
    dry_run: bool = False


class Cancelled(Model):
    """How many messages on the queue the cancel covers; those that run are counted, and finish all the same."""

    covered: int


@router.get("/pauses")
def paused(looks: Looking) -> Paused:
    """The paused jobs, since when and why."""
    found = pauses.pauses(looks.settings)
    return Paused(jobs=[PausedJob(job=job, pause=one) for job, one in sorted(found.items())])


@router.post("/pause")
def pause(call: Request, looks: Looking, order: PauseOrder) -> PausedJob:
    """Stop the exports of a job: ticks ask for nothing, and workers put off its messages."""
    job_named(load_jobs(looks.settings.jobs), order.job)
    found, is_new = pauses.pause(looks.settings, order.job, order.why, datetime.now(UTC), who(call))
    audit(call, "pause", job=order.job, why=order.why)
    return PausedJob(job=order.job, pause=found, changed=is_new)


@router.post("/resume")
def resume(call: Request, looks: Looking, order: ResumeOrder) -> PausedJob:
    """Let the exports of a paused job go on; what was put off meanwhile is back on the queue at once."""
    ended = pauses.resume(looks.settings, order.job)
    if ended is None:
        # A job that is gone from jobs.toml may be paused still.
        job_named(load_jobs(looks.settings.jobs), order.job)
    audit(call, "resume", job=order.job)
    brought_back = None
    with suppress(QueueUnavailable):  # the messages come back by themselves, within some minutes
        brought_back = bring_back(looks.settings, order.job)
    return PausedJob(job=order.job, pause=None, changed=ended is not None, brought_back=brought_back)


@router.get("/backfills")
def backfills_(looks: Looking) -> Backfills:
    """Backfills, and how far each has come."""
    look = looks.latest()
    view = look.seen.queue
    waiting = Counter(live.backfill for live in view.live.values() if live.backfill)
    found = backfills.standings_of(look.backfills, waiting, view, look.seen.now)
    return Backfills(backfills=[_standing(one) for one in found])


@router.post("/cancel")
def cancel(call: Request, looks: Looking, order: CancelOrder) -> Cancelled:
    """Cancel what waits on the queue: the messages of a backfill, or those of a job's windows."""
    now = datetime.now(UTC)
    what, job = _cancelled(load_jobs(looks.settings.jobs), order)
    made = backfills.cancel_of(looks.settings, what, job, (order.since, order.until), now, who(call))
    covered = backfills.covered(looks.settings, made)
    if not order.dry_run:
        backfills.order(looks.settings, made, now)
        looks.forget()
        audit(call, "cancel", what=what, since=order.since, until=order.until, covered=covered)
    return Cancelled(covered=covered)


def _cancelled(jobs: Jobs, order: CancelOrder) -> tuple[str, ExportJob | None]:
    if (order.job is None) == (order.backfill is None):
        raise AskRefused("the call names no single thing to cancel", advice="send job or backfill")
    if order.job is None:
        return order.backfill or "", None
    return order.job, job_named(jobs, order.job)


def _standing(one: Standing) -> BackfillStanding:
    made = one.backfill
    return BackfillStanding(
        id=one.id, job=made.job, since=made.since, until=made.until, only=made.only, state=one.state, by=made.by,
        at=made.at, windows=made.windows, sent=made.sent, waiting=one.waiting, dead=one.dead, done=one.done,
    )  # fmt: skip
