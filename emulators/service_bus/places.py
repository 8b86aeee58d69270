"""The places of a queue's messages, and their moves by time, failure and forwarding. Times: ms since 1970, UTC."""

import math
from collections.abc import Callable
from typing import Any

from emulators.service_bus.browse import Browse
from emulators.service_bus.duplicates import Duplicates
from emulators.service_bus.locks import Locks
from emulators.service_bus.ready import Ready
from emulators.service_bus.rules import MAX_HOPS, NotAllowed, Rules
from emulators.service_bus.stored import DeadLetter, State, Stored
from emulators.service_bus.timers import Timers


class Places:
    """Messages in order of their sequence numbers, which start at 1: each is ready, locked, scheduled or deferred.

    `dead_letters` is a queue too; its own is None. `forward_to` and `forward_dead_letters_to` are queues that messages
    and dead letters are moved to. `on_wake` is called with the time of the next `advance`.
    """

    def __init__(
        self, name: str, rules: Rules, dead_letters: "Places | None" = None, *, by_session: bool = False
    ) -> None:
        self.name = name
        self.rules = rules
        self.dead_letters = dead_letters
        self.forward_to: Places | None = None
        self.forward_dead_letters_to: Places | None = None
        self._last_sequence = 0
        self._browse = Browse()
        self._ready = Ready(lambda number: self._browse.get(number) is not None, by_session=by_session)
        self._locks = Locks(end=not by_session)
        self._schedule = Timers[int]()
        self._expiry = Timers[int]()
        self.on_wake: Callable[[Any, int], None] = lambda _queue, _at: None
        self._wake: float = math.inf  # no deadline is earlier than this, though this may be too early
        self._duplicates = Duplicates(rules.duplicate_window_ms)

    @property
    def ready(self) -> bool:
        """Whether there may be a message to receive."""
        return bool(self._ready)

    @property
    def next_due(self) -> float:
        """The latest time of the next call of `advance`; infinite if nothing waits."""
        return self._wake

    def advance(self, now: int) -> None:
        """Apply what is due: locks lapse, scheduled messages arrive, old messages expire."""
        if now < self._wake:
            return
        for message in self._locks.due(now):
            self._give_back(message, now, failed=True)
        for number in self._schedule.due(now):
            message = self._browse.remove(number)
            message.waited = True
            self._append(message, now)
        for number in self._expiry.due(now):
            found = self._browse.get(number)
            if found is not None and found.lock is None and found.expired(now):
                self._expire(found, now)
        self._wake = math.inf
        if deadlines := self._deadlines():
            self._wake_at(min(deadlines))

    def enqueue(self, message: Stored, now: int) -> int:
        """Add a message, now or for its time. Returns its sequence number; a duplicate gets one and is dropped."""
        if self._duplicates.repeated(message.message_id, now):
            return self._next_sequence()
        if message.scheduled_ms <= now:
            return self._append(message, now)
        message.state = State.SCHEDULED
        message.enqueued_ms = now
        self._store(message)
        self._remind(self._schedule, message.sequence_number, message.scheduled_ms)
        return message.sequence_number

    def wake_by(self, at: int) -> None:
        """Call `on_wake` with a time, unless it was called with an earlier one."""
        if at < self._wake:
            self._wake_at(at)

    def _deadlines(self) -> list[int]:
        timers = (self._locks.next_due, self._schedule.next_due, self._expiry.next_due)
        return [due for due in timers if due is not None]

    def _remind[Key](self, timers: Timers[Key], key: Key, at: int) -> None:
        timers.set(key, at)
        self.wake_by(at)

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
        if self.forward_to is not None:
            return self._forward(message, self.forward_to, now)
        if message.ttl_ms is not None:
            self._remind(self._expiry, message.sequence_number, now + message.ttl_ms)
        self._ready.add(message)
        return message.sequence_number

    def _forward(self, message: Stored, target: "Places", now: int) -> int:
        number = message.sequence_number
        message.hops += 1
        if message.hops > MAX_HOPS:
            self._bury(message, "MaxTransferHopCountExceeded", f"It was forwarded {MAX_HOPS} times already.", now)
            return number
        self._remove(message)
        message.enqueued_sequence, message.scheduled_ms = message.enqueued_sequence or number, 0
        try:
            target.enqueue(message, now)
        except NotAllowed as error:
            self._store(message)
            self._bury(message, "MessagingEntityDisabled", str(error), now)
        return number

    def _lock(self, message: Stored, now: int) -> None:
        self._locks.add(message, now + self.rules.lock_ms)
        self.wake_by(message.locked_until_ms)

    def _give_back(self, message: Stored, now: int, *, failed: bool) -> None:
        self._locks.drop(message)
        message.delivery_count += failed
        limit = self.rules.max_deliveries
        if message.expired(now):
            self._expire(message, now)
        elif failed and limit is not None and message.delivery_count >= limit:
            description = f"The message was delivered {message.delivery_count} times; the queue allows {limit}."
            self._bury(message, "MaxDeliveryCountExceeded", description, now)
        elif message.state is State.ACTIVE:
            self._ready.add(message)

    def _expire(self, message: Stored, now: int) -> None:
        if self.rules.dead_letter_expired and self.dead_letters is not None:
            self._bury(message, "TTLExpiredException", "The message's time to live ended before it was received.", now)
        else:
            self._remove(message)

    def _remove(self, message: Stored) -> None:
        self._locks.drop(message)
        self._expiry.drop(message.sequence_number)
        self._schedule.drop(message.sequence_number)
        self._browse.remove(message.sequence_number)

    def _bury(self, message: Stored, reason: str | None, description: str | None, now: int) -> None:
        self._remove(message)
        assert self.dead_letters is not None
        message.dead_letter = DeadLetter(reason, description)
        message.ttl_ms, message.scheduled_ms, message.waited = None, 0, False
        if self.forward_dead_letters_to is not None and message.hops < MAX_HOPS:
            message.hops, message.source = message.hops + 1, self.name
            message.enqueued_sequence = message.enqueued_sequence or message.sequence_number
            self.forward_dead_letters_to.enqueue(message, now)
        else:
            self.dead_letters.enqueue(message, now)
