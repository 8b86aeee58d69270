"""Edge: the catalogue's facts about one table that exports depend on."""

from dataclasses import dataclass
from typing import Any

import psycopg

# A window's type → the column types that hold its bounds as they are.
WINDOW_TYPES = {
    "timestamptz": ("timestamp with time zone",),
    "timestamp": ("timestamp without time zone",),
    "date": ("date",),
    "integer": ("smallint", "integer", "bigint"),
}

_TABLE = """
    SELECT c.oid, c.relkind::text, has_schema_privilege(n.oid, 'USAGE'), has_table_privilege(c.oid, 'SELECT'),
           row_security_active(c.oid), greatest(pg_relation_size(c.oid), 0)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"""
_COLUMNS = """
    SELECT a.attname::text,
           format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL),
           a.attnotnull, has_column_privilege(a.attrelid, a.attnum, 'SELECT'),
           EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum
                   AND i.indisvalid AND i.indpred IS NULL)
           OR EXISTS (SELECT FROM pg_partitioned_table AS p
                      WHERE p.partrelid = a.attrelid AND p.partattrs[0] = a.attnum)
    FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum"""
_LIKE = """
    SELECT format('%%s.%%s', n.nspname, c.relname)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE lower(c.relname) = lower(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ORDER BY lower(n.nspname) <> lower(%s), 1 LIMIT 3"""


@dataclass(frozen=True, slots=True)
class Column:
    """type: without its modifier, a domain's base type. is_found_fast: by an index, or by the partition key."""

    name: str
    type: str
    is_not_null: bool
    is_readable: bool
    is_found_fast: bool


@dataclass(frozen=True, slots=True)
class Table:
    """kind: pg_class.relkind. has_row_security: policies apply to this role. size: bytes, of the table itself."""

    kind: str
    has_usage: bool
    has_select: bool
    has_row_security: bool
    size: int
    columns: dict[str, Column]


def table(connection: psycopg.Connection[Any], schema: str, name: str) -> Table | None:
    """A table, view, materialized, partitioned or foreign table; None if there is none of this name."""
    found = connection.execute(_TABLE.encode(), (schema, name)).fetchone()
    if found is None:
        return None
    oid, kind, has_usage, has_select, has_row_security, size = found
    columns = [Column(*row) for row in connection.execute(_COLUMNS.encode(), (oid,)).fetchall()]
    return Table(kind, has_usage, has_select, has_row_security, size or 0, {column.name: column for column in columns})


def names_like(connection: psycopg.Connection[Any], schema: str, name: str) -> list[str]:
    """Tables of a similar name: in another case, or in another schema."""
    return [str(row[0]) for row in connection.execute(_LIKE.encode(), (name, schema)).fetchall()]


def right_type(kind: str) -> str:
    """What to do about a window whose column has this type."""
    right = next((window for window, types in WINDOW_TYPES.items() if kind in types), None)
    return f'window.type = "{right}" in jobs.toml' if right else "take another column for the window"
