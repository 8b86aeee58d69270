"""The calls that only look."""

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from contracts.errors import TailraceError
from contracts.grid import IntegerGrid, TimeGrid
from contracts.job import ExportJob
from contracts.model import JobName
from contracts.reasons import is_permanent
from operations.advice import reason_advice, state_advice
from operations.coverage import Cell
from operations.dead_choice import is_stale
from operations.dead_letters import DeadLetters as Letters
from operations.dead_letters import DeadMessage
from operations.finding import find
from operations.looking import Lookout
from producer.ask import AskRefused, bound, job_named, refuse_empty
from producer.facts import Present
from web.api.looks import Look, Looking, note_of
from web.api.packing import job_status, packed, running_export
from web.api.shapes import (
    BlobFacts,
    Bound,
    Coverage,
    DeadLetters,
    Disabled,
    Letter,
    LetterGroup,
    QueueCounts,
    RunningNow,
    Shown,
    Status,
)

_MOST_WINDOWS = 500_000
_MOST_LETTERS = 10_000
_SHOWN_LETTERS = 200  # of a reason

type Job = Annotated[JobName | None, Query(description="a job of jobs.toml; without it, all of them")]
type Since = Annotated[Bound | None, Query(alias="from")]
type Until = Annotated[Bound | None, Query(alias="to")]


router = APIRouter(tags=["look"])


@router.get("/status")
def status(looks: Looking) -> Status:
    """What is there, missing, on its way and dead, for each job."""
    return _status(looks.latest())


@router.get("/coverage")
def coverage(looks: Looking, job: Job = None, since: Since = None, until: Until = None) -> Coverage:
    """The windows of a job, or of all, with their states."""
    look = looks.latest()
    if job is None and (since or until):
        raise AskRefused("a range needs a job", advice="name the job")
    if job is None:
        return Coverage(at=look.seen.now, jobs=list(look.packed.values()))
    wanted = job_named(look.jobs, job)
    if since and until:
        refuse_empty(wanted, since, until)
    if since or until:
        _refuse_huge(wanted, since, until, look.seen.now)
        return Coverage(at=look.seen.now, jobs=[packed(one) for one in look.seen.coverages([wanted], since, until)])
    return Coverage(at=look.seen.now, jobs=[look.packed[wanted.name]])


@router.get("/running")
def running(looks: Looking) -> RunningNow:
    """The exports that read now."""
    try:
        found, cells = looks.running()
    except TailraceError as error:
        return RunningNow(at=datetime.now(UTC), note=note_of(error), exports=[])
    exports = [running_export(one, cells.get(one.request_id)) for one in found]
    return RunningNow(at=datetime.now(UTC), note=None, exports=exports)


@router.get("/exports")
def export_of(
    looks: Looking,
    job: JobName,
    window: Annotated[Bound | None, Query(description="the window's start")] = None,
    date: Annotated[Bound | None, Query(description="another name of `window`, as for asking")] = None,
) -> Shown:
    """All that is known of the window of a job that begins then."""
    window = window or date
    if window is None:
        raise AskRefused("the query names no window", advice="write window=… with its start")
    look = looks.latest()
    job_named(look.jobs, job)
    for cell in look.cells:
        if cell.job.name == job and cell.start == window:
            return shown(cell, look.seen)
    return shown(find(look.seen, look.jobs, job, window), look.seen)


@router.get("/exports/{id}")
def export_by_id(looks: Looking, id: str) -> Shown:  # noqa: A002  # the path's name
    """All that is known of the window of a request id."""
    look = looks.latest()
    found = next((cell for cell in look.cells if str(cell.request_id) == id.lower()), None)
    return shown(found or find(look.seen, look.jobs, id), look.seen)


@router.get("/dead-letters")
def dead_letters(looks: Looking) -> DeadLetters:
    """The dead letters by reason."""
    look = looks.latest()
    with Letters(looks.settings) as letters:
        found = list(islice(letters.peek(), _MOST_LETTERS + 1))
    names = {cell.blob.name: Present.of(cell.blob.metadata) for cell in look.cells if cell.blob}
    starts = {cell.request_id: cell.start for cell in look.cells if cell.state != "there"}
    groups = [_group(reason, chosen, names, starts) for reason, chosen in _by_reason(found).items()]
    return DeadLetters(
        at=datetime.now(UTC), count=len(found), whole=len(found) <= _MOST_LETTERS,
        groups=sorted(groups, key=lambda group: -group.count),
    )  # fmt: skip


