"""Helpers of the broker's tests."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSubQueue,
)

from devstack.process import Process


@dataclass(frozen=True)
class Broker:
    """A running broker and how to reach it."""

    process: Process
    port: int

    @property
    def connection_string(self) -> str:
        endpoint = f"Endpoint=sb://127.0.0.1:{self.port};SharedAccessKeyName=local;SharedAccessKey=local;"
        return endpoint + "UseDevelopmentEmulator=true;"

    def client(self, **options) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(self.connection_string, retry_total=0, **options)


def receive(receiver: ServiceBusReceiver, count: int, timeout_s: float = 20) -> list[ServiceBusReceivedMessage]:
    """Exactly the next `count` messages."""
    messages: list[ServiceBusReceivedMessage] = []
    deadline = time.monotonic() + timeout_s
    while len(messages) < count:
        left = deadline - time.monotonic()
        assert left > 0, f"{len(messages)} of {count} messages came"
        messages += receiver.receive_messages(max_message_count=count - len(messages), max_wait_time=left)
    return messages


def until(holds: Callable[[], bool], timeout_s: float = 20) -> None:
    """Returns once a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def bodies(messages: Iterable[ServiceBusReceivedMessage]) -> list[str]:
    return [str(message) for message in messages]


def send(client: ServiceBusClient, queue: str, *texts: str) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([ServiceBusMessage(text, message_id=text) for text in texts])


def peeked(client: ServiceBusClient, queue: str) -> list[str]:
    with client.get_queue_receiver(queue) as receiver:
        return bodies(receiver.peek_messages(250, sequence_number=1))


def buried(client: ServiceBusClient, queue: str, count: int) -> list[ServiceBusReceivedMessage]:
    """The messages of a dead-letter queue, once there are that many, and completed."""
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        messages = receive(receiver, count)
        for message in messages:
            receiver.complete_message(message)
        assert receiver.peek_messages(10, sequence_number=1) == []
    return messages
