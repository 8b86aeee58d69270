"""A message as the Functions host delivers it: opened for, handled, and settled by what the function does."""

import os
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from threading import Event, Lock

import azure.functions as func
from azurefunctions.extensions.bindings.servicebus import ServiceBusMessageActions

from contracts.message import attempt_of, job_of, trace_of
from settings import Settings
from telemetry.events import name_deliveries
from worker.assemble import open_exporter
from worker.export import Exporter
from worker.message.delivery import Delivery, handle_message, under_way
from worker.message.retry import RetryQueue
from worker.message.settle import settle

# Azure ends a worker by killing it: nobody ever cancels an export here.
_NEVER = Event()


# What the process opened, at its first message and for the rest of its life: it has no moment to close it.
_process = ExitStack()
_opening = Lock()


@cache
def _opened() -> tuple[Exporter, RetryQueue]:
    settings = Settings.from_env(os.environ)
    name_deliveries()
    return _process.enter_context(open_exporter(settings)), RetryQueue(settings)


def deliver(message: func.ServiceBusMessage, actions: ServiceBusMessageActions, context: func.Context) -> None:
    """One message that the host delivers → one export, and the message settled."""
    with _opening:
        exporter, retries = _opened()
    delivery = Delivery(
        body=message.get_body(),
        message_id=message.message_id or "",
        sequence_number=message.sequence_number or 0,
        # The host counts deliveries from 1.
        attempt=attempt_of(message.application_properties, redeliveries=(message.delivery_count or 1) - 1),
        enqueued_at=_in_utc(message.enqueued_time_utc),
        trace=trace_of(message.application_properties),
        job=job_of(message.application_properties),
    )
    call = context.trace_context
    with under_way(delivery, trace_of({"traceparent": call.trace_parent, "tracestate": call.trace_state})):
        settle(HostSettler(message, actions, delivery, retries), handle_message(delivery, exporter, _NEVER))


def _in_utc(moment: datetime | None) -> datetime | None:
    """The host leaves the zone out."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


class LeftToTheHostError(Exception):
    """Raised to make the host abandon the message; after MaxDeliveryCount deliveries it is dead-lettered."""


class HostSettler:
    """Settles by what the function does: a return completes, an exception abandons; only dead-lettering is a call."""

    def __init__(
        self,
        message: func.ServiceBusMessage,
        actions: ServiceBusMessageActions,
        delivery: Delivery,
        retries: RetryQueue,
    ) -> None:
        self._message = message
        self._actions = actions
        self._delivery = delivery
        self._retries = retries

    def complete(self) -> None:
        """The host completes the message when the function returns."""

    def abandon(self) -> None:
        """Raises, so that the host abandons the message."""
        raise LeftToTheHostError("the message goes back to the queue")

    def dead_letter(self, reason: str, description: str) -> None:
        """Through the host's settlement service; where a host has none, raises, so that the delivery count decides."""
        try:
            self._actions.deadletter(self._message, reason, description)
        except Exception as error:  # noqa: BLE001  # the SDK wraps whatever happened, in a class of a beta
            # Some hosts answer "Service is unimplemented" (dotnet-worker#3332).
            raise LeftToTheHostError(f"{reason}: {description} (could not be dead-lettered at once: {error})") from None

    def schedule_clone(self, delay: timedelta) -> None:
        """A copy with the next attempt's number, `delay` from now."""
        self._retries.schedule(self._delivery, delay)
