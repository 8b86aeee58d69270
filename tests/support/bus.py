"""A queue seen from outside, as a person with Service Bus Explorer would."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSender,
    ServiceBusSubQueue,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage
from support.waiting import until

from contracts.request import ExportRequest


class Bus:
    """One queue and its dead-letter queue; looking at them removes and locks nothing."""

    def __init__(self, connection_string: str, queue: str) -> None:
        self.connection_string = connection_string
        self.queue = queue
        self._sender: ServiceBusSender | None = None
        self._receivers: dict[ServiceBusSubQueue | None, ServiceBusReceiver] = {}
        self._client = ServiceBusClient.from_connection_string(connection_string, retry_total=1)

    def send(self, *messages: ExportRequest | ServiceBusMessage) -> None:
        self.send_raw(*(message_of(one) if isinstance(one, ExportRequest) else one for one in messages))

    def send_raw(self, *messages: ServiceBusMessage | AmqpAnnotatedMessage) -> None:
        """Sends messages of any AMQP shape."""
        if self._sender is None:
            # Without the SDK's keep-alive thread, for whose sleep of a second close() would wait.
            self._sender = self._client.get_queue_sender(self.queue, keep_alive=0)
        for one in messages:
            self._sender.send_messages(one)

    def messages(self) -> list[ServiceBusReceivedMessage]:
        """All messages of the queue: waiting, locked or scheduled."""
        return self._peek(None)

    def dead_letters(self) -> list[ServiceBusReceivedMessage]:
        return self._peek(ServiceBusSubQueue.DEAD_LETTER)

    def wait_until_empty(self, timeout_s: float = 30) -> None:
        until(lambda: not self.messages(), f"{self.queue} to be empty", timeout_s)

    def wait_for_dead_letters(self, count: int = 1, timeout_s: float = 30) -> dict[str, tuple[str, str]]:
        """Reason and description by message id, once there are at least `count`."""
        found = until(
            lambda: there if len(there := self.dead_letters()) >= count else [], f"{count} dead letters", timeout_s
        )
        return {
            str(one.message_id): (str(one.dead_letter_reason), str(one.dead_letter_error_description)) for one in found
        }

    def _peek(self, sub_queue: ServiceBusSubQueue | None) -> list[ServiceBusReceivedMessage]:
        if sub_queue not in self._receivers:
            self._receivers[sub_queue] = self._client.get_queue_receiver(self.queue, sub_queue=sub_queue)
        return peeked(self._receivers[sub_queue])

    def close(self) -> None:
        self._client.close()


def peeked(receiver: ServiceBusReceiver) -> list[ServiceBusReceivedMessage]:
    """All messages behind a receiver's link."""
    seen: list[ServiceBusReceivedMessage] = []
    while more := receiver.peek_messages(250, sequence_number=(seen[-1].sequence_number or 0) + 1 if seen else 1):
        seen += more
    return seen


@contextmanager
def closed_together() -> Iterator[list[Bus]]:
    """A list whose members are closed at the end, all at once: a receiver takes a second for it."""
    opened: list[Bus] = []
    yield opened
    with ThreadPoolExecutor(32) as threads:
        for closing in [threads.submit(bus.close) for bus in opened]:
            closing.result()


def message_of(request: ExportRequest) -> ServiceBusMessage:
    return ServiceBusMessage(request.to_body(), message_id=str(request.request_id), content_type="application/json")


def body_of(message: ServiceBusReceivedMessage) -> bytes:
    return b"".join(message.body)
