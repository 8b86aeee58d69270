"""Checks what the jobs read: tables, columns and queries exist and may be read."""

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from psycopg import sql

from contracts.job import BOUND, ExportJob
from contracts.jobs_file import Jobs
from doctor.catalogue import WINDOW_TYPES, Table, names_like, right_type, table
from doctor.finding import Check, Finding, failed, ok
from doctor.grants import select_grant, statement
from doctor.reads import TableRead, query_jobs, tables_read
from doctor.session import said, session
from doctor.site import Site


def tables_can_be_read(site: Site) -> Iterator[Finding]:
    """Every table, column and query of the jobs."""
    with session(site.settings, site.password) as connection:
        for read in tables_read(site.jobs):
            yield _readable(connection, read, site.settings.pg_user)
        yield from _columns_of_outputs(connection, site.jobs)
        for job in query_jobs(site.jobs):
            yield _query_runs(connection, job)


def _readable(connection: psycopg.Connection[Any], read: TableRead, role: str) -> Finding:
    subject = f"table {read.name}"
    found = table(connection, read.schema, read.table)
    if found is None:
        like = names_like(connection, read.schema, read.table)
        says = "there is no such table" + (f"; there is {', '.join(like)}" if like else "")
        fix = "correct schema and table in jobs.toml" if like else "create it, or correct jobs.toml or PGDATABASE"
        return failed(subject, says, fix)
    lacking = [name for name in read.columns or () if name not in found.columns]
    if lacking:
        says = f"there is no column {', '.join(map(repr, lacking))}; its columns are {', '.join(found.columns)}"
        return failed(subject, says, "correct columns in jobs.toml")
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
    return ok(subject, f"all {len(wanted)} columns can be read" if len(wanted) != 1 else "its column can be read")


def _columns_of_outputs(connection: psycopg.Connection[Any], jobs: Jobs) -> Iterator[Finding]:
    """Columns that the keys of [job.output] name, and that the job's table lacks."""
    for job in jobs.values():
        found = table(connection, job.schema_name or "", job.table or "") if any(job.output.named_columns) else None
        if found is not None:
            yield from _lacking(f"output of {job.name}", job, {one.name: one.type for one in found.columns.values()})


def _lacking(subject: str, job: ExportJob, columns: Mapping[str, str]) -> Iterator[Finding]:
    for key, name in job.output.named_columns:
        if name not in columns:
            says = f"output.{key} names the column {name!r}, which is not there; the columns are {', '.join(columns)}"
            yield failed(subject, says, f"correct output.{key} in jobs.toml")
        elif key == "bloom_filters" and columns[name].removesuffix("[]") in {"boolean", "bool"}:
            says = f"output.{key} names the column {name!r}, and a boolean has no bloom filter"
            yield failed(subject, says, f"remove {name!r} from output.{key} in jobs.toml")


def _query_runs(connection: psycopg.Connection[Any], job: ExportJob) -> Finding:
    """Runs a query for no rows; if a window filters its output, checks the type of that column."""
    assert job.query is not None
    subject, window = f"query {job.name}", job.window
    text = BOUND.sub("NULL", job.query.strip().rstrip(";").rstrip())
    filtered = window is not None and not BOUND.search(job.query)
    columns = sql.SQL("{}, query.*").format(sql.Identifier(window.column)) if filtered and window else sql.SQL("*")
    try:
        found = connection.execute(
            sql.SQL("SELECT {} FROM (\n{}\n) AS query LIMIT 0").format(columns, sql.SQL(text))
        ).description
    except psycopg.errors.InsufficientPrivilege as error:
        return failed(subject, said(error), "`tailrace grants --resolve-queries` prints what it needs")
    except psycopg.Error as error:
        return failed(subject, said(error), "correct query, or window.column, in jobs.toml")
    if filtered and window and found:
        kind = _type_name(connection, found[0].type_code)
        if kind not in WINDOW_TYPES[window.type]:
            return failed(subject, f"{window.column!r} is {kind}, and window.type is {window.type!r}", right_type(kind))
    types = {one.name: one.type_display for one in (found or ())[1 if filtered else 0 :]}
    return next(_lacking(subject, job, types), ok(subject, "it runs"))


def _type_name(connection: psycopg.Connection[Any], oid: int) -> str:
    row = connection.execute("SELECT format_type(%s, NULL)", (oid,)).fetchone()
    return str(row[0]) if row else ""


CHECKS = (Check("postgres tables", tables_can_be_read, needs=("postgres login", "jobs")),)
