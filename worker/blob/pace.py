"""How many blocks of an upload may be on their way at once: the farther the storage is, the more."""

from collections import deque

from worker.blob.buffers import BYTES_PER_S, IN_FLIGHT_BYTES, ROUND_TRIPS, STAGERS

_CONNECTIONS = 8


def blocks_at_once(round_trip_s: float, size: int) -> int:
    """How many blocks of `size` bytes, so that BYTES_PER_S leave: STAGERS, and more for each ROUND_TRIPS of waiting.

    All of them together are IN_FLIGHT_BYTES at most, but for STAGERS.

    >>> mib = 1 << 20
    >>> [blocks_at_once(ms / 1000, 4 * mib) for ms in (0, 1, 5, 20, 50, 100)]
    [2, 2, 3, 6, 12, 16]
    >>> [blocks_at_once(0.1, size * mib) for size in (8, 32, 64)]
    [8, 2, 2]
    """
    waiting = round(round_trip_s * ROUND_TRIPS * BYTES_PER_S / size)
    return max(STAGERS, min(STAGERS + waiting, IN_FLIGHT_BYTES // size))


class Distance:
    """The round trip to the storage: the shortest one of the connections that were opened last. Safe for threads."""

    def __init__(self) -> None:
        # Appended to by the threads that open connections; deques are safe for that.
        self._round_trips: deque[float] = deque(maxlen=_CONNECTIONS)

    def opened(self, round_trip_s: float) -> None:
        """A connection was opened, with this round trip."""
        self._round_trips.append(round_trip_s)

    @property
    def round_trip_s(self) -> float:
        """In seconds; 0 if it is not known."""
        return min(self._round_trips.copy(), default=0.0)
