"""The queue and its dead letters, for the tests to look at."""

from datetime import UTC, datetime

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusSubQueue,
)
from support.bus import peeked

from contracts.jobs_file import parse_jobs
from contracts.request import ExportRequest
from producer.ask import one_request


class Bus:
    """Leaves its links open, since the SDK takes a second to close one."""

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self.queue = queue
        self.letters = client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
        self._sender = client.get_queue_sender(queue)
        self._receiver = client.get_queue_receiver(queue)

    def queued(self) -> list[ServiceBusReceivedMessage]:
        return peeked(self._receiver)

    def first(self) -> ServiceBusReceivedMessage:
        """The oldest message, which costs less to look at than all of them."""
        return self._receiver.peek_messages(1, sequence_number=1)[0]

    def buried(self) -> list[ServiceBusReceivedMessage]:
        return peeked(self.letters)

    def bury(self, *messages: ServiceBusMessage, reason: str = "TableMissing", description: str = "it is gone") -> None:
        self._sender.send_messages(list(messages))
        self.bury_queued(len(messages), reason, description)

    def bury_queued(self, count: int, reason: str = "TableMissing", description: str = "it is gone") -> None:
        delivered = self._receiver.receive_messages(count, max_wait_time=20)
        while len(delivered) < count and (more := self._receiver.receive_messages(count, max_wait_time=20)):
            delivered += more
        assert len(delivered) == count
        for one in delivered:
            self._receiver.dead_letter_message(one, reason=reason, error_description=description)


def request(day: str = "2026-01-03", job: str = "clicks") -> ExportRequest:
    """A request like those of the job `clicks` of these tests."""
    window = {"column": "at", "type": "timestamptz", "every": "1 day"}
    blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
    table = {"name": job, "schema": "public", "table": "clicks", "blob": blob, "window": window}
    return one_request(parse_jobs({"job": [table]})[job], day, datetime.now(UTC))


def message(request: ExportRequest, attempt: int | None = None) -> ServiceBusMessage:
    """As the producer sends a request, or as the worker schedules the clone of an attempt."""
    properties: dict[str, object] = {"job": request.job} if attempt is None else {"attempt": attempt}
    name = str(request.request_id) if attempt is None else f"{request.request_id}#{attempt}.1"
    return ServiceBusMessage(request.to_body(), message_id=name, application_properties=properties)
