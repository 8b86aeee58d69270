"""Edge: whether the session of a pooled connection still lives, asked over the network only if that is in doubt."""

import select
import time
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg_pool import ConnectionPool

# Exports that follow each other this soon spare the round trip. A server that ends a session says so, which makes
# the socket readable; only a network that fails in silence within this time is found out by the export itself.
_FRESH_SECONDS = 1.0

# When a connection went back to the pool, in time.monotonic(). Each is written and read by the one thread that has it.
_used_at: WeakKeyDictionary[psycopg.Connection[Any], float] = WeakKeyDictionary()


def note_use(connection: psycopg.Connection[Any]) -> None:
    """Says that a connection has just served an export."""
    _used_at[connection] = time.monotonic()


def check(connection: psycopg.Connection[Any]) -> None:
    """Raises psycopg.OperationalError if the server has ended the session."""
    is_fresh = time.monotonic() - _used_at.get(connection, float("-inf")) < _FRESH_SECONDS
    if not is_fresh or _has_news(connection):
        ConnectionPool.check_connection(connection)


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has sent something since the last statement, or closed the socket."""
    socket = select.poll()
    socket.register(connection.pgconn.socket, select.POLLIN)
    return bool(socket.poll(0))
