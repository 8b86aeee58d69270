"""The broker's end of a link on which a client receives messages."""

from collections.abc import Callable
from dataclasses import dataclass

from emulators.service_bus import codec
from emulators.service_bus.amqp.deliveries import Delivery
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.states import Received
from emulators.service_bus.faults import Faults
from emulators.service_bus.queue import Queue
from emulators.service_bus.rules import SessionHeld
from emulators.service_bus.session_queue import Hold, SessionQueue
from emulators.service_bus.settlement import settle

# A client gets no more messages while this much waits for it.
BACKLOG_BYTES = 1 << 20

type Clock = Callable[[], int]


class Subscription:
    """Hands a queue's messages to a client as far as its credit goes; `take` is RECEIVE_AND_DELETE."""

    def __init__(self, link: Link, queue: Queue, clock: Clock, faults: Faults, *, take: bool) -> None:
        self.queue = queue
        self.fed = 0  # the number of messages sent
        self._link = link
        self._take = take
        self._clock = clock
        self._faults = faults

    @property
    def hungry(self) -> bool:
        """Whether the client asked for more than it got, and reads what it gets."""
        return self._link.hungry and not self._link.detached and self._link.backlog < BACKLOG_BYTES

    @property
    def session(self) -> str | None:
        """The session whose messages it hands out; None for those that belong to none."""
        return None

    def tend(self, now: int) -> bool:  # noqa: ARG002  a session's needs the time
        """Return the credit of a client that drains its link. Returns whether there is something to send."""
        if not self._link.drain or self._link.detached:
            return False
        self._link.drained()
        return True

    def feed(self, now: int) -> bool:
        """Send one message. Returns whether the queue had one."""
        message = (self.queue.take if self._take else self.queue.receive)(now, self.session)
        if message is None:
            return False
        self.fed += 1
        tag = message.lock or self.fed.to_bytes(16)
        self._link.send(tag, codec.transfer(message), settled=message.lock is None)
        return True

    def on_arrived(self, delivery: Delivery) -> None:
        """Do nothing: no message comes on a link that sends."""

    def on_updated(self, delivery: Delivery) -> None:
        """Settle a message as the client decided, by its tag, which is the lock token; answer the client."""
        if delivery.settled or not isinstance(delivery.state, Received | None):
            self._faults.apply(
                self.queue.name,
                lambda: settle(delivery.state, self.queue, delivery.tag, self._clock()),
                lambda outcome: self._link.settle(delivery, outcome),
            )

    def on_gone(self) -> None:
        """Do nothing: locked messages stay locked until their locks end, as after a kill."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The session that a client asks for, None for the first free one, and the end of its wait.

    hello: answers the attach.
    """

    session: str | None
    deadline_ms: int
    hello: Callable[[Hold], None]


class SessionSubscription(Subscription):
    """Hands out the messages of one session, which it holds; the attach is answered once it holds one."""

    def __init__(
        self, link: Link, queue: SessionQueue, clock: Clock, faults: Faults, *, take: bool, wish: Wish
    ) -> None:
        super().__init__(link, queue, clock, faults, take=take)
        self._sessions = queue
        self._wish = wish
        self._hold: Hold | None = None
        queue.wake_by(wish.deadline_ms)

    @property
    def hungry(self) -> bool:
        """Whether it holds a session and the client asked for more than it got."""
        return self._hold is not None and super().hungry

    @property
    def session(self) -> str | None:
        """The session that it holds."""
        return self._hold.session if self._hold else None

    def tend(self, now: int) -> bool:
        """Hold a session as soon as one is free, give up at the deadline, and detach the link if the hold is lost."""
        if self._link.detached:
            return False
        if self._hold is None:
            return self._accept(now)
        if self._hold.lost:
            description = f"The lock on the session {self._hold.session!r} of {self.queue.name} has lapsed."
            self._link.detach("com.microsoft:session-lock-lost", description)
            return True
        return super().tend(now)

    def on_gone(self) -> None:
        """Release the session."""
        if self._hold is not None:
            self._sessions.let_go(self._hold, self._clock())

    def _accept(self, now: int) -> bool:
        try:
            self._hold = self._sessions.hold(self._wish.session, now)
        except SessionHeld as error:
            self._link.refuse("com.microsoft:session-cannot-be-locked", str(error))
            return True
        if self._hold is not None:
            self._wish.hello(self._hold)
        elif now >= self._wish.deadline_ms:
            self._link.refuse("com.microsoft:timeout", f"No session of {self.queue.name} had a message in time.")
        else:
            return False
        return True
