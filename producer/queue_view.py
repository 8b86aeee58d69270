"""Edge: which requests are alive on the queue, and which are dead letters, by peeking at both.

Peeking locks nothing. It shows messages that wait, that a worker holds, and that are scheduled for a retry.
"""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from connections.service_bus import answered, open_link, queue_receiver, service_bus_client, service_bus_errors
from contracts.message import attempt_of, lineage_of, request_id_of, why_of
from producer.facts import Dead, Live, QueueView
from settings import Settings

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

_PAGE = 250  # messages peeked in one round trip
# A request that is asked for again and fails again leaves one more dead letter.
_DEAD_FACTOR = 10


def read_queue(settings: Settings, limit: int | None) -> QueueView:
    """Peeks at `limit` messages of the queue, then at ten times as many dead letters.

    In this order, since a message that is dead-lettered meanwhile is seen twice rather than never. Raises
    QueueUnavailable, or ConfigurationError if there is no such queue.
    """
    from azure.servicebus import ServiceBusSubQueue

    name, live, dead, is_whole = settings.queue, dict[UUID, Live](), dict[UUID, Dead](), True
    with service_bus_errors("peek", name), service_bus_client(settings) as client:
        with open_link(queue_receiver(client, name, keep_alive=0), name) as receiver:
            for count, message in enumerate(peeked(receiver, name)):
                if count == limit:
                    is_whole = False
                    break
                if request_id := request_id_of(message.message_id, message.body):
                    live[request_id] = _live(message)
        dead_letters = queue_receiver(client, name, sub_queue=ServiceBusSubQueue.DEAD_LETTER, keep_alive=0)
        with open_link(dead_letters, name) as receiver:
            for count, message in enumerate(peeked(receiver, name)):
                if limit is not None and count == _DEAD_FACTOR * limit:
                    is_whole = False
                    break
                if request_id := request_id_of(message.message_id, message.body):
                    dead[request_id] = _dead(message)
    return QueueView(live, dead, is_whole)


def peeked(receiver: "ServiceBusReceiver", queue: str) -> "Iterator[ServiceBusReceivedMessage]":
    """All messages of a queue, oldest first; a page is read when it is reached."""
    following = 1
    while True:
        page = answered(queue, "a look", partial(receiver.peek_messages, _PAGE, sequence_number=following))
        if not page:
            return
        yield from page
        following = (page[-1].sequence_number or 0) + 1


def _live(message: "ServiceBusReceivedMessage") -> Live:
    attempt = attempt_of(message.application_properties, redeliveries=message.delivery_count or 0)
    return Live(attempt, message.scheduled_enqueue_time_utc, why_of(message.application_properties))


def _dead(message: "ServiceBusReceivedMessage") -> Dead:
    return Dead(
        sequence_number=message.sequence_number or 0,
        reason=message.dead_letter_reason,
        description=message.dead_letter_error_description,
        enqueued_at=message.enqueued_time_utc,
        lineage=lineage_of(message.application_properties),
    )
