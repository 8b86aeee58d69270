"""Edge: connections that are kept open between exports.

Whoever needs a connection makes it, so that several are made side by side: psycopg's pool makes one after the other.
"""

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any, Self
from weakref import WeakKeyDictionary

import psycopg
from psycopg import pq

from contracts.errors import TailraceError
from worker.source.liveness import check, note_use

# A worker without exports holds no connection for longer, and none is used for ever: a session's memory only grows.
_IDLE_SECONDS = 120.0
_LIFE_SECONDS = 3600.0
_LOOK_SECONDS = 10.0
# The pause after a connection that failed; it doubles.
_PAUSE_SECONDS = 0.2

type _Connection = psycopg.Connection[Any]


class Kept:
    """The connections of a process that serve no export now; safe for threads. Its callers limit their number."""

    def __init__(self, connect: Callable[[float], _Connection]) -> None:
        """`connect` makes a connection within some seconds. It raises psycopg.Error or a TailraceError."""
        self._connect = connect
        # Guards the four fields below; any thread that takes, puts or closes connections changes them.
        self._lock = Lock()
        # Each with the time of its last use. The last one back is the first one out: its windows have grown.
        self._free: deque[tuple[_Connection, float]] = deque()
        self._made_at: WeakKeyDictionary[_Connection, float] = WeakKeyDictionary()
        self._coming: Thread | None = None
        self._is_closed = False
        # Set once, by the thread that closes; it ends the thread that closes what is idle.
        self._closing = Event()

    def __enter__(self) -> Self:
        Thread(target=self._close_idle, name="idle", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with self._lock:
            self._is_closed = True
            free, self._free = self._free, deque()
        for connection, _since in free:
            connection.close()

    def ahead(self, seconds: float) -> None:
        """Begins to connect if no connection is free. The next caller of `take` waits for it instead of its own."""
        with self._lock:
            if not self._free and self._coming is None and not self._is_closed:
                self._coming = Thread(target=self._add, args=(seconds,), name="connect", daemon=True)
                self._coming.start()

    def take(self, seconds: float) -> _Connection:
        """A connection whose session lives. Raises what the last attempt to make one raised after so many seconds."""
        deadline, pause = time.monotonic() + seconds, _PAUSE_SECONDS
        while True:
            if connection := self._living():
                return connection
            try:
                return self._made(max(0.0, deadline - time.monotonic()))
            except (psycopg.Error, TailraceError):
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause *= 2

    def put(self, connection: _Connection) -> None:
        """Keeps a connection, or closes it: if it is in the middle of a statement or a transaction, lost, or old."""
        note_use(connection)
        is_idle = connection.info.transaction_status == pq.TransactionStatus.IDLE
        with self._lock:
            is_young = time.monotonic() - self._made_at.get(connection, 0.0) < _LIFE_SECONDS
            is_kept = is_idle and is_young and not self._is_closed
            if is_kept:
                self._free.append((connection, time.monotonic()))
        if not is_kept:
            connection.close()

    def _living(self) -> _Connection | None:
        with self._lock:
            coming, self._coming = self._coming, None
        if coming is not None:
            coming.join()
        while (connection := self._popped()) is not None:
            try:
                check(connection)
            except psycopg.Error:
                connection.close()
            else:
                return connection
        return None

    def _popped(self) -> _Connection | None:
        with self._lock:
            return self._free.pop()[0] if self._free else None

    def _made(self, seconds: float) -> _Connection:
        connection = self._connect(seconds)
        with self._lock:
            self._made_at[connection] = time.monotonic()
        return connection

    def _add(self, seconds: float) -> None:
        # Whoever needs a connection then finds out why there is none.
        with suppress(psycopg.Error, TailraceError):
            self.put(self._made(seconds))

    def _close_idle(self) -> None:
        while not self._closing.wait(_LOOK_SECONDS):
            while (connection := self._idle()) is not None:
                connection.close()

    def _idle(self) -> _Connection | None:
        """The connection that is idle for the longest time, if that is too long."""
        with self._lock:
            is_old = self._free and time.monotonic() - self._free[0][1] > _IDLE_SECONDS
            return self._free.popleft()[0] if is_old else None
