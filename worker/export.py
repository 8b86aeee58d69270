"""The heart: one request → one blob with its receipt, or nothing."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event

from psycopg import sql

from contracts.errors import SinkRejected, SinkUnavailable, SourceRejected
from contracts.jobs_file import Jobs
from contracts.receipt import Part, Receipt
from contracts.request import ExportRequest, QuerySource, TableSource
from telemetry.events import event
from worker.gzip_stream import gzip_member
from worker.sink import BlobChangedError, Found, Sink, Upload
from worker.snapshot import Snapshot
from worker.source import Source
from worker.statement import copy_statement

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exported:
    """`outcome` is exported, already-there, or superseded by a newer run of the same blob; `receipt` is the blob's."""

    outcome: str
    receipt: Receipt


def run_export(request: ExportRequest, source: Source, sink: Sink, jobs: Jobs, cancelled: Event) -> Exported:
    """Exports `request` unless its blob is there; nothing is visible before the commit.

    Raises one of contracts.errors' Permanent or Transient errors; then nothing has changed.
    """
    statement = copy_statement(request, _query_text(request, jobs))
    found = sink.find(request.blob)
    if found and (done := _settled_by(found, request)):
        return done
    started_at = datetime.now(UTC)
    event(_log, logging.INFO, "export started", job=request.job, request_id=request.request_id, blob=request.blob)
    try:
        with sink.upload(request.blob, found) as upload:
            with source.snapshot(subject_of(request)) as snapshot:
                part = _copy_part(snapshot, request, statement, upload, cancelled)
            receipt = Receipt.of(request, (part,), snapshot.id, (started_at, datetime.now(UTC)))
            upload.commit(receipt)
    except BlobChangedError as error:
        return _after_change(request, sink, error)
    _report(request, receipt)
    return Exported("exported", receipt)


def subject_of(request: ExportRequest) -> str:
    """What an error message calls the source of a request."""
    match request.source:
        case TableSource() as table:
            return f"{table.schema_name}.{table.table}"
        case QuerySource() as query:
            return f"query {query.name}"


def _copy_part(
    snapshot: Snapshot, request: ExportRequest, statement: sql.Composed, upload: Upload, cancelled: Event
) -> Part:
    with snapshot.copy(statement, header=request.output.header, cancelled=cancelled) as copy:
        for data in gzip_member(copy.chunks(), request.output.level):
            upload.write(data)
    return Part(rows=copy.rows, csv_bytes=copy.bytes, blob_bytes=upload.bytes, sha256=upload.sha256)


def _query_text(request: ExportRequest, jobs: Jobs) -> str | None:
    if not isinstance(request.source, QuerySource):
        return None
    job = jobs.get(request.source.name)
    if job is None or job.query is None:
        raise SourceRejected(
            f"jobs.toml of this worker has no query of the name {request.source.name!r}; "
            "deploy the jobs.toml that the producer has, then replay",
            reason="QueryMissing",
        )
    return job.query


def _settled_by(found: Found, request: ExportRequest) -> Exported | None:
    """What the blob that is there means for a request: done already, overtaken by a newer one, or None: replace it."""
    receipt = found.receipt
    if receipt is not None and receipt.request_id == request.request_id:
        return Exported("already-there", receipt)
    if request.if_exists == "refuse":
        owner = f"request {receipt.request_id} of job {receipt.job}" if receipt else "something other than Tailrace"
        raise SinkRejected(
            f"blob {request.blob!r} is there already, written by {owner}; remove it, "
            'or set if_exists = "replace" for the job and replay',
            reason="BlobExists",
        )
    if receipt is not None and (receipt.revision, receipt.run) > (request.revision, request.run):
        return Exported("superseded", receipt)
    return None


def _after_change(request: ExportRequest, sink: Sink, error: BlobChangedError) -> Exported:
    found = sink.find(request.blob)
    if found and (done := _settled_by(found, request)):
        return done
    raise SinkUnavailable(f"blob {request.blob!r} was changed by another writer meanwhile ({error}); trying again")


def _report(request: ExportRequest, receipt: Receipt) -> None:
    event(
        _log,
        logging.INFO,
        "export done",
        job=request.job,
        request_id=request.request_id,
        blob=request.blob,
        rows=receipt.rows,
        csv_bytes=receipt.csv_bytes,
        blob_bytes=receipt.blob_bytes,
        seconds=(receipt.exported_at - receipt.started_at).total_seconds(),
    )
