"""The rows of SELECTs as one Parquet file; each SELECT has its reader. Imports pyarrow."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from contracts import row_hash
from contracts.errors import ExportIncomplete, SourceRejected
from contracts.receipt import Part
from worker.blob.blocks import PartUpload
from worker.cancellation import Cancellation
from worker.formats.parquet.types import SelectedColumn, binary_copy, schema_of, selected_column
from worker.formats.parquet.writer import write_groups
from worker.formats.prefetch import prefetch
from worker.native.library import native
from worker.source.copy_out import CopyOut, copy_out
from worker.source.readers import Reader
from worker.source.snapshot import Described


def write_parquet(
    readers: Sequence[Reader],
    selects: Sequence[sql.Composed],
    described: Sequence[Described],
    part: PartUpload,
    subject: str,
    cancelled: Cancellation,
) -> Part:
    """Writes the rows of `selects`, which have the columns `described`, each read by one of the readers.

    Raises SourceRejected for what Parquet cannot hold, ExportInterrupted if `cancelled` is set, and psycopg's errors.
    """
    with ExitStack() as opened:
        connections = [opened.enter_context(reader) for reader in readers]
        columns = list(map(selected_column, described))
        if not columns:
            says = f"export of {subject} was refused: a Parquet file has at least one column"
            raise SourceRejected(says, advice="export it as csv", reason="NotSupported")
        copies: list[CopyOut] = []
        streams = [
            opened.enter_context(
                prefetch(_groups(connection, binary_copy(select, columns), columns, copies, subject), cancelled)
            )
            for connection, select in zip(connections, selects, strict=True)
        ]
        written = write_groups(streams, schema_of(columns), part)
    rows = sum(copy.rows for copy in copies)
    if written != rows:
        raise ExportIncomplete(f"the export is incomplete: {written} rows were written of the {rows} that arrived")
    hashes = row_hash.combined(copy.row_hash for copy in copies)
    return part.finished(rows, sum(copy.bytes for copy in copies), hashes)


def _groups(
    connection: psycopg.Connection[Any],
    statement: sql.Composed,
    columns: list[SelectedColumn],
    copies: list[CopyOut],
    subject: str,
) -> Callable[[Cancellation], Iterator[pa.RecordBatch]]:
    """Reads row groups, and adds the COPY that counts them to `copies`."""
    library = native()
    assert library is not None

    def produce(cancelled: Cancellation) -> Iterator[pa.RecordBatch]:
        with copy_out(connection, statement, header=False, cancelled=cancelled) as copy:
            copies.append(copy)
            yield from copy.groups(library, schema_of(columns), [column.type for column in columns], subject)

    return produce
