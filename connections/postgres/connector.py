"""Edge: makes connections to the server, and says why one failed."""

from collections.abc import Callable
from typing import Any

import psycopg

from connections.postgres.roots import root_certificates
from connections.postgres.server_errors import no_connection
from connections.postgres.session_name import PREFIX
from contracts.errors import SourceUnavailable
from settings import Settings


class Connector:
    """Makes connections, with a fresh password each time."""

    def __init__(self, settings: Settings, password: Callable[[], str | None]) -> None:
        self._settings = settings
        self._password = password

    @property
    def target(self) -> str:
        """user@host:port/database, for messages."""
        settings = self._settings
        return f"{settings.pg_user}@{settings.pg_host}:{settings.pg_port}/{settings.pg_database}"

    def parameters(self) -> dict[str, Any]:
        """Arguments of psycopg.connect. Keepalives and tcp_user_timeout detect a dead server within a minute.

        Raises IdentityUnavailable if there is no token.
        """
        settings = self._settings
        parameters: dict[str, Any] = {
            "host": settings.pg_host,
            "port": settings.pg_port,
            "dbname": settings.pg_database,
            "user": settings.pg_user,
            "sslmode": settings.postgres_sslmode,
            "application_name": PREFIX,
            "client_encoding": "UTF8",
            "connect_timeout": max(2, int(settings.connect_timeout_seconds)),
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        }
        if settings.postgres_sslmode in {"verify-ca", "verify-full"}:
            parameters["sslrootcert"] = root_certificates(settings.pg_sslrootcert)
        elif settings.pg_sslrootcert is not None:
            parameters["sslrootcert"] = settings.pg_sslrootcert
        parameters["password"] = self._password()
        return parameters

    def connect(self, seconds: float) -> psycopg.Connection[Any]:
        """A new connection in autocommit, made within some seconds, 2 at least, or what the settings say.

        Raises psycopg.Error, or IdentityUnavailable if there is no token.
        """
        parameters = self.parameters()
        parameters["connect_timeout"] = max(2, min(parameters["connect_timeout"], int(seconds)))
        return psycopg.connect(**parameters, autocommit=True)

    def failure(self, error: psycopg.Error) -> SourceUnavailable:
        """The error of whoever got no connection."""
        return no_connection(self.target, error)
