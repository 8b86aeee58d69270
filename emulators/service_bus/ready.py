"""The messages that may be received next."""

import heapq
from collections.abc import Callable, Iterator

from emulators.service_bus.stored import Stored


class Ready:
    """Sequence numbers, lowest first; those of each session apart if `by_session`, else all in one row, that of None.

    `alive` says whether a message of that number is still there; numbers of messages that are gone are passed over.
    """

    __slots__ = ("_alive", "_by_session", "_heaps")

    def __init__(self, alive: Callable[[int], bool], *, by_session: bool = False) -> None:
        self._alive = alive
        self._by_session = by_session
        self._heaps: dict[str | None, list[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._heaps)

    def add(self, message: Stored) -> None:
        """Add a message, in its place."""
        row = message.session_id if self._by_session else None
        heapq.heappush(self._heaps.setdefault(row, []), message.sequence_number)

    def first(self, session: str | None) -> int | None:
        """Return the lowest number of a session."""
        heap = self._heaps.get(session)
        while heap and not self._alive(heap[0]):
            heapq.heappop(heap)
        if heap:
            return heap[0]
        self._heaps.pop(session, None)
        return None

    def pop(self, session: str | None) -> int | None:
        """Remove and return the lowest number of a session."""
        number = self.first(session)
        if number is not None:
            heapq.heappop(self._heaps[session])
            if not self._heaps[session]:
                del self._heaps[session]
        return number

    def sessions(self) -> Iterator[str]:
        """List the sessions that have a message, in the order of their first messages."""
        firsts = {session: self.first(session) for session in list(self._heaps)}
        ordered = sorted((number, session) for session, number in firsts.items() if number is not None and session)
        yield from (session for _, session in ordered)
