"""Edge: makes connections to the server, and says why one failed."""

from collections.abc import Callable
from typing import Any

import psycopg

from connections.postgres.roots import root_certificates
from connections.postgres.server_errors import no_connection
from connections.postgres.session_name import PREFIX
from contracts.errors import SourceUnavailable, TailraceError
from settings import Settings

_ALWAYS: dict[str, Any] = {
    "application_name": PREFIX,
    "client_encoding": "UTF8",
    # A dead server is detected within a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    # Nothing is prepared: a pooler such as PgBouncer may run the next transaction on another connection, which lacks
    # the statement, or holds another client's by the same name.
    "prepare_threshold": None,
}


class Connector:
    """libpq's parameters with a fresh password each time. Holds the last failure, which the pool would only log."""

    def __init__(self, settings: Settings, password: Callable[[], str | None]) -> None:
        self._settings = settings
        self._password = password
        self._last_failure: Exception | None = None
        self.connection_class = self._remembering_failures()

    @property
    def target(self) -> str:
        """user@host:port/database, for messages."""
        settings = self._settings
        return f"{settings.pg_user}@{settings.pg_host}:{settings.pg_port}/{settings.pg_database}"

    def parameters(self) -> dict[str, Any]:
        """Arguments of psycopg.connect. Raises IdentityUnavailable if there is no token."""
        settings = self._settings
        parameters: dict[str, Any] = {
            "host": settings.pg_host,
            "port": settings.pg_port,
            "dbname": settings.pg_database,
            "user": settings.pg_user,
            "sslmode": settings.postgres_sslmode,
            "connect_timeout": max(2, int(settings.connect_timeout_seconds)),
            **_ALWAYS,
        }
        if settings.postgres_sslmode in {"verify-ca", "verify-full"}:
            parameters["sslrootcert"] = root_certificates(settings.pg_sslrootcert)
        elif settings.pg_sslrootcert is not None:
            parameters["sslrootcert"] = settings.pg_sslrootcert
        try:
            parameters["password"] = self._password()
        except TailraceError as error:
            self._last_failure = error
            raise
        return parameters

    def failure(self, timeout: Exception) -> TailraceError:
        """The error of whoever got no connection: the last failure, else only the time-out."""
        match self._last_failure:
            case psycopg.Error() as error:
                return no_connection(self.target, error)
            case TailraceError() as error:
                return error
        return SourceUnavailable(f"no connection to {self.target}: {timeout}")

    def _remembering_failures(self) -> type[psycopg.Connection[Any]]:
        connector = self

        class Remembering(psycopg.Connection[Any]):
            @classmethod
            def connect(cls, *args: Any, **kwargs: Any) -> "Remembering":
                try:
                    connection = super().connect(*args, **kwargs)
                except psycopg.Error as error:
                    connector._last_failure = error
                    raise
                connector._last_failure = None
                return connection

        return Remembering
