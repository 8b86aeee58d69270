"""The container worker's loop: receive, hold the lock, handle, settle; drain when it is stopped."""

import logging
import time
from datetime import timedelta
from threading import Event, Thread, current_thread
from typing import TYPE_CHECKING

from connections.service_bus import service_bus_client, service_bus_errors
from contracts.errors import ConfigurationError
from contracts.message import attempt_of, body_of, job_of, trace_of, waits_since_of
from settings import Settings
from telemetry.events import event
from worker.cancellation import Cancellation
from worker.message.delivery import Delivery, Worker, delivery_context, handle_message
from worker.message.lock import held_lock
from worker.message.retry import RetryQueue
from worker.message.settle import settle
from worker.message.settlement import Settlement

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

_log = logging.getLogger(__name__)
_POLL_SECONDS = 1.0  # how long an idle worker takes to stop
_LONGEST_PAUSE = 30.0  # seconds between attempts to connect; one that lasted longer was a success
_LAST_SECONDS = 8.0  # for cancelling a COPY and giving a message back


class Consumer:
    """Works the queue with `settings.concurrency` exports at once, each on a receiver of its own.

    One message a receiver: the SDK loses every lock when several are renewed on one (7.15).
    """

    def __init__(self, settings: Settings, worker: Worker, *, until_empty: bool = False) -> None:
        """With `until_empty`, `run` also ends once no slot gets a message any more."""
        self._until_empty = until_empty
        self._settings = settings
        self._worker = worker
        self._retries = RetryQueue(settings)
        self._stopping = Event()
        # Each slot adds and removes its own; the draining thread reads a copy.
        self._running: set[Cancellation] = set()
        self._failed: ConfigurationError | None = None

    def run(self) -> None:
        """Works until `stop`; then running exports may finish within the drain time, and the rest is cancelled.

        Raises ConfigurationError if the queue cannot be used at all.
        """
        slots = [
            Thread(target=self._work, name=f"slot-{number}", daemon=True)
            for number in range(self._settings.concurrency)
        ]
        for slot in slots:
            slot.start()
        event(_log, logging.INFO, "worker ready", queue=self._settings.queue, concurrency=len(slots))
        while not self._stopping.wait(1.0) and any(slot.is_alive() for slot in slots):
            pass
        self._drain(slots)
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Asks `run` to end; safe in a signal handler."""
        self._stopping.set()

    def _drain(self, slots: list[Thread]) -> None:
        event(_log, logging.INFO, "worker draining", seconds=self._settings.drain_seconds)
        _join(slots, self._settings.drain_seconds)
        # What is still running gives its message back, for another worker to begin anew.
        for cancelled in tuple(self._running):
            cancelled.set()
        _join(slots, _LAST_SECONDS)
        event(_log, logging.INFO, "worker stopped")

    def _work(self) -> None:
        """One slot: connects, works, and connects again after a failure, with a growing pause."""
        pause = 0.5
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                with service_bus_errors("receive", self._settings.queue):
                    self._receive()
            except ConfigurationError as error:
                self._failed = error
                return
            except Exception as error:  # noqa: BLE001  # the SDK lets out whatever its parts meet; a slot must go on
                event(_log, logging.ERROR, "receiver failed", slot=current_thread().name, error=str(error))
                pause = 1.0 if time.monotonic() - began > _LONGEST_PAUSE else min(pause * 2, _LONGEST_PAUSE)
                self._stopping.wait(pause)
            else:
                return

    def _receive(self) -> None:
        """Works until the worker stops, or until the queue is empty if that ends the work."""
        with service_bus_client(self._settings) as client:
            with client.get_queue_receiver(self._settings.queue) as receiver:
                while not self._stopping.is_set():
                    messages = receiver.receive_messages(max_message_count=1, max_wait_time=_POLL_SECONDS)
                    for message in messages:
                        self._take(receiver, message)
                    if not messages and self._until_empty:
                        return

    def _take(self, receiver: "ServiceBusReceiver", message: "ServiceBusReceivedMessage") -> None:
        if self._stopping.is_set():
            # It came while the worker was stopping: nobody would wait for its export.
            receiver.abandon_message(message)
        else:
            self._handle(receiver, message)

    def _handle(self, receiver: "ServiceBusReceiver", message: "ServiceBusReceivedMessage") -> None:
        delivery = _delivery_of(message)
        cancelled = Cancellation()
        self._running.add(cancelled)
        with delivery_context(delivery):
            try:
                with held_lock(receiver, message, cancelled):
                    settlement = handle_message(delivery, self._worker, cancelled)
            finally:
                self._running.discard(cancelled)
            _settle_unless_lost(
                ReceiverSettler(receiver, message, delivery, self._retries), settlement, delivery.attempt
            )


class ReceiverSettler:
    """Settles on the receiver that delivered the message."""

    def __init__(
        self,
        receiver: "ServiceBusReceiver",
        message: "ServiceBusReceivedMessage",
        delivery: Delivery,
        retries: RetryQueue,
    ) -> None:
        self._receiver = receiver
        self._message = message
        self._delivery = delivery
        self._retries = retries

    def complete(self) -> None:
        """The message is removed."""
        self._receiver.complete_message(self._message)

    def abandon(self) -> None:
        """The message goes back to the queue at once."""
        self._receiver.abandon_message(self._message)

    def dead_letter(self, reason: str, description: str) -> None:
        """The message goes to the dead-letter queue."""
        self._receiver.dead_letter_message(self._message, reason=reason, error_description=description)

    def schedule_clone(self, delay: timedelta, attempt: int) -> None:
        """A copy that carries `attempt`, `delay` from now."""
        self._retries.schedule(self._delivery, delay, attempt)


def _settle_unless_lost(settler: ReceiverSettler, settlement: Settlement, attempt: int) -> None:
    from azure.servicebus.exceptions import MessageLockLostError

    try:
        settle(settler, settlement, attempt)
    except MessageLockLostError as error:
        # Another worker has the message by now and finds the blob, or makes it.
        event(_log, logging.WARNING, "settlement came too late", error=str(error))


def _delivery_of(message: "ServiceBusReceivedMessage") -> Delivery:
    properties = message.application_properties
    return Delivery(
        body=body_of(message.body),
        message_id=str(message.message_id or ""),
        sequence_number=message.sequence_number or 0,
        # AMQP's delivery count is of earlier deliveries: 0 for the first.
        attempt=attempt_of(properties, redeliveries=message.delivery_count or 0),
        enqueued_at=message.enqueued_time_utc,
        trace=trace_of(properties),
        job=job_of(properties),
        waits_since=waits_since_of(properties),
    )


def _join(threads: list[Thread], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
