"""How restored rows compare with their source: row by row if one database holds both, else by the hash of the rows."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql

from connections.postgres.server_errors import Trouble
from contracts.errors import TailraceError
from contracts.jobs_file import Jobs
from contracts.receipt import Receipt
from contracts.request import ExportRequest
from worker.cancellation import Cancellation
from worker.reread import reread
from worker.source.pool import Source
from worker.source.snapshot import begin_statement
from worker.source.statement import select_of, subject_of

type Verdict = Literal["same", "changed", "gone", "not compared"]

# A database of a server at one time of its life; every role may read it.
_IDENTITY = """
    SELECT pg_postmaster_start_time(), current_setting('port'), oid
    FROM pg_database WHERE datname = current_database()"""


@dataclass(frozen=True, slots=True)
class Compared:
    """How the rows of a blob compare with those of the source, by which means, and in which way they differ.

    `gone`: the source has none of them any more. `only_in_blob` and `only_in_source` count rows, None if they were
    compared by their hash.
    """

    verdict: Verdict
    by: Literal["rows", "hash"] | None = None
    says: str = ""
    only_in_blob: int | None = None
    only_in_source: int | None = None


def is_one_database(one: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> bool:
    """Whether both sessions are of one database of one server."""
    return one.execute(_IDENTITY).fetchone() == other.execute(_IDENTITY).fetchone()


def compare_rows(
    connection: psycopg.Connection[Any],
    restored: sql.Identifier,
    request: ExportRequest,
    receipt: Receipt,
    jobs: Jobs,
) -> Compared:
    """Compares by EXCEPT ALL, both ways, each value as its text. Raises psycopg's errors.

    As text, since equality of many types takes different values for equal (numbers of another scale, boxes of one area)
    and others have none (json, xml, point).
    """
    names = [column.name for column in receipt.columns or ()]
    connection.execute(begin_statement(0, 10_000))
    # By sorting, which spills to disk: a hash of all rows would be in the server's memory if the planner expects few.
    connection.execute("SET LOCAL enable_hashagg = off")
    try:
        found = connection.execute(difference_of(restored, select_of(request, jobs), names)).fetchone()
    finally:
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK")
    assert found is not None
    lost, new, lost_row, new_row = found
    if not lost and not new:
        return Compared("same", "rows", only_in_blob=0, only_in_source=0)
    if lost == receipt.rows and not new:
        return Compared("gone", "rows", only_in_blob=lost, only_in_source=0)
    sides = ((lost, "blob", lost_row), (new, "source", new_row))
    says = "; ".join(f"{_rows(count)} only in the {side}, such as {row}" for count, side, row in sides if count)
    return Compared("changed", "rows", says, lost, new)


def difference_of(restored: sql.Identifier, selected: sql.Composable, names: Sequence[str]) -> sql.Composed:
    """How many rows only one side has, and the first of them: in the restored table, in the source.

    >>> print(difference_of(sql.Identifier("s", "t"), sql.SQL("SELECT * FROM x"), ["id"]).as_string())
    WITH source AS (SELECT ("id"::text) COLLATE "C" FROM (SELECT * FROM x) AS source),
    restored AS (SELECT ("id"::text) COLLATE "C" FROM "s"."t"),
    lost AS (SELECT * FROM restored EXCEPT ALL SELECT * FROM source),
    new AS (SELECT * FROM source EXCEPT ALL SELECT * FROM restored)
    SELECT l.count, n.count, l.first, n.first
    FROM (SELECT count(*), left(min((lost.*)::text), 200) AS first FROM lost) AS l,
    (SELECT count(*), left(min((new.*)::text), 200) AS first FROM new) AS n
    """
    # The source comes first: its query must not see the names of the others.
    texts = sql.SQL(", ").join(sql.SQL('({}::text) COLLATE "C"').format(sql.Identifier(name)) for name in names)
    return sql.SQL("""\
WITH source AS (SELECT {texts} FROM ({selected}) AS source),
restored AS (SELECT {texts} FROM {restored}),
lost AS (SELECT * FROM restored EXCEPT ALL SELECT * FROM source),
new AS (SELECT * FROM source EXCEPT ALL SELECT * FROM restored)
SELECT l.count, n.count, l.first, n.first
FROM (SELECT count(*), left(min((lost.*)::text), 200) AS first FROM lost) AS l,
(SELECT count(*), left(min((new.*)::text), 200) AS first FROM new) AS n""").format(
        texts=texts, restored=restored, selected=selected
    )


def compare_hash(source: Source, request: ExportRequest, receipt: Receipt, jobs: Jobs) -> Compared:
    """Reads the rows of the source again, as an audit does, and compares their hash with the receipt's."""
    with source.connection(subject_of(request)) as connection:
        found = reread(connection, source, request, receipt, jobs, Cancellation())
    if found.row_hash is None and found.columns:
        return Compared("changed", "hash", f"the columns differ: {', '.join(found.columns)}")
    if found.rows == 0 and receipt.rows:
        return Compared("gone", "hash")
    if found.rows != receipt.rows:
        return Compared("changed", "hash", f"the source has {_rows(found.rows)}, the blob {receipt.rows:,}")
    if receipt.row_hash is None or found.row_hash is None:
        return Compared("not compared", says="its receipt holds no hash of its rows")
    if found.row_hash != receipt.row_hash:
        return Compared("changed", "hash", "as many rows, but not the same")
    return Compared("same", "hash")


def compare(
    connection: psycopg.Connection[Any] | None,
    restored: sql.Identifier,
    request: ExportRequest,
    receipt: Receipt,
    source: Source | None,
    jobs: Jobs,
) -> Compared:
    """Compares row by row if `connection` is one to the database of the source; if that fails, or else, by the hash.

    The result says why rows were not compared. Raises nothing but what ends a session.
    """
    why = ""
    if connection is not None:
        try:
            return compare_rows(connection, restored, request, receipt, jobs)
        except psycopg.Error as error:
            if connection.closed:
                raise
            why = f"not compared row by row: {Trouble.of(error).cause}"
    if source is None:
        return Compared("not compared", says=why or "the settings name no source: PGHOST, PGDATABASE, PGUSER")
    try:
        found = compare_hash(source, request, receipt, jobs)
    except TailraceError as error:
        return Compared("not compared", says="; ".join(filter(None, (why, str(error)))))
    return found if not why else Compared(found.verdict, found.by, "; ".join(filter(None, (found.says, why))))


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
