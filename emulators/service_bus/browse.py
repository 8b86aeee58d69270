"""Messages by sequence number: found, removed, and listed from any number on."""

from bisect import bisect_left
from collections.abc import Iterator

from emulators.service_bus.stored import Stored

# How many numbers of removed messages may stay beside as many as there are messages.
SLACK = 100


class Browse:
    """A map in the order of sequence numbers, which only ever grow; finding a place in it is O(log n)."""

    __slots__ = ("_messages", "_numbers")

    def __init__(self) -> None:
        self._messages: dict[int, Stored] = {}
        self._numbers: list[int] = []  # ascending; of removed messages too, until there are too many of those

    def add(self, message: Stored) -> None:
        """Add a message, whose sequence number is higher than any before."""
        self._messages[message.sequence_number] = message
        self._numbers.append(message.sequence_number)

    def get(self, number: int) -> Stored | None:
        """Return the message of that number, or None if it is gone."""
        return self._messages.get(number)

    def held(self, number: int) -> Stored:
        """Return the message of that number, which must be there."""
        return self._messages[number]

    def remove(self, number: int) -> Stored:
        """Forget a message that is there, and return it."""
        message = self._messages.pop(number)
        if len(self._numbers) > 2 * len(self._messages) + SLACK:
            self._numbers = list(self._messages)
        return message

    def since(self, first: int) -> Iterator[Stored]:
        """List the messages from a number on, in order."""
        for at in range(bisect_left(self._numbers, first), len(self._numbers)):
            message = self._messages.get(self._numbers[at])
            if message is not None:
                yield message
