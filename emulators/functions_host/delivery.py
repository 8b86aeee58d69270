"""One message under its lock, while a function runs on it."""

import datetime as dt
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future

from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from emulators.functions_host.journal import event
from emulators.functions_host.wire import Outcome

SHORTEST_WAIT_S = 0.2
type Action = Callable[[ServiceBusReceiver, ServiceBusReceivedMessage], object]


class Delivery:
    """A received message; everything done to it runs on the thread that owns its receiver.

    Receivers are not thread-safe, so other threads ask (`ask`) and the owner carries it out while it waits (`wait`).
    """

    def __init__(self, receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, renewal: dt.timedelta) -> None:
        self.settled = False
        self._receiver = receiver
        self._message = message
        self._asked: queue.SimpleQueue[tuple[Action, Future[None]] | None] = queue.SimpleQueue()
        self._renew_until = time.monotonic() + renewal.total_seconds()
        self._renew_at = self._halfway()

    @property
    def lock_token(self) -> str:
        """The token by which the Settlement service names this delivery."""
        return str(self._message.lock_token)

    def ask(self, action: Action) -> Future[None]:
        """Have the owner do something to the message; from any thread."""
        done: Future[None] = Future()
        self._asked.put((action, done))
        return done

    def settle(self, action: Action) -> Future[None]:
        """Have the owner settle the message, after which its lock is not renewed and it is not completed."""

        def settle(receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
            action(receiver, message)
            self.settled = True

        return self.ask(settle)

    def renew(self) -> Future[None]:
        """Have the owner renew the lock now."""
        return self.ask(lambda _receiver, _message: self._renew())

    def wait(self, outcome: Future[Outcome]) -> Outcome:
        """Wait, as the owner, until the function has ended; renew the lock and do what is asked meanwhile."""
        outcome.add_done_callback(lambda _: self._asked.put(None))
        while not outcome.done():
            try:
                asked = self._asked.get(timeout=self._until_renewal_s())
            except queue.Empty:
                self._renew_or_say_why_not()
            else:
                self._carry_out(asked)
        return outcome.result()

    def finish(self, action: Action) -> None:
        """Settle the message as the owner; a lost lock is logged, and the message comes back by itself."""
        try:
            action(self._receiver, self._message)
        except MessageLockLostError as error:
            self._log("lock.lost", error, "the message is delivered again")
        self.settled = True

    def refuse_what_is_left(self, error: Exception) -> None:
        """Answer requests that came after the function had ended."""
        while not self._asked.empty():
            if asked := self._asked.get():
                asked[1].set_exception(error)

    def _carry_out(self, asked: tuple[Action, Future[None]] | None) -> None:
        if asked is None:
            return
        action, done = asked
        try:
            action(self._receiver, self._message)
        except Exception as error:  # noqa: BLE001  the one who asked gets it, as the answer of the Settlement service
            done.set_exception(error)
        else:
            done.set_result(None)

    def _renew_or_say_why_not(self) -> None:
        try:
            self._renew()
        except MessageLockLostError as error:
            self._renew_until = 0.0
            self._log("lock.lost", error, "the function runs on; the message is delivered again")
        except ServiceBusError as error:
            self._renew_at = time.monotonic() + 1
            self._log("lock.not_renewed", error, "trying again")

    def _renew(self) -> None:
        self._receiver.renew_message_lock(self._message)
        self._renew_at = self._halfway()
        event("debug", "lock.renewed", message_id=self._message.message_id, until=self._message.locked_until_utc)

    def _halfway(self) -> float:
        until = self._message.locked_until_utc
        left = dt.timedelta() if until is None else until - dt.datetime.now(dt.UTC)
        return time.monotonic() + max(left.total_seconds() / 2, SHORTEST_WAIT_S)

    def _until_renewal_s(self) -> float | None:
        if self.settled or self._renew_at > self._renew_until:
            return None
        return max(self._renew_at - time.monotonic(), 0)

    def _log(self, name: str, error: Exception, what_next: str) -> None:
        event("warning", name, message_id=self._message.message_id, error=error, next=what_next)
