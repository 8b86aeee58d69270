"""One queue: a state machine without threads, sockets or clock. Every time is ms since 1970, UTC."""

from collections.abc import Iterable, Iterator, Sequence

from emulators.service_bus.duplicates import Duplicates
from emulators.service_bus.places import Places
from emulators.service_bus.rules import LockLost, NotAllowed, NotFound, Rules
from emulators.service_bus.stored import State, Stored


class Queue(Places):
    """A queue with the operations on its messages."""

    def check(self, message: Stored) -> None:
        """Do nothing: a queue without sessions takes every message."""

    def enqueue_all(self, messages: Sequence[Stored], now: int) -> list[int]:
        """Add messages, all or none. Returns their sequence numbers. Raises NotAllowed."""
        for message in messages:
            self.check(message)
        return [self.enqueue(message, now) for message in messages]

    def cancel(self, numbers: Iterable[int], now: int) -> None:
        """Drop scheduled messages, all or none. Raises NotFound."""
        self.advance(now)
        for number in self._all_in(State.SCHEDULED, numbers):
            self._schedule.drop(number)
            self._browse.remove(number)

    def receive(self, now: int, session: str | None = None) -> Stored | None:
        """Lock and return the next message, of a session if one is given; None if there is none."""
        message = self._next_ready(now, session)
        if message is not None:
            self._lock(message, now)
        return message

    def take(self, now: int, session: str | None = None) -> Stored | None:
        """Remove and return the next message, of a session if one is given; None if there is none."""
        message = self._next_ready(now, session)
        if message is not None:
            self._remove(message)
        return message

    def receive_deferred(self, numbers: Iterable[int], now: int, *, take: bool = False) -> list[Stored]:
        """Lock or remove deferred messages by their sequence numbers, all or none. Raises NotFound."""
        self.advance(now)
        messages = [self._browse.held(number) for number in self._all_in(State.DEFERRED, numbers)]
        for message in messages:
            if take:
                self._remove(message)
            else:
                self._lock(message, now)
        return messages

    def peek(self, first: int, now: int) -> Iterator[Stored]:
        """List messages in any state from a sequence number on. Do not use the list after another call."""
        self.advance(now)
        return self._browse.since(first)

    def renew(self, token: bytes, now: int) -> int:
        """Renew a lock. Returns its new end. Raises LockLost."""
        message = self._held(token, now)
        self._locks.move(message, now + self.rules.lock_ms)
        self.wake_by(message.locked_until_ms)
        return message.locked_until_ms

    def change(self, token: bytes, properties: dict[str, bytes], now: int) -> None:
        """Set application properties, encoded, of a locked message. Raises LockLost."""
        message = self._held(token, now)
        if properties:
            message.changes = {**message.changes, **properties}

    def complete(self, token: bytes, now: int) -> None:
        """Complete a message. Raises LockLost."""
        self._remove(self._held(token, now))

    def abandon(self, token: bytes, now: int) -> None:
        """Count a failed delivery: the message comes again, or is dead-lettered after too many. Raises LockLost."""
        self._give_back(self._held(token, now), now, failed=True)

    def release(self, token: bytes, now: int) -> None:
        """Return a message as if it had not been delivered. Raises LockLost.

        Azure does not count a release either, as its developers say (amqpnetlite, 342).
        """
        self._give_back(self._held(token, now), now, failed=False)

    def defer(self, token: bytes, now: int) -> None:
        """Set a message aside: only its sequence number brings it back. Raises LockLost."""
        message = self._held(token, now)
        message.state = State.DEFERRED
        self._give_back(message, now, failed=False)

    def dead_letter(self, token: bytes, reason: str | None, description: str | None, now: int) -> None:
        """Move the message to the dead-letter queue. Raises LockLost, NotAllowed for one that is there already."""
        message = self._held(token, now)
        if self.dead_letters is None:
            raise NotAllowed(f"{self.name} is a dead-letter queue: complete the message, or abandon it")
        self._bury(message, reason, description, now)

    def purge(self, now: int) -> int:
        """Drop every message, whatever its state. Returns their number."""
        messages = list(self.peek(0, now))
        for message in messages:
            self._remove(message)
        return len(messages)

    def expire_locks(self, now: int) -> int:
        """End every lock, as if its time were over. Returns their number."""
        self.advance(now)
        held = self._locks.held()
        for message in held:
            self._give_back(message, now, failed=True)
        return len(held)

    def change_rules(self, rules: Rules) -> None:
        """Apply other rules from now on; running locks and times to live stay."""
        if rules.duplicate_window_ms != self.rules.duplicate_window_ms:
            self._duplicates = Duplicates(rules.duplicate_window_ms)
        self.rules = rules

    def _next_ready(self, now: int, session: str | None) -> Stored | None:
        self.advance(now)
        number = self._ready.pop(session)
        return None if number is None else self._browse.held(number)

    def _held(self, token: bytes, now: int) -> Stored:
        self.advance(now)
        if (message := self._locks.find(token)) is None:
            raise LockLost(f"the lock on a message of {self.name} has lapsed or was given back; receive it again")
        return message

    def _all_in(self, state: State, numbers: Iterable[int]) -> list[int]:
        wanted = list(dict.fromkeys(numbers))
        for number in wanted:
            message = self._browse.get(number)
            if message is None or message.state is not state or message.lock is not None:
                raise NotFound(f"{self.name} holds no {state.name.lower()} message {number}")
        return wanted
