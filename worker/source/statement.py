"""Pure: request → SELECT and COPY statements, composed with psycopg.sql."""

from collections.abc import Iterable

from psycopg import sql

from contracts.errors import SourceRejected
from contracts.job import BOUND
from contracts.jobs_file import Jobs
from contracts.output import Output
from contracts.request import ExportRequest, QuerySource, TableSource
from contracts.window import Window


def copy_statement(selected: sql.Composable, output: Output, *, header: bool) -> sql.Composed:
    """`COPY (SELECT …) TO STDOUT` in the form that a request asks for.

    COPY of a SELECT, not of the table: that alone takes views, partitioned and foreign tables and
    writes generated columns.

    >>> print(copy_statement(sql.SQL("SELECT 1"), Output(), header=True).as_string())
    COPY (SELECT 1) TO STDOUT (FORMAT csv, HEADER true, DELIMITER ',', NULL '')
    """
    return sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER {}, DELIMITER {}, NULL {})").format(
        selected, sql.SQL(str(header).lower()), sql.Literal(output.delimiter), sql.Literal(output.null)
    )


def select_statement(request: ExportRequest, query: str | None = None) -> sql.Composed:
    """All rows of a request; `query` is the text behind a QuerySource.

    >>> from contracts.request import parse_request
    >>> request = parse_request(b'''{"version": 1, "request_id": "5b3c1e0e-98c5-4c68-9a3c-1d1df0a0ff3b",
    ...     "job": "j", "source": {"kind": "table", "schema": "s", "table": "Odd \\\\"name\\\\""},
    ...     "window": {"type": "integer", "column": "id", "start": 0, "end": 10},
    ...     "blob": "b", "run": "2026-01-01T00:00:00Z"}''')
    >>> print(select_statement(request).as_string())
    SELECT * FROM "s"."Odd ""name""\" WHERE "id" >= 0 AND "id" < 10
    """
    match request.source:
        case TableSource() as table:
            name = sql.Identifier(table.schema_name, table.table)
            return select_from(name, table.columns, within(request.window))
        case QuerySource():
            assert query is not None
            return _select_from_query(query, request.window)


def select_from(name: sql.Composable, columns: Iterable[str] | None, condition: sql.Composable | None) -> sql.Composed:
    """`SELECT columns FROM name WHERE condition`; all columns and no condition if there are none."""
    listed = sql.SQL("*") if columns is None else sql.SQL(", ").join(map(sql.Identifier, columns))
    where = sql.SQL("") if condition is None else sql.SQL(" WHERE {}").format(condition)
    return sql.SQL("SELECT {} FROM {}{}").format(listed, name, where)


def relation_of(request: ExportRequest) -> sql.Identifier | None:
    """The table or view of a request, or None if it has a query."""
    source = request.source
    return sql.Identifier(source.schema_name, source.table) if isinstance(source, TableSource) else None


def within(window: Window | None) -> sql.Composed | None:
    """The condition that a row is in a window."""
    if window is None:
        return None
    column = sql.Identifier(window.column)
    return sql.SQL("{} >= {} AND {} < {}").format(column, sql.Literal(window.start), column, sql.Literal(window.end))


def _select_from_query(query: str, window: Window | None) -> sql.Composed:
    """Fills in {window_start} and {window_end} if the text has them; else filters the rows of the query."""
    text = query.strip().rstrip(";").rstrip()
    pieces = BOUND.split(text)
    if len(pieces) == 1:
        # The line end keeps a comment on the query's last line from swallowing the bracket.
        return select_from(sql.SQL("(\n{}\n) AS query").format(_verbatim(text)), None, within(window))
    if window is None:
        raise SourceRejected(
            "the query of this worker's jobs.toml has {window_start} or {window_end}, but the request has no window",
            advice="deploy the jobs.toml that the producer has, then replay",
            reason="WindowMissing",
        )
    bounds = {"window_start": window.start, "window_end": window.end}
    filled = [sql.Literal(bounds[piece]) if index % 2 else _verbatim(piece) for index, piece in enumerate(pieces)]
    return sql.SQL("SELECT * FROM (\n{}\n) AS query").format(sql.Composed(filled))


def _verbatim(text: str) -> sql.SQL:
    # The text is the operator's own, out of jobs.toml; no message can carry any.
    return sql.SQL(text)


def subject_of(request: ExportRequest) -> str:
    """The name of a request's source in messages."""
    match request.source:
        case TableSource() as table:
            return f"{table.schema_name}.{table.table}"
        case QuerySource() as query:
            return f"query {query.name}"


def select_of(request: ExportRequest, jobs: Jobs) -> sql.Composed:
    """The SELECT of all rows of a request. Raises SourceRejected if its query is in no job."""
    return select_statement(request, _query_text(request, jobs))


def _query_text(request: ExportRequest, jobs: Jobs) -> str | None:
    if not isinstance(request.source, QuerySource):
        return None
    job = jobs.get(request.source.name)
    if job is None or job.query is None:
        raise SourceRejected(
            f"jobs.toml of this worker has no query of the name {request.source.name!r}",
            advice="deploy the jobs.toml that the producer has, then replay",
            reason="QueryMissing",
        )
    return job.query
