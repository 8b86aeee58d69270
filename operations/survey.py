"""Edge: the tables of a database, with what speaks for each column as that of windows."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Literal, cast

import psycopg
from psycopg import sql

from connections.postgres.connector import Connector
from connections.postgres.server_errors import Trouble, translated
from connections.postgres.tokens import password_source
from contracts.errors import SourceUnavailable, TailraceError
from settings import Settings

type WindowType = Literal["timestamptz", "timestamp", "date", "integer"]

_TYPES: dict[str, WindowType] = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "date": "date",
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
}
# Partitions are exported by their table. Sizes are those of all partitions, TOAST included.
_TABLES = """
    SELECT c.oid, n.nspname::text, c.relname::text, has_schema_privilege(n.oid, 'USAGE')
           AND has_any_column_privilege(c.oid, 'SELECT'),
           sum(pg_table_size(coalesce(p.relid, c.oid)))::bigint,
           CASE WHEN max(part.reltuples) >= 0
           THEN sum(greatest(part.reltuples, 0)) FILTER (WHERE part.relkind <> 'p')::bigint END
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN LATERAL pg_partition_tree(c.oid) AS p ON c.relkind = 'p'
    JOIN pg_class AS part ON part.oid = coalesce(p.relid, c.oid)
    WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%%'
      AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s))
      AND (%(tables)s::text[] IS NULL OR n.nspname || '.' || c.relname = ANY (%(tables)s)
           OR c.relname = ANY (%(tables)s))
    GROUP BY 1, 2, 3, n.oid ORDER BY 2, 3"""
_COLUMNS = """
    SELECT a.attname::text, format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL),
           a.attnotnull, s.null_frac::float8, abs(s.correlation)::float8,
           EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum
                   AND i.indisvalid AND i.indpred IS NULL),
           EXISTS (SELECT FROM pg_partitioned_table AS p WHERE p.partrelid = a.attrelid AND p.partattrs[0] = a.attnum),
           has_column_privilege(a.attrelid, a.attnum, 'SELECT')
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A column that can be that of windows.

    `is_found_fast`: by an index, or by the partition key. `nulls` is the share of NULLs, None if it was never analyzed;
    `order` how far rows lie in its order, 0 to 1. `oldest` and `newest` are read by the index, None without one.
    """

    column: str
    type: WindowType
    is_found_fast: bool
    nulls: float | None
    order: float | None
    oldest: datetime | int | None = None
    newest: datetime | int | None = None


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A table: `size` in bytes, `rows` as last analyzed or None; its candidates in the order of its columns."""

    schema: str
    table: str
    is_readable: bool
    size: int
    rows: int | None
    candidates: tuple[Candidate, ...] = ()


def survey(settings: Settings, schemas: Collection[str], tables: Collection[str]) -> Iterator[Surveyed]:
    """The tables of the database, those named or all; reads the catalogue and the ends of indexes, no rows.

    Raises SourceUnavailable, SourceRejected or IdentityUnavailable.
    """
    connector = Connector(settings, password_source(settings))
    with _session(connector) as connection:
        named = {"schemas": list(schemas) or None, "tables": list(tables) or None}
        for oid, schema, table, is_readable, size, rows in connection.execute(_TABLES, named).fetchall():
            candidates = tuple(_candidates(connection, oid, sql.Identifier(schema, table))) if is_readable else ()
            yield Surveyed(schema, table, is_readable, size, rows, candidates)


@contextmanager
def _session(connector: Connector) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(**connector.parameters(), autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = on; SET statement_timeout = '10s'")
            connection.execute("SET lock_timeout = '2s'; SET timezone = 'UTC'")
            yield connection
    except psycopg.Error as error:
        raise _translated(connector, error) from None


def _translated(connector: Connector, error: psycopg.Error) -> TailraceError:
    trouble = Trouble.of(error)
    known = translated(trouble, f"the catalogue of {connector.target}")
    if isinstance(error, psycopg.OperationalError):
        says = f"the tables of {connector.target} cannot be listed: {trouble.cause}"
        return SourceUnavailable(says, advice=known.advice, reason=known.reason)
    return known


def _candidates(connection: psycopg.Connection[Any], oid: int, table: sql.Identifier) -> Iterator[Candidate]:
    for row in connection.execute(_COLUMNS, [oid]).fetchall():
        column, type_, not_null, nulls, order, has_index, is_key, is_readable = row
        if type_ not in _TYPES or not is_readable:
            continue
        ends = _ends(connection, table, column) if has_index else (None, None)
        yield Candidate(column, _TYPES[type_], has_index or is_key, 0.0 if not_null else nulls, order, *ends)


def _ends(
    connection: psycopg.Connection[Any], table: sql.Identifier, column: str
) -> tuple[datetime | int | None, datetime | int | None]:
    """The least and the greatest value, by the index; None if there is none, or if Python has no such date."""
    select = sql.SQL("SELECT min({column}), max({column}) FROM {table}").format(
        column=sql.Identifier(column), table=table
    )
    try:
        found = connection.execute(select).fetchone()
    except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable, psycopg.DataError):
        return None, None
    oldest, newest = found or (None, None)
    return _instant(oldest), _instant(newest)


def _instant(value: object) -> datetime | int | None:
    """As an instant; days, and times without a zone, as of UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    return cast("int | None", value)
