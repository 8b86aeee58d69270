"""Brings back what workers put off while a job was paused, so that it need not wait until its time comes.

Each message is sent anew and then its scheduled copy is cancelled, in this order: a kill in between leaves both, and
what is sent again by the next try has the same MessageId, which Service Bus drops. A message cannot be lost.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import batched
from threading import Event
from typing import TYPE_CHECKING

from connections.service_bus import (
    answered,
    open_link,
    queue_receiver,
    queue_sender,
    service_bus_client,
    service_bus_errors,
)
from contracts.message import (
    PAUSED,
    attempt_of,
    body_of,
    job_of,
    lineage_of,
    properties,
    resume_id,
    trace_of,
    waits_since_of,
    why_of,
)
from producer.encoded import Outgoing, batches, section_of
from producer.queue_view import peeked
from settings import Settings

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver, ServiceBusSender

_PIECE = 250  # messages between two kills of which a later try sends none twice
# What comes back by itself so soon is left alone: it could come while it is being cancelled.
_SOON = timedelta(seconds=3)
# A worker that looked just before the pause ended puts off a last message.
_LOOKS = 3


def bring_back(settings: Settings, job: str, stopping: Event | None = None) -> int:
    """Sends what was put off by a pause of `job` now; returns how many messages. Raises QueueUnavailable.

    Can be repeated and broken off at any point; `stopping` ends it between two pieces. Memory does not grow with the
    queue.
    """
    queue, count = settings.queue, 0
    with service_bus_errors("bring back", queue), service_bus_client(settings) as client, ExitStack() as links:
        receiver = links.enter_context(open_link(queue_receiver(client, queue, keep_alive=0), queue))
        sender: ServiceBusSender | None = None
        for _ in range(_LOOKS):
            before = count
            for some in batched(_put_off(receiver, queue, job), _PIECE, strict=False):
                if stopping and stopping.is_set():
                    return count
                sender = sender or links.enter_context(open_link(queue_sender(client, queue), queue))
                _replace(sender, queue, some)
                count += len(some)
            if count == before:
                break
    return count


def _put_off(receiver: "ServiceBusReceiver", queue: str, job: str) -> "Iterator[ServiceBusReceivedMessage]":
    """The scheduled messages of the job that a pause put off."""
    for message in peeked(receiver, queue):
        carried, due = message.application_properties, message.scheduled_enqueue_time_utc
        is_its = job_of(carried) == job and (why_of(carried) or "").startswith(f"{PAUSED}:")
        # Its time stays on a message that has come back by itself.
        if is_its and due is not None and due > datetime.now(UTC) + _SOON:
            yield message


def _replace(sender: "ServiceBusSender", queue: str, some: "Iterable[ServiceBusReceivedMessage]") -> None:
    """Sends the messages, and cancels their scheduled copies."""
    for batch in batches(sender, map(sent_again, some)):
        answered(queue, "sending", partial(sender.send_messages, batch))
    numbers = [message.sequence_number for message in some if message.sequence_number is not None]
    answered(queue, "cancelling", partial(sender.cancel_scheduled_messages, numbers))


def sent_again(message: "ServiceBusReceivedMessage") -> Outgoing:
    """The same attempt of the same request, with nothing said of the pause."""
    carried = message.application_properties
    kept = properties(
        job_of(carried),
        trace_of(carried),
        attempt_of(carried, redeliveries=0),
        waits_since_of(carried),
        lineage_of(carried),
    )
    number = message.sequence_number or 0
    return Outgoing(resume_id(str(message.message_id or ""), number), body_of(message.body), kept, section_of(kept))
