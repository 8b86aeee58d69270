"""Does the source still hold what was exported? Counts all windows at once, and reads rows again. docs: proof.

Counts find rows that came, went, or never arrived; only rows that are read again prove that nothing else has changed.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched

from psycopg import sql

from contracts.job import ExportJob
from contracts.jobs_file import Jobs
from contracts.request import Closing, ExportRequest
from operations.blobs import Blobs
from operations.judge import Finding, Known, by_blob, by_count, by_rows, is_due
from operations.ledger import Ledger
from operations.picks import picks
from operations.retention import begin_earlier, first_window, look_behind
from operations.spans import Bound, covers
from operations.windows import WindowBlob, oldest_start, windows_of
from producer.ask import AskRefused, bound
from worker.cancellation import Cancellation
from worker.reread import reread
from worker.source.closing import prove_closed
from worker.source.counts import count_windows, count_without_window, oldest_before
from worker.source.pool import Source
from worker.source.statement import subject_of

# Windows of one listing, and the most that are read after a budget has ended is one for each thread.
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which windows are audited, and how.

    `deep` reads the rows of all of them again; `budget` seconds those of some: first what was never verified, then what
    was verified the longest time ago. Without `since` an audit goes on where the last one ended.
    """

    since: str | None = None
    until: str | None = None
    deep: bool = False
    budget: float | None = None
    parallel: int = 2

    @property
    def reads_all(self) -> bool:
        """Whether the rows of every window are read, so that counting them beforehand finds nothing more."""
        return self.deep and self.budget is None


