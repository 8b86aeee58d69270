"""Edge: keeps the lock of one message while it is worked on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from telemetry.events import event

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

_log = logging.getLogger(__name__)


@contextmanager
def kept_lock(receiver: "ServiceBusReceiver", message: "ServiceBusReceivedMessage", lost: Event) -> Iterator[None]:
    """Renews the lock at half its life until the block ends; sets `lost` once it cannot be kept.

    Our own and not the SDK's AutoLockRenewer: that one may renew while the message is being settled, on
    a connection which two threads cannot share, and gives up after five minutes unless told otherwise.
    When the block ends the receiver is this thread's alone again.
    """
    done, using = Event(), Lock()

    def renew() -> None:
        while not done.wait(_half_life(message)):
            with using:
                if done.is_set():
                    return
                if not _renewed(receiver, message):
                    lost.set()
                    return

    # In the delivery's context, so that what is logged there names the delivery.
    renewer = Thread(target=copy_context().run, args=(renew,), name="lock", daemon=True)
    renewer.start()
    try:
        yield
    finally:
        done.set()
        with using:
            pass


def _half_life(message: "ServiceBusReceivedMessage") -> float:
    """Seconds; the lock's length is not told, so half of what is left, and not less than one second."""
    until = message.locked_until_utc
    return max(1.0, (until - datetime.now(UTC)).total_seconds() / 2) if until else 15.0


def _renewed(receiver: "ServiceBusReceiver", message: "ServiceBusReceivedMessage") -> bool:
    """Whether the lock is still ours; a failure to renew while it is still running is tried again."""
    from azure.servicebus.exceptions import MessageLockLostError

    try:
        receiver.renew_message_lock(message, timeout=10)
    except Exception as error:  # noqa: BLE001  # the SDK lets out whatever its parts meet; a lost lock must be told
        until = message.locked_until_utc
        is_lost = isinstance(error, MessageLockLostError) or until is None or until <= datetime.now(UTC)
        event(_log, logging.WARNING, "lock not renewed", message_id=message.message_id, lost=is_lost, error=str(error))
        return not is_lost
    return True
