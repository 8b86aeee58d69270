"""Checks PostgreSQL: the login, and the number of connections."""

from collections.abc import Iterator
from typing import Any

import psycopg

from contracts.errors import TailraceError
from doctor.claims import Claims
from doctor.finding import Check, Finding, failed, failed_by, ok, warning
from doctor.session import login_advice, said, session
from doctor.site import Site

_WHO = """
    SELECT current_setting('server_version'), current_user::text, current_database()::text,
           coalesce((SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()), '')"""
_LIMITS = """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
               - coalesce(current_setting('reserved_connections', true), '0')::int,
           (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
           (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
           (SELECT count(*) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND usename IS DISTINCT FROM current_user)"""


def login_works(site: Site) -> Iterator[Finding]:
    """Logs in as the workers do."""
    settings = site.settings
    try:
        with session(settings, site.password) as connection:
            version, role, database, tls = _row(connection, _WHO)
    except TailraceError as error:
        yield failed_by("PostgreSQL", error)
        return
    except psycopg.Error as error:
        words = said(error)
        yield failed("PostgreSQL", words, login_advice(words, settings, _claims(site)))
        return
    yield ok("PostgreSQL", f"version {version}, role {role!r}, database {database!r}, {_transport(site, tls)}")
    if int(str(version).partition(".")[0].partition("beta")[0]) < 14:
        yield warning("PostgreSQL", "before version 14 large tables are read in one part only", "upgrade the server")


def connections_suffice(site: Site) -> Iterator[Finding]:
    """Compares the limits of server, role and database with the connections that all workers open."""
    with session(site.settings, site.password) as connection:
        server, role, database, others = _row(connection, _LIMITS)
    wanted, how = _wanted(site)
    limits = {f"the server has {server} for ordinary roles": server}
    limits |= {f"the role's limit is {role}": role} if role >= 0 else {}
    limits |= {f"the database's limit is {database}": database} if database >= 0 else {}
    least = min(limits, key=lambda text: limits[text])
    if wanted > limits[least]:
        advice = "lower TAILRACE_POOL_SIZE or the instances, or raise max_connections or the CONNECTION LIMIT"
        yield failed("connections", f"up to {wanted} are opened ({how}), but {least}", advice)
    elif wanted > server - others:
        says = f"up to {wanted} are opened ({how}); {server} there are, and others use {others} of them now"
        yield warning("connections", says, "lower TAILRACE_POOL_SIZE, or raise max_connections")
    else:
        yield ok("connections", f"up to {wanted} are opened ({how}); {least}, others use {others}")


def _wanted(site: Site) -> tuple[int, str]:
    """The most connections that workers open, and why; instances count if the deployment's plan is known."""
    each, plan = site.settings.pool_size, site.plan
    if plan is None:
        return each, "TAILRACE_POOL_SIZE, of one process"
    instances = max(int(plan[kind]["instances"]) for kind in ("functions", "containers"))
    return each * instances, f"TAILRACE_POOL_SIZE {each}, {instances} instances"


def _claims(site: Site) -> Claims | None:
    if site.settings.postgres_auth != "entra":
        return None
    try:
        return Claims.of(site.password() or "")
    except TailraceError:
        return None


def _transport(site: Site, tls: str) -> str:
    if tls:
        return tls
    return "a socket" if site.settings.pg_host.startswith("/") else f"PGSSLMODE {site.settings.postgres_sslmode}"


def _row(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return tuple(row)


CHECKS = (
    Check("postgres login", login_works, needs=("network PostgreSQL", "identity")),
    Check("postgres connections", connections_suffice, needs=("postgres login",)),
)
