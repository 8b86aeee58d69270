"""A private PostgreSQL server: on a free port of 127.0.0.1 and a Unix socket, with SCRAM passwords.

with Postgres.start(directory) as postgres, psycopg.connect(**postgres.parameters("postgres")) as connection:
    ...
"""

import os
import re
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from devstack.postgres_address import DATABASE, EXPORTER, Address
from devstack.postgres_cluster import Cluster, create_cluster
from devstack.process import Launch, Process, ProcessError, start
from emulators.certificate import Certificate, create_certificate

HOST = "127.0.0.1"
TLS_READY = re.compile(rf"^TLS for PostgreSQL listening on {re.escape(HOST)}:(\d+)$")
READY = re.compile("database system is ready to accept connections")
# The data is thrown away, so it need not survive a power cut; the sizes leave room for the machine's other servers.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "max_connections": "50",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
}
# The caller's PGPORT, PGDATA and so on are meant for clients.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"LC_ALL": "C"}


class Postgres:
    """A running server with the roles `postgres` (superuser) and `exporter` (reads) and the database `tailrace`."""

    def __init__(self, cluster: Cluster, settings: Mapping[str, str], log: Path, port: int = 0) -> None:
        self.host = HOST
        self.log = log
        self.authority: Path | None = None
        self._cluster = cluster
        self._settings = {**SETTINGS, **settings}
        self._server_port, self.process = (port, self._serve(port)) if port else self._start_on_a_free_port()
        self._tls: Process | None = None

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        tls: bool = False,
        settings: Mapping[str, str] | None = None,
        cluster: Cluster | None = None,
        port: int = 0,
    ) -> Self:
        """Start a server and wait until it accepts connections. Its log is `directory/postgres.log`.

        Its data is in `cluster`, by default a new one that is deleted at the end. port: 0 for a free one.
        tls: encrypted connections only, with a certificate of `directory/ca.pem`, which is also `authority`.
        settings: PostgreSQL settings on top of SETTINGS. Raises ProcessError with the last lines of the log.
        """
        directory.mkdir(parents=True, exist_ok=True)
        cluster = cluster or create_cluster()
        try:
            postgres = cls(cluster, settings or {}, directory / "postgres.log", port)
        except BaseException:
            cluster.remove()
            raise
        if tls:
            postgres.encrypt(create_certificate(directory))
        return postgres

    def encrypt(self, certificate: Certificate) -> None:
        """Accept encrypted connections only, from now on and on another port."""
        files = ["--certificate", str(certificate.certificate), "--key", str(certificate.key)]
        server = ["-m", "devstack.postgres_tls", "--server-port", str(self._server_port)]
        launch = Launch(self.log.with_name("postgres-tls.log"), name="TLS for PostgreSQL")
        try:
            self._tls = start([sys.executable, *server, *files], ready=TLS_READY, launch=launch)
        except BaseException:
            self.close()
            raise
        self.authority = certificate.authority

    @property
    def port(self) -> int:
        """The port for clients."""
        match = self._tls.match if self._tls else None
        return int(match[1]) if match else self._server_port

    @property
    def socket_folder(self) -> Path:
        """The host value for a connection through the Unix socket."""
        return self._cluster.home

    @property
    def address(self) -> Address:
        """How to connect."""
        return Address(HOST, self.port, self._cluster.passwords, self.authority)

    def parameters(self, user: str = EXPORTER, database: str = DATABASE) -> dict[str, str]:
        """Keyword parameters for psycopg.connect."""
        return self.address.parameters(user, database)

    def dsn(self, user: str = EXPORTER, password: str | None = None, database: str = DATABASE) -> str:
        """The same as a conninfo string, for the command line; it holds the password."""
        return self.address.dsn(user, password, database)

    def environ(self, user: str = EXPORTER, database: str = DATABASE) -> dict[str, str]:
        """The same as libpq's environment variables."""
        return self.address.environ(user, database)

    def stop(self) -> None:
        """End the server and its sessions at once. The data stays for `resume`."""
        self.process.close()

    def resume(self) -> None:
        """Serve the same data on the same port again."""
        self.process = self._serve(self._server_port)

    def close(self) -> None:
        """End the server, and delete its data unless it stays."""
        if self._tls:
            self._tls.close()
        self.process.close()
        self._cluster.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_on_a_free_port(self) -> tuple[int, Process]:
        for attempt in range(5):
            port = free_port()
            try:
                return port, self._serve(port)
            except ProcessError as error:
                if attempt == 4 or "Address already in use" not in str(error):
                    raise
        raise AssertionError

    def _serve(self, port: int) -> Process:
        settings = {"listen_addresses": HOST, "port": str(port), "unix_socket_directories": str(self._cluster.home)}
        options = [f"--{key}={value}" for key, value in (settings | self._settings).items()]
        return start(
            [str(self._cluster.programs / "postgres"), "-D", str(self._cluster.data), *options],
            ready=READY,
            env=ENVIRONMENT,
            cwd=self._cluster.home,
            launch=Launch(
                log=self.log,
                account=self._cluster.account,
                litter=None if self._cluster.stays else self._cluster.home,
                name="PostgreSQL",
                # Sessions are cut and no checkpoint is written; `resume` recovers what was committed.
                stop_signal=signal.SIGQUIT,
            ),
        )


def free_port() -> int:
    """Find a TCP port of 127.0.0.1 without a listener, for servers that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
