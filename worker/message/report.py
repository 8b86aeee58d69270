"""Reports each delivery to logs, spans and metrics: began, then done or failed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from traceback import format_exception
from typing import assert_never

from contracts.errors import TailraceError
from contracts.request import ExportRequest
from telemetry.catalogue import BYTES, DEAD_LETTERS, EXPORTS, QUEUE_AGE, RETRIES, ROWS, SECONDS
from telemetry.events import event
from telemetry.fields import bind
from telemetry.metrics import record
from telemetry.secrets import without_secrets
from telemetry.traces import Span, annotate, span
from telemetry.traces import failed as mark_failed
from worker.existing import Exported
from worker.message.settlement import Abandon, Complete, DeadLetter, RetryLater, Settlement

_log = logging.getLogger(__name__)


class Export:
    """One export that has begun."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.outcome: str | None = None

    def done(self, exported: Exported) -> None:
        """Reports the outcome; a blob that was there already counts no rows, its receipt is another export's."""
        receipt, self.outcome = exported.receipt, exported.outcome
        self._span.set(outcome=exported.outcome, rows=receipt.rows, bytes=receipt.blob_bytes)
        self._span.set(csv_bytes=receipt.csv_bytes, parts=len(receipt.parts))
        if exported.outcome == "exported":
            record(ROWS, receipt.rows, job=receipt.job)
            record(BYTES, receipt.blob_bytes, job=receipt.job)
            record(SECONDS, receipt.seconds, job=receipt.job)


@contextmanager
def began(request: ExportRequest, attempt: int, enqueued_at: datetime | None) -> Iterator[Export]:
    """Names the request on every line from here on, records how long it waited, and spans the export in the block."""
    bind(request_id=request.request_id, job=request.job)
    annotate(request_id=str(request.request_id), job=request.job)
    if enqueued_at is not None:
        record(QUEUE_AGE, max(0.0, (datetime.now(UTC) - enqueued_at).total_seconds()), job=request.job)
    with span("export", request_id=str(request.request_id), job=request.job, attempt=attempt) as opened:
        export = Export(opened)
        yield export
    record(EXPORTS, 1, job=request.job, outcome=export.outcome)
    annotate(outcome=export.outcome)


def steered(request: ExportRequest, settlement: Complete | RetryLater) -> None:
    """Reports a delivery that people's orders end without an export."""
    bind(request_id=request.request_id, job=request.job)
    annotate(request_id=str(request.request_id), job=request.job)
    match settlement:
        case Complete(outcome=outcome):
            event(_log, logging.INFO, "export cancelled", blob=request.blob)
            record(EXPORTS, 1, job=request.job, outcome=outcome)
        case RetryLater(reason=reason, delay=delay):
            event(_log, logging.INFO, "export put off", blob=request.blob, reason=reason, seconds=delay.total_seconds())
    annotate(outcome="cancelled" if isinstance(settlement, Complete) else "paused")


def failed(error: Exception, message_id: str, job: str | None, settlement: Settlement) -> None:
    """Logs why a delivery failed, and counts what becomes of it. `job` is None if it is not known."""
    said = error.explained if isinstance(error, TailraceError) else without_secrets(str(error))
    fate, reason = type(settlement).__name__, getattr(settlement, "reason", None)
    event(_log, logging.WARNING, "export failed", message_id=message_id, fate=fate, reason=reason, error=said)
    if not isinstance(error, TailraceError):
        trace = without_secrets("".join(format_exception(error)))
        _log.error("a fault of Tailrace itself, please report it\n%s", trace)
    match settlement:
        case RetryLater(reason=reason):
            record(RETRIES, 1, job=job, reason=reason)
            mark_failed("retry", reason)
        case DeadLetter(reason=reason):
            record(DEAD_LETTERS, 1, job=job, reason=reason)
            mark_failed("dead-letter", reason)
        case Abandon(reason=reason):
            mark_failed("abandoned", reason)
        case Complete():
            raise AssertionError("a failed delivery is not complete")
        case _:
            assert_never(settlement)
