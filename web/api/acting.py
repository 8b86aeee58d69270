"""The calls that change something. Each writes a line into the log: who did what."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from threading import Event, Timer
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from contracts.job import ExportJob
from contracts.jobs_file import Jobs, load_jobs
from contracts.model import JobName
from contracts.request import ExportRequest, TableSource
from operations.backfill import Wanted
from operations.backfilling import Backfilling
from operations.coverage import written
from operations.dead_choice import Choice, to_send
from operations.dead_letters import DeadLetters, Replay, blobs_of
from operations.pauses import refuse_paused
from producer.ask import AskRefused, bound, job_named, refuse_empty
from producer.queue import ExportQueue
from producer.submit import Ask, submit_over_http
from settings import Settings
from web.api.audit import audit, who
from web.api.looks import Looking, Looks
from web.api.orders import BackfillDone, BackfillOrder, DropOrder, LetterOrder, LettersDone, ReplayOrder, Span
from web.api.shapes import Bound

_MOST = 50_000  # windows of one order: Azure ends an answer after 230 s
_PATIENCE_SECONDS = 60.0  # Azure ends an answer after 230 s


router = APIRouter(tags=["act"])


async def _body(call: Request) -> bytes:
    return await call.body()


_ASK: dict[str, Any] = {
    "requestBody": {"content": {"application/json": {"schema": Ask.model_json_schema()}}, "required": False}
}


@router.post("/exports", openapi_extra=_ASK, status_code=202)
def export(
    call: Request,
    looks: Looking,
    body: Annotated[bytes, Depends(_body)],
    job: Annotated[JobName | None, Query()] = None,
    table: Annotated[str | None, Query(max_length=200, description="table or schema.table of a job")] = None,
    date: Annotated[Bound | None, Query(description="the window's start")] = None,
) -> Response:
    """Ask for one export: by a JSON body, or by job, or table, and date in the query."""
    if job or table or date:
        if body.strip():
            raise AskRefused(
                "the call names an export in its query and has a body, too", advice="leave one of them out"
            )
        body = _asked(load_jobs(looks.settings.jobs), job, table, date)
    answer = submit_over_http(body, looks.settings, datetime.now(UTC))
    looks.forget()
    audit(call, "export", asked=body[:200].decode(errors="replace"), status=answer.status)
    return Response(answer.body, answer.status, media_type="application/json")


@router.post("/backfills")
def backfill(call: Request, looks: Looking, order: BackfillOrder) -> BackfillDone:
    """Ask for the windows of some ranges that need it, or for all of them; `dry_run` says what would be sent."""
    done = _backfilled(looks.settings, order, who(call))
    if not order.dry_run:
        looks.forget()
        audit(call, "backfill", job=order.job, only=order.only, windows=done.windows, sent=done.sent)
    return done


@router.post("/replay")
def replay(call: Request, looks: Looking, order: ReplayOrder) -> LettersDone:
    """Send dead letters to the queue again, as first attempts, as their jobs are today."""
    done = _replayed(looks.settings, order)
    return _noted(call, "replay", order, done, looks)


@router.post("/drop")
def drop(call: Request, looks: Looking, order: DropOrder) -> LettersDone:
    """Delete dead letters for good."""
    done = _dropped(looks.settings, order)
    return _noted(call, "drop", order, done, looks)


def _asked(jobs: Jobs, job: str | None, table: str | None, date: str | None) -> bytes:
    """The body that the query of a call stands for. Raises AskRefused if it names no job, or several."""
    if (job is None) == (table is None):
        raise AskRefused("the query names no single job", advice="write job=… or table=…, and date=… for a window")
    name = job or _of_table(jobs, table or "")
    return Ask(job=name, window_start=date).model_dump_json(exclude_none=True).encode()


def _of_table(jobs: Jobs, table: str) -> str:
    found = [job.name for job in jobs.values() if table in _names_of(job)]
    if not found:
        raise AskRefused(f"no job exports a table {table!r}", advice=f"the jobs are {', '.join(sorted(jobs)[:20])}")
    if len(found) > 1:
        raise AskRefused(f"several jobs export {table!r}: {', '.join(found)}", advice="name one by job=…")
    return found[0]


def _names_of(job: ExportJob) -> tuple[str, ...]:
    source = job.source
    return (source.table, f"{source.schema_name}.{source.table}") if isinstance(source, TableSource) else ()


def _backfilled(settings: Settings, order: BackfillOrder, by: str) -> BackfillDone:
    now, jobs = datetime.now(UTC), load_jobs(settings.jobs)
    job = job_named(jobs, order.job)
    refuse_paused(settings, job.name)
    wanted = _wanted(job, order)
    _refuse_size(wanted, now)
    with ExportQueue(settings) as queue:
        looked = Backfilling(settings, wanted, now, by=by)
        chosen = [one.request for one in looked.chosen(queue.look_briefly(job.name))]
        done = BackfillDone(
            job=order.job, windows=looked.counts.windows, found=dict(looked.counts.states), chosen=len(chosen), sent=0,
            first=_start(chosen[0]) if chosen else None, last=_start(chosen[-1]) if chosen else None,
        )  # fmt: skip
        if order.dry_run or not chosen:
            return done
        running = Backfilling(settings, wanted, now, by=by)
        running.send(queue, lambda _counts: None, Event())
    return done.model_copy(update={"sent": running.counts.sent, "id": running.id})


def _wanted(job: ExportJob, order: BackfillOrder) -> Wanted:
    """The order's ranges as one backfill; ranges that touch become one."""
    parts: list[Span] = []
    for span in sorted(order.windows, key=lambda span: bound(job, span.since)):
        refuse_empty(job, span.since, span.until)
        if parts and bound(job, span.since) <= bound(job, parts[-1].until):  # type: ignore[operator]  # of the job's type
            until = max(parts[-1].until, span.until, key=lambda text: bound(job, text))
            parts[-1] = Span(since=parts[-1].since, until=until)
        else:
            parts.append(span)
    pairs = tuple((span.since, span.until) for span in parts)
    return Wanted(job, pairs[0][0], pairs[-1][1], order.only, force=order.force, parts=pairs)


