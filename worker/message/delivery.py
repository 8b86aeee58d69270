"""One delivery → one settlement. Holds the one broad except."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import assert_never

from contracts.errors import TailraceError
from contracts.message import Carrier
from contracts.request import ExportRequest, parse_request
from telemetry import catalogue
from telemetry.events import event
from telemetry.fields import keep, kept
from telemetry.metrics import record
from telemetry.traces import NOWHERE, Origin, annotate, failed, span
from worker.export import Exported, Exporter, run_export
from worker.message.settlement import Abandon, Complete, DeadLetter, RetryLater, Settlement
from worker.message.verdict import settlement_for

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it was delivered. `attempt` counts from 1 over redeliveries and scheduled retries alike.

    `trace` is the W3C context of its sender, `enqueued_at` when the queue took it; both are for telemetry only.
    `job` is the one that its properties name.
    """

    body: bytes
    message_id: str
    sequence_number: int
    attempt: int
    enqueued_at: datetime | None = None
    trace: Carrier = field(default_factory=dict, hash=False)
    job: str | None = None


@contextmanager
def under_way(delivery: Delivery, call: Carrier = NOWHERE.call) -> Iterator[None]:
    """For the block, in which it is handled and settled: its span, and its name on every line that is logged.

    `call` is the W3C context of the host's call that hands it over, if there is one.
    """
    origin = Origin(delivery.trace, call)
    with (
        span("process", "consumer", origin, message_id=delivery.message_id, attempt=delivery.attempt) as process,
        kept(attempt=delivery.attempt, trace_id=process.trace_id),
    ):
        yield


def handle_message(delivery: Delivery, exporter: Exporter, cancelled: Event) -> Settlement:
    """Exports what the message asks for, and says what is to become of the message. Never raises."""
    job: str | None = None
    try:
        request = parse_request(delivery.body)
        job = request.job
        _name(request, delivery)
        with span("export", request_id=str(request.request_id), job=job, attempt=delivery.attempt) as export:
            done = run_export(request, exporter, cancelled)
            export.set(outcome=done.outcome, rows=done.receipt.rows, bytes=done.receipt.blob_bytes)
            export.set(csv_bytes=done.receipt.csv_bytes, parts=len(done.receipt.parts))
        _measure(done)
        settlement: Settlement = Complete(done.outcome)
    except Exception as error:  # noqa: BLE001  # whatever it is, the message must be settled and the worker stay up
        settlement = settlement_for(error, delivery.attempt, exporter.retry)
        _report(error, delivery, settlement)
    _count(settlement, job)
    return settlement


def _name(request: ExportRequest, delivery: Delivery) -> None:
    """Says whose delivery it is, from here on, and how long it waited."""
    keep(request_id=request.request_id, job=request.job)
    annotate(request_id=str(request.request_id), job=request.job)
    if delivery.enqueued_at is not None:
        waited = datetime.now(UTC) - delivery.enqueued_at
        record(catalogue.QUEUE_AGE, max(0.0, waited.total_seconds()), job=request.job)


def _measure(done: Exported) -> None:
    """Of an export that was done just now; the receipt of a blob that was there already tells of another one."""
    receipt = done.receipt
    if done.outcome == "exported":
        record(catalogue.ROWS, receipt.rows, job=receipt.job)
        record(catalogue.BYTES, receipt.blob_bytes, job=receipt.job)
        record(catalogue.SECONDS, (receipt.exported_at - receipt.started_at).total_seconds(), job=receipt.job)


def _count(settlement: Settlement, job: str | None) -> None:
    match settlement:
        case Complete(outcome):
            record(catalogue.EXPORTS, 1, job=job, outcome=outcome)
            annotate(outcome=outcome)
        case RetryLater(reason=reason):
            record(catalogue.RETRIES, 1, job=job, reason=reason)
            failed("retry", reason)
        case DeadLetter(reason=reason):
            record(catalogue.DEAD_LETTERS, 1, job=job, reason=reason)
            failed("dead-letter", reason)
        case Abandon(reason=reason):
            failed("abandoned", reason)
        case _:
            assert_never(settlement)


def _report(error: Exception, delivery: Delivery, settlement: Settlement) -> None:
    event(
        _log,
        logging.WARNING,
        "export failed",
        message_id=delivery.message_id,
        fate=type(settlement).__name__,
        reason=getattr(settlement, "reason", None),
        error=error.explained if isinstance(error, TailraceError) else str(error),
    )
    if not isinstance(error, TailraceError):
        _log.error("a fault of Tailrace itself, please report it", exc_info=error)
