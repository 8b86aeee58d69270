"""The rows of SELECTs as one Parquet file; each SELECT has its reader. Imports pyarrow."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from contracts import row_hash
from contracts.errors import ExportIncomplete, SourceRejected
from contracts.output import Output
from contracts.receipt import Part
from worker.blob.blocks import PartUpload
from worker.cancellation import Cancellation
from worker.formats.parquet.encodings import check_columns
from worker.formats.parquet.types import binary_copy, row_groups, selected_column
from worker.formats.parquet.writer import write_groups
from worker.formats.prefetch import prefetch
from worker.native.row_groups import RowGroups
from worker.source.copy_out import CopyOut, copy_out
from worker.source.readers import Reader
from worker.source.snapshot import Described


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """The file to write: `output` says how, and messages call the source of its rows `subject`."""

    part: PartUpload
    output: Output
    subject: str


def write_parquet(
    readers: Sequence[Reader],
    selects: Sequence[sql.Composed],
    described: Sequence[Described],
    file: ParquetFile,
    cancelled: Cancellation,
) -> Part:
    """Writes the rows of `selects`, which have the columns `described`, each read by one of the readers.

    Raises SourceRejected for what Parquet cannot hold or `file.output` misnames, ExportInterrupted if `cancelled` is
    set, and psycopg's errors.
    """
    subject = file.subject
    with ExitStack() as opened:
        connections = [opened.enter_context(reader) for reader in readers]
        columns = list(map(selected_column, described))
        if not columns:
            says = f"export of {subject} was refused: a Parquet file has at least one column"
            raise SourceRejected(says, advice="export it as csv", reason="NotSupported")
        # A bloom filter is as large as the first row group needs it, and no further one may have more rows.
        groups = row_groups(columns, do_grow=not file.output.false_positives)
        check_columns(file.output, groups.schema, subject)
        copies: list[CopyOut] = []
        streams = [
            opened.enter_context(
                prefetch(_groups(connection, binary_copy(select, columns), groups, copies, subject), cancelled)
            )
            for connection, select in zip(connections, selects, strict=True)
        ]
        written = write_groups(streams, groups.schema, file.output, file.part, subject)
    rows = sum(copy.rows for copy in copies)
    if written != rows:
        raise ExportIncomplete(f"the export is incomplete: {written} rows were written of the {rows} that arrived")
    hashes = row_hash.combined(copy.row_hash for copy in copies)
    return file.part.finished(rows, sum(copy.bytes for copy in copies), hashes)


def _groups(
    connection: psycopg.Connection[Any], statement: sql.Composed, groups: RowGroups, copies: list[CopyOut], subject: str
) -> Callable[[Cancellation], Iterator[pa.RecordBatch]]:
    """Reads row groups, and adds the COPY that counts them to `copies`."""

    def produce(cancelled: Cancellation) -> Iterator[pa.RecordBatch]:
        with copy_out(connection, statement, header=False, cancelled=cancelled) as copy:
            copies.append(copy)
            yield from copy.groups(groups, subject)

    return produce
