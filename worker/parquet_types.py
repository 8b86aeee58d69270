"""What of a Parquet file's types PostgreSQL and the driver give, and what is made of the others."""

from typing import TYPE_CHECKING

from psycopg import sql

from contracts.errors import SourceRejected

if TYPE_CHECKING:
    import pyarrow as pa

# PostgreSQL's types that Arrow has too; every other one is written as its text.
_KEPT = {"bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar", "name", "bytea"}
_KEPT |= {"date", "time", "timestamp", "timestamptz", "numeric", "uuid", "json", "jsonb"}
NO_LIST = "an array of several dimensions is no Parquet list: cast it to text or jsonb in a query"


def as_arrow_takes_it(selected: sql.Composable, columns: list[tuple[str, str]]) -> sql.Composed:
    """Wraps a SELECT so that every column has a type that Arrow keeps; `columns` are (name, type) as in pg_type.

    >>> print(as_arrow_takes_it(sql.SQL("SELECT 1"), [("id", "int8"), ("at", "inet"), ("n", "oid")]).as_string())
    SELECT "id", "at"::text AS "at", "n"::int8 AS "n" FROM (SELECT 1) AS source
    """
    return sql.SQL("SELECT {} FROM ({}) AS source").format(sql.SQL(", ").join(map(_expression, columns)), selected)


def _expression(column: tuple[str, str]) -> sql.Composable:
    name, kind = sql.Identifier(column[0]), column[1]
    if kind in _KEPT:
        return name
    if kind.startswith("_") and kind[1:] in _KEPT - {"numeric", "json", "jsonb", "uuid"}:
        # The driver would flatten an array of several dimensions without a word; this makes it an error.
        return sql.SQL(
            "CASE WHEN array_ndims({name}) > 1 THEN (left({name}::text, 0) || {message})::{kind}"
            " ELSE {name} END AS {name}"
        ).format(name=name, message=sql.Literal(NO_LIST), kind=sql.SQL(f"{kind[1:]}[]"))
    return sql.SQL("{}::{} AS {}").format(name, sql.SQL("int8" if kind == "oid" else "text"), name)


def numerics_as_text(statement: str, typed: "pa.Schema") -> str:
    """The statement with its numerics cast to text.

    PostgreSQL writes one in an eighth of the time in which the driver makes text of its binary form.
    """
    columns = [(sql.Identifier(field.name), _is_numeric(field)) for field in typed]
    if not any(is_numeric for _, is_numeric in columns):
        return statement
    wanted = (sql.SQL("{0}::text AS {0}" if cast else "{0}").format(name) for name, cast in columns)
    return sql.SQL("SELECT {} FROM ({}) AS typed").format(sql.SQL(", ").join(wanted), sql.SQL(statement)).as_string()


def file_schema(schema: "pa.Schema") -> "pa.Schema":
    """What is written: numerics of a declared precision as decimals, the others as text."""
    import pyarrow as pa

    return pa.schema([pa.field(field.name, _file_type(field)) for field in schema])


def _file_type(field: "pa.Field") -> "pa.DataType":
    import pyarrow as pa

    if not _is_numeric(field):
        return field.type
    modifier = int((field.metadata or {}).get(b"POSTGRESQL:typmod", b"-1")) - 4
    precision, scale = modifier >> 16, modifier & 0x7FF
    # The scale is an 11-bit number with a sign.
    scale = scale - 2048 if scale >= 1024 else scale
    if modifier < 0 or precision > 76 or not 0 <= scale <= precision:
        return pa.string()
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)


def _is_numeric(field: "pa.Field") -> bool:
    return (field.metadata or {}).get(b"POSTGRESQL:type") == b"numeric"


def converted(batch: "pa.RecordBatch", schema: "pa.Schema") -> "pa.RecordBatch":
    """The batch with the types of file_schema. Raises SourceRejected for a value that one of them cannot hold."""
    import pyarrow as pa

    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        try:
            columns.append(column if column.type == field.type else column.cast(field.type))
        except pa.ArrowInvalid as error:
            raise SourceRejected(
                f"column {field.name!r} holds a value that {field.type} cannot ({error}); "
                "NaN and infinity are none: cast the column to text or float8 in a query",
                reason="QueryFails",
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)
