"""The locked messages of a queue, with their tokens and deadlines."""

import os
from collections.abc import Iterator

from emulators.service_bus.stored import Stored
from emulators.service_bus.timers import Timers


class Locks:
    """Locked messages by their tokens. Unless locks `end`, a lock lasts until it is dropped, as its session's hold."""

    __slots__ = ("_end", "_ends", "_messages")

    def __init__(self, *, end: bool = True) -> None:
        self._end = end
        self._messages: dict[bytes, Stored] = {}
        self._ends = Timers[bytes]()

    @property
    def next_due(self) -> int | None:
        """The time at which the next lock ends, in ms; None if none ends."""
        return self._ends.next_due

    def add(self, message: Stored, until_ms: int) -> None:
        """Lock a message by a new token."""
        token = os.urandom(16)
        message.lock = token
        self._messages[token] = message
        self.move(message, until_ms)

    def move(self, message: Stored, until_ms: int) -> None:
        """Set a new end for the lock of a message."""
        assert message.lock is not None
        message.locked_until_ms = until_ms
        if self._end:
            self._ends.set(message.lock, until_ms)

    def drop(self, message: Stored) -> None:
        """Unlock a message, if it is locked."""
        if message.lock is not None:
            self._ends.drop(message.lock)
            del self._messages[message.lock]
            message.lock = None

    def find(self, token: bytes) -> Stored | None:
        """Return the message that a token locks."""
        return self._messages.get(token)

    def held(self) -> list[Stored]:
        """List the locked messages, oldest lock first."""
        return list(self._messages.values())

    def due(self, now: int) -> Iterator[Stored]:
        """Return the messages whose locks have ended. They stay locked until they are dropped."""
        for token in self._ends.due(now):
            yield self._messages[token]
