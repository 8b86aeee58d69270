"""Deadlines that are set, moved and dropped far more often than they come due."""

import heapq
from collections.abc import Iterator

# The number of stale entries that a heap may hold beside its live ones; rebuilding it costs its length.
SLACK = 100


class Timers[Key]:
    """Keys, each with at most one deadline in ms. Setting, moving and dropping are O(log n); no scan ever.

    >>> timers = Timers[str]()
    >>> timers.set("a", 10); timers.set("b", 20); timers.set("a", 30)
    >>> timers.next_due, list(timers.due(25)), list(timers.due(30)), timers.next_due
    (20, ['b'], ['a'], None)
    """

    __slots__ = ("_deadlines", "_heap", "_serial")

    def __init__(self) -> None:
        self._deadlines: dict[Key, tuple[int, int]] = {}
        self._heap: list[tuple[int, int, Key]] = []
        self._serial = 0

    def set(self, key: Key, deadline_ms: int) -> None:
        """Set the only deadline of `key`."""
        self._serial += 1
        self._deadlines[key] = (deadline_ms, self._serial)
        heapq.heappush(self._heap, (deadline_ms, self._serial, key))
        if len(self._heap) > 2 * len(self._deadlines) + SLACK:
            self._heap = [(at, serial, key) for key, (at, serial) in self._deadlines.items()]
            heapq.heapify(self._heap)

    def drop(self, key: Key) -> None:
        """Forget the deadline of `key`, if it has one."""
        self._deadlines.pop(key, None)

    @property
    def next_due(self) -> int | None:
        """The earliest deadline in ms, None without one."""
        heap = self._heap
        while heap:
            deadline, serial, key = heap[0]
            if self._deadlines.get(key) == (deadline, serial):
                return deadline
            heapq.heappop(heap)
        return None

    def due(self, now_ms: int) -> Iterator[Key]:
        """Yield and drop every key whose deadline is `now_ms` or before, earliest first."""
        while (deadline := self.next_due) is not None and deadline <= now_ms:
            key = heapq.heappop(self._heap)[2]
            del self._deadlines[key]
            yield key

    def __len__(self) -> int:
        return len(self._deadlines)
