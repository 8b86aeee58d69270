"""Messages of a binary COPY, and a libpq that yields them."""

import ctypes
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from worker.native.library import native

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = struct.pack(">h", -1)
LIBC = ctypes.CDLL(None)
LIBC.malloc.restype = ctypes.c_void_p
LIBC.malloc.argtypes = (ctypes.c_size_t,)
LIBC.free.argtypes = (ctypes.c_void_p,)


def row(*fields: bytes | None) -> bytes:
    sized = (struct.pack(">i", -1) if one is None else struct.pack(">i", len(one)) + one for one in fields)
    return struct.pack(">h", len(fields)) + b"".join(sized)


@dataclass
class FakeLibpq:
    """Yields messages, each in memory of exactly its size, so that sanitizers detect reads beyond it."""

    messages: Iterator[bytes]
    callbacks: list[Any] = field(default_factory=list)

    def library(self) -> Any:
        real = native()
        assert real is not None

        def get(_: int, row_pointer: int, __: int) -> int:
            message = next(self.messages, None)
            if message is None:
                return -1
            address = LIBC.malloc(max(1, len(message)))
            ctypes.memmove(address, message, len(message))
            ctypes.c_void_p.from_address(row_pointer).value = address
            return len(message)

        kinds = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
        self.callbacks = [kinds(get)]
        addresses = [ctypes.cast(self.callbacks[0], ctypes.c_void_p).value]
        addresses += [ctypes.cast(LIBC.free, ctypes.c_void_p).value] * 2
        libpq = SimpleNamespace(**dict(zip(("get_copy_data", "consume_input", "free_row"), addresses, strict=True)))
        return SimpleNamespace(**{**vars(real), "libpq": libpq})
