"""One delivery → one settlement."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self

from connections.steering import SteeringRecords
from contracts.message import (
    NO_LINEAGE,
    PAUSED,
    Carrier,
    Lineage,
    attempt_of,
    job_of,
    lineage_of,
    trace_of,
    waits_since_of,
)
from contracts.request import ExportRequest, parse_request
from contracts.steering import Steering
from telemetry.fields import context
from telemetry.traces import NOWHERE, Origin, span
from worker.cancellation import Cancellation
from worker.export import Exporter, run_export
from worker.message import report
from worker.message.settlement import Complete, RetryLater, Settlement
from worker.message.verdict import RetryPolicy, settlement_for

# A message of a paused job is put off by so many times the first wait, five minutes by default: each time costs as
# much as a small export.
_PAUSE_FACTOR = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it was delivered. `attempt` counts from 1 over redeliveries and scheduled retries alike.

    `trace` is the W3C context of its sender, `enqueued_at` when the queue took it; both are for telemetry only.
    `job` is the one that its properties name; `waits_since` is when the request began to wait by retries that cost no
    attempt, and `lineage` is what its retries carry on.
    """

    body: bytes
    message_id: str
    sequence_number: int
    attempt: int
    enqueued_at: datetime | None = None
    trace: Carrier = field(default_factory=dict, hash=False)
    job: str | None = None
    waits_since: datetime | None = None
    lineage: Lineage = NO_LINEAGE

    @classmethod
    def of(  # the fields of a message
        cls,
        body: bytes,
        message_id: object,
        sequence_number: int | None,
        properties: Mapping[Any, object] | None,
        redeliveries: int,
        enqueued_at: datetime | None,
    ) -> Self:
        """A message whose properties say the rest; `redeliveries` is how often it was delivered before."""
        return cls(
            body=body,
            message_id=str(message_id or ""),
            sequence_number=sequence_number or 0,
            attempt=attempt_of(properties, redeliveries),
            enqueued_at=enqueued_at,
            trace=trace_of(properties),
            job=job_of(properties),
            waits_since=waits_since_of(properties),
            lineage=lineage_of(properties),
        )


@dataclass(frozen=True, slots=True)
class Worker:
    """What every delivery of a process shares."""

    exporter: Exporter
    retry: RetryPolicy
    steering: SteeringRecords


@contextmanager
def delivery_context(delivery: Delivery, call: Carrier = NOWHERE.call) -> Iterator[None]:
    """For the block that handles and settles a delivery: its span, and its fields on every line that is logged.

    `call` is the W3C context of the host's call that hands it over, if there is one.
    """
    origin = Origin(delivery.trace, call)
    with (
        span("process", "consumer", origin, message_id=delivery.message_id, attempt=delivery.attempt) as process,
        context(attempt=delivery.attempt, trace_id=process.trace_id),
    ):
        yield


def handle_message(delivery: Delivery, worker: Worker, cancelled: Cancellation) -> Settlement:
    """Exports what the message asks for, and decides how to settle the message. Never raises."""
    job = delivery.job
    try:
        request = parse_request(delivery.body)
        job = request.job
        if ordered := _ordered(delivery, request, worker):
            report.steered(request, ordered)
            return ordered
        with report.began(request, delivery.attempt, delivery.enqueued_at) as export:
            done = run_export(request, worker.exporter, cancelled, delivery.waits_since, delivery.attempt)
            export.done(done)
    except Exception as error:  # noqa: BLE001  # whatever it is, the message must be settled and the worker stay up
        settlement = settlement_for(error, delivery.attempt, worker.retry, spread=random.random())  # noqa: S311
        report.failed(error, delivery.message_id, job, settlement)
        return settlement
    return Complete(done.outcome)


def _ordered(delivery: Delivery, request: ExportRequest, worker: Worker) -> Complete | RetryLater | None:
    """What people's orders mean for a delivery."""
    spread = random.random()  # noqa: S311
    # Each takes some round trips if it is the first one of the process, and to another server.
    worker.exporter.source.ahead()
    ordered = steered(worker.steering.recent(), delivery, request, worker.retry, spread)
    if not isinstance(ordered, RetryLater):
        return ordered
    # Whoever resumed the job since then has brought its messages back: another five minutes would undo that.
    return steered(worker.steering.recent(within_seconds=0.0), delivery, request, worker.retry, spread)


def steered(
    orders: Steering, delivery: Delivery, request: ExportRequest, policy: RetryPolicy, spread: float
) -> Complete | RetryLater | None:
    """What people's orders mean for a delivery: a cancelled one is complete, one of a paused job is put off.

    The clone of a paused one has not waited for its window to close: a pause is no reason to export without proof.
    """
    asked_at = delivery.lineage.asked_at or delivery.enqueued_at
    if orders.is_cancelled(request.job, delivery.lineage.backfill, asked_at, request.window):
        return Complete("cancelled")
    if request.job in orders.paused:
        says = f"job {request.job!r} is paused"
        delay: timedelta = policy.base * _PAUSE_FACTOR * (1 + spread / 4)
        return RetryLater(delay, PAUSED, says, costs_attempt=False, restarts_wait=True)
    return None
