"""Pure: request → COPY statement, composed with psycopg.sql."""

from psycopg import sql

from contracts.errors import SourceRejected
from contracts.job import BOUND
from contracts.output import Output
from contracts.request import ExportRequest, QuerySource, TableSource
from contracts.window import Window


def copy_statement(request: ExportRequest, query: str | None = None) -> sql.Composed:
    """`COPY (SELECT …) TO STDOUT` of a request; `query` is the text behind a QuerySource.

    COPY of a SELECT, not of the table: that alone takes views, partitioned and foreign tables and
    writes generated columns.

    >>> from contracts.request import parse_request
    >>> request = parse_request(b'''{"version": 1, "request_id": "5b3c1e0e-98c5-4c68-9a3c-1d1df0a0ff3b",
    ...     "job": "j", "source": {"kind": "table", "schema": "s", "table": "Odd \\\\"name\\\\""},
    ...     "window": {"type": "integer", "column": "id", "start": 0, "end": 10},
    ...     "blob": "b", "run": "2026-01-01T00:00:00Z"}''')
    >>> print(copy_statement(request).as_string())
    COPY (SELECT * FROM "s"."Odd ""name""\" WHERE "id" >= 0 AND "id" < 10) TO STDOUT \
(FORMAT csv, HEADER true, DELIMITER ',', NULL '')
    """
    match request.source:
        case TableSource() as table:
            selected = sql.SQL("SELECT {} FROM {}{}").format(
                _columns(table), sql.Identifier(table.schema_name, table.table), _where(request.window)
            )
        case QuerySource():
            assert query is not None
            selected = _select_from_query(query, request.window)
    return sql.SQL("COPY ({}) TO STDOUT ({})").format(selected, _options(request.output))


def _columns(table: TableSource) -> sql.Composable:
    if table.columns is None:
        return sql.SQL("*")
    return sql.SQL(", ").join(map(sql.Identifier, table.columns))


def _where(window: Window | None) -> sql.Composable:
    if window is None:
        return sql.SQL("")
    column = sql.Identifier(window.column)
    return sql.SQL(" WHERE {} >= {} AND {} < {}").format(
        column, sql.Literal(window.start), column, sql.Literal(window.end)
    )


def _select_from_query(query: str, window: Window | None) -> sql.Composed:
    """With {window_start} and {window_end} in the text they are filled in; without, its rows are filtered."""
    text = query.strip().rstrip(";").rstrip()
    pieces = BOUND.split(text)
    if len(pieces) == 1:
        # The line end keeps a comment on the query's last line from swallowing the bracket.
        return sql.SQL("SELECT * FROM (\n{}\n) AS query{}").format(_verbatim(text), _where(window))
    if window is None:
        raise SourceRejected(
            "the query of this worker's jobs.toml asks for {window_start} or {window_end}, and the request has no "
            "window; deploy the jobs.toml that the producer has, then replay",
            reason="WindowMissing",
        )
    bounds = {"window_start": window.start, "window_end": window.end}
    filled = [sql.Literal(bounds[piece]) if index % 2 else _verbatim(piece) for index, piece in enumerate(pieces)]
    return sql.SQL("SELECT * FROM (\n{}\n) AS query").format(sql.Composed(filled))


def _verbatim(text: str) -> sql.SQL:
    # The text is the operator's own, out of jobs.toml; no message can carry any.
    return sql.SQL(text)


def _options(output: Output) -> sql.Composed:
    return sql.SQL("FORMAT csv, HEADER {}, DELIMITER {}, NULL {}").format(
        sql.SQL("true" if output.header else "false"), sql.Literal(output.delimiter), sql.Literal(output.null)
    )
