"""How many blocks of an upload may be on their way at once: the farther the storage is, the more."""

from collections import deque

from worker.blob.buffers import BYTES_PER_S, IN_FLIGHT_BYTES, ROUND_TRIPS, SLOW_S, STAGERS

_CONNECTIONS = 8


def blocks_at_once(round_trip_s: float, size: int, proven: int) -> int:
    """How many blocks of `size` bytes, so that BYTES_PER_S leave: STAGERS, and more for each ROUND_TRIPS of waiting.

    All of them together are IN_FLIGHT_BYTES at most, but for STAGERS. `proven` blocks were staged in good time since
    one was slow; there are that many more than STAGERS at most.

    >>> mib = 1 << 20
    >>> [blocks_at_once(ms / 1000, 4 * mib, 100) for ms in (0, 1, 5, 20, 50, 100)]
    [2, 2, 3, 6, 12, 16]
    >>> [blocks_at_once(0.1, size * mib, 100) for size in (8, 32, 64)]
    [8, 2, 2]
    >>> [blocks_at_once(0.1, 4 * mib, proven) for proven in (0, 1, 2)]
    [2, 3, 4]
    """
    waiting = round(round_trip_s * ROUND_TRIPS * BYTES_PER_S / size)
    return max(STAGERS, min(STAGERS + min(waiting, proven), IN_FLIGHT_BYTES // size))


class Pace:
    """What the uploads of a process have seen of the way to the storage. Safe for threads."""

    def __init__(self) -> None:
        # Appended to by the threads that open connections; deques are safe for that.
        self._round_trips: deque[float] = deque(maxlen=_CONNECTIONS)
        # Counted by the same threads without a lock: it decides what waits, and may be off by one.
        self.connections = 0
        # Written by all staging threads without a lock: it decides sizes only, and may be off by a few. It begins with
        # as many as a line of 2 MB/s carries in good time: the streams of an export fill their first blocks together.
        self._proven = STAGERS

    def opened(self, round_trip_s: float) -> None:
        """A connection was opened, with this round trip; 0 if it is not known."""
        self._round_trips.append(round_trip_s)
        self.connections += 1

    def staged(self, seconds: float) -> None:
        """A block was staged in this time."""
        self._proven = self._proven + 1 if seconds < SLOW_S else 0

    def blocks_at_once(self, size: int) -> int:
        """How many blocks of `size` bytes, by the shortest round trip of the latest connections."""
        return blocks_at_once(min(self._round_trips.copy(), default=0.0), size, self._proven)
