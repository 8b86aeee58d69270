"""What can be seen of a run from outside: receipts on blobs, messages in the queue and in its dead-letter queue."""

from dataclasses import dataclass

from azure.servicebus import ServiceBusClient, ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.storage.blob import ContainerClient

from contracts.receipt import Receipt
from devstack.stack import QUEUE

_PEEK = 250


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not succeed, and why."""

    message_id: str
    reason: str
    description: str


@dataclass(frozen=True, slots=True)
class View:
    """One look at the run."""

    receipts: dict[str, Receipt]
    queued: int
    dead_letters: list[DeadLetter]

    @property
    def rows(self) -> int:
        """Rows exported so far."""
        return sum(receipt.rows for receipt in self.receipts.values())

    @property
    def csv_bytes(self) -> int:
        """Bytes of CSV exported so far."""
        return sum(receipt.csv_bytes for receipt in self.receipts.values())


class Watcher:
    """Looks at the container and the queue."""

    def __init__(self, container: ContainerClient, client: ServiceBusClient) -> None:
        self._container = container
        self._queue = client.get_queue_receiver(QUEUE)
        self._dead = client.get_queue_receiver(QUEUE, sub_queue=ServiceBusSubQueue.DEAD_LETTER)

    def look(self) -> View:
        """The state of things now."""
        receipts = {
            blob.name: receipt
            for blob in self._container.list_blobs(include=["metadata"])
            if (receipt := Receipt.from_metadata(blob.metadata or {}))
        }
        queued = len(self._queue.peek_messages(_PEEK, sequence_number=1))
        return View(
            receipts, queued, [_dead_letter(message) for message in self._dead.peek_messages(_PEEK, sequence_number=1)]
        )


def _dead_letter(message: ServiceBusReceivedMessage) -> DeadLetter:
    return DeadLetter(
        message.message_id or "", message.dead_letter_reason or "", message.dead_letter_error_description or ""
    )
