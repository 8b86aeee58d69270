"""Sends a backfill: all at once, or fed so that fresh windows overtake it.

Windows stream: memory depends neither on their number nor on how long a backfill takes. A process that is killed loses
nothing: the same backfill asked for again sends what is neither exported nor on the queue.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import batched, islice
from threading import Event
from time import monotonic
from uuid import uuid4

from connections.records import Records
from connections.steering import SteeringRecords
from contracts.errors import TailraceError
from contracts.message import Lineage
from operations.backfill import BACKFILLS, Backfill, Counts, Wanted
from operations.claims import Claims
from operations.pauses import operator
from producer.asking import Asked, decide
from producer.facts import Present, QueueView
from producer.queue import ExportQueue
from producer.schedule import Planned
from producer.store import BlobIndex
from settings import Settings

_CHUNK = 2_000  # requests in memory at once
_LISTED = 5_000  # windows whose blobs are listed together: as many as one answer of the storage holds
_SAVE_SECONDS = 10.0
_LOOK_SECONDS = 0.5
# Of the time between two looks at the queue, at most so much is spent on looking.
_LOOK_SHARE = 0.2


class BackfillCancelled(TailraceError):  # noqa: N818
    """Somebody cancelled the backfill while it was being sent."""


class Backfilling:
    """One backfill being sent, by one thread."""

    def __init__(
        self,
        settings: Settings,
        wanted: Wanted,
        now: datetime,
        in_flight: int | None = None,
        by: str | None = None,
    ) -> None:
        """With `in_flight`, at most so many of its messages are on the queue. `by`: as for a pause."""
        self.id = f"b-{uuid4().hex[:8]}"
        self.counts = Counts(expected=wanted.expected(now))
        self._wanted = wanted
        self._version = wanted.job.version
        self._now = now
        self._by = by or operator()
        self._in_flight = in_flight
        self._index = BlobIndex(settings)
        self._records = Records(settings, BACKFILLS, Backfill)
        self._steering = SteeringRecords(settings)
        self._claims = Claims(settings, wanted.job.name, self.id, self._by)
        self._saved_at = 0.0
        self._pause = _LOOK_SECONDS

    def looked_up(self, view: QueueView) -> Iterator[tuple[Asked[Planned], Present | None]]:
        """What is wanted, each with the blob that is there. `view` is a look at the queue before.

        Looks blobs up for some windows at a time.
        """
        size = _LISTED if self._in_flight is None else min(_CHUNK, max(self._in_flight, 100))
        versions = {self._wanted.job.name: self._version}
        for planned in batched(self._wanted.planned(self._now), size, strict=False):
            present = self._index.present([[one.blob for one in planned]])
            asked = decide(planned, present, view, versions, self._now)
            self.counts.states.update(one.state for one in asked)
            for one in asked:
                self.counts.passed += 1
                if self._wanted.means(one):
                    self.counts.chosen += 1
                    yield one, present.get(one.request.blob)

    def chosen(self, view: QueueView) -> Iterator[Asked]:
        """What is to be sent; as `looked_up`."""
        for one, blob in self.looked_up(view):
            # Over the blob that is there now, and no other.
            tag = blob.etag if blob and one.state == "there" else None
            request = one.request.request
            made = request.model_copy(update={"replaces": tag}) if tag else request
            yield Asked(made, one.state, one.reason, one.lineage)

    def send(self, queue: ExportQueue, progress: Callable[[Counts], object], stopping: Event) -> None:
        """Sends all that is wanted, unless `stopping` is set. Calls `progress` after each piece.

        Raises AskRefused while another backfill of the job is being sent, BackfillCancelled, or QueueUnavailable.
        """
        with self._claims.held():
            self._send(queue, progress, stopping)

    def _send(self, queue: ExportQueue, progress: Callable[[Counts], object], stopping: Event) -> None:
        chosen = self.chosen(queue.look_briefly(self._wanted.job.name))
        while room := self._room(queue, progress, stopping):
            some = list(islice(chosen, room))
            if not some:
                self._save(datetime.now(UTC))
                return
            if not self.counts.sent:
                self._save(None)
            self._send_some(queue, self._not_cancelled(some), progress)

    def wait(self, queue: ExportQueue, progress: Callable[[Counts], object], stopping: Event) -> None:
        """Waits until none of its messages is on the queue, or `stopping` is set."""
        while self._look(queue, progress) and not stopping.wait(self._pause):
            pass

    def dead(self, queue: ExportQueue) -> int:
        """How many of its messages are dead letters."""
        letters = queue.look_briefly(self._wanted.job.name).dead.values()
        return sum(letter.lineage.backfill == self.id for letter in letters)

    def _send_some(self, queue: ExportQueue, some: list[Asked], progress: Callable[[Counts], object]) -> None:
        before = self.counts.sent

        def count(so_far: int) -> None:
            self.counts.sent = before + so_far
            progress(self.counts)

        own = Lineage(self._version, backfill=self.id, asked_at=self._now)
        lineages = {
            one.request.request_id: replace(own, heals=one.lineage.heals) if one.lineage.heals else own for one in some
        }
        try:
            queue.send([one.request for one in some], None, lineages, count)
        finally:
            self._save_if_old()

    def _not_cancelled(self, some: Iterable[Asked]) -> list[Asked]:
        # Feeding looks at the queue all the time anyway; whoever cancels it need not wait.
        orders = self._steering.recent() if self._in_flight is None else self._steering.look()
        job = self._wanted.job.name
        if any(cancel.backfill == self.id for cancel in orders.cancels):
            raise BackfillCancelled(f"backfill {self.id} was cancelled after {self.counts.sent:,} requests were sent")
        if not orders.may_cancel(job, self.id):
            return list(some)
        return [one for one in some if not orders.is_cancelled(job, self.id, self._now, one.request.window)]

    def _room(self, queue: ExportQueue, progress: Callable[[Counts], object], stopping: Event) -> int:
        """How many may be sent now, once that is any; 0 if `stopping` is set."""
        while not stopping.is_set():
            if self._in_flight is None or not self.counts.sent:
                return min(self._in_flight or _CHUNK, _CHUNK)
            if (room := self._in_flight - self._look(queue, progress)) > 0:
                return min(room, _CHUNK)
            stopping.wait(self._pause)
            self._not_cancelled([])
            self._save_if_old()
        return 0

    def _look(self, queue: ExportQueue, progress: Callable[[Counts], object]) -> int:
        """How many of its messages are on the queue. The longer a look takes, the longer the pause after it."""
        began = monotonic()
        self.counts.waiting = queue.waiting_by_backfill()[self.id]
        self._pause = max(_LOOK_SECONDS, (monotonic() - began) / _LOOK_SHARE)
        progress(self.counts)
        return self.counts.waiting

    def _save_if_old(self) -> None:
        """Shows others that this process lives, and how far it has come."""
        if monotonic() - self._saved_at > _SAVE_SECONDS:
            self._claims.renew()
            self._save(None)

    def save(self) -> None:
        """Writes how far it has come; nothing if nothing was sent."""
        if self.counts.sent:
            self._save(None)

    def _save(self, ended_at: datetime | None) -> None:
        self._saved_at = monotonic()
        if not self.counts.sent and ended_at:
            return
        wanted, counts = self._wanted, self.counts
        record = Backfill(
            by=self._by,
            at=self._now,
            job=wanted.job.name,
            since=wanted.since,
            until=wanted.until,
            only=wanted.only,
            newest_first=wanted.newest_first,
            in_flight=self._in_flight,
            windows=counts.windows,
            sent=counts.sent,
            updated_at=datetime.now(UTC),
            ended_at=ended_at,
        )
        self._records.put(self.id, record)
