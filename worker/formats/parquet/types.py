"""What becomes of PostgreSQL's types in a Parquet file. Imports pyarrow."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pyarrow as pa
from psycopg import postgres, sql

from worker.native.library import native
from worker.native.row_groups import ColumnType, Kind, RowGroups
from worker.source.snapshot import Described

# PostgreSQL's types that Arrow has too, except numeric and arrays; every other one is written as text.
_KEPT: dict[str, tuple[Kind, Callable[[], pa.DataType]]] = {
    "bool": (Kind.BOOL, pa.bool_),
    "int2": (Kind.INT16, pa.int16),
    "int4": (Kind.INT32, pa.int32),
    "int8": (Kind.INT64, pa.int64),
    "float4": (Kind.INT32, pa.float32),
    "float8": (Kind.INT64, pa.float64),
    "text": (Kind.BYTES, pa.string),
    "varchar": (Kind.BYTES, pa.string),
    "bpchar": (Kind.BYTES, pa.string),
    "name": (Kind.BYTES, pa.string),
    "bytea": (Kind.BYTES, pa.binary),
    "date": (Kind.DATE, pa.date32),
    "time": (Kind.TIME, lambda: pa.time64("us")),
    "timestamp": (Kind.TIMESTAMP, lambda: pa.timestamp("us")),
    "timestamptz": (Kind.TIMESTAMP, lambda: pa.timestamp("us", "UTC")),
    "uuid": (Kind.UUID, pa.uuid),
    "json": (Kind.BYTES, pa.json_),
    "jsonb": (Kind.JSONB, pa.json_),
}
# What the others are cast to.
_CAST = {"oid": "int8"}


@dataclass(frozen=True, slots=True)
class SelectedColumn:
    """A column of a SELECT, and what of it the file holds after a cast, if it has one."""

    name: str
    type: ColumnType
    cast: str | None


def schema_of(columns: list[SelectedColumn]) -> pa.Schema:
    """The file's."""
    return pa.schema([pa.field(column.name, column.type.arrow) for column in columns])


def row_groups(columns: list[SelectedColumn], *, do_grow: bool = False) -> RowGroups:
    """Memory for the row groups of a file, which grow with it if they `do_grow`. Needs the compiled library."""
    library = native()
    assert library is not None
    return RowGroups(library, schema_of(columns), [column.type for column in columns], do_grow=do_grow)


def binary_copy(selected: sql.Composable, columns: list[SelectedColumn]) -> sql.Composed:
    """The binary COPY of a SELECT, in which every column has a type that Arrow keeps.

    >>> columns = [selected_column(Described(*one)) for one in (("id", 20, -1), ("at", 869, -1), ("n", 26, -1))]
    >>> print(binary_copy(sql.SQL("SELECT 1"), columns).as_string())
    COPY (SELECT "id", "at"::text AS "at", "n"::int8 AS "n" FROM (SELECT 1) AS source) TO STDOUT (FORMAT binary)
    """
    return sql.SQL("COPY (SELECT {} FROM ({}) AS source) TO STDOUT (FORMAT binary)").format(
        sql.SQL(", ").join(map(_expression, columns)), selected
    )


def _expression(column: SelectedColumn) -> sql.Composable:
    name = sql.Identifier(column.name)
    return sql.SQL("{0}::{1} AS {0}").format(name, sql.SQL(column.cast)) if column.cast else name


def selected_column(described: Described) -> SelectedColumn:
    """What the file holds of a column."""
    name, oid, modifier = described
    if type_ := _type_of(oid, modifier):
        return SelectedColumn(name, type_, None)
    known = postgres.types.get(oid)
    cast = _CAST.get(known.name if known and known.oid == oid else "", "text")
    return SelectedColumn(name, _simple(cast), cast)


def _type_of(oid: int, modifier: int) -> ColumnType | None:
    """A column's type in the file; None if it is written as text. `modifier` is that of numeric or of its arrays."""
    known = postgres.types.get(oid)
    if known is None:
        return None
    element = _decimal(modifier) if known.name == "numeric" else _simple(known.name) if known.name in _KEPT else None
    if element is None or known.oid == oid:
        return element
    return ColumnType(Kind.LIST, pa.list_(element.arrow), element=element)


@cache
def _simple(name: str) -> ColumnType:
    kind, arrow = _KEPT[name]
    return ColumnType(kind, arrow())


def _decimal(modifier: int) -> ColumnType | None:
    """A numeric of a declared precision that is a decimal elsewhere.

    >>> [str(found and found.arrow) for found in map(_decimal, (-1, (6 << 16 | 2) + 4, (6 << 16 | 0x7FE) + 4))]
    ['None', 'decimal128(6, 2)', 'None']
    >>> [str(_decimal((p << 16 | 7) + 4).arrow) for p in (38, 39, 57, 58)]
    ['decimal128(38, 7)', 'decimal256(57, 7)', 'decimal256(57, 7)', 'decimal256(76, 7)']
    """
    precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
    # The scale is an 11-bit number with a sign, so that from 1024 on it is negative.
    if modifier < 4 or precision > 76 or scale > precision:
        return None
    # 24 or 32 bytes in the file: DuckDB reads other numbers out of a value that is no multiple of 8 bytes.
    wide = 57 if precision <= 57 else 76
    arrow = pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(wide, scale)
    return ColumnType(Kind.DECIMAL, arrow, precision, scale)
