"""Edge: logs in to the server as the workers do, and explains refused logins."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from connections.postgres.connector import Connector
from connections.postgres.server_errors import Trouble, without_address
from doctor.claims import Claims
from settings import Settings
from telemetry.waits import waiting_for

_OTHER_KIND = (
    "drop the role {role}, which is tied to a person, and make it anew for the application by "
    "`tailrace grants --object-id … --kind service`"
)
_OTHER_IDENTITY = (
    "check PGUSER: the role {role} belongs to another identity than the token, or is none of Entra's; "
    "then run `tailrace grants`"
)
_FULL = "raise max_connections, or lower TAILRACE_POOL_SIZE or the number of instances"
# Words of the server or libpq → advice; the first match counts. {role}, {database} and {mode} are filled in.
_ADVICE = (
    ("service principals cannot generate aad_auth_tokentype_app_user", _OTHER_KIND),
    ("is neither an aad_auth_tokentype_app_user", _OTHER_IDENTITY),
    ("token is expired", "set the clock right, the server's or this machine's"),
    ("password authentication failed", "{login}"),
    ("too many connections for role", "ALTER ROLE {role} CONNECTION LIMIT -1;"),
    ("remaining connection slots", _FULL),
    ("too many clients", _FULL),
    ("is not permitted to log in", "ALTER ROLE {role} LOGIN;"),
    ("permission denied for database", "GRANT CONNECT ON DATABASE {database} TO {role};"),
    ("no pg_hba.conf entry", "let the app's address through the server's firewall, and leave PGSSLMODE unset"),
    ("root certificate file", "set PGSSLROOTCERT to a file that exists, or leave it unset for the system's roots"),
    ("certificate verify failed", "set PGSSLROOTCERT to the server's authority; leave it unset for public ones"),
    ("server certificate for", "connect by the name that the certificate is for"),
    ("does not support ssl", "switch TLS on at the server; PGSSLMODE={mode} asks for it"),
    ("encrypted connections only", "leave PGSSLMODE unset, which means verify-full"),
    ("database ", "set PGDATABASE to the database that the jobs read, upper and lower case included"),
    ("role ", "set PGUSER to a role of the server, or `tailrace grants`"),
    ("", "check PGHOST and PGPORT, and that the server runs"),
)


@contextmanager
def session(settings: Settings, password: Callable[[], str | None]) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit, statements of 8 s at most. Raises psycopg.Error, IdentityUnavailable."""
    parameters = Connector(settings, password).parameters() | {"connect_timeout": 6}
    with waiting_for("a connection to PostgreSQL"):
        connection = psycopg.connect(**parameters, autocommit=True)
    with connection:
        connection.execute("SET statement_timeout = '8s'; SET lock_timeout = '2s'")
        yield connection


def said(error: psycopg.Error) -> str:
    """The problem in one line, in the server's words if there are any.

    >>> said(psycopg.OperationalError('connection failed: … FATAL:  database "x" does not exist\\nDETAIL: a'))
    'database "x" does not exist'
    """
    return without_address(Trouble.of(error).cause)


def login_advice(words: str, settings: Settings, claims: Claims | None) -> str:
    """Advice for a refused login with these words; `claims` are those of the token, if there was one."""
    advice = next(advice for text, advice in _ADVICE if text in words.lower())
    role, database = (sql.Identifier(name).as_string() for name in (settings.pg_user, settings.pg_database))
    login = _wrong_password(settings, claims)
    return advice.format(role=role, database=database, mode=settings.postgres_sslmode, login=login)


def _wrong_password(settings: Settings, claims: Claims | None) -> str:
    if claims is None:
        return "check PGUSER, upper and lower case included, and PGPASSWORD; with an identity leave PGPASSWORD out"
    if claims.name and claims.name != settings.pg_user:
        case = " (upper and lower case count)" if claims.name.lower() == settings.pg_user.lower() else ""
        return (
            f"the token is {claims.name}'s and PGUSER is {settings.pg_user}{case}: set PGUSER={claims.name}, or "
            f"tie the role to the identity by `tailrace grants --object-id {claims.object_id}`"
        )
    return f"make the role for the identity: `tailrace grants --role {settings.pg_user}`, run in psql by an Entra admin"
