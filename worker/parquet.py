"""Edge: rows as one Parquet file, by way of binary COPY into Arrow. Needs the extra `parquet`.

A thread for each connection fetches record batches (ADBC's PostgreSQL driver), this one gathers them to row groups,
which it encodes and compresses (Arrow's Parquet writer); all leave the GIL alone.
"""

import io
from collections import deque
from collections.abc import Buffer, Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, override

from psycopg.conninfo import make_conninfo

from contracts.errors import SourceRejected
from contracts.receipt import Part
from worker.blocks import PartUpload
from worker.parquet_fetch import fetched
from worker.parquet_types import NO_LIST, converted, file_schema, numerics_as_text
from worker.snapshot import Cancellation
from worker.source_errors import Trouble, translated

if TYPE_CHECKING:
    import pyarrow as pa

# Arrow's bytes in one row group: twice as many make the file 0.5% smaller, half as many 1% larger.
_GROUP_BYTES = 16 << 20
# Arrow's bytes in one batch. The memory that is held beside a row group is a few of them.
_BATCH_BYTES = 2 << 20
# A column has a dictionary if each of its values occurs so often on average. Below, a dictionary costs more time than
# it saves; for ids and times, which occur once, the file is larger with it, too.
_DICTIONARY_FROM = 3


def copy_parquet(
    connect: dict[str, Any],
    begin: list[str],
    selects: list[str],
    part: PartUpload,
    subject: str,
    cancelled: Cancellation,
) -> Part:
    """Writes the rows of `selects`, which have the same columns, as one Parquet file.

    Each runs on a connection of its own, after `begin`; their row groups take turns, so that the same data gives the
    same file.
    Raises SourceRejected or SourceUnavailable, and ExportInterrupted once it is cancelled.
    """
    _require_libraries()
    import adbc_driver_manager as manager

    try:
        with ExitStack() as opened:
            cursors = [opened.enter_context(_cursor(connect, begin)) for _ in selects]
            typed = cursors[0].adbc_execute_schema(selects[0])
            streams = [
                opened.enter_context(fetched(cursor, numerics_as_text(select, typed), cancelled))
                for cursor, select in zip(cursors, selects, strict=True)
            ]
            return part.finished(*_write(streams, file_schema(typed), part))
    except manager.Error as error:
        cause = str(error).strip().partition("\n")[0]
        raise translated(Trouble(error.sqlstate or "", cause, ""), subject) from error
    except OSError as error:
        # In the middle of the rows the driver passes the server's message on, without its SQLSTATE.
        cause = str(error).strip().partition("\n")[0]
        if NO_LIST in cause:
            raise SourceRejected(f"export of {subject} was refused: {NO_LIST}", reason="NotSupported") from error
        raise translated(Trouble("", cause, ""), subject) from error


@contextmanager
def _cursor(connect: dict[str, Any], begin: list[str]) -> Iterator[Any]:
    from adbc_driver_postgresql import dbapi

    with closing(dbapi.connect(make_conninfo(**connect), autocommit=True)) as connection, connection.cursor() as cursor:
        for statement in begin:
            cursor.execute(statement)
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
        yield cursor


def _write(streams: "list[Iterator[pa.RecordBatch]]", schema: "pa.Schema", part: PartUpload) -> tuple[int, int]:
    """Writes the file; gives its rows and what they took in Arrow's memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = arrow_bytes = 0
    groups = _row_groups(streams, schema)
    group = next(groups, [])
    with pq.ParquetWriter(
        _Output(part), schema, compression="zstd", compression_level=1, use_dictionary=_repetitive(group, schema)
    ) as writer:
        while group:
            writer.write_table(pa.Table.from_batches(group))
            rows += sum(batch.num_rows for batch in group)
            arrow_bytes += sum(batch.nbytes for batch in group)
            # Its memory is given back before the next one takes its own.
            group.clear()
            group = next(groups, [])
    return rows, arrow_bytes


def _row_groups(streams: "list[Iterator[pa.RecordBatch]]", schema: "pa.Schema") -> "Iterator[list[pa.RecordBatch]]":
    """One of each stream that has rows left, in turn."""
    left = deque(streams)
    while left:
        stream = left.popleft()
        if group := _row_group(stream, schema):
            left.append(stream)
            yield group


def _row_group(batches: "Iterator[pa.RecordBatch]", schema: "pa.Schema") -> "list[pa.RecordBatch]":
    """The next batches, as they are written; none at the end."""
    group: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        group.append(converted(batch, schema))
        size += group[-1].nbytes
        if size >= _GROUP_BYTES:
            break
    return group


def _repetitive(group: "list[pa.RecordBatch]", schema: "pa.Schema") -> list[str]:
    """Paths of the columns that get a dictionary, going by the first row group.

    A column of NULLs gets one, since its values are yet to be seen: the writer gives up a dictionary that grows large.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    paths = []
    for field, column in zip(schema, pa.Table.from_batches(group, schema).columns, strict=True):
        path, values = field.name, column
        if pa.types.is_list(field.type):
            path, values = f"{path}.list.element", pc.list_flatten(column)
        elif isinstance(field.type, pa.BaseExtensionType):
            values = pa.chunked_array([chunk.storage for chunk in column.chunks], field.type.storage_type)
        if pc.count_distinct(values).as_py() * _DICTIONARY_FROM <= len(values) - values.null_count:
            paths.append(path)
    return paths


class _Output(io.RawIOBase):
    """The file that Arrow writes."""

    def __init__(self, part: PartUpload) -> None:
        self._part = part

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Buffer, /) -> int:
        self._part.write(data)
        return len(memoryview(data))


def _require_libraries() -> None:
    try:
        import_module("pyarrow")
        import_module("adbc_driver_postgresql")
    except ImportError as error:
        raise SourceRejected(
            f'format = "parquet" needs the package {error.name}, which this worker does not have; '
            "install the extra `parquet` (docs/formats.md), then replay",
            reason="FormatNotInstalled",
        ) from None
