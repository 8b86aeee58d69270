"""Edge: schedules the clone of a message for its next attempt."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from connections.service_bus import queue_sender, service_bus_client, service_bus_errors
from settings import Settings
from worker.message.delivery import Delivery

ATTEMPT = "attempt"  # the application property that carries a clone's attempt


class RetryQueue:
    """Sends clones to the queue that the worker receives from; safe for threads."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings.queue
        self._settings = settings
        self._lock = Lock()

    def schedule(self, delivery: Delivery, delay: timedelta) -> None:
        """Enqueues a copy with the next attempt's number `delay` from now. Raises QueueUnavailable.

        A connection for each call: retries are rare, and an idle one would be closed by the service anyway.
        """
        from azure.servicebus import ServiceBusMessage

        clone = ServiceBusMessage(
            delivery.body,
            message_id=clone_id(delivery),
            content_type="application/json",
            application_properties={ATTEMPT: delivery.attempt + 1, **delivery.trace},
        )
        with (
            self._lock,
            service_bus_errors("schedule a retry", self._name),
            service_bus_client(self._settings) as client,
        ):
            with queue_sender(client, self._name) as sender:
                sender.schedule_messages(clone, datetime.now(UTC) + delay)


def clone_id(delivery: Delivery) -> str:
    """A MessageId that no other message has, yet the same for the same delivery: a repeated clone is dropped.

    >>> clone_id(Delivery(b"", "5b3c1e0e#2.17", sequence_number=30, attempt=2))
    '5b3c1e0e#3.30'
    """
    base = delivery.message_id.partition("#")[0][:80]
    return f"{base}#{delivery.attempt + 1}.{delivery.sequence_number}"


def attempt_of(properties: Mapping[Any, object], redeliveries: int) -> int:
    """The 1-based attempt: what a clone carries, plus how often this message came back by itself.

    >>> attempt_of({b"attempt": 3}, redeliveries=1), attempt_of({}, redeliveries=0), attempt_of({"attempt": "x"}, 0)
    (4, 1, 1)
    """
    carried = properties.get(ATTEMPT, properties.get(ATTEMPT.encode()))
    return (carried if isinstance(carried, int) and carried > 0 else 1) + redeliveries
