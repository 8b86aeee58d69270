"""Edge: looks at the container, the queue and the server, and says what state each window of each job is in."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import dropwhile
from uuid import UUID

from connections.service_bus import begun
from contracts.errors import TailraceError
from contracts.grid import IntegerGrid, TimeGrid
from contracts.job import ExportJob
from contracts.receipt import Receipt
from contracts.window import IntegerWindow
from operations.blobs import Blob, Blobs
from operations.coverage import Cell, Evidence, cover, cover_runs
from operations.running import Running, Sessions, connect
from producer.ask import bound
from producer.facts import QueueView
from producer.queue_view import read_queue
from producer.windows import GridWindow, integer_windows_between, longest, windows_between
from settings import Settings

_PARALLEL = 8
_MESSAGES = 100_000  # of the queue, and ten times as many dead letters


@dataclass(frozen=True, slots=True)
class Coverage:
    """The windows of one job, oldest first, and the blobs that were listed for it."""

    job: ExportJob
    cells: Sequence[Cell]


@dataclass(slots=True)
class Lookout:
    """What was seen at one moment. `notes` say what could not be seen, and why."""

    settings: Settings
    now: datetime
    blobs: Blobs
    queue: QueueView = field(default_factory=QueueView)
    running: list[Running] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def coverages(self, jobs: Iterable[ExportJob], since: str | None, until: str | None) -> Iterator[Coverage]:
        """The coverage of each job, in their order; the containers' listings run side by side."""
        wanted, running = list(jobs), {one.request_id: one for one in self.running}
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="list") as threads:
            listed = threads.map(lambda job: list(self.blobs.under(job.blob_prefix)), wanted)
            for job, blobs in zip(wanted, listed, strict=True):
                yield Coverage(job, list(self._cells(job, blobs, running, (since, until))))

    def _cells(
        self, job: ExportJob, blobs: list[Blob], running: Mapping[UUID, Running], span: tuple[str | None, str | None]
    ) -> Iterator[Cell]:
        since, until = span
        evidence = Evidence({blob.name: blob for blob in blobs}, self.queue, running)
        if job.window is None:
            return cover_runs(job, evidence, self.now)
        cells = cover(job, windows_in(job, blobs, since, until, self.now), evidence, self.now)
        # What is older than all blobs was never meant to be exported, unless somebody names it.
        return dropwhile(lambda cell: cell.state == "too-old", cells) if since is None else cells


@contextmanager
def looking(settings: Settings, now: datetime, *, server: bool = True) -> Iterator[Lookout]:
    """Looks at the queue and, if `server` and its settings are there, at PostgreSQL, side by side; notes what fails.

    Raises what the container raises, when it is listed.
    """
    seen = Lookout(settings, now, Blobs(settings, _PARALLEL))
    queue = begun(lambda: read_queue(settings, _MESSAGES))
    running = begun(lambda: _running(settings)) if server and settings.pg_host else None
    try:
        seen.queue = queue.result()
        if not seen.queue.is_whole:
            seen.notes.append(f"the queue holds more than {_MESSAGES:,} messages: what is among them looks missing")
    except TailraceError as error:
        seen.notes.append(f"the queue was not seen: {error.explained}")
    try:
        seen.running = running.result() if running else []
    except TailraceError as error:
        seen.notes.append(f"running exports were not seen: {error.explained}")
    yield seen


def _running(settings: Settings) -> list[Running]:
    with connect(settings) as connection:
        return Sessions(connection).running()


def windows_in(
    job: ExportJob, blobs: Iterable[Blob], since: str | None, until: str | None, now: datetime
) -> Iterator[GridWindow]:
    """The windows of a range; by default from the oldest blob, or as far as a tick looks back, until now.

    Windows of numbers have no clock: by default they are those from the oldest blob to the newest.
    """
    if isinstance(job.window, IntegerGrid):
        first, end = _numbers(blobs, job)
        begin = bound(job, since) if since else first
        return integer_windows_between(job.window, begin, bound(job, until) if until else end)  # type: ignore[arg-type]
    assert isinstance(job.window, TimeGrid)
    begin = bound(job, since) if since else _oldest(job, job.window, blobs, now)
    return windows_between(job.window, begin, min(now, bound(job, until)) if until else now)  # type: ignore[arg-type]


def _numbers(blobs: Iterable[Blob], job: ExportJob) -> tuple[int, int]:
    """From the oldest blob's window to the newest's."""
    windows = [receipt.window for blob in blobs if (receipt := _own_receipt(blob, job))]
    numbers = [window for window in windows if isinstance(window, IntegerWindow)]
    return min((window.start for window in numbers), default=0), max((window.end for window in numbers), default=0)


def _oldest(job: ExportJob, grid: TimeGrid, blobs: Iterable[Blob], now: datetime) -> datetime:
    """The start of the oldest window that has a blob, or of those that a tick would ask for."""
    horizon = now - grid.catch_up - grid.delay - longest(grid.every) if job.enabled else now
    oldest = min(
        (blob for blob in blobs if "run" in blob.metadata), key=lambda blob: blob.metadata["run"], default=None
    )
    receipt = _own_receipt(oldest, job) if oldest else None
    if receipt is None or receipt.window is None:
        return horizon
    return min(horizon, bound(job, str(receipt.window.bounds()[0])))  # type: ignore[return-value]


def _own_receipt(blob: Blob, job: ExportJob) -> Receipt | None:
    return blob.receipt if blob.metadata.get("job") == job.name else None