def shown(cell: Cell, seen: Lookout) -> Shown:
    """One window as JSON."""
    live, dead = seen.queue.live.get(cell.request_id), seen.queue.dead.get(cell.request_id)
    blob = cell.blob
    advice = state_advice(cell.state, cell.why)
    if cell.state == "dead" and dead:
        advice = reason_advice(dead.reason, permanent=is_permanent(dead.reason))
    return Shown(
        at=seen.now, job=cell.job.name, window=cell.start, end=cell.end, state=cell.state, proven=cell.is_proven,
        why=cell.why, advice=advice, retry_at=cell.when, request_id=str(cell.request_id),
        attempt=live.attempt if live else None,
        dead_letter=dead.sequence_number if dead else None,
        dead_since=dead.enqueued_at if dead else None,
        running=running_export(cell.running, cell) if cell.running else None,
        blob_name=cell.name,
        blob=BlobFacts(name=blob.name, url=seen.blobs.url(blob.name), size=blob.size) if blob else None,
        receipt=blob.receipt if blob else None,
    )  # fmt: skip


def _status(look: Look) -> Status:
    seen, queue = look.seen, look.seen.queue
    jobs = [job_status(summary, look.proofs[summary.job.name]) for summary in look.summaries]
    retrying = sum(live.is_put_off for live in queue.live.values())
    return Status(
        at=seen.now,
        well=all(job.well for job in jobs) and not look.jobs.disabled and not seen.notes,
        notes=seen.notes,
        disabled=[Disabled(job=one.name or "(no name)", problems=list(one.problems)) for one in look.jobs.disabled],
        queue=QueueCounts(live=len(queue.live), retrying=retrying, dead=len(queue.dead)),
        jobs=jobs,
    )


def _refuse_huge(job: ExportJob, since: str | None, until: str | None, now: datetime) -> None:
    """Raises AskRefused if a range has more windows than an answer can hold."""
    if since is None or job.window is None:
        return
    begin, end = bound(job, since), bound(job, until) if until else now
    if isinstance(job.window, TimeGrid):
        length: object = job.window.every.shortest
    else:
        assert isinstance(job.window, IntegerGrid)
        length, end = job.window.size, end if until else begin
    if (end - begin) / length > _MOST_WINDOWS:  # type: ignore[operator]  # both are of the job's one type
        raise AskRefused(f"there are more than {_MOST_WINDOWS:,} windows from {since} on", advice="ask for a part")


def _by_reason(found: list[DeadMessage]) -> dict[str, list[DeadMessage]]:
    groups: dict[str, list[DeadMessage]] = {}
    for letter in found[:_MOST_LETTERS]:
        groups.setdefault(letter.reason or "(no reason)", []).append(letter)
    return groups


def _group(
    reason: str, letters: list[DeadMessage], present: dict[str, Present], starts: dict[UUID, str]
) -> LetterGroup:
    permanent = is_permanent(reason)
    return LetterGroup(
        reason=reason,
        permanent=permanent,
        advice=reason_advice(reason, permanent=permanent),
        count=len(letters),
        stale=sum(is_stale(letter, present) for letter in letters),
        numbers=[letter.sequence_number for letter in letters],
        letters=[_letter(letter, present, starts) for letter in letters[:_SHOWN_LETTERS]],
    )


def _letter(letter: DeadMessage, present: dict[str, Present], starts: dict[UUID, str]) -> Letter:
    return Letter(
        sequence_number=letter.sequence_number,
        job=letter.job,
        window=starts.get(letter.request.request_id) if letter.request else None,
        blob=letter.request.blob if letter.request else None,
        description=letter.description,
        attempt=letter.attempt,
        enqueued_at=letter.enqueued_at,
        stale=is_stale(letter, present),
    )
