"""One delivery → one settlement. Holds the one broad except."""

import logging
from dataclasses import dataclass
from threading import Event

from contracts.errors import TailraceError
from contracts.request import ExportRequest, parse_request
from contracts.settlement import Complete, Settlement
from telemetry.events import event
from worker.export import Exporter, run_export
from worker.verdict import settlement_for

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it was delivered. `attempt` counts from 1 over redeliveries and scheduled retries alike."""

    body: bytes
    message_id: str
    sequence_number: int
    attempt: int


def handle_message(delivery: Delivery, exporter: Exporter, cancelled: Event) -> Settlement:
    """Exports what the message asks for, and says what is to become of the message. Never raises."""
    request: ExportRequest | None = None
    try:
        request = parse_request(delivery.body)
        done = run_export(request, exporter, cancelled)
        settlement: Settlement = Complete(done.outcome)
    except Exception as error:  # noqa: BLE001  # whatever it is, the message must be settled and the worker stay up
        settlement = settlement_for(error, delivery.attempt, exporter.retry)
        _report(error, delivery, request, settlement)
    return settlement


def _report(error: Exception, delivery: Delivery, request: ExportRequest | None, settlement: Settlement) -> None:
    event(
        _log,
        logging.WARNING,
        "export failed",
        job=request.job if request else None,
        request_id=request.request_id if request else None,
        message_id=delivery.message_id,
        attempt=delivery.attempt,
        fate=type(settlement).__name__,
        reason=getattr(settlement, "reason", None),
        error=str(error),
    )
    if not isinstance(error, TailraceError):
        _log.error("a fault of Tailrace itself, please report it", exc_info=error)
