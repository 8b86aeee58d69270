"""The windows of the jobs: their columns find their rows, and their ends are proven."""

from collections.abc import Iterable, Iterator
from typing import Any

import psycopg
from psycopg import sql

from contracts.grid import Grid
from contracts.job import ExportJob
from doctor.catalogue import WINDOW_TYPES, Table, right_type, table
from doctor.finding import Check, Finding, failed, ok, warning
from doctor.grants import STATISTICS_ROLE, statement
from doctor.session import session
from doctor.site import Site

# Reading all of less than this takes less than a second: an index would not pay.
_SMALL_BYTES = 64 * 1024 * 1024


def windows_find_their_rows(site: Site) -> Iterator[Finding]:
    """The column of each window: its type, whether it may be NULL, whether an index finds its rows."""
    with session(site.settings, site.password) as connection:
        found = [one for job in site.jobs.values() for one in _of_job(connection, job)]
    yield from _once_each(found)


def ends_are_proven(site: Site) -> Iterator[Finding]:
    """By what windows are proven closed, which depends on one right of the role."""
    asked = {job.name: job.closing.by for job in site.jobs.values() if job.window is not None}
    if not asked:
        yield ok("closed windows", "no job has windows")
        return
    with session(site.settings, site.password) as connection:
        row = connection.execute("SELECT pg_has_role(current_user, %s, 'USAGE')", (STATISTICS_ROLE,)).fetchone()
    if row == (True,):
        yield ok("closed windows", "the role can see all open transactions, which proves the most")
    elif jobs := [name for name, by in asked.items() if by == "transactions"]:
        says = f'closed = "transactions" of {", ".join(jobs)} needs {STATISTICS_ROLE}, which the role lacks'
        grant = statement(f"GRANT {STATISTICS_ROLE} TO {{}};", sql.Identifier(site.settings.pg_user))
        yield failed("closed windows", says, grant)
    else:
        yield ok("closed windows", f"proven by the locks of writers; with {STATISTICS_ROLE} by all transactions")


def _of_job(connection: psycopg.Connection[Any], job: ExportJob) -> Iterator[tuple[str, Finding]]:
    if job.window is None or job.schema_name is None or job.table is None:
        return
    found = table(connection, job.schema_name, job.table)
    if found is not None:
        for finding in _window(sql.Identifier(job.schema_name, job.table), job.window, found):
            yield job.name, finding


def _once_each(found: Iterable[tuple[str, Finding]]) -> Iterator[Finding]:
    """What is said of several jobs is said once, with their names."""
    jobs: dict[Finding, list[str]] = {}
    for job, finding in found:
        jobs.setdefault(finding, []).append(job)
    for finding, names in jobs.items():
        yield Finding(f"window of {', '.join(names)}", finding.verdict, finding.says, finding.advice)


def _window(name: sql.Identifier, window: Grid, found: Table) -> Iterator[Finding]:
    """What is to be said of a window; the subject is the table's name."""
    subject, column = name.as_string(), found.columns.get(window.column)
    if column is None:
        yield failed(subject, f"there is no column {window.column!r}", "correct window.column in jobs.toml")
        return
    if column.type not in WINDOW_TYPES[window.type]:
        says = f"{column.name!r} is {column.type}, and window.type is {window.type!r}"
        yield failed(subject, says, right_type(column.type))
        return
    if not column.is_not_null and found.kind in {"r", "p"}:
        advice = statement("ALTER TABLE {} ALTER {} SET NOT NULL;", name, sql.Identifier(column.name))
        yield warning(subject, f"{column.name!r} may be NULL: such rows are in no window, and never exported", advice)
    if not column.is_found_fast and (found.kind == "p" or (found.kind in {"r", "m"} and found.size > _SMALL_BYTES)):
        advice = statement("CREATE INDEX CONCURRENTLY ON {} ({});", name, sql.Identifier(column.name))
        advice = advice.replace(" CONCURRENTLY", "") if found.kind == "p" else advice
        yield warning(subject, f"no index begins with {column.name!r}: every window reads the whole table", advice)
        return
    yield ok(subject, f"{column.name!r}, {column.type}, every {_length(window)}")


def _length(window: Grid) -> str:
    every = getattr(window, "every", None)
    return f"{every.count} {every.unit}" if every is not None else f"{getattr(window, 'size', '')} numbers"


CHECKS = (
    Check("postgres windows", windows_find_their_rows, needs=("postgres login", "jobs")),
    Check("closed windows", ends_are_proven, needs=("postgres login", "jobs")),
)
