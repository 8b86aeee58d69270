"""Pure: what a PostgreSQL error means for an export, by SQLSTATE."""

import re
from typing import NamedTuple, Self

import psycopg

from contracts.errors import SourceRejected, SourceUnavailable

# SQLSTATE or its class → (reason, advice). Any other error may pass by itself.
_REJECTED = {
    "42P01": ("TableMissing", "create it, or correct schema and table in jobs.toml"),
    "3F000": ("SchemaMissing", "create it, or correct schema in jobs.toml"),
    "42703": ("ColumnMissing", "create it, or correct columns or window.column in jobs.toml"),
    "42501": ("PrivilegeMissing", "`tailrace grants` prints the statements that grant it"),
    "25006": ("QueryWrites", "an export runs read-only; remove the part of the query that writes"),
    "22": ("QueryFails", "the query fails on its data; run it in psql and correct it"),
    "42": ("StatementRefused", "correct the job in jobs.toml"),
    "0A": ("NotSupported", "PostgreSQL cannot COPY this"),
    "54": ("TooLarge", "a row or statement is over PostgreSQL's limits; export fewer columns"),
}
_LOGIN = ("28", "3D")
# What to do if a connection fails with a reason.
_CONNECTING = {
    "LoginRefused": "check PGUSER, PGPASSWORD and PGDATABASE, or the identity that logs in",
    "TooManyConnections": "lower TAILRACE_POOL_SIZE or the number of workers, or raise max_connections",
}
_ADDRESS = re.compile(r"^(connection failed: )?(connection to server (at|on) .*? failed: )?")
# libpq gives no SQLSTATE for a connection that the server refused, only words.
_REFUSALS = {
    "password authentication failed": "28P01",
    "authentication failed": "28000",
    "pg_hba.conf": "28000",
    "does not exist": "3D000",
    "too many": "53300",
    "connection slots": "53300",
}


class Trouble(NamedTuple):
    """An error of PostgreSQL or libpq as plain values."""

    sqlstate: str
    cause: str
    hint: str

    @classmethod
    def of(cls, error: psycopg.Error) -> Self:
        """The first line of the server's message, else of the client's."""
        cause = error.diag.message_primary or str(error).strip().partition("\n")[0] or type(error).__name__
        return cls(error.sqlstate or _of_refusal(cause), cause, error.diag.message_hint or "")


def _of_refusal(cause: str) -> str:
    """The SQLSTATE behind the words of a refused connection.

    >>> _of_refusal('connection failed: … FATAL:  database "x" does not exist')
    '3D000'
    """
    _, fatal, words = cause.partition("FATAL:")
    return next((state for part, state in _REFUSALS.items() if fatal and part in words), "")


def without_address(cause: str) -> str:
    """Why a connection failed, without libpq's words for the server, which the message names already.

    >>> without_address('connection failed: connection to server at "h", port 5432 failed: Connection refused')
    'Connection refused'
    >>> without_address('connection failed: … failed: FATAL:  database "x" does not exist')
    'database "x" does not exist'
    """
    _, fatal, words = cause.rpartition("FATAL:")
    return words.strip() if fatal else _ADDRESS.sub("", cause)


def no_connection(target: str, error: psycopg.Error) -> SourceUnavailable:
    """The error of a connection to `target` that failed, with what to check."""
    trouble = Trouble.of(error)
    reason = _transient_reason(trouble.sqlstate)
    advice = _CONNECTING.get(reason, "check PGHOST and PGPORT, and that the server runs and lets this machine in")
    return SourceUnavailable(
        f"no connection to {target}: {without_address(trouble.cause)}", advice=advice, reason=reason
    )


def translated(trouble: Trouble, subject: str) -> SourceRejected | SourceUnavailable:
    """The error of an export of `subject`, with SQLSTATE, cause and what to do next.

    >>> print(translated(Trouble("42P01", 'relation "a.b" does not exist', ""), "a.b").explained)
    export of a.b was refused: relation "a.b" does not exist (SQLSTATE 42P01); create it, or correct schema and table \
in jobs.toml
    """
    state, cause, hint = trouble
    if hint and state.startswith("42"):
        cause = f"{cause} ({hint})"
    if state.startswith("22"):
        # Errors on data quote the data.
        cause = re.sub(r'".*"', '"…"', cause)
    known = _REJECTED.get(state) or _REJECTED.get(state[:2])
    if known is not None:
        reason, advice = known
        if state == "42501" and "row-level security" in cause:
            advice = "let the role bypass it (ALTER ROLE … BYPASSRLS), or export a view"
        says = f"export of {subject} was refused: {cause} (SQLSTATE {state})"
        return SourceRejected(says, advice=advice, reason=reason)
    code = f" (SQLSTATE {state})" if state else ""
    return SourceUnavailable(f"export of {subject} failed: {cause}{code}", reason=_transient_reason(state))


def _transient_reason(state: str) -> str:
    if state.startswith(_LOGIN):
        return "LoginRefused"
    return {"57014": "StatementTimeout", "55P03": "LockTimeout", "53300": "TooManyConnections"}.get(
        state, "SourceUnavailable"
    )
