"""Gives back the memory that one large row leaves behind."""

import ctypes
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import psycopg

from worker.blob.buffers import LARGE_ROW_BYTES

# Connections that received a large row. Each is added and looked up by the one thread that uses it.
_swollen: WeakSet[psycopg.Connection[Any]] = WeakSet()


def note_row(connection: psycopg.Connection[Any], row_bytes: int) -> None:
    """Says that a connection received a row of so many bytes."""
    if row_bytes > LARGE_ROW_BYTES:
        _swollen.add(connection)


def release(connection: psycopg.Connection[Any]) -> None:
    """Closes a connection that received a large row, and gives free memory back to the system."""
    if connection in _swollen:
        connection.close()
        # Only glibc has it, and only glibc needs it.
        with suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
