"""Edge: looks up in PostgreSQL's catalogue how a table is stored."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import psycopg

from contracts.receipt import SourceColumn
from worker.source.layout import Layout, Leaf
from worker.source.printing import Function
from worker.source.snapshot import Described

# Leaves of a partitioned table, and whether the role may read all of each by its own name: policies of a leaf do not
# apply to those who read through the parent. A plain table, of which pg_partition_tree says nothing, is its own leaf.
_LEAVES = """
    WITH asked AS (SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                   WHERE n.nspname = %s AND c.relname = %s)
    SELECT n.nspname, c.relname, c.relkind::text, pg_relation_size(c.oid) / current_setting('block_size')::bigint,
           has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
               AND NOT row_security_active(c.oid)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = (SELECT oid FROM asked) AND c.relkind <> 'p'
       OR c.oid IN (SELECT relid FROM pg_partition_tree((SELECT oid FROM asked)) WHERE isleaf)
    ORDER BY n.nspname, c.relname"""
_TABLE = """
    SELECT c.relkind::text, row_security_active(c.oid),
           (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relname = %s"""


_TYPES = """
    SELECT oid, modifier, format_type(oid, modifier)
    FROM unnest(%s::oid[], %s::int[]) AS asked (oid, modifier)"""

_FUNCTIONS = """
    SELECT t.oid, n.nspname, p.proname
    FROM pg_type AS t JOIN pg_proc AS p ON p.oid = t.typoutput JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE t.oid = ANY (%s)"""

# The planner's quantiles of a column, as text, since their array has the column's type.
_QUANTILES = """
    SELECT unnest(histogram_bounds::text::text[]) FROM pg_stats
    WHERE schemaname = %s AND tablename = %s AND attname = %s ORDER BY inherited DESC LIMIT 1000"""


# Type and modifier → what format_type() says of them; the same for all tables of a server, and for all exports.
_type_names: dict[tuple[int, int], str] = {}
# Type → the schema and name of the function that makes its text.
_output_functions: dict[int, Function] = {}


def column_types(connection: psycopg.Connection[Any], columns: Sequence[Described]) -> tuple[SourceColumn, ...]:
    """Columns with their types as PostgreSQL writes them; asks only for types that this process has not seen."""
    asked = [(column.oid, column.modifier) for column in columns]
    unknown = sorted(set(asked) - _type_names.keys())
    if unknown:
        oids, modifiers = zip(*unknown, strict=True)
        found = connection.execute(_TYPES, (list(oids), list(modifiers))).fetchall()
        _type_names.update({(oid, modifier): name for oid, modifier, name in found})
    return tuple(SourceColumn(name=column.name, type=_type_names[column.oid, column.modifier]) for column in columns)


def output_functions(connection: psycopg.Connection[Any], oids: Collection[int]) -> Mapping[int, Function]:
    """The functions that make texts of types, by oid; asks only for types that this process has not seen."""
    if unknown := sorted(set(oids) - _output_functions.keys()):
        found = connection.execute(_FUNCTIONS, (unknown,)).fetchall()
        _output_functions.update({oid: (schema, name) for oid, schema, name in found})
    return _output_functions


def layout_of(connection: psycopg.Connection[Any], schema: str, table: str) -> Layout:
    """The layout of a table, within the transaction of the connection."""
    # One round trip for both.
    with connection.pipeline():
        of_table, of_leaves = (connection.execute(query, (schema, table)) for query in (_TABLE, _LEAVES))
    if (found := of_table.fetchone()) is None:
        return Layout("", (), (), has_tid_range_scans=False)
    (kind, has_row_security, columns), rows = found, of_leaves.fetchall()
    is_readable = kind in {"r", "m", "p"} and not has_row_security
    is_readable = is_readable and all(leaf_kind in {"r", "m"} and readable for _, _, leaf_kind, _, readable in rows)
    leaves = tuple(Leaf(leaf_schema, name, pages) for leaf_schema, name, _, pages, _ in rows if is_readable)
    return Layout(kind, tuple(columns or ()), leaves, connection.info.server_version >= 140000)


def quantiles_of(connection: psycopg.Connection[Any], schema: str, table: str, column: str) -> list[str]:
    """Values of a column with about as many rows between any two neighbours; none if the table was never analyzed."""
    return [value for (value,) in connection.execute(_QUANTILES, (schema, table, column)).fetchall()]
