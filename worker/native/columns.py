"""Edge: columns.c, rows of a binary COPY as columns in Arrow's layout. `Columns.take` imports pyarrow."""

import ctypes
from typing import TYPE_CHECKING

from worker.native.refusals import Trouble, malformed_rows, refusal
from worker.native.row_groups import ColumnMemory, ColumnType, Kind, Memory, RowGroups
from worker.native.rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa


class _Table(ctypes.Structure):
    """As in columns.c."""

    _fields_ = (
        ("copy", ctypes.c_void_p),
        ("columns", ctypes.POINTER(ColumnMemory)),
        ("count", ctypes.c_int32),
        ("is_begun", ctypes.c_int32),
        ("is_ended", ctypes.c_int32),
        ("trouble", ctypes.c_int32),
        ("column", ctypes.c_int32),
        ("rows", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
    )


class _Shown:
    """Memory that Arrow arrays refer to; it is given back once the last of them is gone."""

    def __init__(self, memory: Memory, groups: RowGroups, size: int) -> None:
        self.memory = memory
        self._groups = groups
        self._size = size

    def __del__(self) -> None:
        self._groups.give_back(self.memory, self._size)


class Columns:
    """Gathers the rows of one COPY to record batches of the schema; `rows` and `bytes` count them all."""

    def __init__(self, rows: Rows, groups: RowGroups, subject: str) -> None:
        """`subject` is what an error calls the source of the rows."""
        self._subject = subject
        self._rows = rows
        self._groups = groups
        # Taken as late as possible: until then the row group before may give its own back.
        self._memory: Memory | None = None
        self._table = _Table(ctypes.addressof(rows.copy), None, len(groups.types))
        self._rows_taken = self._bytes_taken = self._limit = 0

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
        if self._memory is None:
            self._memory = self._groups.memory()
            self._table.columns = self._memory.columns
        self._limit = limit
        self._groups.library.columns_fill(ctypes.addressof(self._table), limit, timeout_ms)
        self._rows.check()
        if self._table.trouble:
            raise self._refused()
        return bool(self._table.bytes >= limit)

    def take(self) -> "pa.RecordBatch":
        """The rows since the last call of `fill`, without a copy."""
        import pyarrow as pa

        assert self._memory is not None
        shown, self._memory = _Shown(self._memory, self._groups, self._limit), None
        self._rows_taken, self._bytes_taken = self.rows, self.bytes
        self._table.bytes = 0
        columns = zip(shown.memory.columns, self._groups.types, strict=True)
        arrays = [_array(column, type_, shown) for column, type_ in columns]
        return pa.RecordBatch.from_arrays(arrays, schema=self._groups.schema)

    def _refused(self) -> Exception:
        index = int(self._table.column)
        if index < 0:
            return malformed_rows(self._subject)
        name, type_ = self._groups.schema.field(index).name, self._groups.types[index]
        is_decimal = (type_.element or type_).kind is Kind.DECIMAL
        trouble = Trouble(self._table.trouble)
        return refusal(trouble, self._subject, name, str(type_.arrow), is_decimal=is_decimal)


def _array(column: ColumnMemory, type_: ColumnType, memory: _Shown) -> "pa.Array":
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