def _refuse_size(wanted: Wanted, now: datetime) -> None:
    """Raises AskRefused if there are more windows than one call may ask for, or none."""
    parts = [replace(wanted, since=since, until=until) for since, until in wanted.parts]
    about = sum(part.expected(now) for part in parts)
    # Walking through windows takes seconds for so many.
    count = about if about > 2 * _MOST else sum(1 for _ in islice(wanted.planned(now), _MOST + 1))
    if count > _MOST:
        raise AskRefused(f"there are more than {_MOST:,} windows in these ranges", advice="ask for them in parts")
    if not count:
        raise AskRefused(f"no closed window of job {wanted.job.name!r} begins in these ranges")


def _start(request: ExportRequest) -> str:
    assert request.window is not None
    return written(request.window.bounds()[0])


def _replayed(settings: Settings, order: ReplayOrder) -> LettersDone:
    choice = _choice(order)
    with DeadLetters(settings) as letters:
        chosen = choice.among(letters.peek(), {})
        sent: Mapping[int, Replay] = {letter.sequence_number: Replay() for letter in chosen}
        refused: dict[int, str] = {}
        if not order.as_sent:
            sent, refused = to_send(chosen, load_jobs(settings.jobs))
        done = 0 if order.dry_run else _counted(sent, lambda note, stopping: letters.replay(sent, note, stopping))
    return LettersDone(chosen=len(chosen), done=done, left=len(sent) - done, refused=refused)


def _dropped(settings: Settings, order: DropOrder) -> LettersDone:
    choice = _choice(order, stale=order.stale)
    with DeadLetters(settings) as letters:
        found = list(letters.peek())
        chosen = choice.among(
            found, blobs_of(settings, (one.request for one in found if one.request)) if order.stale else {}
        )
        numbers = [letter.sequence_number for letter in chosen]
        done = 0 if order.dry_run else _counted(numbers, lambda note, stopping: letters.drop(numbers, note, stopping))
    return LettersDone(chosen=len(chosen), done=done, left=len(numbers) - done, refused={})


def _choice(order: LetterOrder, *, stale: bool = False) -> Choice:
    narrowed = order.numbers or order.reason is not None or order.job is not None or stale
    if order.all and narrowed:
        raise AskRefused("`all` means every dead letter", advice="leave it out to choose by numbers, reason or job")
    if not order.all and not narrowed:
        raise AskRefused("the call chooses no dead letters", advice="send numbers, reason, job, or all")
    return Choice(frozenset(order.numbers), order.reason, order.job, stale)


def _counted(chosen: Collection[int], act: Callable[[Callable[[int], object], Event], object]) -> int:
    """Acts on the chosen ones for at most a minute; returns how many are done."""
    if not chosen:
        return 0
    done: list[int] = []
    stopping = Event()
    timer = Timer(_PATIENCE_SECONDS, stopping.set)
    timer.start()
    try:
        act(done.append, stopping)
    finally:
        timer.cancel()
    return len(done)


def _noted(call: Request, action: str, order: LetterOrder, done: LettersDone, looks: Looks) -> LettersDone:
    if not order.dry_run:
        looks.forget()
        audit(call, action, reason=order.reason, job=order.job, chosen=done.chosen, done=done.done)
    return done
