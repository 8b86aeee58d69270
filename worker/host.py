"""Edge: a message that the Functions host delivers. The function's return or exception settles it."""

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from threading import Lock

import azure.functions as func
from azurefunctions.extensions.bindings.servicebus import ServiceBusMessageActions

from settings import Settings
from telemetry.events import name_deliveries
from telemetry.traces import origin_of
from worker.assemble import open_worker
from worker.cancellation import Cancellation
from worker.message.delivery import Delivery, Worker, delivery_context, handle_message
from worker.message.retry import RetryQueue
from worker.message.settle import settle
from worker.message.settlement import RetryLater

# Azure ends a worker by killing it: nothing ever cancels an export here.
_NEVER = Cancellation()


# Opened at the first message and never closed: Azure gives the process no moment for it.
_process = ExitStack()
_opening = Lock()


@cache
def _opened() -> tuple[Worker, RetryQueue]:
    settings = Settings.from_env(os.environ)
    name_deliveries()
    return _process.enter_context(open_worker(settings)), RetryQueue(settings)


def deliver(message: func.ServiceBusMessage, actions: ServiceBusMessageActions, context: func.Context) -> None:
    """One delivered message → one export and one settlement."""
    with _opening:
        worker, retries = _opened()
    delivery = Delivery.of(
        message.get_body(),
        message.message_id,
        message.sequence_number,
        message.application_properties,
        # The host counts deliveries from 1.
        redeliveries=(message.delivery_count or 1) - 1,
        enqueued_at=_in_utc(message.enqueued_time_utc),
    )
    with delivery_context(delivery, origin_of(context).call):
        settlement = handle_message(delivery, worker, _NEVER)
        settle(HostSettler(message, actions, delivery, retries), settlement)


def _in_utc(moment: datetime | None) -> datetime | None:
    """The host leaves the zone out."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


class LeftToTheHostError(Exception):
    """Makes the host abandon the message; it is dead-lettered after MaxDeliveryCount deliveries."""


class HostSettler:
    """Settles through the function: its return completes, its exception abandons; only dead-lettering is a call."""

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
        """Through the host's settlement service; raises if the host has none, so that the delivery count decides."""
        try:
            self._actions.deadletter(self._message, reason, description)
        except Exception as error:  # noqa: BLE001  # the beta SDK wraps every error in a class of its own
            # Some hosts answer "Service is unimplemented" (dotnet-worker#3332).
            raise LeftToTheHostError(f"{reason}: {description} (could not be dead-lettered at once: {error})") from None

    def schedule_clone(self, retry: RetryLater) -> None:
        """A copy for the next attempt, `retry.delay` from now."""
        self._retries.schedule(self._delivery, retry)
