"""Edge: puts requests on the Service Bus queue."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self
from uuid import UUID

from connections.service_bus import answered, open_link, queue_sender, service_bus_client, service_bus_errors
from contracts.message import CONTENT_TYPE, NO_LINEAGE, Lineage, ask_id, properties, unique_id
from contracts.request import ExportRequest
from producer.facts import QueueView
from producer.queue_view import read_queue
from settings import Settings
from telemetry.traces import span

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch, ServiceBusSender


class ExportQueue:
    """The queue of export requests, for one thread at a time; a context manager that owns its connection.

    A message's application properties: the job, and a W3C trace context if telemetry is on.
    """

    def __init__(self, settings: Settings) -> None:
        self._name = settings.queue
        self._settings = settings
        self._client = service_bus_client(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def look(self, limit: int | None) -> QueueView:
        """The live requests and the dead letters; looks at no more than `limit` messages of the queue."""
        return read_queue(self._settings, limit)

    def send(
        self,
        requests: Iterable[ExportRequest],
        asked_at: datetime | None = None,
        lineages: Mapping[UUID, Lineage] = MappingProxyType({}),
        sent: Callable[[int], object] = lambda _: None,
    ) -> int:
        """Sends each request once, in batches as large as the queue takes; returns how many.

        Service Bus drops the second message of a request that is sent twice in the minute `asked_at`; without
        `asked_at` no message is dropped. `sent` is called with the number sent after each batch.
        Raises QueueUnavailable; earlier batches stay sent, so calling again is safe.
        """
        from azure.servicebus import ServiceBusMessage

        count = 0
        with (
            span("send", "producer", queue=self._name) as sending,
            service_bus_errors("send", self._name),
            open_link(queue_sender(self._client, self._name), self._name) as sender,
        ):
            messages = (
                ServiceBusMessage(
                    request.to_body(),
                    message_id=ask_id(request.request_id, asked_at) if asked_at else unique_id(request.request_id),
                    content_type=CONTENT_TYPE,
                    application_properties=properties(
                        request.job, sending.carrier(), lineage=lineages.get(request.request_id, NO_LINEAGE)
                    ),
                )
                for request in requests
            )
            for batch in _batches(sender, messages):
                answered(self._name, "sending", partial(sender.send_messages, batch))
                count += len(batch)
                sending.set(sent=count)
                sent(count)
        return count


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
