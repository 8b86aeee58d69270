"""Drills as the command and the timer run them: a sample of the windows of each job, and a record of what is proven."""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from connections.postgres.tokens import password_source
from connections.records import Records
from contracts.audit import DrillRecord
from contracts.errors import SinkRejected, TailraceError
from contracts.job import ExportJob
from contracts.jobs_file import Jobs, load_jobs
from operations.blobs import Blobs
from operations.comparing import is_one_database
from operations.drill import Drill, Drilled, drop_leftovers
from operations.restoring import writing_session
from operations.windows import WindowBlob, windows_of
from producer.ask import AskRefused
from settings import Settings
from telemetry.catalogue import DRILL_FAILURES
from telemetry.events import event
from telemetry.metrics import record as record_metric
from worker.source.pool import Source

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sample:
    """Which windows a drill takes: the newest of a range and a random choice of others, `count` in all.

    Those with rows come first.
    """

    count: int
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class DrilledJob:
    """What the drill of a job found; `unwritten` is why its record could not be written, if so."""

    found: tuple[Drilled, ...]
    unwritten: str | None = None

    @property
    def failed(self) -> int:
        """How many windows are not restorable."""
        return sum(bool(one.problems) for one in self.found)

    @property
    def is_empty(self) -> bool:
        """Whether there were no rows to restore."""
        return not self.failed and not any(one.rows for one in self.found)


class Drilling:
    """Drills of jobs, one after the other; from `opened`."""

    def __init__(self, settings: Settings, server: str | None, source: Source | None) -> None:
        self._settings = settings
        self._server = server
        self._source = source
        self._blobs = Blobs(settings, 2)
        self._records = Records(settings, "drills", DrillRecord)
        self.jobs: Jobs = load_jobs(settings.jobs)

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings, server: str | None) -> Iterator["Drilling"]:
        """Restores into the server of a conninfo string, else into the settings'. Raises ConfigurationError.

        The settings' server, if they name one, is the source that rows are compared with.
        """
        with ExitStack() as stack:
            source = stack.enter_context(Source(settings, password_source(settings))) if settings.pg_host else None
            yield cls(settings, server, source)

    def drill(
        self, job: ExportJob, sample: Sample, now: datetime, done: Callable[[Drilled], object] = lambda _: None
    ) -> DrilledJob:
        """Drills a sample of a job's windows; a drill in which all are restorable is recorded.

        `done` is called after each window. Raises AskRefused if none has a blob, SourceUnavailable, SinkUnavailable.
        """
        there = [one for one in windows_of(job, self._blobs, sample.since, sample.until, now) if one.is_own]
        if not there:
            raise AskRefused(f"no window of job {job.name!r} in this range has a blob")
        chosen, found = _chosen(there, sample.count), list[Drilled]()
        with writing_session(self._settings, self._server) as connection:
            drop_leftovers(connection)
            drill = Drill(connection, self._blobs, self.jobs, self._source, self._is_source(connection))
            for window in chosen:
                one = drill.of(window)
                found.append(one)
                done(one)
        return self._reported(job, chosen, tuple(found))

    def drill_all(
        self, sample: Sample, budget: float | None, now: datetime
    ) -> Iterator[tuple[ExportJob, DrilledJob | TailraceError]]:
        """Drills all jobs, the one first whose last successful drill is the longest time ago.

        No job begins once the `budget`, in seconds, is over. An error of one job is its result.
        """
        last = {name: head.get("at", "") for name, head in self._records.heads().items()}
        deadline = None if budget is None else time.monotonic() + budget
        for job in sorted(self.jobs.values(), key=lambda job: last.get(job.name, "")):
            if deadline is not None and time.monotonic() > deadline:
                return
            try:
                yield job, self.drill(job, sample, now)
            except TailraceError as error:
                yield job, error

    def _is_source(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether windows are restored into the database that they were exported from."""
        if self._source is None:
            return False
        if self._server is None:
            return True
        with self._source.connection("the drill") as other:
            return is_one_database(connection, other)

    def _reported(self, job: ExportJob, windows: list[WindowBlob], found: tuple[Drilled, ...]) -> DrilledJob:
        rows, failed = sum(one.rows for one in found), sum(bool(one.problems) for one in found)
        source = Counter(one.source.verdict for one in found)
        event(_log, logging.INFO, "drilled", job=job.name, windows=len(found), failed=failed, rows=rows)
        record_metric(DRILL_FAILURES, failed, job=job.name)
        if failed:
            return DrilledJob(found)
        record = DrillRecord(
            job=job.name, at=datetime.now(UTC), windows=len(found), rows=rows, newest=windows[0].start, source=source
        )
        try:
            self._records.put(job.name, record, head=record.head)
        except SinkRejected as error:
            return DrilledJob(found, str(error))
        return DrilledJob(found)


def _chosen(there: list[WindowBlob], count: int) -> list[WindowBlob]:
    """The newest window with rows and a random choice of others; those without rows only if too few have any.

    Newest first.
    """
    places = range(len(there))
    chosen = _some([place for place in places if _rows(there[place])], count)
    chosen += _some([place for place in places if not _rows(there[place])], count - len(chosen))
    return [there[place] for place in sorted(chosen, reverse=True)]


def _some(places: list[int], count: int) -> list[int]:
    """The last one and a random choice of the others."""
    if not places or count < 1:
        return []
    return [places[-1], *random.sample(places[:-1], min(count, len(places)) - 1)]


def _rows(window: WindowBlob) -> int:
    receipt = window.blob.receipt if window.blob else None
    return receipt.rows if receipt else 0
