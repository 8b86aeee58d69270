"""Edge: schedules the clone of a message for its next attempt."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

from connections.service_bus import answered, open_link, queue_sender, service_bus_client, service_bus_errors
from contracts.message import CONTENT_TYPE, properties, retry_id
from settings import Settings
from worker.message.delivery import Delivery
from worker.message.settlement import RetryLater

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusSender

# Connecting takes as long as fifty clones, and the messages of a paused job come one after the other. A link that was
# idle for longer may be closed by the service by now.
_IDLE_SECONDS = 60.0


class RetryQueue:
    """Sends clones to the queue that the worker receives from; safe for threads. `close` ends its connection."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings.queue
        self._settings = settings
        # Guards the fields below: threads take turns on the link.
        self._lock = Lock()
        self._link = ExitStack()
        self._sender: ServiceBusSender | None = None
        self._used_at = 0.0

    def schedule(self, delivery: Delivery, retry: RetryLater) -> None:
        """Enqueues a copy for the next attempt, `retry.delay` from now. Raises QueueUnavailable.

        A copy of the same attempt waits, since now or since its delivery says; not if `restarts_wait`.
        """
        from azure.servicebus import ServiceBusMessage

        attempt = delivery.attempt + retry.costs_attempt
        waits = not retry.costs_attempt and not retry.restarts_wait
        waits_since = (delivery.waits_since or datetime.now(UTC)) if waits else None
        why = f"{retry.reason}: {retry.description}"
        carried = properties(delivery.job, delivery.trace, attempt, waits_since, delivery.lineage, why)
        clone = ServiceBusMessage(
            delivery.body,
            message_id=retry_id(delivery.message_id, attempt, delivery.sequence_number),
            content_type=CONTENT_TYPE,
            application_properties=carried,
        )
        with self._lock, service_bus_errors("schedule a retry", self._name):
            self._send(clone, retry.delay)

    def close(self) -> None:
        """Ends the connection; the next clone opens another one."""
        with self._lock:
            self._drop()

    def _send(self, clone: "ServiceBusMessage", delay: timedelta) -> None:
        """Over the open link if there is one, and once more over a new one if that fails.

        A clone that was taken all the same has the same MessageId the second time.
        """
        if time.monotonic() - self._used_at > _IDLE_SECONDS:
            self._drop()
        is_last = self._sender is None
        while True:
            try:
                sender, due = self._opened(), datetime.now(UTC) + delay
                answered(self._name, "scheduling", partial(sender.schedule_messages, clone, due))
            except Exception as error:
                self._sender = None
                self._link.__exit__(type(error), error, error.__traceback__)
                if is_last:
                    raise
                is_last = True
            else:
                self._used_at = time.monotonic()
                return

    def _opened(self) -> "ServiceBusSender":
        if self._sender is None:
            client = self._link.enter_context(service_bus_client(self._settings))
            self._sender = self._link.enter_context(open_link(queue_sender(client, self._name), self._name))
        return self._sender

    def _drop(self) -> None:
        self._sender = None
        self._link.close()
