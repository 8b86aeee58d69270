"""Memory for rows as columns in Arrow's layout, as columns.c fills it."""

import ctypes
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Self

from worker.blob.buffers import GROUP_BYTES, group_bytes
from worker.native.library import Native

if TYPE_CHECKING:
    import pyarrow as pa

# So many times a row group's size of its memory are reused: as much as one needs, with the room it grows by.
_REUSED = 2


class Kind(IntEnum):
    """How values arrive and are laid out, as in columns.c."""

    BOOL = 0
    INT16 = 1
    INT32 = 2
    INT64 = 3
    DATE = 4
    TIME = 5
    TIMESTAMP = 6
    UUID = 7
    BYTES = 8
    JSONB = 9
    DECIMAL = 10
    LIST = 11


# Bytes of a value, of those kinds that have one size.
_WIDTHS = {
    Kind.INT16: 2,
    Kind.INT32: 4,
    Kind.INT64: 8,
    Kind.DATE: 4,
    Kind.TIME: 8,
    Kind.TIMESTAMP: 8,
    Kind.UUID: 16,
}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What a column holds. `arrow` is its type in the file; `element` is that of a LIST."""

    kind: Kind
    arrow: "pa.DataType"
    precision: int = 0
    scale: int = 0
    element: "ColumnType | None" = None

    @property
    def width(self) -> int:
        """Bytes of one value; 0 if values differ in size, or are bits."""
        if self.kind is Kind.DECIMAL:
            return 16 if self.precision <= 38 else 32
        return _WIDTHS.get(self.kind, 0)


class ColumnMemory(ctypes.Structure):
    """Column, as in columns.c."""

    @classmethod
    def of(cls, type_: ColumnType) -> Self:
        """An empty one."""
        child = ctypes.pointer(cls.of(type_.element)) if type_.element else None
        return cls(type_.kind, type_.width, type_.precision, type_.scale, child=child)


ColumnMemory._fields_ = (
    ("kind", ctypes.c_int32),
    ("width", ctypes.c_int32),
    ("precision", ctypes.c_int32),
    ("scale", ctypes.c_int32),
    ("length", ctypes.c_int64),
    ("nulls", ctypes.c_int64),
    ("room", ctypes.c_int64),
    ("validity", ctypes.c_void_p),
    ("values", ctypes.c_void_p),
    ("offsets", ctypes.c_void_p),
    ("bytes_room", ctypes.c_int64),
    ("child", ctypes.POINTER(ColumnMemory)),
)


class Memory:
    """Columns and their values."""

    def __init__(self, library: Native, types: Sequence[ColumnType]) -> None:
        self._library = library
        self.columns = (ColumnMemory * len(types))(*map(ColumnMemory.of, types))

    def empty(self, keep: int) -> None:
        """Removes the values, and frees memory beyond `keep` bytes."""
        self._library.columns_empty(ctypes.addressof(self.columns), len(self.columns), keep)

    def __del__(self) -> None:
        self.empty(keep=0)


class RowGroups:
    """Memory for row groups of one schema, shared by the streams of an export. Safe for threads.

    What a row group lay in is filled again: freeing it each time would cost a third of the CPU, for the kernel's empty
    pages.
    """

    def __init__(
        self, library: Native, schema: "pa.Schema", types: Sequence[ColumnType], *, do_grow: bool = False
    ) -> None:
        """`do_grow`: row groups of a long file are larger, so that their descriptions take less memory."""
        self._do_grow = do_grow
        self.library = library
        self.schema = schema
        self.types = types
        # Whichever thread drops a row group adds to it, and streams take from it.
        self._spare: deque[Memory] = deque()

    def size(self, number: int) -> int:
        """The bytes of a stream's row group of this number, as PostgreSQL sends them."""
        return group_bytes(number * len(self.types)) if self._do_grow else GROUP_BYTES

    def memory(self) -> Memory:
        """Empty memory for a row group."""
        with suppress(IndexError):
            return self._spare.popleft()
        return Memory(self.library, self.types)

    def give_back(self, memory: Memory, size: int) -> None:
        """Takes memory that nothing refers to, for row groups of `size` bytes."""
        memory.empty(keep=_REUSED * size)
        self._spare.append(memory)
