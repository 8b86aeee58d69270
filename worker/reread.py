"""Reads the rows of a window again as its export did, into no blob: how many there are now, and their hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from contracts.jobs_file import Jobs
from contracts.output import Output
from contracts.receipt import Receipt, SourceColumn
from contracts.request import ExportRequest
from contracts.row_hash import written
from worker.cancellation import Cancellation
from worker.formats.parquet import require_parquet
from worker.source.catalogue import column_types
from worker.source.copy_out import copy_out
from worker.source.pool import Source
from worker.source.snapshot import Described, Snapshot
from worker.source.statement import copy_statement, relation_of, select_from, select_of, subject_of


@dataclass(frozen=True, slots=True)
class Reread:
    """The rows of a window now. `row_hash` is None if it cannot be compared.

    `columns` says how the columns differ from the export's: those that are gone, or of another type.
    """

    rows: int
    row_hash: str | None
    columns: tuple[str, ...] = ()


def reread(
    connection: psycopg.Connection[Any],
    source: Source,
    request: ExportRequest,
    receipt: Receipt,
    jobs: Jobs,
    cancelled: Cancellation,
) -> Reread:
    """Reads the rows of `request` in the form that its receipt names, on a snapshot of their own.

    Of columns that were added since the export nothing is read. Raises psycopg's errors, SourceRejected, and
    ExportInterrupted once `cancelled` is set.
    """
    selected = select_of(request, jobs)
    with source.snapshot(connection, selected, relation_of(request)) as snapshot:
        today = column_types(connection, snapshot.columns)()
        gone, others = _differences(receipt.columns or today, today)
        if gone:
            return Reread(0, None, tuple(gone))
        described: Sequence[Described] = snapshot.columns
        if receipt.columns and [one.name for one in receipt.columns] != [one.name for one in today]:
            names = [column.name for column in receipt.columns]
            selected = select_from(sql.SQL("({}) AS source").format(selected), names, None)
            by_name = {column.name: column for column in snapshot.columns}
            described = [by_name[name] for name in names]
        output = receipt.output or request.output
        rows, row_hash = hashed(snapshot, selected, described, output, subject_of(request), cancelled)
    return Reread(rows, written(row_hash), tuple(others))


def _differences(then: Sequence[SourceColumn], today: Sequence[SourceColumn]) -> tuple[list[str], list[str]]:
    """Columns that are gone, and those of another type.

    >>> def columns(**types): return [SourceColumn(name=name, type=type_) for name, type_ in types.items()]
    >>> _differences(columns(id="bigint", a="text", b="text"), columns(id="integer", b="text", c="text"))
    (['a is gone'], ['id is integer, and was bigint'])
    """
    types = {column.name: column.type for column in today}
    gone = [f"{column.name} is gone" for column in then if column.name not in types]
    others = [
        f"{column.name} is {types[column.name]}, and was {column.type}"
        for column in then
        if types.get(column.name, column.type) != column.type
    ]
    return gone, others


def hashed(
    snapshot: Snapshot,
    selected: sql.Composed,
    described: Sequence[Described],
    output: Output,
    subject: str,
    cancelled: Cancellation,
) -> tuple[int, int | None]:
    """Rows of a SELECT and their hash, by the COPY of an export in the form of `output`; None if it cannot be made.

    `described` are the columns of the SELECT, `subject` its name in messages. Raises what CopyOut.chunks raises.
    """
    if output.format == "parquet":
        require_parquet()
        # Imports pyarrow, which exports to CSV do without.
        from worker.formats.parquet.rows import hashed_rows

        return hashed_rows(snapshot.connection, selected, described, subject, cancelled)
    statement = copy_statement(selected, output, header=False)
    with copy_out(snapshot.connection, statement, header=False, cancelled=cancelled) as copy:
        for _ in copy.chunks():
            pass
    return copy.rows, copy.row_hash
