"""Edge: puts requests on the Service Bus queue."""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from connections.service_bus import queue_sender, service_bus_client, service_bus_errors
from contracts.message import CONTENT_TYPE, first_id, properties, unique_id
from contracts.request import ExportRequest
from settings import Settings
from telemetry.traces import span

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch, ServiceBusSender


class ExportQueue:
    """The queue of export requests, for one thread at a time; a context manager that owns its connection.

    A message's application properties: the job, and a W3C trace context where telemetry is on.
    """

    def __init__(self, settings: Settings) -> None:
        self._name = settings.queue
        self._client = service_bus_client(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, requests: Iterable[ExportRequest], *, again: bool = False) -> int:
        """Sends each request once, in batches as large as the queue takes; returns how many.

        Repeats inside the queue's duplicate detection window are taken and dropped by Service Bus, but with `again`:
        then each message has a MessageId of its own.
        Raises QueueUnavailable; what was sent before that stays sent, so simply call again.
        """
        from azure.servicebus import ServiceBusMessage

        sent = 0
        with (
            span("send", "producer", queue=self._name) as sending,
            service_bus_errors("send", self._name),
            queue_sender(self._client, self._name) as sender,
        ):
            messages = (
                ServiceBusMessage(
                    request.to_body(),
                    message_id=unique_id(request.request_id) if again else first_id(request.request_id),
                    content_type=CONTENT_TYPE,
                    application_properties=properties(request.job, sending.carrier()),
                )
                for request in requests
            )
            for batch in _batches(sender, messages):
                sender.send_messages(batch)
                sent += len(batch)
                sending.set(sent=sent)
        return sent


def _batches(sender: "ServiceBusSender", messages: Iterable["ServiceBusMessage"]) -> Iterator["ServiceBusMessageBatch"]:
    from azure.servicebus.exceptions import MessageSizeExceededError

    batch = sender.create_message_batch()
    for message in messages:
        try:
            batch.add_message(message)
        except MessageSizeExceededError:
            yield batch
            batch = sender.create_message_batch()
            batch.add_message(message)
    if len(batch):
        yield batch
