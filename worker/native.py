"""Edge: the loop of copyout.c, where it is built (`make native`) and psycopg is the binary package it is for."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg
from psycopg import pq

LIBRARY = Path(__file__).with_name("copyout.so")
_FAILED = -2


class _Copy(ctypes.Structure):
    """As in copyout.c."""

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
    )


class _Loaded:
    """The library, and the addresses of libpq's functions that it calls."""

    def __init__(self) -> None:
        """Raises OSError or ImportError where one of them is not there, or not for this machine."""
        import psycopg_binary

        # The file that psycopg has loaded, so that this is the same library and no second one.
        beside = Path(psycopg_binary.__file__).parents[1] / "psycopg_binary.libs"
        path = next(beside.glob("libpq-*.so*"), None)
        if pq.__impl__ != "binary" or path is None:
            raise OSError("psycopg is not the binary package")
        libpq = ctypes.CDLL(str(path))
        self.get_copy_data, self.consume_input, self.free_row = (
            ctypes.cast(function, ctypes.c_void_p).value
            for function in (libpq.PQgetCopyData, libpq.PQconsumeInput, libpq.PQfreemem)
        )
        library = ctypes.CDLL(str(LIBRARY))
        self.fill, self.close = library.copyout_fill, library.copyout_close
        self.fill.restype = ctypes.c_int64
        self.fill.argtypes = (ctypes.POINTER(_Copy), ctypes.c_void_p, ctypes.c_int64, ctypes.c_int)
        self.close.restype = None
        self.close.argtypes = (ctypes.POINTER(_Copy),)


@cache
def _loaded() -> "_Loaded | str":
    try:
        return _Loaded()
    except (OSError, ImportError, AttributeError) as error:
        return str(error)


def why_not() -> str | None:
    """Why the loop cannot be used here, or None."""
    loaded = _loaded()
    return loaded if isinstance(loaded, str) else None


class Rows:
    """The rows of one COPY, joined. `messages` counts them, `is_ended` says that there are no more."""

    def __init__(self, pgconn: pq.abc.PGconn, loaded: _Loaded) -> None:
        self._pgconn = pgconn
        self._loaded = loaded
        self._copy = _Copy(
            pgconn.pgconn_ptr,  # type: ignore[attr-defined]  # of every implementation, though not of the protocol
            loaded.get_copy_data,
            loaded.consume_input,
            loaded.free_row,
            pgconn.socket,
        )

    @property
    def messages(self) -> int:
        """So far, the header's included."""
        return int(self._copy.messages)

    @property
    def is_ended(self) -> bool:
        """Whether the COPY has sent its last row, or failed: its result tells."""
        return bool(self._copy.state)

    def fill(self, buffer: bytearray, begin: int, timeout_ms: int) -> int:
        """Writes rows from `begin` on until the buffer is full, and gives how many bytes; fewer at the end or in time.

        Raises psycopg.OperationalError where the connection is lost.
        """
        room = (ctypes.c_char * (len(buffer) - begin)).from_buffer(buffer, begin)
        filled = int(self._loaded.fill(self._copy, ctypes.addressof(room), len(room), timeout_ms))
        if self._copy.state == _FAILED:
            raise psycopg.OperationalError(f"reading rows failed: {self._pgconn.get_error_message()}")
        return filled

    def close(self) -> None:
        """Frees the row that is not wholly taken."""
        self._loaded.close(self._copy)


@contextmanager
def open_rows(pgconn: pq.abc.PGconn) -> Iterator[Rows | None]:
    """The rows of the COPY that is under way, or None where the loop cannot be used."""
    loaded = _loaded()
    if isinstance(loaded, str):
        yield None
        return
    rows = Rows(pgconn, loaded)
    try:
        yield rows
    finally:
        rows.close()
