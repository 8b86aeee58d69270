"""The heart: one request → one blob with its receipt, or nothing."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from psycopg import sql

from connections.postgres.session_name import session_name
from contracts import row_hash
from contracts.errors import CompressionWrong, JobDisabled, SourceRejected, TailraceError
from contracts.jobs_file import Jobs
from contracts.receipt import Closed, Part, Read, Receipt
from contracts.request import ExportRequest
from telemetry.events import event
from telemetry.traces import span
from worker.blob.buffers import MAX_PARTS
from worker.blob.sink import BlobChangedError, Found, Sink, Upload
from worker.cancellation import Cancellation
from worker.existing import Exported, after_change, after_failure, look, looks_first, looks_later
from worker.formats.codecs import Trust
from worker.formats.csv import Form, write_csv
from worker.plan import Plan, planned
from worker.progress import exporting
from worker.source.closing import prove_closed
from worker.source.pool import Source
from worker.source.readers import readers_of
from worker.source.snapshot import Snapshot
from worker.source.split import Limits, parts_wanted
from worker.source.statement import relation_of, select_of, subject_of

_log = logging.getLogger(__name__)

# The form in which PostgreSQL sent the rows.
type Copied = Literal["csv", "binary"]


@dataclass(frozen=True, slots=True)
class Exporter:
    """What every export of a process shares."""

    source: Source
    sink: Sink
    jobs: Jobs
    limits: Limits


def run_export(
    request: ExportRequest,
    exporter: Exporter,
    cancelled: Cancellation,
    waits_since: datetime | None = None,
    attempt: int = 1,
) -> Exported:
    """Exports `request` unless its blob is there; nothing is visible before the commit, which finds an earlier blob.

    `waits_since` is when it began to wait for its window to close, if it does; `attempt` goes into the receipt.

    Raises one of contracts.errors' Permanent or Transient errors; then nothing has changed.
    """
    _require_job(request, exporter.jobs)
    selected = select_of(request, exporter.jobs)
    looked = looks_first(request, attempt)
    seen = look(request, exporter.sink) if looked else None
    if isinstance(seen, Exported):
        return seen
    event(_log, logging.INFO, "export started", blob=request.blob)
    task = _Task(request, exporter, selected, seen, cancelled, waits_since, attempt)
    try:
        receipt, copied = _upload_once_more(task)
    except BlobChangedError as error:
        return after_change(request, exporter.sink, error)
    except TailraceError as error:
        if looked:
            raise
        return after_failure(request, exporter.sink, error)
    _report(request, receipt, copied)
    return Exported("exported", receipt)


@dataclass(frozen=True, slots=True)
class _Task:
    """One export to be done: `replacing` is the blob that is there and is to be replaced, if any."""

    request: ExportRequest
    exporter: Exporter
    selected: sql.Composed
    replacing: Found | None
    cancelled: Cancellation
    waits_since: datetime | None
    attempt: int


def _upload_once_more(task: _Task) -> tuple[Receipt, Copied]:
    """Uploads, and once more by ISA-L if the verification of gzip fails: nothing is visible then."""
    request = task.request
    try:
        return _upload(task, Trust.VERIFIED if request.output.is_verified else Trust.FULL)
    except CompressionWrong as error:
        event(_log, logging.ERROR, "compression wrong", blob=request.blob, error=str(error))
        return _upload(task, Trust.NONE)


def _upload(task: _Task, trust: Trust) -> tuple[Receipt, Copied]:
    """Reads, writes and commits. Raises BlobChangedError if another writer was first, CompressionWrong if it was."""
    request, source, started_at = task.request, task.exporter.source, datetime.now(UTC)
    with task.exporter.sink.upload(request.blob, task.replacing) as upload:
        with span("read"), source.connection(subject_of(request)) as connection:
            closed = prove_closed(connection, request, subject_of(request), task.waits_since)
            name = session_name(request.request_id, request.job)
            with source.snapshot(connection, task.selected, relation_of(request), name) as snapshot:
                with _looking_if_large(task, snapshot):
                    plan = planned(request, snapshot, task.selected, task.exporter.limits)
                with exporting(snapshot.estimated_bytes):
                    parts, copied = _write(task, snapshot, plan, upload, trust)
        hashed = row_hash.combined(part.row_hash for part in parts)
        read = Read(parts, snapshot.id, hashed, plan.columns, closed)
        receipt = Receipt.of(request, read, (started_at, datetime.now(UTC)), task.attempt)
        with span("commit"):
            upload.commit(receipt, request.output.content_type)
    return receipt, copied


@contextmanager
def _looking_if_large(task: _Task, snapshot: Snapshot) -> Iterator[None]:
    """Looks for the blob of a large export while the block runs; raises BlobChangedError if it is there already."""
    if looks_first(task.request, task.attempt) or not looks_later(snapshot.planned):
        yield
        return
    with ThreadPoolExecutor(1, thread_name_prefix="look") as threads:
        looking = threads.submit(copy_context().run, task.exporter.sink.find, task.request.blob)
        yield
    if looking.result():
        raise BlobChangedError("found before reading")


def _write(
    task: _Task, snapshot: Snapshot, plan: Plan, upload: Upload, trust: Trust
) -> tuple[tuple[Part, ...], Copied]:
    """Reads all rows and writes them to the upload; returns what each part holds, in the order of the blob."""
    request, exporter, cancelled, subject = task.request, task.exporter, task.cancelled, subject_of(task.request)
    if request.output.format == "parquet":
        return (_write_parquet(task, snapshot, plan, upload),), "binary"
    selects = plan.selects.parts(parts_wanted(plan.streams, snapshot.estimated_bytes), MAX_PARTS)
    readers = readers_of(exporter.source, snapshot, plan.shared, min(plan.streams.count, len(selects)), subject)
    form = Form(request.output, trust, plan.printing)
    return write_csv(readers, selects, form, upload, cancelled), "binary" if form.printing else "csv"


def _write_parquet(task: _Task, snapshot: Snapshot, plan: Plan, upload: Upload) -> Part:
    """Writes one part by as many streams as there are connections: their row groups take turns."""
    # Imports pyarrow, which exports to CSV do without.
    from worker.formats.parquet.export import ParquetFile, write_parquet

    subject = subject_of(task.request)
    selects = plan.selects.parts(plan.streams.count, plan.streams.count)
    with ExitStack() as opened:
        found = readers_of(task.exporter.source, snapshot, plan.shared, len(selects), subject)
        readers = [nullcontext(one) for reader in found if (one := opened.enter_context(reader)) is not None]
        if len(readers) < len(selects):
            selects = plan.selects.parts(len(readers), len(readers))
        file = ParquetFile(upload.part(0), task.request.output, subject)
        return write_parquet(readers[: len(selects)], selects, snapshot.columns, file, task.cancelled)


def _require_job(request: ExportRequest, jobs: Jobs) -> None:
    """A job that was taken out of jobs.toml is exported no more, whatever is still on the queue.

    A disabled job's request waits for a corrected file.
    """
    if problems := jobs.why_disabled(request.job):
        raise JobDisabled(
            f"job {request.job!r} is disabled in this worker: {'; '.join(problems)}",
            advice="correct jobs.toml and deploy it; the next tick asks for what was given up meanwhile",
        )
    if request.job not in jobs:
        raise SourceRejected(
            f"job {request.job!r} is not in jobs.toml of this worker",
            advice="drop it by `tailrace dlq drop`, or deploy the jobs.toml that the producer has and replay",
            reason="JobMissing",
        )


def _report(request: ExportRequest, receipt: Receipt, copied: Copied) -> None:
    event(
        _log,
        logging.INFO,
        "export done",
        blob=request.blob,
        rows=receipt.rows,
        csv_bytes=receipt.csv_bytes,
        blob_bytes=receipt.blob_bytes,
        parts=len(receipt.parts),
        copied=copied,
        seconds=receipt.seconds,
        closed=_said_of(receipt.closed),
    )


def _said_of(closed: Closed | None) -> str | None:
    return None if closed is None else closed.by if closed.is_proven else "not proven"
