"""`tailrace grants`: the SQL that lets a role export, and an audit of the role's other rights."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import psycopg
import typer

from cli.terminal import complain, record, remark, say
from connections.postgres.tokens import password_source
from contracts.errors import SourceUnavailable
from contracts.jobs_file import Jobs, load_jobs
from doctor.audit import excesses, shortened
from doctor.grants import Login, Wanted, grant_script
from doctor.query_reads import query_reads
from doctor.reads import TableRead, once_each, query_jobs, tables_read
from doctor.session import login_advice, said, session
from settings import Settings

_JOBS = Path(__file__).parents[1] / "jobs.toml"


def grants(  # noqa: PLR0913  # options of a command
    *,
    role: Annotated[str, typer.Option(envvar="PGUSER", help="The role; for an identity its name, case-sensitive.")],
    database: Annotated[str, typer.Option(envvar="PGDATABASE", help="The database that the jobs read.")],
    jobs: Annotated[Path, typer.Option(envvar="TAILRACE_JOBS", help="The jobs.", show_default=False)] = _JOBS,
    login: Annotated[Literal["entra", "password"], typer.Option(help="How the role logs in.")] = "entra",
    object_id: Annotated[
        str | None, typer.Option(metavar="UUID", help="Of the identity, if the role has another name.")
    ] = None,
    kind: Annotated[
        Literal["service", "user", "group"], typer.Option(help="What the object id is of; service for identities.")
    ] = "service",
    future_tables: Annotated[bool, typer.Option("--future-tables", help="Also tables created later.")] = False,
    prove_closed: Annotated[
        bool, typer.Option("--prove-closed", help="Also to see open transactions, to prove that windows are closed.")
    ] = False,
    owner: Annotated[str | None, typer.Option(metavar="ROLE", help="Who creates later tables.")] = None,
    role_settings: Annotated[bool, typer.Option(help="Also read-only and time-outs as the role's defaults.")] = True,
    resolve_queries: Annotated[
        bool, typer.Option("--resolve-queries", help="Connect, and find out what the queries of jobs read.")
    ] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Connect, and list what the role can do beyond that; exit 1 if anything.")
    ] = False,
) -> None:
    """Print the SQL that lets a role export the jobs, and nothing else.

    Nothing is executed: pipe it into psql as an administrator of the server.
    docs/how-to/identity.md explains each statement.
    """
    known = load_jobs(jobs)
    complain(f"left out: {problem}" for one in known.disabled for problem in one.problems)
    if audit:
        _audit(role, known)
        return
    reads, unknown = tables_read(known), [job.name for job in query_jobs(known)]
    if resolve_queries and unknown:
        reads, unknown = once_each([*reads, *_resolved(known)]), []
    wanted = Wanted(
        role=role,
        database=database,
        reads=tuple(reads),
        queries=tuple(unknown),
        login=Login(login, object_id, kind),
        future_tables=future_tables,
        prove_closed=prove_closed,
        owner=owner,
        role_settings=role_settings,
    )
    print(grant_script(wanted), end="")


@contextmanager
def _session() -> Iterator[psycopg.Connection[Any]]:
    settings = Settings.from_env(os.environ)
    try:
        with session(settings, password_source(settings)) as connection:
            yield connection
    except psycopg.Error as error:
        words = said(error)
        advice = login_advice(words, settings, None) if error.sqlstate is None else "`tailrace doctor` says more"
        raise SourceUnavailable(f"{settings.pg_user}@{settings.pg_host}: {words}", advice=advice) from error


def _resolved(jobs: Jobs) -> list[TableRead]:
    with _session() as connection:
        return [read for job in query_jobs(jobs) for read in query_reads(connection, job)]


def _audit(role: str, jobs: Jobs) -> None:
    with _session() as connection:
        reads = tables_read(jobs)
        for job in query_jobs(jobs):
            reads += query_reads(connection, job)
        found = excesses(connection, role, reads)
    for excess in shortened(found):
        record(f"{excess.what} {excess.subject}", {"advice": excess.advice or None})
    if found:
        remark(f"role {role!r} can do {len(found):,} things that the jobs do not need")
        raise typer.Exit(1)
    say(f"role {role!r} can read what the jobs name, and no more")
