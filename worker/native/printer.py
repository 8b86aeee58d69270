"""Edge: csv.c, rows of a binary COPY printed as the CSV that PostgreSQL itself would send."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from mmap import mmap

import psycopg

from worker.native.library import Native, writable
from worker.native.rows import Rows


class Kind(IntEnum):
    """How values arrive, as in csv.c."""

    TEXT = 0
    JSONB = 1
    BOOL = 2
    INT2 = 3
    INT4 = 4
    INT8 = 5
    NUMERIC = 6
    UUID = 7
    BYTEA = 8
    DATE = 9
    TIME = 10
    TIMESTAMP = 11
    TIMESTAMPTZ = 12


# What the texts of all kinds but TEXT and JSONB consist of.
_PLAIN = frozenset(b"0123456789abcdefxtinyNBCI+-:. \\")


_NO_MEMORY = 2


class _State(ctypes.Structure):
    """As in csv.c."""

    _fields_ = (
        ("copy", ctypes.c_void_p),
        ("kinds", ctypes.POINTER(ctypes.c_int32)),
        ("count", ctypes.c_int32),
        ("may_quote", ctypes.c_int32),
        ("null", ctypes.c_char_p),
        ("null_size", ctypes.c_int32),
        ("delimiter", ctypes.c_char),
        ("is_begun", ctypes.c_int32),
        ("is_ended", ctypes.c_int32),
        ("trouble", ctypes.c_int32),
        ("line", ctypes.c_void_p),
        ("room", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("done", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("last_day", ctypes.c_int64),
        ("last_size", ctypes.c_int32),
        ("last_is_bc", ctypes.c_int32),
        ("last_text", ctypes.c_char * 16),
    )


class Printer:
    """Prints the rows of one COPY, whose columns are of `kinds`; `count` is how many so far."""

    def __init__(self, library: Native, rows: Rows, kinds: Sequence[Kind], delimiter: bytes, null: bytes) -> None:
        self._library = library
        self._rows = rows
        may_quote = delimiter[0] in _PLAIN or (null != b"" and _PLAIN.issuperset(null))
        listed = (ctypes.c_int32 * len(kinds))(*kinds)
        self._state = _State(
            ctypes.addressof(rows.copy), listed, len(kinds), int(may_quote), null, len(null), delimiter
        )

    @property
    def count(self) -> int:
        """Rows so far."""
        return int(self._state.rows)

    @property
    def is_complete(self) -> bool:
        """Whether the mark that ends the rows has arrived."""
        return bool(self._state.is_ended)

    def fill(self, buffer: bytearray | mmap, begin: int, timeout_ms: int) -> int:
        """Writes rows from `begin` on until the buffer is full; returns the bytes written, as rows may end or be late.

        Raises psycopg.Error if the connection is lost or a message is no such row, MemoryError if a row finds no room.
        """
        room = writable(buffer, begin)
        filled = int(
            self._library.csv_fill(ctypes.addressof(self._state), ctypes.addressof(room), len(room), timeout_ms)
        )
        self._rows.check()
        if self._state.trouble == _NO_MEMORY:
            raise MemoryError("not enough memory for a row")
        if self._state.trouble:
            raise psycopg.DataError("PostgreSQL sent rows in a form that is not this COPY's")
        return filled

    @property
    def has_more(self) -> bool:
        """Whether a row is not wholly written yet, or more may come."""
        return not self._rows.is_ended or self._state.done < self._state.size

    def close(self) -> None:
        """Frees the last row."""
        self._library.csv_close(ctypes.addressof(self._state))


@contextmanager
def open_printer(
    library: Native, rows: Rows, kinds: Sequence[Kind], delimiter: bytes, null: bytes
) -> Iterator[Printer]:
    """A printer of the rows."""
    printer = Printer(library, rows, kinds, delimiter, null)
    try:
        yield printer
    finally:
        printer.close()
