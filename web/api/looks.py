"""Looks at the container, the queue and the server: one look serves all who ask within some seconds."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from connections.records import Record
from contracts.errors import TailraceError
from contracts.jobs_file import Jobs, load_jobs
from operations.backfill import Backfill
from operations.backfills import remembered
from operations.coverage import Cell
from operations.looking import Coverage, Lookout, looking
from operations.proofs import Proof, proofs_of
from operations.running import Running, Sessions, connect
from operations.summary import Summary, summary_of
from settings import Settings
from web.api.packing import packed
from web.api.shapes import JobCoverage

_FRESH_SECONDS = 3.0
# A look that took long serves for longer: at most a fifth of the time is spent on looking.
_SHARE = 5


@dataclass(frozen=True)
class Look:
    """What was seen at `seen.now`, of all jobs."""

    jobs: Jobs
    seen: Lookout
    covered: list[Coverage]
    proofs: dict[str, Proof]
    backfills: list[Record[Backfill]]

    @cached_property
    def packed(self) -> dict[str, JobCoverage]:
        """The coverage of each job, as the API sends it."""
        return {one.job.name: packed(one) for one in self.covered}

    @cached_property
    def summaries(self) -> list[Summary]:
        """Each job at a glance."""
        return [summary_of(one.job, one.cells, self.seen.now) for one in self.covered]

    @property
    def cells(self) -> Iterator[Cell]:
        """All windows of all jobs."""
        return (cell for one in self.covered for cell in one.cells)


@dataclass(slots=True)
class Looks:
    """The latest look. Calls run in threads: whoever holds `_lock` looks, and all others wait for that look."""

    settings: Settings
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _latest: Look | None = None  # written and read under the lock
    _at: float = 0.0  # when it ended; likewise
    _took: float = 0.0  # likewise
    # Written and read under `_lock`: the planner is asked once for each export.
    _estimates: dict[UUID, int] = field(default_factory=dict)

    def latest(self, seconds: float = _FRESH_SECONDS) -> Look:
        """A look that is no older than `seconds`, or than five times what it took.

        Raises ConfigurationError, SinkUnavailable, SinkRejected.
        """
        with self._lock:
            began = time.monotonic()
            if self._latest is None or began - self._at > max(seconds, _SHARE * self._took):
                self._latest = self._look()
                self._at = time.monotonic()
                self._took = self._at - began
            return self._latest

    def forget(self) -> None:
        """The next look is a new one: something was done."""
        with self._lock:
            self._latest = None

    def running(self) -> tuple[list[Running], dict[UUID, Cell]]:
        """The exports that read now, with estimates, and their windows. Raises SourceUnavailable."""
        if not self.settings.pg_host:
            return [], {}
        with connect(self.settings) as connection:
            sessions = Sessions(connection)
            found = sessions.running()
            if not found:
                return [], {}
            cells = self._cells_of(found)
            with self._lock:
                new = {id_: cell.request for id_, cell in cells.items() if id_ not in self._estimates}
                sessions.estimate(new, load_jobs(self.settings.jobs))
                estimated = {one.request_id: one.estimated_rows for one in sessions.running()}
                self._estimates |= {id_: rows for id_, rows in estimated.items() if rows is not None}
                known = dict(self._estimates)
        return [replace(one, estimated_rows=known.get(one.request_id)) for one in found], cells

    def _cells_of(self, found: list[Running]) -> dict[UUID, Cell]:
        wanted = {one.request_id for one in found}
        cells = {cell.request_id: cell for cell in self.latest(15).cells if cell.request_id in wanted}
        if wanted <= cells.keys():
            return cells
        return {cell.request_id: cell for cell in self.latest().cells if cell.request_id in wanted}

    def _look(self) -> Look:
        jobs = load_jobs(self.settings.jobs)
        # Before the queue: what is sent in between must not count as done.
        backfills = remembered(self.settings)
        with looking(self.settings, datetime.now(UTC)) as seen:
            covered = list(seen.coverages(jobs.values(), None, None))
            return Look(jobs, seen, covered, proofs_of(self.settings, jobs.values()), backfills)


def _looks_of(call: Request) -> Looks:
    looks: Looks = call.app.state.looks
    return looks


type Looking = Annotated[Looks, Depends(_looks_of)]


def note_of(error: TailraceError) -> str:
    """What could not be seen, on one line."""
    return error.explained.replace("\n", "; ")
