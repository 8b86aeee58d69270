"""Which message ids a queue has seen lately."""

from collections import deque
from collections.abc import Hashable


class Duplicates:
    """Message ids within a window; nothing but time makes it forget one, neither completing nor dead-lettering.

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
        """Whether the id was seen within the window before now; it counts as seen from now on if not."""
        while self._order and self._order[0][0] + self._window_ms <= now_ms:
            self._ids.discard(self._order.popleft()[1])
        if message_id is None or self._window_ms == 0:
            return False
        if message_id in self._ids:
            return True
        self._ids.add(message_id)
        self._order.append((now_ms, message_id))
        return False