class Audit:
    """One audit of one job. `findings` are in the order of their windows, and each window has one."""

    def __init__(self, job: ExportJob, jobs: Jobs, blobs: Blobs, source: Source, ledger: Ledger) -> None:
        self.ledger = ledger
        # Verified windows before all others whose blob is gone.
        self.deleted = 0
        self._job = job
        self._jobs = jobs
        self._blobs = blobs
        self._source = source
        self._cancelled = Cancellation()
        # By request; written by the calling thread only.
        self._findings: dict[object, Finding] = {}
        # Of all windows, as asked once before they are counted.
        self._is_closed = False
        self._why_open: str | None = None

    @property
    def findings(self) -> list[Finding]:
        """What was found of each window."""
        return sorted(self._findings.values(), key=lambda one: self.ledger.bounds(one.window.request)[0])

    def windows(self, wanted: Wanted, now: datetime) -> list[WindowBlob]:
        """The windows to count. Raises AskRefused if there are none in a range that was asked for."""
        begin_earlier(self.ledger, self._blobs, now)
        goes_on = wanted.since is None and wanted.until is None
        through = self._through(wanted) if goes_on else None
        if through is not None:
            self.deleted, lost = look_behind(self.ledger, self._blobs, through, now)
            through = self._through(wanted)  # None if all of them were deleted
            for window in lost:
                if finding := by_blob(window, self._job, now):
                    self._note(finding)
        since = wanted.since if through is None else str(through)
        try:
            found = list(windows_of(self._job, self._blobs, since, wanted.until, now))
        except AskRefused:
            if through is None:
                raise
            return []
        if self.ledger.origin is None:
            self.ledger.origin = self.ledger.bounds(found[0].request)[0] if goes_on else self._first()
        return [window for window in found if window.blob is not None or is_due(self._job, window.request, now)]

    def _through(self, wanted: Wanted) -> Bound | None:
        """Where an audit that goes on begins."""
        return self.ledger.verified_through if wanted.deep else self.ledger.counted_through

    def _first(self) -> Bound | None:
        """Where the windows of the job begin, whatever range is audited."""
        start = oldest_start(self._job, self._blobs)
        return None if start is None else bound(self._job, start)

    def count(self, windows: Sequence[WindowBlob], wanted: Wanted, now: datetime) -> None:
        """Compares the counts of all windows, by one query, unless the rows of all are read."""
        if not windows:
            return
        requests = [window.request for window in windows]
        subject = subject_of(requests[0])
        with self._source.connection(subject) as connection:
            proof = prove_closed(connection, _at_once(requests[-1]), subject, None)
            self._is_closed = proof is not None and proof.is_proven
            self._why_open = proof.open if proof else None
            with self._source.snapshot(connection, sql.SQL("SELECT 1")) as snapshot:
                if first := first_window(self.ledger, now):
                    self.ledger.rows_before = oldest_before(snapshot.connection, first, self._job.query)
                if wanted.reads_all:
                    without_window = count_without_window(snapshot.connection, requests[0], self._job.query)
                    self.ledger.without_window = without_window
                    return
                counts = count_windows(snapshot.connection, requests, self._job.query)
        self.ledger.without_window = counts.without_window
        for window, rows in zip(windows, counts.rows, strict=True):
            self._note(by_blob(window, self._job, now) or by_count(window, rows, self._known(window)))

    def read(self, windows: Sequence[WindowBlob], wanted: Wanted, now: datetime, done: Callable[[int], object]) -> None:
        """Reads rows again: those of `windows`, or of what the budget reaches. `done` is called with bytes of rows."""
        if wanted.budget is None and not wanted.deep:
            return
        deadline = time.monotonic() + wanted.budget if wanted.budget is not None else None
        verified = self.ledger.verified
        chosen = iter(windows) if deadline is None else self._picked(windows, wanted, now)
        with ThreadPoolExecutor(wanted.parallel, thread_name_prefix="audit") as threads:
            for batch in batched(chosen, wanted.parallel * 4, strict=False):
                reading = [threads.submit(self._read, window, now, deadline) for window in batch]
                with self._broken_off(reading):
                    for future in reading:
                        finding = future.result()
                        if finding is None:
                            return
                        self._note(finding)
                        start, end = self.ledger.bounds(finding.window.request)
                        if deadline is not None and covers(verified, start, end):
                            self.ledger.next = end
                        receipt = finding.window.blob and finding.window.blob.receipt
                        done(receipt.csv_bytes if receipt else 0)

    @contextmanager
    def _broken_off(self, reading: Sequence[Future[Finding | None]]) -> Iterator[None]:
        """Whatever ends the block ends what is being read, and keeps what was read to its end."""
        try:
            yield
        except BaseException:
            self._cancelled.set()
            begun = [future for future in reading if not future.cancel()]
            for future in wait(begun).done:
                if future.exception() is None and (finding := future.result()):
                    self._note(finding)
            raise

    def _picked(self, windows: Sequence[WindowBlob], wanted: Wanted, now: datetime) -> Iterator[WindowBlob]:
        """What a budget reads, in order."""
        if wanted.since is not None or wanted.until is not None:
            yield from windows
            return
        until = self.ledger.bounds(windows[-1].request)[1] if windows else self.ledger.counted_through
        at_hand = {window.request.request_id: window for window in windows}
        for requests in batched(picks(self.ledger, until, now), _BATCH, strict=False):
            lacking = [one.blob for one in requests if one.request_id not in at_hand]
            found = self._blobs.named(lacking)
            for request in requests:
                yield at_hand.get(request.request_id) or WindowBlob(request, found.get(request.blob))

    def _read(self, window: WindowBlob, now: datetime, deadline: float | None) -> Finding | None:
        """What the rows of one window say; None once the time is over. In a thread of its own."""
        if deadline is not None and time.monotonic() > deadline:
            return None
        known = self._findings.get(window.request.request_id)
        if known is not None and (known.is_drift or known.by == "blob"):
            return known
        if bad := by_blob(window, self._job, now):
            return bad
        assert window.blob is not None
        assert window.blob.receipt is not None
        with self._source.connection(subject_of(window.request)) as connection:
            found = reread(connection, self._source, window.request, window.blob.receipt, self._jobs, self._cancelled)
        return by_rows(window, found, self._known(window))

    def _known(self, window: WindowBlob) -> Known:
        receipt = window.blob.receipt if window.blob else None
        is_closed = self._is_closed or (receipt is not None and receipt.closed is not None and receipt.closed.is_proven)
        return self.ledger.known(window.request, is_closed=is_closed, why_open=self._why_open)

    def _note(self, finding: Finding) -> None:
        if self._findings.get(finding.window.request.request_id) is not finding:
            self._findings[finding.window.request.request_id] = finding
            self.ledger.note(finding)


def _at_once(request: ExportRequest) -> ExportRequest:
    """Asks for the strongest proof, and waits for nobody."""
    return request.model_copy(update={"closing": Closing(wait_seconds=0), "run": min(request.run, datetime.now(UTC))})
