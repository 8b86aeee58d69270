"""Edge: one slot of the container worker: a receiver, and one message at a time."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event, current_thread
from typing import TYPE_CHECKING

from connections.service_bus import open_link, queue_receiver, service_bus_client, service_bus_errors
from contracts.errors import ConfigurationError, TailraceError
from contracts.message import body_of
from settings import Settings
from telemetry.events import event
from telemetry.waits import waiting_for
from worker.cancellation import Cancellation
from worker.message.delivery import Delivery, Worker, delivery_context, handle_message
from worker.message.lock import held_lock, raise_if_lost
from worker.message.retry import RetryQueue
from worker.message.settle import settle
from worker.message.settlement import Abandon, Complete, DeadLetter, RetryLater, Settlement

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

_log = logging.getLogger(__name__)
_POLL_SECONDS = 1.0  # how long an idle slot takes to stop
_PROBE_SECONDS = 20.0  # how long a link may say nothing before it is asked something
_ANSWER_SECONDS = 10.0  # how long the answer may take
_LONGEST_PAUSE = 30.0  # seconds between attempts to connect; one that lasted longer was a success
_PATIENCE_SECONDS = 300.0  # how long a worker that ends with an empty queue waits for a queue that is away
_TOTALS: dict[type[Settlement], str] = {
    Complete: "completed",
    RetryLater: "retried",
    DeadLetter: "dead_lettered",
    Abandon: "abandoned",
}


class Slot:
    """Runs `work` in a new thread, the slot's thread.

    Each slot has its own receiver: the SDK loses every lock when several are renewed on one (7.15).
    """

    def __init__(self, settings: Settings, worker: Worker, stopping: Event, *, until_empty: bool) -> None:
        """With `until_empty`, `work` also ends once no message comes."""
        self._settings = settings
        self._worker = worker
        self._until_empty = until_empty
        self._retries = RetryQueue(settings)
        # Shared with the other slots: set by whoever ends the worker.
        self._stopping = stopping
        # Both set by the slot's thread, and read by the consumer's when it has drained the slots.
        self.totals: Counter[str] = Counter()
        self.failure: TailraceError | None = None
        # Replaced by the slot's thread for each export; read by the consumer's thread in `cancel`.
        self._cancelled = Cancellation()
        # The slot's thread only: when the queue last answered, and until when a message is still locked to this slot.
        self._answered = time.monotonic()
        self._locked_until = datetime.min.replace(tzinfo=UTC)

    def cancel(self) -> None:
        """Stops the export that runs, if one does."""
        self._cancelled.set()

    def work(self) -> None:
        """Connects, works, and connects again after a failure, with a growing pause."""
        try:
            self._work()
        finally:
            self._retries.close()

    def _work(self) -> None:
        pause, last_success = 0.5, time.monotonic()
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                with service_bus_errors("receive", self._settings.queue):
                    self._receive()
            except ConfigurationError as error:
                self._give_up(error)
            except Exception as error:  # noqa: BLE001  # the SDK lets out whatever its parts meet; a slot must go on
                event(_log, logging.ERROR, "receiver failed", slot=current_thread().name, error=str(error))
                if time.monotonic() - began > _LONGEST_PAUSE:
                    pause, last_success = 1.0, time.monotonic()
                if self._until_empty and time.monotonic() - last_success > _PATIENCE_SECONDS:
                    self._give_up(error if isinstance(error, TailraceError) else TailraceError(str(error)))
                self._stopping.wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return

    def _give_up(self, error: TailraceError) -> None:
        """Ends the whole worker: what one slot cannot do, no other can."""
        event(_log, logging.ERROR, "receiver failed", slot=current_thread().name, error=error.explained)
        self.failure = error
        self._stopping.set()

    def _receive(self) -> None:
        """Works until the worker stops, or until the queue is empty if that ends the work."""
        with service_bus_client(self._settings) as client:
            with open_link(queue_receiver(client, self._settings.queue), self._settings.queue) as receiver:
                self._answered = time.monotonic()
                while not self._stopping.is_set():
                    with waiting_for(f"queue {self._settings.queue}"):
                        messages = receiver.receive_messages(max_message_count=1, max_wait_time=_POLL_SECONDS)
                    for message in messages:
                        self._take(receiver, message)
                        self._answered = time.monotonic()
                    if not messages and self._is_done():
                        return
                    self._probe(receiver)

    def _is_done(self) -> bool:
        """Whether an empty queue ends the work: not while this slot holds the lock of a message it failed to settle."""
        return self._until_empty and datetime.now(UTC) > self._locked_until

    def _probe(self, receiver: "ServiceBusReceiver") -> None:
        """Asks the queue something after a long silence: a link whose packets are dropped looks like an empty queue.

        Raises OperationTimeoutError if there is no answer.
        """
        if time.monotonic() - self._answered > _PROBE_SECONDS:
            with waiting_for(f"an answer of queue {self._settings.queue}"):
                receiver.peek_messages(timeout=_ANSWER_SECONDS)
            self._answered = time.monotonic()

    def _take(self, receiver: "ServiceBusReceiver", message: "ServiceBusReceivedMessage") -> None:
        if self._stopping.is_set():
            # It came while the worker was stopping, which would not wait for its export.
            receiver.abandon_message(message)
        else:
            self._handle(receiver, message)

    def _handle(self, receiver: "ServiceBusReceiver", message: "ServiceBusReceivedMessage") -> None:
        delivery = _delivery_of(message)
        self._cancelled = Cancellation()
        self._locked_until = message.locked_until_utc or self._locked_until
        with delivery_context(delivery):
            with held_lock(receiver, message, self._cancelled):
                settlement = handle_message(delivery, self._worker, self._cancelled)
            # The lock was renewed meanwhile. If settling fails, the message stays locked to this slot until its end.
            self._locked_until = message.locked_until_utc or self._locked_until
            settler = ReceiverSettler(receiver, message, delivery, self._retries, self._settings)
            with waiting_for(f"queue {self._settings.queue}: settlement"):
                _settle_unless_lost(settler, settlement)
        self._locked_until = datetime.now(UTC)
        self.totals[_TOTALS[type(settlement)]] += 1
        if settler.failure is not None:
            # The SDK uses a receiver no more that failed to settle: the slot connects again.
            raise settler.failure


class ReceiverSettler:
    """Settles on the receiver that delivered the message, and over a new connection if that fails.

    Service Bus detaches a link that carries nothing for ten minutes, as during a long export; the SDK refuses to settle
    on it, and on a connection that has ended. `failure` is the error of the first attempt if the second one was needed.
    """

    def __init__(
        self,
        receiver: "ServiceBusReceiver",
        message: "ServiceBusReceivedMessage",
        delivery: Delivery,
        retries: RetryQueue,
        settings: Settings,
    ) -> None:
        self._receiver = receiver
        self._message = message
        self._delivery = delivery
        self._retries = retries
        self._settings = settings
        self.failure: Exception | None = None

    def complete(self) -> None:
        """The message is removed."""
        self._settle(lambda receiver: receiver.complete_message(self._message))

    def abandon(self) -> None:
        """The message goes back to the queue at once."""
        self._settle(lambda receiver: receiver.abandon_message(self._message))

    def dead_letter(self, reason: str, description: str) -> None:
        """The message goes to the dead-letter queue."""
        self._settle(
            lambda receiver: receiver.dead_letter_message(self._message, reason=reason, error_description=description)
        )

    def schedule_clone(self, retry: RetryLater) -> None:
        """A copy for the next attempt, `retry.delay` from now.

        Raises MessageLockLostError, and schedules nothing, if the message has gone back to the queue: with a copy
        beside it, one request would have two fates.
        """
        raise_if_lost(self._receiver, self._message)
        self._retries.schedule(self._delivery, retry)

    def _settle(self, operation: Callable[["ServiceBusReceiver"], None]) -> None:
        from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

        try:
            operation(self._receiver)
        except MessageLockLostError:
            raise
        # ValueError, of a receiver that "has already been shutdown": its connection ended while the lock was renewed.
        except (ServiceBusError, ValueError) as error:
            event(_log, logging.WARNING, "settlement repeated", error=str(error))
            self.failure = error
            # Undocumented: makes the SDK settle by the lock's token, which any connection may do.
            self._message._is_deferred_message = True  # noqa: SLF001
            queue = self._settings.queue
            with service_bus_client(self._settings) as client:
                with open_link(queue_receiver(client, queue, keep_alive=0), queue) as receiver:
                    operation(receiver)


def _settle_unless_lost(settler: ReceiverSettler, settlement: Settlement) -> None:
    from azure.servicebus.exceptions import MessageLockLostError

    try:
        settle(settler, settlement)
    except MessageLockLostError as error:
        # Another worker has the message by now and finds the blob, or makes it.
        event(_log, logging.WARNING, "settlement came too late", error=str(error))


def _delivery_of(message: "ServiceBusReceivedMessage") -> Delivery:
    return Delivery.of(
        body_of(message.body),
        message.message_id,
        message.sequence_number,
        message.application_properties,
        # AMQP's delivery count is of earlier deliveries: 0 for the first.
        redeliveries=message.delivery_count or 0,
        enqueued_at=message.enqueued_time_utc,
    )
