"""Audits as the command and the timer run them: with records, metrics, and more exports of what differs."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from connections.records import Records
from contracts.audit import AuditRecord
from contracts.errors import SinkRejected, TailraceError
from contracts.job import ExportJob
from contracts.message import Lineage
from operations.audit import Audit, Wanted
from operations.blobs import Blobs
from operations.judge import Finding
from operations.ledger import Ledger
from operations.manifests import Manifests
from producer.ask import AskRefused
from producer.queue import ExportQueue
from settings import Settings
from telemetry.catalogue import AUDIT_DRIFT
from telemetry.events import event
from telemetry.metrics import record as record_metric
from worker.assemble import open_exporter
from worker.export import Exporter

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Audited:
    """What one audit of a job found, and its record; `unwritten` is why that could not be written, if so.

    `deleted` counts the verified windows before all others whose blob is gone.
    """

    findings: list[Finding]
    record: AuditRecord
    unwritten: str | None = None
    deleted: int = 0

    @property
    def drift(self) -> list[Finding]:
        """The windows that differ."""
        return [finding for finding in self.findings if finding.is_drift]


class Auditing:
    """Audits jobs, one after the other; from `opened`."""

    def __init__(self, settings: Settings, exporter: Exporter) -> None:
        self._blobs = Blobs(settings)
        self._exporter = exporter
        self._records = Records(settings, "audits", AuditRecord)
        self._manifests = Manifests(settings)
        self.jobs = exporter.jobs
        # Each thread has a connection of its own.
        self.parallel = min(settings.pool_size, settings.concurrency)

    @classmethod
    @contextmanager
    def opened(cls, settings: Settings) -> Iterator["Auditing"]:
        """Holds connections to the source for the block. Raises ConfigurationError."""
        with open_exporter(settings) as exporter:
            yield cls(settings, exporter)

    def audit(
        self,
        job: ExportJob,
        wanted: Wanted,
        now: datetime,
        begun: Callable[[int], Callable[[int], object]] = lambda _: lambda _: None,
    ) -> Audited:
        """Audits a job, and writes its record and its manifest even if it is broken off.

        `begun` is called with the bytes of rows to be read, 0 if nobody knows, and gives what is called with those that
        were. Raises AskRefused, SourceUnavailable and the other errors of exports.
        """
        if job.window is None:
            raise AskRefused(f"job {job.name!r} has no windows, so there is nothing to compare with its source")
        audit = Audit(job, self.jobs, self._blobs, self._exporter.source, self._ledger(job))
        windows = audit.windows(wanted, now)
        self._manifests.add(job.name, [window.blob for window in windows if window.blob and window.is_own], now)
        unwritten = None
        try:
            audit.count(windows, wanted, now)
            total = sum(one.blob.receipt.csv_bytes for one in windows if one.blob and one.blob.receipt)
            done = begun(total if wanted.deep and wanted.budget is None else 0)
            audit.read(windows, replace(wanted, parallel=self.parallel), now, done)
        finally:
            # Broken off, it has still found something; what compared nothing says nothing.
            record = audit.ledger.record(datetime.now(UTC))
            unwritten = self._put(job, record) if audit.findings or not windows else None
        return _reported(Audited(audit.findings, record, unwritten, audit.deleted))

    def audit_all(self, budget: float, now: datetime) -> Iterator[tuple[ExportJob, Audited | TailraceError]]:
        """Audits all jobs that have windows, the one first whose audit is the longest time ago.

        Each gets an equal share of what is left of the `budget`, in seconds. An error of one job is its result.
        """
        jobs = [job for job in self.jobs.values() if job.window is not None]
        last = {found.name: found.value.at for found in self._records.all()}
        jobs.sort(key=lambda job: last.get(job.name, datetime.min.replace(tzinfo=UTC)))
        deadline = time.monotonic() + budget
        for place, job in enumerate(jobs):
            share = max(0.0, deadline - time.monotonic()) / (len(jobs) - place)
            try:
                yield job, self.audit(job, Wanted(budget=share), now)
            except TailraceError as error:
                yield job, error

    def _put(self, job: ExportJob, record: AuditRecord) -> str | None:
        """Writes the record, or says why it cannot be: who may only read can audit, too."""
        try:
            self._records.put(job.name, record, head=record.head)
        except SinkRejected as error:
            event(_log, logging.WARNING, "record not written", job=job.name, error=str(error))
            return str(error)
        return None

    def _ledger(self, job: ExportJob) -> Ledger:
        found = self._records.get(job.name)
        return Ledger.of(job, found.value if found else None)


def _reported(found: Audited) -> Audited:
    """Measures and logs what an audit found."""
    record = found.record
    record_metric(AUDIT_DRIFT, len(found.drift), job=record.job)
    windows = len(found.findings)
    event(_log, logging.INFO, "audited", job=record.job, windows=windows, deleted=found.deleted, **record.drift)
    return found


def export_again(job: ExportJob, drift: Sequence[Finding], settings: Settings) -> int:
    """Asks for exports of windows that are missing, or that replace those that differ; returns how many were sent.

    What is on the queue is not sent twice. Foreign blobs, and windows that are gone from the source, are left alone.
    """
    requests = [
        one.window.request.model_copy(update={"replaces": one.window.blob.etag if one.window.blob else None})
        for one in drift
        if one.kind in {"missing", "late", "changed"}
    ]
    with ExportQueue(settings) as queue:
        live = queue.look(None).live if requests else {}
        wanted = [request for request in requests if request.request_id not in live]
        lineages = {request.request_id: Lineage(job.version) for request in wanted}
        return queue.send(wanted, None, lineages) if wanted else 0
