"""Edge: columns.c, rows of a binary COPY as columns in Arrow's layout. `Columns.take` imports pyarrow."""

import ctypes
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Self

from worker.blob.buffers import GROUP_BYTES
from worker.native.library import Native
from worker.native.refusals import Trouble, malformed_rows, refusal
from worker.native.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

# Memory that all columns together reuse for the next row group: as much as one needs, with the room they grow by.
_REUSED_BYTES = 2 * GROUP_BYTES


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


class _Column(ctypes.Structure):
    """As in columns.c."""

    @classmethod
    def of(cls, type_: ColumnType) -> Self:
        """An empty one."""
        child = ctypes.pointer(cls.of(type_.element)) if type_.element else None
        return cls(type_.kind, type_.width, type_.precision, type_.scale, child=child)


_Column._fields_ = (
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
    ("child", ctypes.POINTER(_Column)),
)


class _Table(ctypes.Structure):
    """As in columns.c."""

    _fields_ = (
        ("copy", ctypes.c_void_p),
        ("columns", ctypes.POINTER(_Column)),
        ("count", ctypes.c_int32),
        ("is_begun", ctypes.c_int32),
        ("is_ended", ctypes.c_int32),
        ("trouble", ctypes.c_int32),
        ("column", ctypes.c_int32),
        ("rows", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
    )


class _Memory:
    """Columns and their values."""

    def __init__(self, library: Native, types: Sequence[ColumnType]) -> None:
        self._library = library
        self.columns = (_Column * len(types))(*map(_Column.of, types))

    def empty(self, keep: int = _REUSED_BYTES) -> None:
        """Removes the values, and frees memory beyond `keep` bytes."""
        self._library.columns_empty(ctypes.addressof(self.columns), len(self.columns), keep)

    def __del__(self) -> None:
        self.empty(keep=0)


class _Shown:
    """Memory that Arrow arrays refer to; it is filled again once the last of them is gone.

    Freeing it after each row group would cost a third of the CPU, for the kernel's empty pages.
    """

    def __init__(self, memory: _Memory, spare: deque[_Memory]) -> None:
        self.memory = memory
        self._spare = spare

    def __del__(self) -> None:
        self.memory.empty()
        self._spare.append(self.memory)


class Columns:
    """Gathers the rows of one COPY to record batches of the schema; `rows` and `bytes` count them all."""

    def __init__(
        self, library: Native, rows: Rows, schema: "pa.Schema", types: Sequence[ColumnType], subject: str
    ) -> None:
        """`subject` is what an error calls the source of the rows."""
        self._subject = subject
        self._library = library
        self._rows = rows
        self._schema = schema
        self._types = types
        self._memory = _Memory(library, types)
        self._spare: deque[_Memory] = deque()
        self._table = _Table(ctypes.addressof(rows.copy), self._memory.columns, len(types))
        self._rows_taken = self._bytes_taken = 0

    @property
    def rows(self) -> int:
        """So far."""
        return int(self._table.rows)

    @property
    def bytes(self) -> int:
        """Of the rows so far, as PostgreSQL sent them."""
        return self._bytes_taken + int(self._table.bytes)

    @property
    def gathered(self) -> int:
        """Rows that `take` would return."""
        return self.rows - self._rows_taken

    @property
    def is_complete(self) -> bool:
        """Whether the mark that ends the rows has arrived."""
        return bool(self._table.is_ended)

    def fill(self, limit: int, timeout_ms: int) -> bool:
        """Takes rows until they have `limit` bytes; returns whether they do, as they may end or be late.

        Raises SourceRejected for a value that the column's type cannot hold, psycopg.Error if the connection is lost.
        """
        self._library.columns_fill(ctypes.addressof(self._table), limit, timeout_ms)
        self._rows.check()
        if self._table.trouble:
            raise self._refused()
        return bool(self._table.bytes >= limit)

    def take(self) -> "pa.RecordBatch":
        """The rows since the last call, without a copy."""
        import pyarrow as pa

        shown = _Shown(self._memory, self._spare)
        self._memory = self._spare.popleft() if self._spare else _Memory(self._library, self._types)
        self._table.columns = self._memory.columns
        self._rows_taken, self._bytes_taken = self.rows, self.bytes
        self._table.bytes = 0
        arrays = [_array(column, type_, shown) for column, type_ in zip(shown.memory.columns, self._types, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _refused(self) -> Exception:
        index = int(self._table.column)
        if index < 0:
            return malformed_rows(self._subject)
        name, type_ = self._schema.field(index).name, self._types[index]
        is_decimal = (type_.element or type_).kind is Kind.DECIMAL
        trouble = Trouble(self._table.trouble)
        return refusal(trouble, self._subject, name, str(type_.arrow), is_decimal=is_decimal)


def _array(column: _Column, type_: ColumnType, memory: _Shown) -> "pa.Array":
    """Shows a column's memory as an Arrow array of `type_.arrow`, without a copy."""
    import pyarrow as pa

    def shown(address: int | None, size: int) -> "pa.Buffer":
        return pa.foreign_buffer(address, size, memory) if address and size else pa.py_buffer(b"")

    length, bits = column.length, (column.length + 7) // 8
    buffers = [shown(column.validity, bits) if column.nulls else None]
    size = length * type_.width or bits
    if type_.kind in {Kind.BYTES, Kind.JSONB, Kind.LIST}:
        # Arrow wants the one offset of an empty array as well.
        buffers.append(shown(column.offsets, 4 * (length + 1)) if length else pa.py_buffer(bytes(4)))
        size = ctypes.cast(column.offsets, ctypes.POINTER(ctypes.c_int32))[length] if length else 0
    if type_.kind is not Kind.LIST:
        buffers.append(shown(column.values, size))
    children = [_array(column.child[0], type_.element, memory)] if type_.element else None
    is_extension = isinstance(type_.arrow, pa.BaseExtensionType)
    storage = type_.arrow.storage_type if is_extension else type_.arrow
    found = pa.Array.from_buffers(storage, length, buffers, column.nulls, children=children)
    return pa.ExtensionArray.from_storage(type_.arrow, found) if is_extension else found
