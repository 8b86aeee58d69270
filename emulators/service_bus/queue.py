"""One queue: a state machine without threads, sockets or a clock of its own. Every time is ms since 1970, UTC."""

import heapq
import math
import os
from collections.abc import Callable, Iterable, Iterator

from emulators.service_bus.browse import Browse
from emulators.service_bus.duplicates import Duplicates
from emulators.service_bus.rules import LockLost, NotAllowed, NotFound, Rules
from emulators.service_bus.stored import DeadLetter, State, Stored
from emulators.service_bus.timers import Timers


class Queue:
    """Messages in order of their sequence numbers, which start at 1, and the dead-letter queue beside them.

    `dead_letters` is a queue too; its own is None. `on_wake` is called with the time of the next `advance`.
    """

    def __init__(self, name: str, rules: Rules, dead_letters: "Queue | None" = None) -> None:
        self.name = name
        self.rules = rules
        self.dead_letters = dead_letters
        self._last_sequence = 0
        self._browse = Browse()
        self._ready: list[int] = []  # a heap of sequence numbers; those of messages gone since are passed over
        self._locked: dict[bytes, Stored] = {}
        self._locks = Timers[bytes]()
        self._schedule = Timers[int]()
        self._expiry = Timers[int]()
        self.on_wake: Callable[[Queue, int], None] = lambda _queue, _at: None
        self._wake: float = math.inf  # no deadline is earlier than this, though this may be too early
        self._duplicates = Duplicates(rules.duplicate_window_ms)

    @property
    def ready(self) -> bool:
        """Whether there may be a message to receive."""
        return bool(self._ready)

    @property
    def next_due(self) -> float:
        """When to call `advance` again at the latest; infinite if nothing waits for its time."""
        return self._wake

    def advance(self, now: int) -> None:
        """Let everything happen that time alone brings: locks lapse, scheduled messages arrive, old ones expire."""
        if now < self._wake:
            return
        for token in self._locks.due(now):
            self._give_back(self._locked[token], now, failed=True)
        for number in self._schedule.due(now):
            self._append(self._browse.remove(number), now)
        for number in self._expiry.due(now):
            message = self._browse.get(number)
            if message is not None and message.lock is None and message.expired(now):
                self._expire(message, now)
        timers = (self._locks.next_due, self._schedule.next_due, self._expiry.next_due)
        self._wake = math.inf
        if any(due is not None for due in timers):
            self._wake_at(min(due for due in timers if due is not None))

    def enqueue(self, message: Stored, now: int) -> int:
        """Take a message, for now or its scheduled time; its sequence number. A duplicate gets one and is dropped."""
        if self._duplicates.repeated(message.message_id, now):
            return self._next_sequence()
        if message.scheduled_ms <= now:
            return self._append(message, now)
        message.state = State.SCHEDULED
        message.enqueued_ms = now
        self._store(message)
        self._remind(self._schedule, message.sequence_number, message.scheduled_ms)
        return message.sequence_number

    def cancel(self, numbers: Iterable[int], now: int) -> None:
        """Drop scheduled messages, all or none. Raises NotFound."""
        self.advance(now)
        for number in self._all_in(State.SCHEDULED, numbers):
            self._schedule.drop(number)
            self._browse.remove(number)

    def receive(self, now: int) -> Stored | None:
        """The next message, locked; None if there is none."""
        message = self._next_ready(now)
        if message is not None:
            self._lock(message, now)
        return message

    def take(self, now: int) -> Stored | None:
        """The next message, gone from the queue; None if there is none."""
        message = self._next_ready(now)
        if message is not None:
            self._remove(message)
        return message

    def receive_deferred(self, numbers: Iterable[int], now: int, *, take: bool = False) -> list[Stored]:
        """Deferred messages by their sequence numbers, locked or taken, all or none. Raises NotFound."""
        self.advance(now)
        messages = [self._browse.held(number) for number in self._all_in(State.DEFERRED, numbers)]
        for message in messages:
            if take:
                self._remove(message)
            else:
                self._lock(message, now)
        return messages

    def peek(self, first: int, now: int) -> Iterator[Stored]:
        """Messages in any state from a sequence number on, in order; not to be held over another call."""
        self.advance(now)
        return self._browse.since(first)

    def renew(self, token: bytes, now: int) -> int:
        """Until when the lock holds now. Raises LockLost."""
        message = self._held(token, now)
        message.locked_until_ms = now + self.rules.lock_ms
        self._remind(self._locks, token, message.locked_until_ms)
        return message.locked_until_ms

    def change(self, token: bytes, properties: dict[str, bytes], now: int) -> None:
        """Set application properties of a message, encoded, while it is locked. Raises LockLost."""
        message = self._held(token, now)
        if properties:
            message.changes = {**message.changes, **properties}

    def complete(self, token: bytes, now: int) -> None:
        """The message is done with. Raises LockLost."""
        self._remove(self._held(token, now))

    def abandon(self, token: bytes, now: int) -> None:
        """The delivery failed: again, or the dead-letter queue once it has failed too often. Raises LockLost."""
        self._give_back(self._held(token, now), now, failed=True)

    def release(self, token: bytes, now: int) -> None:
        """The message was not looked at: as if it had not been delivered. Raises LockLost."""
        self._give_back(self._held(token, now), now, failed=False)

    def defer(self, token: bytes, now: int) -> None:
        """Only its sequence number brings the message back. Raises LockLost."""
        message = self._held(token, now)
        message.state = State.DEFERRED
        self._give_back(message, now, failed=False)

    def dead_letter(self, token: bytes, reason: str | None, description: str | None, now: int) -> None:
        """Move the message to the dead-letter queue. Raises LockLost, NotAllowed for one that is there already."""
        message = self._held(token, now)
        if self.dead_letters is None:
            raise NotAllowed(f"{self.name} is a dead-letter queue: complete the message, or abandon it")
        self._bury(message, reason, description, now)

    def _remind[Key](self, timers: Timers[Key], key: Key, at: int) -> None:
        timers.set(key, at)
        if at < self._wake:
            self._wake_at(at)

    def _wake_at(self, at: int) -> None:
        self._wake = at
        self.on_wake(self, at)

    def _next_sequence(self) -> int:
        self._last_sequence += 1
        return self._last_sequence

    def _store(self, message: Stored) -> None:
        message.sequence_number = self._next_sequence()
        self._browse.add(message)

    def _append(self, message: Stored, now: int) -> int:
        message.state = State.ACTIVE
        message.enqueued_ms = now
        self._store(message)
        if self.rules.ttl_ms is not None:
            message.ttl_ms = min(self.rules.ttl_ms, message.ttl_ms or self.rules.ttl_ms)
        if message.ttl_ms is not None:
            self._remind(self._expiry, message.sequence_number, now + message.ttl_ms)
        heapq.heappush(self._ready, message.sequence_number)
        return message.sequence_number

    def _next_ready(self, now: int) -> Stored | None:
        self.advance(now)
        while self._ready:
            message = self._browse.get(heapq.heappop(self._ready))
            if message is not None:
                return message
        return None

    def _lock(self, message: Stored, now: int) -> None:
        token = os.urandom(16)
        message.lock, message.locked_until_ms = token, now + self.rules.lock_ms
        self._locked[token] = message
        self._remind(self._locks, token, message.locked_until_ms)

    def _unlock(self, message: Stored) -> None:
        if message.lock is not None:
            self._locks.drop(message.lock)
            del self._locked[message.lock]
            message.lock = None

    def _held(self, token: bytes, now: int) -> Stored:
        self.advance(now)
        if (message := self._locked.get(token)) is None:
            raise LockLost(f"the lock on a message of {self.name} has lapsed or was given back; receive it again")
        return message

    def _all_in(self, state: State, numbers: Iterable[int]) -> list[int]:
        wanted = list(dict.fromkeys(numbers))
        for number in wanted:
            message = self._browse.get(number)
            if message is None or message.state is not state or message.lock is not None:
                raise NotFound(f"{self.name} holds no {state.name.lower()} message {number}")
        return wanted

    def _give_back(self, message: Stored, now: int, *, failed: bool) -> None:
        self._unlock(message)
        message.delivery_count += failed
        limit = self.rules.max_deliveries
        if message.expired(now):
            self._expire(message, now)
        elif failed and limit is not None and message.delivery_count >= limit:
            description = f"The message was delivered {message.delivery_count} times; the queue allows {limit}."
            self._bury(message, "MaxDeliveryCountExceeded", description, now)
        elif message.state is State.ACTIVE:
            heapq.heappush(self._ready, message.sequence_number)

    def _expire(self, message: Stored, now: int) -> None:
        if self.rules.dead_letter_expired and self.dead_letters is not None:
            self._bury(message, "TTLExpiredException", "The message's time to live ended before it was received.", now)
        else:
            self._remove(message)

    def _remove(self, message: Stored) -> None:
        self._unlock(message)
        self._expiry.drop(message.sequence_number)
        self._browse.remove(message.sequence_number)

    def _bury(self, message: Stored, reason: str | None, description: str | None, now: int) -> None:
        self._remove(message)
        assert self.dead_letters is not None
        message.dead_letter = DeadLetter(reason, description)
        message.ttl_ms, message.scheduled_ms = None, 0
        self.dead_letters.enqueue(message, now)
