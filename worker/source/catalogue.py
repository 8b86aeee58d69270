"""Edge: looks up in PostgreSQL's catalogue how a table is stored.

Each function asks, and returns the answer, to be called: so that several questions can take one round trip.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import psycopg

from contracts.receipt import SourceColumn
from worker.source.layout import Layout, Leaf
from worker.source.printing import Function
from worker.source.snapshot import Answer, Described

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


def column_types(connection: psycopg.Connection[Any], columns: Sequence[Described]) -> Answer[tuple[SourceColumn, ...]]:
    """Columns with their types as PostgreSQL writes them; asks only for types that this process has not seen."""
    unknown = sorted({(column.oid, column.modifier) for column in columns} - _type_names.keys())
    oids, modifiers = [oid for oid, _ in unknown], [modifier for _, modifier in unknown]
    asked = connection.execute(_TYPES, (oids, modifiers)) if unknown else None

    def answer() -> tuple[SourceColumn, ...]:
        if asked:
            _type_names.update({(oid, modifier): name for oid, modifier, name in asked})
        return tuple(SourceColumn(name=one.name, type=_type_names[one.oid, one.modifier]) for one in columns)

    return answer


def output_functions(connection: psycopg.Connection[Any], oids: Collection[int]) -> Answer[Mapping[int, Function]]:
    """The functions that make texts of types, by oid; asks only for types that this process has not seen."""
    unknown = sorted(set(oids) - _output_functions.keys())
    asked = connection.execute(_FUNCTIONS, (unknown,)) if unknown else None

    def answer() -> Mapping[int, Function]:
        if asked:
            _output_functions.update({oid: (schema, name) for oid, schema, name in asked})
        return _output_functions

    return answer


def layout_of(connection: psycopg.Connection[Any], schema: str, table: str) -> Answer[Layout]:
    """The layout of a table, within the transaction of the connection."""
    of_table, of_leaves = (connection.execute(query, (schema, table)) for query in (_TABLE, _LEAVES))
    return lambda: _layout(of_table, of_leaves)


def _layout(of_table: psycopg.Cursor[Any], of_leaves: psycopg.Cursor[Any]) -> Layout:
    if (found := of_table.fetchone()) is None:
        return Layout("", (), (), has_tid_range_scans=False)
    (kind, has_row_security, columns), rows = found, of_leaves.fetchall()
    is_readable = kind in {"r", "m", "p"} and not has_row_security
    is_readable = is_readable and all(leaf_kind in {"r", "m"} and readable for _, _, leaf_kind, _, readable in rows)
    leaves = tuple(Leaf(leaf_schema, name, pages) for leaf_schema, name, _, pages, _ in rows if is_readable)
    return Layout(kind, tuple(columns or ()), leaves, of_table.connection.info.server_version >= 140000)


def quantiles_of(connection: psycopg.Connection[Any], schema: str, table: str, column: str) -> Answer[list[str]]:
    """Values of a column with about as many rows between any two neighbours; none if the table was never analyzed."""
    asked = connection.execute(_QUANTILES, (schema, table, column))
    return lambda: [value for (value,) in asked]
