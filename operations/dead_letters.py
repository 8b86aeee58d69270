"""Edge: the dead-letter queue beside the queue of export requests."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Self

from connections.service_bus import (
    answered,
    close_link,
    open_link,
    queue_receiver,
    service_bus_client,
    service_bus_errors,
)
from contracts.errors import RequestInvalid
from contracts.message import (
    CONTENT_TYPE,
    Lineage,
    attempt_of,
    body_of,
    job_of,
    lineage_of,
    properties,
    replay_id,
    trace_of,
)
from contracts.request import ExportRequest, parse_request
from producer.enqueue import names_of
from producer.facts import Present
from producer.queue_view import peeked
from producer.store import BlobIndex
from settings import Settings

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusReceiver

type Held = dict[int, "ServiceBusReceivedMessage"]  # by sequence number

_BATCH = 20  # messages locked at once; each is settled well before its lock ends
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """One message of the dead-letter queue, as it was peeked; `request` is None if its body is none."""

    sequence_number: int
    enqueued_at: datetime | None
    message_id: str
    body: bytes
    request: ExportRequest | None
    job: str | None
    reason: str | None
    description: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class Replay:
    """What is sent for a dead letter: `request`, of a job of this version; without them the message as it is."""

    request: ExportRequest | None = None
    version: str | None = None


class DeadLetters:
    """The dead-letter queue, for one thread; a context manager that owns its connection."""

    def __init__(self, settings: Settings) -> None:
        from azure.servicebus import ServiceBusSubQueue

        self._queue = settings.queue
        self._client = service_bus_client(settings)
        self._receiver = queue_receiver(self._client, settings.queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_link(self._receiver)
        self._client.close()

    def peek(self) -> Iterator[DeadMessage]:
        """Every dead letter, oldest first, without locking any; a page is read when it is reached.

        Raises QueueUnavailable, or ConfigurationError if there is no such queue.
        """
        with service_bus_errors("peek at the dead letters", self._queue):
            yield from map(_dead_message, peeked(self._receiver, self._queue))

    def replay(self, chosen: Mapping[int, Replay], done: Callable[[int], object], stopping: Event) -> None:
        """Sends dead letters to the queue again, and completes each here once it is there.

        `chosen` maps sequence numbers to what is sent. Leaves out what cannot be
        received, and the rest once `stopping` is set. Killed at any moment it can repeat a request, and never lose
        one. `done` is called with each number. Raises QueueUnavailable.
        """
        with (
            service_bus_errors("replay", self._queue),
            open_link(self._client.get_queue_sender(self._queue), self._queue) as sender,
        ):
            self._settle(
                chosen, lambda message, number: sender.send_messages(_again(message, chosen[number])), done, stopping
            )

    def drop(self, chosen: Collection[int], done: Callable[[int], object], stopping: Event) -> None:
        """Deletes dead letters for good. Raises QueueUnavailable."""
        with service_bus_errors("drop", self._queue):
            self._settle(chosen, lambda _message, _number: None, done, stopping)

    def _settle(
        self,
        chosen: Collection[int],
        before: "Callable[[ServiceBusReceivedMessage, int], object]",
        done: Callable[[int], object],
        stopping: Event,
    ) -> None:
        """Completes each chosen one after `before`."""
        waiting = set(chosen)
        with _put_back(self._receiver) as held:
            for number in self._received(waiting, held):
                answered(self._queue, "sending", partial(before, held[number], number))
                if answered(self._queue, "settlement", partial(_completed, self._receiver, held.pop(number))):
                    waiting.discard(number)
                    done(number)
                if stopping.is_set():
                    return

    def _received(self, waiting: set[int], held: Held) -> Iterator[int]:
        """The sequence numbers `waiting` as their messages come into `held`, until it is empty or no more come.

        A queue gives out its messages in order only: what stands before a wanted one has to be held meanwhile.
        """
        while waiting:
            receive = partial(self._receiver.receive_messages, _BATCH, max_wait_time=_PATIENCE_SECONDS)
            batch = {message.sequence_number or 0: message for message in answered(self._queue, "receiving", receive)}
            # One that comes again has outlived its lock: the wanted ones are too far behind what can be held.
            is_last = not batch or not held.keys().isdisjoint(batch)
            held.update(batch)
            yield from (number for number in batch if number in waiting)
            if is_last:
                return


@contextmanager
def _put_back(receiver: "ServiceBusReceiver") -> Iterator[Held]:
    """Messages in the dict are unlocked at the end: closing a receiver alone leaves them locked in Azure."""
    from azure.servicebus.exceptions import ServiceBusError

    held: Held = {}
    try:
        yield held
    finally:
        for message in held.values():
            with suppress(ServiceBusError):
                receiver.abandon_message(message)


def _completed(receiver: "ServiceBusReceiver", message: "ServiceBusReceivedMessage") -> bool:
    """False if the lock ended too early: the message is received once more."""
    from azure.servicebus.exceptions import MessageLockLostError

    try:
        receiver.complete_message(message)
    except MessageLockLostError:
        return False
    return True


def _again(message: "ServiceBusReceivedMessage", replay: Replay) -> "ServiceBusMessage":
    """A first attempt, under an id that duplicate detection has never seen.

    Random, and not made of the sequence number: a repeat after a crash is harmless, one that is dropped may not be.
    """
    from azure.servicebus import ServiceBusMessage

    carried, request = message.application_properties, replay.request
    # Whatever cancelled the first message means nothing for one that a person sends again.
    lineage = Lineage(replay.version or lineage_of(carried).version, asked_at=datetime.now(UTC))
    return ServiceBusMessage(
        request.to_body() if request else body_of(message.body),
        message_id=replay_id(str(request.request_id if request else message.message_id or "")),
        content_type=CONTENT_TYPE,
        application_properties=properties(job_of(carried), trace_of(carried), lineage=lineage),
    )


def _dead_message(message: "ServiceBusReceivedMessage") -> DeadMessage:
    carried, body = message.application_properties, body_of(message.body)
    try:
        request = parse_request(body)
    except RequestInvalid:
        request = None
    return DeadMessage(
        sequence_number=message.sequence_number or 0,
        enqueued_at=message.enqueued_time_utc,
        message_id=str(message.message_id or ""),
        body=body,
        request=request,
        job=request.job if request else job_of(carried),
        reason=message.dead_letter_reason,
        description=message.dead_letter_error_description,
        # Redeliveries are left out: the dead-letter queue goes on counting whenever a message is looked at.
        attempt=attempt_of(carried, redeliveries=0),
    )


def blobs_of(settings: Settings, requests: Iterable[ExportRequest]) -> Mapping[str, Present]:
    """The existing blobs among those of the requests."""
    names = names_of(requests)
    return BlobIndex(settings).present(names) if names else {}
