"""Puts a blob's rows back into a table: COPY FROM straight out of the decoder, in one transaction of the caller's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg
from psycopg import sql

from contracts.output import Output
from contracts.receipt import Receipt
from contracts.window import Window
from operations.blobs import Blob, Blobs
from operations.parquet_rows import parquet_rows
from operations.receipt_check import ReceiptCheck
from operations.rows_there import RowsThere
from operations.target import RestoreRefused, Target
from operations.verify import NO_RECEIPT, damage
from worker.cancellation import Cancellation
from worker.formats.prefetch import prefetch
from worker.source.statement import within

type Mode = Literal["refuse", "append", "replace"]


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of one blob: its rows, and whether they were in the table already."""

    blob: str
    rows: int
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class How:
    """How a blob is restored.

    `output` is the form of a file whose receipt does not record it. `progress` is called with the bytes that were read.
    `cancelled` ends the restore with ExportInterrupted.
    """

    mode: Mode = "refuse"
    output: Output | None = None
    progress: Callable[[int], object] = lambda _: None
    cancelled: Cancellation = field(default_factory=Cancellation)


def restore_blob(
    connection: psycopg.Connection[Any], blobs: Blobs, blob: Blob, table: sql.Identifier, how: How
) -> Restored:
    """Copies the rows of a blob into `table`, within the transaction that the caller commits.

    Raises RestoreRefused or ExportInterrupted, after which the caller rolls back, and psycopg's errors.
    """
    receipt = blob.receipt
    if receipt is None:
        raise RestoreRefused(f"{blob.name} cannot be restored: {NO_RECEIPT}")
    target = Target.of(connection, table)
    names = _names(target, blob.name, receipt)
    if how.mode != "append" and _rows_are_there(connection, blob.name, receipt, target, names, how.mode):
        return Restored(blob.name, receipt.rows, was_there=True)
    check, form = ReceiptCheck(receipt), receipt.output or how.output or Output()
    pieces = check.checked(_counted(blobs.read(blob), how.progress))
    try:
        with target.copied(connection, names) as into:
            rows = (
                _copy_parquet(connection, into, names, pieces, how.cancelled)
                if form.format == "parquet"
                else _copy_csv(connection, into, names, check.text(pieces, form), form, how.cancelled)
            )
    except damage() as error:
        raise _damaged(blob, str(error)) from error
    if rows != receipt.rows:
        check.problems.append(f"{rows:,} rows were restored, its receipt says {receipt.rows:,}")
    if check.problems:
        raise _damaged(blob, "; ".join(check.problems))
    return Restored(blob.name, rows)


def _damaged(blob: Blob, why: str) -> RestoreRefused:
    return RestoreRefused(
        f"{blob.name} is damaged: {why}", advice="`tailrace verify` says what else is; export the window again"
    )


def _names(target: Target, blob: str, receipt: Receipt) -> list[str]:
    """The columns to copy into, in the order of the file. Raises RestoreRefused if the table has others."""
    if receipt.columns is None:
        # Of a version that recorded none: the file has all columns of its table, in order.
        return list(target.types)
    wanted = {column.name: column.type for column in receipt.columns}
    differing = [f"{name} {type_}" for name, type_ in wanted.items() if target.types.get(name) != type_]
    if differing:
        raise RestoreRefused(
            f"table {target.table.as_string()} does not have the columns of {blob}: {', '.join(differing[:5])}",
            advice="restore into a table of the same columns and types, or into a new one by --create",
        )
    return list(wanted)


def _rows_are_there(
    connection: psycopg.Connection[Any], blob: str, receipt: Receipt, target: Target, names: list[str], mode: Mode
) -> bool:
    """Whether the blob's rows are in the table already. Raises RestoreRefused if other rows of its window are."""
    condition = _condition(blob, receipt.window, names, mode)
    if mode == "replace":
        connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(target.table, condition))
        return False
    counted = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(target.table, condition)
    (count,) = connection.execute(counted).fetchone() or (0,)
    if count and count != receipt.rows:
        of = f"of the window of {blob}, which has" if receipt.window else f"and {blob} has"
        deletes = "--replace-window deletes them first, " if receipt.window else ""
        refusal = RowsThere if receipt.window else RestoreRefused
        raise refusal(
            f"table {target.table.as_string()} holds {count:,} rows {of} {receipt.rows:,}",
            advice=f"{deletes}--append adds to them",
        )
    return bool(count)


def _condition(blob: str, window: Window | None, names: list[str], mode: Mode) -> sql.Composable:
    """Which rows of a table are those of a window; of a run, all. Raises RestoreRefused if nothing shows it."""
    if window is None:
        if mode == "replace":
            raise RestoreRefused(f"{blob} is of no window", advice="restore it into a new table by --create")
        return sql.SQL("true")
    if window.column not in names:
        says = f"{blob} has no column {window.column}, so its rows cannot be found in a table"
        raise RestoreRefused(says, advice="--append adds them, whatever is there")
    condition = within(window)
    assert condition is not None
    return condition


def _counted(pieces: Iterator[bytes], progress: Callable[[int], object]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        progress(len(piece))


def _copy_csv(
    connection: psycopg.Connection[Any],
    table: sql.Identifier,
    names: list[str],
    text: Iterator[bytes],
    form: Output,
    cancelled: Cancellation,
) -> int:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER {}, DELIMITER {}, NULL {})").format(
        table,
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(str(form.header).lower()),
        sql.Literal(form.delimiter),
        sql.Literal(form.null),
    )
    # Downloading, decoding and hashing go on while the server takes the rows.
    with prefetch(lambda _: text, cancelled) as pieces, connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for piece in pieces:
                copy.write(piece)
        return cursor.rowcount


def _copy_parquet(
    connection: psycopg.Connection[Any],
    table: sql.Identifier,
    names: list[str],
    pieces: Iterator[bytes],
    cancelled: Cancellation,
) -> int:
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    with connection.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(table, listed)) as copy:
            for row in parquet_rows(pieces):
                cancelled.raise_if_set()
                copy.write_row(row)
        return cursor.rowcount
