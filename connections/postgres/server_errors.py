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
