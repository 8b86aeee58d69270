"""What became of backfills, and how they and other messages are cancelled."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import uuid4

from connections.records import Record, RecordChanged, Records
from connections.steering import CANCELS
from contracts.job import ExportJob
from contracts.model import Model
from contracts.steering import Cancel, Steering
from operations.backfill import BACKFILLS, Backfill
from operations.pauses import operator
from producer.ask import AskRefused, bound
from producer.facts import QueueView
from producer.queue import ExportQueue
from producer.queue_view import count_cancelled
from settings import Settings

type State = Literal["sending", "interrupted", "cancelled", "waiting", "done"]

# A process that sends writes its record every ten seconds.
_ALIVE = timedelta(seconds=60)
# No message lives for longer than the queue lets it, which is two weeks in our deployment.
_REMEMBERED = timedelta(days=90)
_SOME = 50


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a backfill has come: `waiting` are on the queue, and `dead` are dead letters."""

    id: str
    backfill: Backfill
    state: State
    waiting: int
    dead: int

    @property
    def done(self) -> int:
        """How many of the sent requests are neither: exported, or cancelled."""
        return max(0, self.backfill.sent - self.waiting - self.dead)


def remembered(settings: Settings) -> list[Record[Backfill]]:
    """The records of all backfills. Raises SinkUnavailable or SinkRejected."""
    return list(Records(settings, BACKFILLS, Backfill).all())


def standings(settings: Settings, queue: ExportQueue, now: datetime) -> list[Standing]:
    """All remembered backfills, newest first. Raises QueueUnavailable, SinkUnavailable or SinkRejected."""
    found = remembered(settings)
    waiting = queue.waiting_by_backfill()
    return standings_of(found, waiting, queue.look(None), now)


def standings_of(
    found: Iterable[Record[Backfill]], waiting: Mapping[str, int], view: QueueView, now: datetime
) -> list[Standing]:
    """As `standings`, by the records, then how many messages of each were on the queue, then a look at it.

    In this order: what is sent or dead-lettered in between then counts as not done, rather than as done.
    """
    cancelled = {cancel.backfill for cancel in view.orders.cancels}
    dead = Counter(letter.lineage.backfill for letter in view.dead.values())
    all_ = [
        Standing(
            record.name,
            record.value,
            _state(record.value, now, waiting.get(record.name, 0), is_cancelled=record.name in cancelled),
            waiting.get(record.name, 0),
            dead[record.name],
        )
        for record in found
    ]
    return sorted(all_, key=lambda one: one.backfill.at, reverse=True)


def _state(backfill: Backfill, now: datetime, waiting: int, *, is_cancelled: bool) -> State:
    if is_cancelled:
        return "cancelled"
    if backfill.ended_at is None:
        return "sending" if now - backfill.updated_at < _ALIVE else "interrupted"
    return "waiting" if waiting else "done"


def cancel_of(
    settings: Settings,
    what: str,
    job: ExportJob | None,
    span: tuple[str | None, str | None],
    now: datetime,
    by: str | None = None,
) -> Cancel:
    """The cancel of `what`: a job, with the bounds `span` as a person wrote them, or else the id of a backfill.

    `by` is who gave the order; None: the user of this machine. Raises AskRefused if there is no such thing.
    """
    since, until = span
    by = by or operator()
    if job is None:
        if since or until:
            raise AskRefused("a backfill is cancelled as a whole", advice="name the job to cancel a range")
        if Records(settings, BACKFILLS, Backfill).get(what) is None:
            advice = "`tailrace backfills` and `tailrace jobs` list them"
            raise AskRefused(f"there is no backfill and no job {what!r}", advice=advice)
        return Cancel(by=by, at=now, backfill=what)
    zone = getattr(job.window, "timezone", "UTC")
    bounds = [None if text is None else bound(job, text) for text in span]
    return Cancel(by=by, at=now, job=job.name, since=bounds[0], until=bounds[1], timezone=zone)


def covered(settings: Settings, cancel: Cancel) -> int:
    """How many messages on the queue a cancel covers; those that run are counted and finish all the same."""
    return count_cancelled(settings, Steering(cancels=(cancel,)))


def order(settings: Settings, cancel: Cancel, now: datetime) -> Cancel:
    """Makes a cancel count, and forgets those of long ago. Returns the earlier one if the backfill was cancelled."""
    records = Records(settings, CANCELS, Cancel)
    name = cancel.backfill or f"c-{uuid4().hex[:8]}"
    try:
        records.put(name, cancel, is_new=True)
    except RecordChanged:
        earlier = records.get(name)
        return earlier.value if earlier else cancel
    for old in _forgotten(records, now):
        records.remove(old)
    return cancel


def forget(settings: Settings, now: datetime) -> None:
    """Removes the records of backfills of long ago."""
    records = Records(settings, BACKFILLS, Backfill)
    for old in _forgotten(records, now):
        records.remove(old)


def _forgotten[M: Model](records: Records[M], now: datetime) -> Iterator[str]:
    """Names of records that matter no more; looks at them only if there are many."""
    if len(records.names()) > _SOME:
        for record in records.all():
            if now - record.value.at > _REMEMBERED:  # type: ignore[attr-defined]  # backfills and cancels have it
                yield record.name
