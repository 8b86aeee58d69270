"""Edge: holds the lock of one message while its export runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from telemetry.events import event
from worker.cancellation import Cancellation

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

_log = logging.getLogger(__name__)


@contextmanager
def held_lock(
    receiver: "ServiceBusReceiver", message: "ServiceBusReceivedMessage", cancelled: Cancellation
) -> Iterator[None]:
    """Renews the lock at half its life until the block ends; sets `cancelled` once the lock is lost.

    The SDK's AutoLockRenewer does not serve: it may renew while the message is being settled, on a connection that
    two threads cannot share, and it gives up after five minutes by default. After the block only this thread uses the
    receiver.
    """
    # `done` is set by this thread and read by the renewing one. `using` is held by whichever thread uses the receiver.
    done, using = Event(), Lock()

    def renew() -> None:
        while not done.wait(_half_life(message)):
            with using:
                if done.is_set():
                    return
                if not _renewed(receiver, message):
                    cancelled.set()
                    return

    # In the delivery's context, so that its log lines name the delivery.
    renewer = Thread(target=copy_context().run, args=(renew,), name="lock", daemon=True)
    renewer.start()
    try:
        yield
    finally:
        done.set()
        with using:
            pass


def raise_if_lost(receiver: "ServiceBusReceiver", message: "ServiceBusReceivedMessage") -> None:
    """Renews the lock. Raises MessageLockLostError if it is gone; other failures are left to the settlement."""
    from azure.servicebus.exceptions import MessageLockLostError

    if not _renewed(receiver, message):
        raise MessageLockLostError(message="the lock is lost: the message is delivered again, and needs no retry")


def _half_life(message: "ServiceBusReceivedMessage") -> float:
    """Seconds: half of what is left of the lock, and at least one second. The lock's whole length is not known."""
    until = message.locked_until_utc
    return max(1.0, (until - datetime.now(UTC)).total_seconds() / 2) if until else 15.0


def _renewed(receiver: "ServiceBusReceiver", message: "ServiceBusReceivedMessage") -> bool:
    """Whether the lock is still ours. A failure to renew is tried again while the lock has not run out."""
    from azure.servicebus.exceptions import MessageLockLostError

    try:
        receiver.renew_message_lock(message, timeout=10)
    except Exception as error:  # noqa: BLE001  # the SDK raises whatever its parts raise; a lost lock must be noticed
        until = message.locked_until_utc
        is_lost = isinstance(error, MessageLockLostError) or until is None or until <= datetime.now(UTC)
        event(_log, logging.WARNING, "lock not renewed", message_id=message.message_id, lost=is_lost, error=str(error))
        return not is_lost
    return True
