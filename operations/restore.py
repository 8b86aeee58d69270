"""Puts a blob's rows back into a table: COPY FROM straight out of the decoder, in one transaction of the caller's."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql

from contracts.errors import TailraceError
from contracts.output import Output
from contracts.receipt import SourceColumn
from contracts.window import Window
from operations.blobs import Blob, Blobs
from operations.parquet_rows import parquet_rows
from operations.receipt_check import ReceiptCheck
from operations.verify import NO_RECEIPT, damage
from worker.cancellation import Cancellation
from worker.formats.prefetch import prefetch
from worker.source.statement import within

# What format_type() writes. A receipt can be edited by whoever may write the blob, and its types go into a statement.
_NAME = r'(?:[a-z_][\w$]*|"(?:[^"]|"")+")'
_MODIFIER = r"(?:\(-?\w+(?:,-?\w+)*\))"
_WORDS = r"(?: (?:precision|varying|year|month|day|hour|minute|second|to|with time zone|without time zone))"
_TYPE = re.compile(rf"{_NAME}(?:\.{_NAME})?(?:{_WORDS}|{_MODIFIER})*(?:\[\])*")

type Mode = Literal["refuse", "append", "replace"]


class RestoreRefused(TailraceError):  # noqa: N818  # as AskRefused
    """Rows cannot be restored as asked; nothing of the window has changed."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of one blob: its rows, and whether they were in the table already."""

    blob: str
    rows: int
    was_there: bool = False


def create_table(
    connection: psycopg.Connection[Any],
    target: sql.Identifier,
    columns: Sequence[SourceColumn],
    *,
    unlogged: bool = False,
) -> None:
    """Makes the table that a receipt describes. Raises RestoreRefused for what is no type's name."""
    for column in columns:
        if not _TYPE.fullmatch(column.type):
            raise RestoreRefused(f"the receipt's type of column {column.name!r} is no type: {column.type[:80]!r}")
    listed = [sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type)) for column in columns]
    kind = sql.SQL("UNLOGGED " if unlogged else "")
    connection.execute(sql.SQL("CREATE {}TABLE {} ({})").format(kind, target, sql.SQL(", ").join(listed)))


def columns_of(connection: psycopg.Connection[Any], target: sql.Identifier) -> dict[str, str]:
    """Names and types of a table's columns, in order; empty if there is no such table."""
    rows = connection.execute(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (target.as_string(),),
    )
    return dict(rows.fetchall())


def restore_blob(  # noqa: PLR0913  # the choices of a restore
    connection: psycopg.Connection[Any],
    blobs: Blobs,
    blob: Blob,
    target: sql.Identifier,
    *,
    mode: Mode = "refuse",
    output: Output | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Restored:
    """Copies the rows of a blob into `target`, within the transaction that the caller commits.

    `progress` is called with the bytes of the blob that were read. `output` is the form of a file whose receipt does
    not record it. Raises RestoreRefused, after which the caller rolls back, and psycopg's errors.
    """
    receipt = blob.receipt
    if receipt is None:
        raise RestoreRefused(f"{blob.name} cannot be restored: {NO_RECEIPT}")
    names = _names(connection, blob, target)
    if mode != "append" and receipt.window is not None:
        if receipt.window.column not in names:
            says = f"{blob.name} has no column {receipt.window.column}, so its rows cannot be found in a table"
            raise RestoreRefused(says, advice="--append adds them, whatever is there")
        if _rows_are_there(connection, blob, receipt.window, target, mode):
            return Restored(blob.name, receipt.rows, was_there=True)
    check, form = ReceiptCheck(receipt), receipt.output or output or Output()
    pieces = check.checked(_counted(blobs.read(blob), progress))
    try:
        rows = (
            _copy_parquet(connection, target, names, pieces)
            if form.format == "parquet"
            else _copy_csv(connection, target, names, pieces, form, check)
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


def _names(connection: psycopg.Connection[Any], blob: Blob, target: sql.Identifier) -> list[str]:
    """The columns to copy into, in the order of the file. Raises RestoreRefused if the table has others."""
    assert blob.receipt is not None
    there = columns_of(connection, target)
    if not there:
        says = f"there is no table {target.as_string()}"
        raise RestoreRefused(says, advice="make it, or let --create make it from the receipt")
    if blob.receipt.columns is None:
        # Of a version that recorded none: the file has all columns of its table, in order.
        return list(there)
    wanted = {column.name: column.type for column in blob.receipt.columns}
    differing = [f"{name} {type_}" for name, type_ in wanted.items() if there.get(name) != type_]
    if differing:
        raise RestoreRefused(
            f"table {target.as_string()} does not have the columns of {blob.name}: {', '.join(differing[:5])}",
            advice="restore into a table of the same columns and types, or into a new one by --create",
        )
    return list(wanted)


def _rows_are_there(
    connection: psycopg.Connection[Any], blob: Blob, window: Window, target: sql.Identifier, mode: Mode
) -> bool:
    """Whether the window's rows are in the table already. Raises RestoreRefused if other rows of it are."""
    assert blob.receipt is not None
    condition = within(window)
    assert condition is not None
    if mode == "replace":
        connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(target, condition))
        return False
    (count,) = connection.execute(sql.SQL("SELECT count(*) FROM {} WHERE {}").format(target, condition)).fetchone() or (
        0,
    )
    if count and count != blob.receipt.rows:
        raise RestoreRefused(
            f"table {target.as_string()} holds {count:,} rows of the window of {blob.name}, which has "
            f"{blob.receipt.rows:,}",
            advice="--replace-window deletes them first, --append adds to them",
        )
    return bool(count)


def _counted(pieces: Iterator[bytes], progress: Callable[[int], object]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        progress(len(piece))


def _copy_csv(
    connection: psycopg.Connection[Any],
    target: sql.Identifier,
    names: list[str],
    pieces: Iterator[bytes],
    form: Output,
    check: ReceiptCheck,
) -> int:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER {}, DELIMITER {}, NULL {})").format(
        target,
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(str(form.header).lower()),
        sql.Literal(form.delimiter),
        sql.Literal(form.null),
    )
    # Downloading, decoding and hashing go on while the server takes the rows.
    with prefetch(lambda _: check.text(pieces, form), Cancellation()) as text, connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for piece in text:
                copy.write(piece)
        return cursor.rowcount


def _copy_parquet(
    connection: psycopg.Connection[Any], target: sql.Identifier, names: list[str], pieces: Iterator[bytes]
) -> int:
    listed = sql.SQL(", ").join(map(sql.Identifier, names))
    with connection.cursor() as cursor:
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(target, listed)) as copy:
            for row in parquet_rows(pieces):
                copy.write_row(row)
        return cursor.rowcount
