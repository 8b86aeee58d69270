"""What the tests of the broker say often."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver

from local.process import Process


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
    """Return once a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def bodies(messages: Iterable[ServiceBusReceivedMessage]) -> list[str]:
    return [str(message) for message in messages]
