"""Edge: puts requests on the Service Bus queue."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self
from uuid import UUID

from connections.service_bus import (
    answered,
    open_link,
    queue_receiver,
    queue_sender,
    service_bus_client,
    service_bus_errors,
)
from contracts.message import NO_LINEAGE, Carrier, Lineage, Properties, ask_id, backfill_id, properties, unique_id
from contracts.request import ExportRequest
from producer.encoded import Outgoing, batches, section_of
from producer.facts import QueueView
from producer.queue_view import read_briefly, read_queue, waiting_by_backfill
from settings import Settings
from telemetry.traces import span

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessageBatch, ServiceBusReceiver, ServiceBusSender


class ExportQueue:
    """The queue of export requests, for one thread at a time; a context manager that owns its connection.

    A message's application properties: the job, and a W3C trace context if telemetry is on.
    """

    def __init__(self, settings: Settings) -> None:
        self._name = settings.queue
        self._settings = settings
        self._client = service_bus_client(settings)
        # Holds the links that are open.
        self._links = ExitStack()
        # Opened by the first `send`: opening a link takes as long as sending 2,000 requests.
        self._sender: ServiceBusSender | None = None
        # Opened by the first `waiting_by_backfill`, and never receives.
        self._peeker: ServiceBusReceiver | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sender = self._peeker = None
        self._links.close()
        self._client.close()

    def look(self, limit: int | None) -> QueueView:
        """The live requests and the dead letters; looks at no more than `limit` messages of the queue."""
        return read_queue(self._settings, limit)

    def look_briefly(self, job: str) -> QueueView:
        """The whole queue and all dead letters, as far as they are a job's and matter for asking."""
        return read_briefly(self._settings, job)

    def waiting_by_backfill(self) -> Counter[str]:
        """How many messages of each backfill are on the queue. Raises QueueUnavailable."""
        with service_bus_errors("peek", self._name), self._closing_links_that_failed():
            if self._peeker is None:
                link = queue_receiver(self._client, self._name, keep_alive=0)
                self._peeker = self._links.enter_context(open_link(link, self._name))
            return waiting_by_backfill(self._peeker, self._name)

    def send(
        self,
        requests: Iterable[ExportRequest],
        asked_at: datetime | None = None,
        lineages: Mapping[UUID, Lineage] = MappingProxyType({}),
        sent: Callable[[int], object] = lambda _: None,
    ) -> int:
        """Sends each request once, in batches as large as the queue takes; returns how many.

        Service Bus drops the second message of a request that is sent twice in the minute `asked_at`, or by one
        backfill; without either no message is dropped. `sent` is called with the number sent after each batch.
        Raises QueueUnavailable; earlier batches stay sent, so calling again is safe.
        """
        count = 0
        with (
            span("send", "producer", queue=self._name) as sending,
            service_bus_errors("send", self._name),
            self._open_sender() as sender,
        ):
            for size in self._sent(sender, batches(sender, outgoing(requests, asked_at, lineages, sending.carrier()))):
                count += size
                sending.set(sent=count)
                sent(count)
        return count

    def _sent(self, sender: "ServiceBusSender", batches: "Iterable[ServiceBusMessageBatch]") -> Iterator[int]:
        """The size of each batch, once it is sent. A thread sends it while this one builds the next."""
        with ThreadPoolExecutor(1, thread_name_prefix="send") as thread:
            before: tuple[Future[None], int] | None = None
            for batch in batches:
                if before:
                    before[0].result()
                    yield before[1]
                send = partial(sender.send_messages, batch)
                before = thread.submit(answered, self._name, "sending", send), len(batch)
            if before:
                before[0].result()
                yield before[1]

    @contextmanager
    def _open_sender(self) -> "Iterator[ServiceBusSender]":
        """The sender, which the next call uses again unless this one fails."""
        with self._closing_links_that_failed():
            if self._sender is None:
                link = queue_sender(self._client, self._name)
                self._sender = self._links.enter_context(open_link(link, self._name))
            yield self._sender

    @contextmanager
    def _closing_links_that_failed(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._sender = self._peeker = None
            self._links.__exit__(type(error), error, error.__traceback__)
            raise


def outgoing(
    requests: Iterable[ExportRequest], asked_at: datetime | None, lineages: Mapping[UUID, Lineage], carrier: Carrier
) -> Iterator[Outgoing]:
    """The messages of requests. `lineages` are those of their ids; `carrier` is the trace context of the sender."""
    now = datetime.now(UTC)
    # Messages of one backfill differ in little else than their bodies.
    alike: dict[tuple[str, Lineage], tuple[Properties, bytes]] = {}
    for request in requests:
        lineage = lineages.get(request.request_id, NO_LINEAGE)
        if (found := alike.get((request.job, lineage))) is None:
            asked = lineage if lineage.asked_at else replace(lineage, asked_at=now)
            carried = properties(request.job, carrier, lineage=asked)
            found = alike[request.job, lineage] = (carried, section_of(carried))
        yield Outgoing(_message_id(request.request_id, lineage, asked_at), request.to_body(), *found)


def _message_id(request_id: UUID, lineage: Lineage, asked_at: datetime | None) -> str:
    if lineage.backfill is not None:
        return backfill_id(request_id, lineage.backfill)
    return ask_id(request_id, asked_at) if asked_at else unique_id(request_id)
