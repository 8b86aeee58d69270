"""The table that rows are restored into: its name, its columns, and what COPY cannot write directly."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from contracts.errors import TailraceError
from contracts.receipt import SourceColumn

# What format_type() writes. A receipt can be edited by whoever may write the blob, and its types go into a statement.
_NAME = r'(?:[a-z_][\w$]*|"(?:[^"]|"")+")'
_MODIFIER = r"(?:\(-?\w+(?:,-?\w+)*\))"
_WORDS = r"(?: (?:precision|varying|year|month|day|hour|minute|second|to|with time zone|without time zone))"
_TYPE = re.compile(rf"{_NAME}(?:\.{_NAME})?(?:{_WORDS}|{_MODIFIER})*(?:\[\])*")
# As a person writes it: quoted as in SQL, or as it is.
_PART = r'("(?:[^"]|"")+"|[^".]+)'
_TABLE = re.compile(rf"(?:{_PART}\.)?{_PART}")
# A domain as its base type, as receipts have it: that is how PostgreSQL describes the columns of a SELECT.
_COLUMNS = """
    WITH RECURSIVE base AS (
        SELECT attnum, attname, atttypid AS type, atttypmod AS modifier, attgenerated <> '' AS is_generated
        FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
        UNION ALL SELECT attnum, attname, typbasetype, typtypmod, is_generated
        FROM base JOIN pg_type AS t ON t.oid = type WHERE typtype = 'd')
    SELECT attname::text, format_type(type, modifier), is_generated
    FROM base JOIN pg_type AS t ON t.oid = type WHERE typtype <> 'd' ORDER BY attnum"""
_STAGING = sql.Identifier("pg_temp", "tailrace_restore")


class RestoreRefused(TailraceError):  # noqa: N818  # as AskRefused
    """Rows cannot be restored as asked; nothing of the window has changed."""


def table_named(text: str) -> sql.Identifier:
    """The table of a name, in schema public if it names none; names are not folded to lower case.

    >>> print(table_named("a.b").as_string(), table_named("B").as_string(), table_named('"a.b"."c ""d"').as_string())
    "a"."b" "public"."B" "a.b"."c ""d"
    """
    found = _TABLE.fullmatch(text)
    if found is None:
        raise RestoreRefused(f"{text[:80]!r} names no table", advice='write schema.table, or "Odd schema"."odd.table"')
    schema, table = (part[1:-1].replace('""', '"') if part.startswith('"') else part for part in found.groups("public"))
    return sql.Identifier(schema, table)


def exists(connection: psycopg.Connection[Any], table: sql.Identifier) -> bool:
    """Whether there is a table of this name."""
    return connection.execute("SELECT to_regclass(%s)", (table.as_string(),)).fetchone() != (None,)


def create_table(
    connection: psycopg.Connection[Any],
    target: sql.Identifier,
    columns: Sequence[SourceColumn],
    *,
    unlogged: bool = False,
) -> None:
    """Makes the table that a receipt describes. Raises RestoreRefused for what is no type's name, or is not there."""
    for column in columns:
        if not _TYPE.fullmatch(column.type):
            raise RestoreRefused(f"the receipt's type of column {column.name!r} is no type: {column.type[:80]!r}")
    listed = [sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type)) for column in columns]
    kind = sql.SQL("UNLOGGED " if unlogged else "")
    try:
        connection.execute(sql.SQL("CREATE {}TABLE {} ({})").format(kind, target, sql.SQL(", ").join(listed)))
    except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedObject) as error:
        is_schema = isinstance(error, psycopg.errors.InvalidSchemaName)
        raise RestoreRefused(
            f"the table of the receipt cannot be created: {error.diag.message_primary}",
            advice="create the schema first" if is_schema else "create the type first, or the extension that has it",
        ) from error


@dataclass(frozen=True, slots=True)
class Target:
    """A table that is there: the types of its columns by name, in order, and those that PostgreSQL computes."""

    table: sql.Identifier
    types: Mapping[str, str]
    generated: frozenset[str]

    @classmethod
    def of(cls, connection: psycopg.Connection[Any], table: sql.Identifier) -> "Target":
        """Looks the table up. Raises RestoreRefused if there is none, or if it has no columns."""
        rows = connection.execute(_COLUMNS, (table.as_string(),)).fetchall()
        if not rows and exists(connection, table):
            says = f"table {table.as_string()} has no columns"
            raise RestoreRefused(says, advice="drop it, and let --create make it from the receipt")
        if not rows:
            says = f"there is no table {table.as_string()}"
            raise RestoreRefused(says, advice="make it, or let --create make it from the receipt")
        types = {name: type_ for name, type_, _ in rows}
        return cls(table, types, frozenset(name for name, _, generated in rows if generated))

    @contextmanager
    def copied(self, connection: psycopg.Connection[Any], names: Sequence[str]) -> Iterator[sql.Identifier]:
        """The table to COPY these columns into: this one, or a temporary one if it computes some of them.

        At the end of the block the rows of the temporary one are inserted, and the rest is computed anew.
        """
        if self.generated.isdisjoint(names):
            yield self.table
            return
        # The types are those of the catalogue, and need no check.
        listed = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(self.types[name])) for name in names
        )
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(_STAGING, listed))
        yield _STAGING
        kept = sql.SQL(", ").join(sql.Identifier(name) for name in names if name not in self.generated)
        moved = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}; DROP TABLE {}")
        connection.execute(moved.format(self.table, kept, kept, _STAGING, _STAGING))
