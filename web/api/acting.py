"""The calls that change something. Each writes a line into the log: who did what."""

from collections.abc import Callable, Collection, Iterable, Mapping
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
from producer.ask import AskRefused, job_named, requests_between
from producer.asking import counts_of
from producer.enqueue import ask, send_asked
from producer.queue import ExportQueue
from producer.store import BlobIndex
from producer.submit import Ask, submit_over_http
from settings import Settings
from web.api.audit import audit
from web.api.looks import Looking, Looks
from web.api.shapes import BackfillDone, BackfillOrder, Bound, DropOrder, LetterOrder, LettersDone, ReplayOrder, Span

_MOST = 50_000  # requests in memory at once, about 3 KB each
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
        body = _asked(load_jobs(looks.settings.jobs), job, table, date)
    answer = submit_over_http(body, looks.settings, datetime.now(UTC))
    looks.forget()
    audit(call, "export", asked=body[:200].decode(errors="replace"), status=answer.status)
    return Response(answer.body, answer.status, media_type="application/json")


@router.post("/backfills")
def backfill(call: Request, looks: Looking, order: BackfillOrder) -> BackfillDone:
    """Ask for all windows of some ranges that need it, or say by `dry_run` what would be asked for."""
    done = _backfilled(looks.settings, order)
    if not order.dry_run:
        looks.forget()
        audit(call, "backfill", job=order.job, windows=done.windows, sent=done.sent)
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


def _backfilled(settings: Settings, order: BackfillOrder) -> BackfillDone:
    """A single range is a backfill with an id; several are requests, each on its own."""
    now, jobs = datetime.now(UTC), load_jobs(settings.jobs)
    job = job_named(jobs, order.job)
    refuse_paused(settings, job.name)
    requests = _requests(job, order.windows, now)
    with ExportQueue(settings) as queue:
        asked = ask(requests, jobs, BlobIndex(settings), queue, now)
        chosen = [one for one in asked if one.state == "send"]
        ends = [_start(one.request) for one in (chosen[:1] + chosen[-1:])]
        done = BackfillDone(
            job=order.job, windows=len(asked), found=counts_of(asked), chosen=len(chosen), sent=0,
            first=ends[0] if ends else None, last=ends[-1] if ends else None,
        )  # fmt: skip
        if order.dry_run or not chosen:
            return done
        if len(order.windows) > 1:
            return done.model_copy(update={"sent": send_asked(chosen, queue, now)})
        (span,) = order.windows
        running = Backfilling(settings, Wanted(job, span.since, span.until), now)
        running.send(queue, lambda _counts: None, Event())
    return done.model_copy(update={"sent": running.counts.sent, "id": running.id})


def _requests(job: ExportJob, spans: Iterable[Span], now: datetime) -> list[ExportRequest]:
    """The requests of all closed windows of the ranges, each once. Raises AskRefused if there are too many or none."""
    every = (one for span in spans for one in requests_between(job, span.since, span.until, now))
    found = {one.request_id: one for one in islice(every, _MOST + 1)}
    if len(found) > _MOST:
        raise AskRefused(f"there are more than {_MOST:,} windows in these ranges", advice="ask for them in parts")
    if not found:
        raise AskRefused(f"no closed window of job {job.name!r} begins in these ranges")
    return list(found.values())


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
