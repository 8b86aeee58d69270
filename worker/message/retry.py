"""Edge: schedules the clone of a message for its next attempt."""

from datetime import UTC, datetime
from threading import Lock

from connections.service_bus import answered, open_link, queue_sender, service_bus_client, service_bus_errors
from contracts.message import CONTENT_TYPE, properties, retry_id
from settings import Settings
from worker.message.delivery import Delivery
from worker.message.settlement import RetryLater


class RetryQueue:
    """Sends clones to the queue that the worker receives from; safe for threads."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings.queue
        self._settings = settings
        self._lock = Lock()

    def schedule(self, delivery: Delivery, retry: RetryLater) -> None:
        """Enqueues a copy for the next attempt, `retry.delay` from now. Raises QueueUnavailable.

        Each call connects anew: retries are rare, and the service closes an idle connection anyway.
        """
        from azure.servicebus import ServiceBusMessage

        attempt = delivery.attempt + retry.costs_attempt
        waits_since = None if retry.costs_attempt else delivery.waits_since or datetime.now(UTC)
        why = f"{retry.reason}: {retry.description}"
        carried = properties(delivery.job, delivery.trace, attempt, waits_since, delivery.lineage, why)
        clone = ServiceBusMessage(
            delivery.body,
            message_id=retry_id(delivery.message_id, attempt, delivery.sequence_number),
            content_type=CONTENT_TYPE,
            application_properties=carried,
        )
        with (
            self._lock,
            service_bus_errors("schedule a retry", self._name),
            service_bus_client(self._settings) as client,
        ):
            with open_link(queue_sender(client, self._name), self._name) as sender:
                due = datetime.now(UTC) + retry.delay
                answered(self._name, "scheduling", lambda: sender.schedule_messages(clone, due))
