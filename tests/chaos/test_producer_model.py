"""The producer against a simple oracle: time passes, blobs come and go, exports fail, and every tick is exact."""

import random
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.jobs_file import Jobs, parse_jobs
from contracts.message import NO_LINEAGE, Lineage
from contracts.request import ExportRequest
from producer.enqueue import enqueue_due
from producer.facts import Dead, Live, Present, QueueView
from producer.schedule import due_requests

BEGIN = datetime(2026, 2, 1, 12, tzinfo=UTC)
TRANSIENT, PERMANENT = "SourceUnavailable", "TableMissing"
_FIRST, _LONGEST = timedelta(minutes=15), timedelta(days=1)


class LostError(Exception):
    """The queue took some messages and then was away."""


def jobs_of(columns: list[str]) -> Jobs:
    window = {"column": "at", "type": "timestamptz", "every": "1 day", "catch_up": "4 days", "closed": "delay"}
    job = {"name": "j", "schema": "s", "table": "t", "columns": columns, "blob": "{job}/{window_start:%Y/%m/%d}.csv.gz"}
    return parse_jobs({"job": [{**job, "window": window}]})


class World:
    """Blobs, live messages and dead letters, as the producer sees them through its two protocols."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.blobs: dict[str, Present] = {}
        self.live: list[tuple[ExportRequest, Lineage]] = []
        self.dead: dict[UUID, Dead] = {}
        self.takes: int | None = None  # how many messages the queue takes before it is away
        self.finishes: int | None = None  # which export ends between the look at the queue and the sending

    def present(self, groups: Iterable[Collection[str]]) -> Mapping[str, Present]:
        return {name: self.blobs[name] for group in groups for name in group if name in self.blobs}

    def look(self, limit: int | None) -> QueueView:
        seen = self.live if limit is None else self.live[:limit]
        is_whole = len(seen) == len(self.live)
        view = QueueView({one.request_id: Live(1, None) for one, _ in seen}, dict(self.dead), is_whole)
        if self.finishes is not None and self.live:
            self.finish(self.finishes)
        return view

    def send(
        self, requests: Iterable[ExportRequest], asked_at: datetime | None, lineages: Mapping[UUID, Lineage]
    ) -> int:
        sent = list(requests)
        taken = sent if self.takes is None else sent[: self.takes]
        self.live += [(one, lineages.get(one.request_id, NO_LINEAGE)) for one in taken]
        if len(taken) < len(sent):
            raise LostError
        return len(sent)

    def finish(self, number: int) -> None:
        request, _ = self.live.pop(number % len(self.live))
        self.blobs[request.blob] = Present(request.request_id, 1, request.run)


class Producer(RuleBasedStateMachine):
    """After each tick every due window has its blob, one live message, or a dead letter that is not due again."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.jobs = jobs_of(["at"])

    @rule(
        limit=st.none() | st.integers(0, 3), takes=st.none() | st.integers(0, 2), finishes=st.none() | st.integers(0, 9)
    )
    def tick(self, limit: int | None, takes: int | None, finishes: int | None) -> None:
        world, before = self.world, {one.request_id for one, _ in self.world.live}
        may = {one.request_id for one in due_requests(self.jobs["j"], world.now) if self.is_missing(one)} - before
        world.takes, world.finishes = takes, finishes
        whole, lost = limit is None or len(world.live) <= limit, False
        try:
            enqueue_due(self.jobs, world, world, world.now, limit)
        except LostError:
            lost = True
        world.takes = world.finishes = None
        sent = {one.request_id for one, _ in world.live} - before
        assert sent <= may, "asked for though it is there, alive or dead"
        if whole and not lost:
            assert sent == may, "a missing window was forgotten"

    def is_missing(self, request: ExportRequest) -> bool:
        """The oracle: no blob, and no dead letter that still stands."""
        if request.blob in self.world.blobs:
            return False
        dead = self.world.dead.get(request.request_id)
        if dead is None:
            return True
        if dead.lineage.version != self.jobs["j"].version:
            return True
        assert dead.enqueued_at is not None
        return dead.reason == TRANSIENT and self.world.now >= dead.enqueued_at + min(
            _FIRST * 2**dead.lineage.heals, _LONGEST
        )

    @rule(minutes=st.sampled_from([1, 16, 45, 200, 1500]))
    def pass_time(self, minutes: int) -> None:
        self.world.now += timedelta(minutes=minutes)

    @rule(number=st.integers(0, 9))
    def export(self, number: int) -> None:
        if self.world.live:
            self.world.finish(number)

    @rule(number=st.integers(0, 9), reason=st.sampled_from([TRANSIENT, PERMANENT]))
    def fail(self, number: int, reason: str) -> None:
        if self.world.live:
            request, lineage = self.world.live.pop(number % len(self.world.live))
            self.world.dead[request.request_id] = Dead(1, reason, "why", self.world.now, lineage)

    @rule(number=st.integers(0, 9))
    def delete_blob(self, number: int) -> None:
        if self.world.blobs:
            del self.world.blobs[sorted(self.world.blobs)[number % len(self.world.blobs)]]

    @rule(number=st.integers(0, 9))
    def drop_dead_letter(self, number: int) -> None:
        if self.world.dead:
            del self.world.dead[sorted(self.world.dead)[number % len(self.world.dead)]]

    @rule(columns=st.sampled_from([["at"], ["at", "id"]]))
    def change_job(self, columns: list[str]) -> None:
        self.jobs = jobs_of(columns)

    @rule(seed=st.integers(0, 99))
    def reorder_queue(self, seed: int) -> None:
        random.Random(seed).shuffle(self.world.live)  # noqa: S311

    @invariant()
    def never_two_live_messages_of_a_window(self) -> None:
        if hasattr(self, "world"):
            ids = [one.request_id for one, _ in self.world.live]
            assert len(ids) == len(set(ids))


TestProducer = Producer.TestCase
TestProducer.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
