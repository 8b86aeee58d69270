"""Counts the rows of many windows of one source: by one grouped query if the source allows it."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import psycopg
from psycopg import sql

from contracts.job import BOUND
from contracts.request import ExportRequest, TableSource
from worker.source.statement import relation_of, select_statement

# Queries that a statement for a query with bounds counts: each has a plan of its own.
_UNION = 50

_IS_NULLABLE = """
    SELECT NOT attnotnull FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s AND NOT attisdropped"""


@dataclass(frozen=True, slots=True)
class Counts:
    """The rows of each window, in their order; rows without a value in the window's column, None if nobody knows."""

    rows: tuple[int, ...]
    without_window: int | None


def count_windows(connection: psycopg.Connection[Any], requests: Sequence[ExportRequest], query: str | None) -> Counts:
    """Counts the rows of each request of one job, within the transaction of the connection.

    `query` is the text behind a query. The windows ascend. Raises psycopg's errors.
    """
    if query is not None and BOUND.search(query):
        return Counts(tuple(_each_by_itself(connection, requests, query)), None)
    with_null = _may_be_null(connection, requests[0])
    windows = [request.window for request in requests if request.window is not None]
    bounds: list[Any] = sorted({bound for window in windows for bound in cast("tuple[Any, Any]", window.bounds())})
    statement = grouped_statement(requests[0], query, bounds, with_null=with_null)
    found: dict[int | None, int] = dict(connection.execute(statement).fetchall())
    # width_bucket numbers the first interval with 1.
    rows = (found.get(bisect_left(bounds, window.bounds()[0]) + 1, 0) for window in windows)
    return Counts(tuple(rows), found.get(None, 0) if with_null else 0)


def count_without_window(connection: psycopg.Connection[Any], request: ExportRequest, query: str | None) -> int | None:
    """Counts the rows of a job without a value in its window's column; None if nobody knows. Raises psycopg's errors.

    Reads nothing of a column that is NOT NULL.
    """
    if query is not None and BOUND.search(query):
        return None
    if request.window is None or not _may_be_null(connection, request):
        return 0
    column = sql.Identifier(request.window.column)
    statement = sql.SQL("SELECT count(*) FROM {} WHERE {} IS NULL").format(_source(request, query), column)
    (count,) = connection.execute(statement).fetchone() or (0,)
    return int(count)


def oldest_before(connection: psycopg.Connection[Any], request: ExportRequest, query: str | None) -> str | None:
    """The least value of the window's column before the request's window, as PostgreSQL writes it.

    None if there is none, or nobody knows. An index, partitions or a BRIN answer it at once where nothing is before.
    """
    if request.window is None or (query is not None and BOUND.search(query)):
        return None
    low = sql.Literal(request.window.bounds()[0])
    statement = sql.SQL("SELECT {0}::text FROM {1} WHERE {0} < {2} ORDER BY {0} LIMIT 1").format(
        sql.Identifier(request.window.column), _source(request, query), low
    )
    found = connection.execute(statement).fetchone()
    return None if found is None else str(found[0])


def grouped_statement(
    request: ExportRequest, query: str | None, bounds: Sequence[object], *, with_null: bool
) -> sql.Composed:
    """Counts the rows between each two neighbours of `bounds`, and with `with_null` those without a value.

    >>> from contracts.request import parse_request
    >>> request = parse_request(b'''{"request_id": "5b3c1e0e-98c5-4c68-9a3c-1d1df0a0ff3b", "job": "j", "blob": "b",
    ...     "source": {"kind": "table", "schema": "s", "table": "t"}, "run": "2026-01-01T00:00:00Z",
    ...     "window": {"type": "integer", "column": "id", "start": 0, "end": 10}}''')
    >>> print(grouped_statement(request, None, [0, 10, 20], with_null=True).as_string())
    SELECT width_bucket("id", '{0,10,20}'::int2[]), count(*) FROM "s"."t" \
WHERE "id" >= 0 AND "id" < 20 OR "id" IS NULL GROUP BY 1
    """
    assert request.window is not None
    column = sql.Identifier(request.window.column)
    parts = {"column": column, "low": sql.Literal(bounds[0]), "high": sql.Literal(bounds[-1])}
    within = sql.SQL("{column} >= {low} AND {column} < {high}" + (" OR {column} IS NULL" if with_null else ""))
    return sql.SQL("SELECT width_bucket({}, {}), count(*) FROM {} WHERE {} GROUP BY 1").format(
        column, sql.Literal(list(bounds)), _source(request, query), within.format(**parts)
    )


def _source(request: ExportRequest, query: str | None) -> sql.Composable:
    """What stands behind FROM: the table, or all rows of the query."""
    relation = relation_of(request)
    if relation is not None:
        return relation
    without_window = request.model_copy(update={"window": None})
    return sql.SQL("({}) AS source").format(select_statement(without_window, query))


def _may_be_null(connection: psycopg.Connection[Any], request: ExportRequest) -> bool:
    """Whether the window's column can be NULL, as far as the catalogue shows; then a range alone would miss rows."""
    if not isinstance(request.source, TableSource) or request.window is None:
        return True
    relation = sql.Identifier(request.source.schema_name, request.source.table).as_string()
    found = connection.execute(_IS_NULLABLE, (relation, request.window.column)).fetchone()
    return found is None or bool(found[0])


def _each_by_itself(
    connection: psycopg.Connection[Any], requests: Sequence[ExportRequest], query: str
) -> Iterator[int]:
    """The rows of a query that holds the bounds of its window: what it gives for one is no part of what it gives."""
    for begin in range(0, len(requests), _UNION):
        chunk = requests[begin : begin + _UNION]
        counts = [
            sql.SQL("SELECT {}, count(*) FROM ({}) AS source").format(index, select_statement(request, query))
            for index, request in enumerate(chunk)
        ]
        found = dict(connection.execute(sql.SQL(" UNION ALL ").join(counts)).fetchall())
        yield from (int(found[index]) for index in range(len(chunk)))
