"""How to connect to a PostgreSQL server, for psycopg, for the command line and for libpq's environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psycopg.conninfo import make_conninfo

ADMIN, EXPORTER, DATABASE = "postgres", "exporter", "tailrace"
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}


@dataclass(frozen=True, slots=True)
class Address:
    """A server with the roles `postgres` (superuser) and `exporter` (reads) and the database `tailrace`.

    passwords: by role. authority: the certificate that signed the server's, if it wants encryption.

    >>> address = Address("127.0.0.1", 5432, {"exporter": "xyz"})
    >>> address.dsn()
    'host=127.0.0.1 port=5432 user=exporter password=xyz dbname=tailrace sslmode=disable'
    >>> address.environ(database="sales")["PGDATABASE"]
    'sales'
    """

    host: str
    port: int
    passwords: Mapping[str, str] = field(repr=False)
    authority: Path | None = None

    def parameters(self, user: str = EXPORTER, database: str = DATABASE) -> dict[str, str]:
        """Keyword parameters for psycopg.connect."""
        parameters = {
            "host": self.host,
            "port": str(self.port),
            "user": user,
            "password": self.passwords[user],
            "dbname": database,
        }
        if self.authority is None:
            return parameters | {"sslmode": "disable"}
        return parameters | {"sslmode": "verify-full", "sslrootcert": str(self.authority)}

    def dsn(self, user: str = EXPORTER, password: str | None = None, database: str = DATABASE) -> str:
        """The same as a conninfo string, for the command line; it holds the password."""
        parameters = self.parameters(user, database)
        return make_conninfo(**parameters | ({} if password is None else {"password": password}))

    def environ(self, user: str = EXPORTER, database: str = DATABASE) -> dict[str, str]:
        """The same as libpq's environment variables."""
        return {_VARIABLES[key]: value for key, value in self.parameters(user, database).items()}
