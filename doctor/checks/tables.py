"""Checks what the jobs read: tables, columns and queries exist and may be read, and windows find their rows."""

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from contracts.grid import Grid
from contracts.job import BOUND, ExportJob
from doctor.catalogue import Table, names_like, table
from doctor.finding import Check, Finding, failed, ok, warning
from doctor.grants import select_grant, statement
from doctor.reads import TableRead, query_jobs, tables_read
from doctor.session import said, session
from doctor.site import Site

# A window's type → the column types that compare with its bounds without a cast.
_TYPES = {
    "timestamptz": ("timestamp with time zone",),
    "timestamp": ("timestamp without time zone",),
    "date": ("date",),
    "integer": ("smallint", "integer", "bigint"),
}
# Reading a whole table below this size takes less than a second, so an index is not worth it.
_SMALL_BYTES = 64 * 1024 * 1024


def tables_can_be_read(site: Site) -> Iterator[Finding]:
    """Every table, column and query of the jobs."""
    with session(site.settings, site.password) as connection:
        for read in tables_read(site.jobs):
            yield _readable(connection, read, site.settings.pg_user)
        for job in query_jobs(site.jobs):
            yield _query_runs(connection, job)


def _readable(connection: psycopg.Connection[Any], read: TableRead, role: str) -> Finding:
    subject = f"table {read.name}"
    found = table(connection, read.schema, read.table)
    if found is None:
        like = names_like(connection, read.schema, read.table)
        known = f"there is {', '.join(like)}: correct schema and table in jobs.toml" if like else None
        return failed(subject, "there is no such table", known or "create it, or correct jobs.toml or PGDATABASE")
    lacking = [name for name in read.columns or () if name not in found.columns]
    if lacking:
        says = f"there is no column {', '.join(map(repr, lacking))}"
        return failed(subject, says, f"its columns are {', '.join(found.columns)}; correct columns in jobs.toml")
    return _permitted(subject, found, read, role)


def _permitted(subject: str, found: Table, read: TableRead, role: str) -> Finding:
    if not found.has_usage:
        advice = statement("GRANT USAGE ON SCHEMA {} TO {};", sql.Identifier(read.schema), sql.Identifier(role))
        return failed(subject, f"role {role!r} may not use the schema {read.schema!r}", advice)
    wanted = read.columns or tuple(found.columns)
    hidden = [name for name in wanted if not found.columns[name].is_readable]
    if not found.has_select and (hidden or not wanted):
        what = f"the columns {', '.join(hidden)}" if read.columns and hidden else "it"
        return failed(subject, f"role {role!r} may not read {what}", select_grant(read, role))
    if found.has_row_security:
        advice = statement("ALTER ROLE {} BYPASSRLS; -- or export a view", sql.Identifier(role))
        return failed(subject, "row-level security would hide rows of it, so exports refuse it", advice)
    return ok(subject, f"{len(wanted)} columns can be read")


def _query_runs(connection: psycopg.Connection[Any], job: ExportJob) -> Finding:
    """Runs a query for no rows; if a window filters its output, checks the type of that column."""
    assert job.query is not None
    subject, window = f"query {job.name}", job.window
    text = BOUND.sub("NULL", job.query.strip().rstrip(";").rstrip())
    filtered = window is not None and not BOUND.search(job.query)
    column = sql.Identifier(window.column) if filtered and window else sql.SQL("*")
    try:
        found = connection.execute(
            sql.SQL("SELECT {} FROM (\n{}\n) AS query LIMIT 0").format(column, sql.SQL(text))
        ).description
    except psycopg.errors.InsufficientPrivilege as error:
        return failed(subject, said(error), "`tailrace grants --resolve-queries` prints what it needs")
    except psycopg.Error as error:
        return failed(subject, said(error), "correct query, or window.column, in jobs.toml")
    if filtered and window and found:
        kind = _type_name(connection, found[0].type_code)
        if kind not in _TYPES[window.type]:
            return failed(
                subject, f"{window.column!r} is {kind}, and window.type is {window.type!r}", _right_type(kind)
            )
    return ok(subject, "it runs")


def _type_name(connection: psycopg.Connection[Any], oid: int) -> str:
    row = connection.execute("SELECT format_type(%s, NULL)", (oid,)).fetchone()
    return str(row[0]) if row else ""


def _right_type(kind: str) -> str:
    right = next((window for window, types in _TYPES.items() if kind in types), None)
    return f'window.type = "{right}" in jobs.toml' if right else "take another column for the window"


def windows_find_their_rows(site: Site) -> Iterator[Finding]:
    """The column of each window: its type, whether it may be NULL, whether an index finds its rows."""
    with session(site.settings, site.password) as connection:
        for job in site.jobs.values():
            if job.window is None or job.schema_name is None or job.table is None:
                continue
            found = table(connection, job.schema_name, job.table)
            if found is not None:
                yield from _window(job, job.window, found)


def _window(job: ExportJob, window: Grid, found: Table) -> Iterator[Finding]:
    subject = f"window of {job.name}"
    column = found.columns.get(window.column)
    if column is None:
        yield failed(subject, f"there is no column {window.column!r}", "correct window.column in jobs.toml")
        return
    if column.type not in _TYPES[window.type]:
        says = f"{column.name!r} is {column.type}, and window.type is {window.type!r}"
        yield failed(subject, says, _right_type(column.type))
        return
    if not column.is_not_null and found.kind in {"r", "p"}:
        name = sql.Identifier(str(job.schema_name), str(job.table))
        advice = statement("ALTER TABLE {} ALTER {} SET NOT NULL;", name, sql.Identifier(column.name))
        yield warning(subject, f"{column.name!r} may be NULL: such rows are in no window, and never exported", advice)
    if not column.is_found_fast and (found.kind == "p" or (found.kind in {"r", "m"} and found.size > _SMALL_BYTES)):
        name = sql.Identifier(str(job.schema_name), str(job.table))
        advice = statement("CREATE INDEX CONCURRENTLY ON {} ({});", name, sql.Identifier(column.name))
        advice = advice.replace(" CONCURRENTLY", "") if found.kind == "p" else advice
        yield warning(subject, f"no index begins with {column.name!r}: every window reads the whole table", advice)
        return
    yield ok(subject, f"{column.name!r}, {column.type}, every {_length(window)}")


def _length(window: Grid) -> str:
    every = getattr(window, "every", None)
    return f"{every.count} {every.unit}" if every is not None else f"{getattr(window, 'size', '')} numbers"


CHECKS = (
    Check("postgres tables", tables_can_be_read, needs=("postgres login", "jobs")),
    Check("postgres windows", windows_find_their_rows, needs=("postgres login", "jobs")),
)
