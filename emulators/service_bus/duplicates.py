"""The message ids that a queue has seen within its window."""

from collections import deque
from collections.abc import Hashable


class Duplicates:
    """Message ids within a window. Only time removes one; completing and dead-lettering do not.

    >>> seen = Duplicates(window_ms=100)
    >>> [seen.repeated("a", at) for at in (0, 99, 100)]
    [False, True, False]
    """

    __slots__ = ("_ids", "_order", "_window_ms")

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._ids: set[Hashable] = set()
        self._order: deque[tuple[int, Hashable]] = deque()

    def repeated(self, message_id: Hashable | None, now_ms: int) -> bool:
        """Return whether the id was seen within the window. Notes a new id."""
        while self._order and self._order[0][0] + self._window_ms <= now_ms:
            self._ids.discard(self._order.popleft()[1])
        if message_id is None or self._window_ms == 0:
            return False
        if message_id in self._ids:
            return True
        self._ids.add(message_id)
        self._order.append((now_ms, message_id))
        return False
