"""Edge: rows as one Parquet file, by way of binary COPY into Arrow. Needs the extra `parquet`.

One thread fetches record batches (ADBC's PostgreSQL driver), this one encodes and compresses them (Arrow's Parquet
writer); both leave the GIL alone.
"""

import io
from collections.abc import Buffer, Iterator
from contextlib import closing, contextmanager, suppress
from importlib import import_module
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, override

from psycopg import sql
from psycopg.conninfo import make_conninfo

from contracts.errors import ExportInterrupted, SourceRejected
from contracts.receipt import Part
from worker.blocks import PartUpload
from worker.snapshot import Cancellation
from worker.source_errors import Trouble, translated

if TYPE_CHECKING:
    import pyarrow as pa

# Arrow's bytes in one batch, which becomes one row group: large enough to compress well, small enough to hold four.
_BATCH_BYTES = 16 << 20
_BATCHES_AHEAD = 2
# PostgreSQL's types that Arrow has too; every other one is written as its text.
_KEPT = {"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name", "bytea"}
_KEPT |= {"date", "time", "timestamp", "timestamptz", "numeric", "uuid", "json", "jsonb"}
_NO_LIST = "an array of several dimensions is no Parquet list: cast it to text or jsonb in a query"


def copy_parquet(
    connect: dict[str, Any], statements: list[str], part: PartUpload, subject: str, cancelled: Cancellation
) -> Part:
    """Runs `statements`, of which the last one gives rows, and writes these as one Parquet file.

    Raises SourceRejected or SourceUnavailable, and ExportInterrupted once it is cancelled.
    """
    _require_libraries()
    import adbc_driver_manager as manager
    import pyarrow.parquet as pq
    from adbc_driver_postgresql import dbapi

    rows = arrow_bytes = 0
    try:
        with (
            closing(dbapi.connect(make_conninfo(**connect), autocommit=True)) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements[:-1]:
                cursor.execute(statement)
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
            cursor.execute(statements[-1])
            reader = cursor.fetch_record_batch()
            schema = _file_schema(reader.schema)
            with pq.ParquetWriter(_Output(part), schema, compression="zstd", compression_level=1) as writer:
                with _fetched(reader, cursor, cancelled) as batches:
                    for batch in batches:
                        writer.write_batch(_converted(batch, schema))
                        rows += batch.num_rows
                        arrow_bytes += batch.nbytes
    except manager.Error as error:
        cause = str(error).strip().partition("\n")[0]
        raise translated(Trouble(error.sqlstate or "", cause, ""), subject) from error
    except OSError as error:
        # In the middle of the rows the driver passes the server's message on, without its SQLSTATE.
        cause = str(error).strip().partition("\n")[0]
        if _NO_LIST in cause:
            raise SourceRejected(f"export of {subject} was refused: {_NO_LIST}", reason="NotSupported") from error
        raise translated(Trouble("", cause, ""), subject) from error
    return part.finished(rows, arrow_bytes)


def as_arrow_takes_it(selected: sql.Composable, columns: list[tuple[str, str]]) -> sql.Composed:
    """Wraps a SELECT so that every column has a type that Arrow keeps; `columns` are (name, type) as in pg_type.

    >>> print(as_arrow_takes_it(sql.SQL("SELECT 1"), [("id", "int8"), ("at", "inet"), ("n", "oid")]).as_string())
    SELECT "id", "at"::text AS "at", "n"::int8 AS "n" FROM (SELECT 1) AS source
    """
    return sql.SQL("SELECT {} FROM ({}) AS source").format(sql.SQL(", ").join(map(_expression, columns)), selected)


def _expression(column: tuple[str, str]) -> sql.Composable:
    name, kind = sql.Identifier(column[0]), column[1]
    if kind in _KEPT:
        return name
    if kind.startswith("_") and kind[1:] in _KEPT - {"numeric", "json", "jsonb", "uuid"}:
        # The driver would flatten an array of several dimensions without a word; this makes it an error.
        return sql.SQL(
            "CASE WHEN array_ndims({name}) > 1 THEN (left({name}::text, 0) || {message})::{kind}"
            " ELSE {name} END AS {name}"
        ).format(name=name, message=sql.Literal(_NO_LIST), kind=sql.SQL(f"{kind[1:]}[]"))
    return sql.SQL("{}::{} AS {}").format(name, sql.SQL("int8" if kind == "oid" else "text"), name)


def _file_schema(schema: "pa.Schema") -> "pa.Schema":
    """What is written: numerics of a declared precision as decimals, the others as text."""
    import pyarrow as pa

    return pa.schema([pa.field(field.name, _file_type(field)) for field in schema])


def _file_type(field: "pa.Field") -> "pa.DataType":
    import pyarrow as pa

    metadata = field.metadata or {}
    if metadata.get(b"POSTGRESQL:type") != b"numeric":
        return field.type
    modifier = int(metadata.get(b"POSTGRESQL:typmod", b"-1")) - 4
    precision, scale = modifier >> 16, modifier & 0x7FF
    # The scale is an 11-bit number with a sign.
    scale = scale - 2048 if scale >= 1024 else scale
    if modifier < 0 or precision > 76 or not 0 <= scale <= precision:
        return pa.string()
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def _converted(batch: "pa.RecordBatch", schema: "pa.Schema") -> "pa.RecordBatch":
    import pyarrow as pa

    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        values = column if column.type == field.type else column.storage
        try:
            columns.append(values if values.type == field.type else values.cast(field.type))
        except pa.ArrowInvalid as error:
            raise SourceRejected(
                f"column {field.name!r} holds a value that {field.type} cannot ({error}); "
                "NaN and infinity are none: cast the column to text or float8 in a query",
                reason="QueryFails",
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


@contextmanager
def _fetched(reader: Any, cursor: Any, cancelled: Cancellation) -> Iterator[Iterator["pa.RecordBatch"]]:
    """Batches, fetched a few ahead by a thread, which ends with the block."""
    ahead: Queue[Any] = Queue(_BATCHES_AHEAD)
    ended = Event()

    def fetch() -> None:
        item: Any = None
        try:
            for item in reader:
                _put(ahead, item, ended)
            item = None
        except Exception as error:  # noqa: BLE001  # passed on to the thread that writes
            item = error
        _put(ahead, item, ended)

    def batches() -> Iterator["pa.RecordBatch"]:
        while True:
            if cancelled.is_set():
                raise ExportInterrupted("the export was stopped: its lock is lost or this process is stopping")
            with suppress(Empty):
                item = ahead.get(timeout=1.0)
                if item is None:
                    return
                if isinstance(item, Exception):
                    raise item
                yield item

    fetcher = Thread(target=fetch, name="fetch", daemon=True)
    fetcher.start()
    try:
        yield batches()
    except BaseException:
        cursor.adbc_cancel()
        raise
    finally:
        ended.set()
        fetcher.join()


def _put(ahead: "Queue[Any]", item: Any, ended: Event) -> None:
    while not ended.is_set():
        with suppress(Full):
            ahead.put(item, timeout=0.2)
            return


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
