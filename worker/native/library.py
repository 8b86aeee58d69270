"""Edge: the compiled library of this machine, if it was built and psycopg is a compiled package, too."""

import ctypes
from functools import cache
from importlib import import_module
from mmap import mmap
from typing import Any

from psycopg import pq

from worker.native.targets import library_of, signature, this_machine

PATH = library_of(this_machine())


class Libpq:
    """Addresses of libpq's functions that the library calls."""

    def __init__(self) -> None:
        """Raises OSError, ImportError or AttributeError if they cannot be had."""
        if pq.__impl__ not in {"binary", "c"}:
            raise OSError("psycopg is not the package with the extra `binary` or `c`")
        # The libpq that psycopg's own module has loaded, not a second one.
        module = import_module(f"psycopg_{pq.__impl__}.pq")
        libpq = ctypes.CDLL(str(module.__file__))
        self.get_copy_data, self.consume_input, self.free_row = (
            ctypes.cast(function, ctypes.c_void_p).value
            for function in (libpq.PQgetCopyData, libpq.PQconsumeInput, libpq.PQfreemem)
        )


class Native:
    """The library's functions, and libpq's for those that read rows."""

    def __init__(self) -> None:
        """Raises OSError, ImportError or AttributeError if one is not there, stale, or not for this machine."""
        self.libpq = Libpq()
        library = ctypes.CDLL(str(PATH))
        _check(_declared(library.tailrace_build, ctypes.c_char_p)().decode())
        pointer, number, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
        self.copyout_fill = _declared(library.copyout_fill, size, pointer, pointer, size, number)
        self.copyout_close = _declared(library.copyout_close, None, pointer)
        self.csv_fill = _declared(library.csv_fill, size, pointer, pointer, size, number)
        self.csv_close = _declared(library.csv_close, None, pointer)
        self.columns_fill = _declared(library.columns_fill, None, pointer, size, number)
        self.gzip_stream_bytes = _declared(library.gzip_stream_bytes, size)
        self.gzip_bound = _declared(library.gzip_bound, size, size)
        self.gzip_begin = _declared(library.gzip_begin, size, pointer)
        self.gzip_chunk = _declared(library.gzip_chunk, size, pointer, pointer, size, pointer)
        self.gzip_end = _declared(library.gzip_end, size, pointer, ctypes.c_uint32, size, pointer)
        self.rowhash_csv = _declared(library.rowhash_csv, size, pointer, ctypes.c_char_p, size)
        self.rowhash_one = _declared(library.rowhash_one, ctypes.c_uint64, ctypes.c_char_p, size)
        self.columns_empty = _declared(library.columns_empty, size, pointer, ctypes.c_int32, size)


def writable(buffer: bytearray | memoryview | mmap, begin: int = 0) -> Any:
    """What ctypes passes as the address of a buffer from `begin` on; its length is that of the rest."""
    return (ctypes.c_char * (len(buffer) - begin)).from_buffer(buffer, begin)


def _declared(function: Any, result: type | None, *arguments: type) -> Any:
    function.restype, function.argtypes = result, arguments
    return function


def _check(stamp: str) -> None:
    """Refuses a library that was built from other sources, or for another version of this module."""
    wanted = signature()
    if not stamp.startswith(wanted):
        raise OSError(f"{PATH.name} is stale: it was built as {stamp}, and the sources here are {wanted}")


@cache
def _loaded() -> "Native | str":
    try:
        return Native()
    except (OSError, ImportError, AttributeError) as error:
        return str(error)


def native() -> Native | None:
    """The library, or None if it cannot be used."""
    loaded = _loaded()
    return None if isinstance(loaded, str) else loaded


def why_not() -> str | None:
    """Why the library cannot be used here, or None."""
    loaded = _loaded()
    return loaded if isinstance(loaded, str) else None
