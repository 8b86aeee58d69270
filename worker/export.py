"""The heart: one request → one blob with its receipt, or nothing."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event

from psycopg import sql

from contracts.errors import SinkRejected, SinkUnavailable, SourceRejected
from contracts.jobs_file import Jobs
from contracts.receipt import Receipt
from contracts.request import ExportRequest, QuerySource, TableSource
from telemetry.events import event
from telemetry.traces import span
from worker.blob.sink import BlobChangedError, Found, Sink
from worker.message.verdict import RetryPolicy
from worker.readers import Reading, copy_parts
from worker.source.pool import Source
from worker.source.statement import select_statement

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exporter:
    """What every export of a process shares."""

    source: Source
    sink: Sink
    jobs: Jobs
    max_streams: int
    retry: RetryPolicy


@dataclass(frozen=True, slots=True)
class Exported:
    """`outcome` is exported, already-there, or superseded by a newer run of the same blob; `receipt` is the blob's."""

    outcome: str
    receipt: Receipt


def run_export(request: ExportRequest, exporter: Exporter, cancelled: Event) -> Exported:
    """Exports `request` unless its blob is there; nothing is visible before the commit.

    Raises one of contracts.errors' Permanent or Transient errors; then nothing has changed.
    """
    source, sink = exporter.source, exporter.sink
    selected = select_statement(request, _query_text(request, exporter.jobs))
    found = sink.find(request.blob)
    if found and (done := _settled_by(found, request)):
        return done
    started_at, subject = datetime.now(UTC), subject_of(request)
    reading = Reading(request, subject, source, exporter.max_streams)
    event(_log, logging.INFO, "export started", blob=request.blob)
    try:
        with sink.upload(request.blob, found) as upload:
            with span("read"), source.snapshot(selected, subject, _relation_of(request)) as snapshot:
                parts = copy_parts(reading, snapshot, selected, upload, cancelled)
            receipt = Receipt.of(request, parts, snapshot.id, (started_at, datetime.now(UTC)))
            with span("commit"):
                upload.commit(receipt, request.output.content_type)
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


def _relation_of(request: ExportRequest) -> sql.Identifier | None:
    source = request.source
    return sql.Identifier(source.schema_name, source.table) if isinstance(source, TableSource) else None


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
        blob=request.blob,
        rows=receipt.rows,
        csv_bytes=receipt.csv_bytes,
        blob_bytes=receipt.blob_bytes,
        parts=len(receipt.parts),
        seconds=(receipt.exported_at - receipt.started_at).total_seconds(),
    )
