"""The rows of SELECTs as one Parquet file, each SELECT on a connection of its own. Imports pyarrow."""

from contextlib import ExitStack
from typing import Any

import psycopg
from psycopg import sql

from contracts.errors import SourceRejected
from contracts.receipt import Part
from worker.blocks import PartUpload
from worker.parquet.streams import streamed
from worker.parquet.types import binary_copy, described, schema_of
from worker.parquet.writer import write_parquet
from worker.snapshot import Cancellation


def copy_parquet(
    connections: list[psycopg.Connection[Any]],
    selects: list[sql.Composed],
    part: PartUpload,
    cancelled: Cancellation,
) -> Part:
    """Writes the rows of `selects`, which have the same columns, each read by one of the connections.

    Raises SourceRejected for what Parquet cannot hold, ExportInterrupted once it is cancelled, and what psycopg does.
    """
    columns = described(connections[0], selects[0])
    if not columns:
        raise SourceRejected("a table without columns is no Parquet file; leave it out", reason="NotSupported")
    with ExitStack() as opened:
        streams = [
            opened.enter_context(streamed(connection, binary_copy(select, columns), columns, cancelled))
            for connection, select in zip(connections, selects, strict=True)
        ]
        write_parquet(streams, schema_of(columns), part)
    return part.finished(sum(stream.rows for stream in streams), sum(stream.bytes for stream in streams))
