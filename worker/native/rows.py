"""Edge: copyout.c, the rows of a COPY joined outside of Python's lock."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from mmap import mmap

import psycopg
from psycopg import pq

from worker.native.library import Native, writable

_FAILED = -2


class Copy(ctypes.Structure):
    """As in copyout.h."""

    _fields_ = (
        ("connection", ctypes.c_void_p),
        ("get_copy_data", ctypes.c_void_p),
        ("consume_input", ctypes.c_void_p),
        ("free_row", ctypes.c_void_p),
        ("socket", ctypes.c_int),
        ("state", ctypes.c_int),
        ("row", ctypes.c_void_p),
        ("row_size", ctypes.c_int64),
        ("row_done", ctypes.c_int64),
        ("messages", ctypes.c_int64),
        ("unhashed", ctypes.c_int64),
        ("row_hash", ctypes.c_uint64),
    )


class Rows:
    """The rows of one COPY. `count` is how many so far, `is_ended` says that there are no more."""

    def __init__(self, pgconn: pq.abc.PGconn, library: Native, unhashed: int = 0) -> None:
        """`unhashed` messages precede the rows."""
        self._pgconn = pgconn
        self._library = library
        libpq = library.libpq
        self.copy = Copy(
            pgconn.pgconn_ptr,  # type: ignore[attr-defined]  # of every implementation, though not of the protocol
            libpq.get_copy_data,
            libpq.consume_input,
            libpq.free_row,
            pgconn.socket,
            unhashed=unhashed,
        )

    @property
    def count(self) -> int:
        """Rows so far."""
        return max(0, int(self.copy.messages - self.copy.unhashed))

    @property
    def has_more(self) -> bool:
        """Whether `fill` may have more to write."""
        return not self.is_ended

    @property
    def row_hash(self) -> int:
        """The order-independent hash of the rows so far: the sum of their XXH3-64, modulo 2**64."""
        return int(self.copy.row_hash)

    @property
    def is_ended(self) -> bool:
        """Whether the COPY has sent its last row, or failed: only its result says which."""
        return bool(self.copy.state)

    @property
    def row_bytes(self) -> int:
        """The size of the row that was received last."""
        return int(self.copy.row_size)

    def fill(self, buffer: bytearray | mmap, begin: int, timeout_ms: int) -> int:
        """Writes rows from `begin` on until the buffer is full; returns the bytes written, as rows may end or be late.

        Raises psycopg.Error if the connection is lost.
        """
        room = writable(buffer, begin)
        filled = int(
            self._library.copyout_fill(ctypes.addressof(self.copy), ctypes.addressof(room), len(room), timeout_ms)
        )
        self.check()
        return filled

    def check(self) -> None:
        """Raises psycopg.Error if the connection is lost."""
        if self.copy.state == _FAILED:
            raise self._failure()

    def _failure(self) -> psycopg.Error:
        """Why the connection was lost: the server's last message may still be in libpq's buffer, behind rows."""
        lost = psycopg.OperationalError(f"reading rows failed: {self._pgconn.get_error_message()}")
        with suppress(psycopg.Error):
            while self._pgconn.get_copy_data(1)[0] > 0:
                pass
            result = self._pgconn.get_result()
            if result is not None and result.error_field(pq.DiagnosticField.SQLSTATE):
                return psycopg.errors.error_from_result(result)
        return lost

    def close(self) -> None:
        """Frees the row that is not wholly taken."""
        self._library.copyout_close(ctypes.addressof(self.copy))


@contextmanager
def open_rows(pgconn: pq.abc.PGconn, library: Native, unhashed: int = 0) -> Iterator[Rows]:
    """The rows of the COPY that this connection runs; `unhashed` messages precede them."""
    rows = Rows(pgconn, library, unhashed)
    try:
        yield rows
    finally:
        rows.close()
