"""Edge: one snapshot of PostgreSQL, and the bytes that COPY sends out of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import psycopg
from psycopg import pq, sql
from psycopg_pool import ConnectionPool, PoolTimeout

from contracts.errors import SourceUnavailable
from settings import Settings
from worker.snapshot import Snapshot
from worker.source_errors import translated

# Sets what the bytes of an export depend on, in the one round trip that begins the transaction:
# row_security=off makes a policy an error where it would leave rows out in silence; synchronize_seqscans=off
# makes the same data give the same bytes.
_BEGIN = sql.SQL("""\
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = {statement_ms};
SET LOCAL lock_timeout = {lock_ms};
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL row_security = off;
SET LOCAL synchronize_seqscans = off;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO';
SET LOCAL intervalstyle = 'postgres';
SET LOCAL bytea_output = 'hex';
SET LOCAL extra_float_digits = 1;
SELECT pg_current_snapshot()::text""")


class Source:
    """The server that exports read from; a pool of connections, safe for threads."""

    def __init__(self, settings: Settings, password: Callable[[], str | None]) -> None:
        """`password` is called for every new connection, so that a token is always fresh."""
        self._settings = settings
        self._last_error: psycopg.Error | None = None
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            kwargs=lambda: {**_parameters(settings), "password": password()},
            connection_class=self._remembering_errors(),
            min_size=0,
            max_size=settings.pool_size,
            timeout=settings.connect_timeout_seconds,
            max_idle=120,
            check=ConnectionPool.check_connection,
            open=False,
            name="source",
        )

    def __enter__(self) -> Self:
        self._pool.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close(timeout=5)

    @contextmanager
    def snapshot(self, subject: str) -> Iterator[Snapshot]:
        """One read-only repeatable-read transaction on a connection of its own; leaving early cancels its COPY."""
        with self._connection(subject) as connection:
            try:
                begin = _BEGIN.format(
                    statement_ms=int(self._settings.statement_timeout_seconds * 1000),
                    lock_ms=int(self._settings.lock_timeout_seconds * 1000),
                )
                (snapshot_id,) = connection.execute(begin).set_result(-1).fetchone() or ("",)
                yield Snapshot(connection, subject, str(snapshot_id))
                connection.execute("COMMIT")
            except psycopg.Error as error:
                raise translated(error, subject) from error
            finally:
                if connection.info.transaction_status is not pq.TransactionStatus.IDLE and not connection.closed:
                    connection.rollback()

    @contextmanager
    def _connection(self, subject: str) -> Iterator[psycopg.Connection[Any]]:
        try:
            connection = self._pool.getconn()
        except PoolTimeout as timeout:
            raise self._no_connection(subject, timeout) from None
        try:
            yield connection
        finally:
            self._pool.putconn(connection)

    def _no_connection(self, subject: str, timeout: PoolTimeout) -> SourceUnavailable:
        settings = self._settings
        where = f"{settings.pg_user}@{settings.pg_host}:{settings.pg_port}/{settings.pg_database}"
        if self._last_error is not None:
            known = translated(self._last_error, subject)
            return SourceUnavailable(f"no connection to {where}: {known}", reason=known.reason)
        return SourceUnavailable(
            f"export of {subject} failed: no free connection to {where} ({timeout}); "
            "let TAILRACE_POOL_SIZE be at least the number of exports that run at once",
            reason="PoolExhausted",
        )

    def _remembering_errors(self) -> type[psycopg.Connection[Any]]:
        source = self

        class Remembering(psycopg.Connection[Any]):
            """The pool only logs why it could not connect; the one who waits is told here."""

            @classmethod
            def connect(cls, *args: Any, **kwargs: Any) -> "Remembering":
                try:
                    connection = super().connect(*args, **kwargs)
                except psycopg.Error as error:
                    source._last_error = error
                    raise
                source._last_error = None
                return connection

        return Remembering


def _parameters(settings: Settings) -> dict[str, object]:
    """The parameters of libpq; the keepalives notice within a minute that a server is gone."""
    parameters: dict[str, object] = {
        "host": settings.pg_host,
        "port": settings.pg_port,
        "dbname": settings.pg_database,
        "user": settings.pg_user,
        "sslmode": settings.postgres_sslmode,
        "application_name": "tailrace",
        "client_encoding": "UTF8",
        "connect_timeout": max(2, int(settings.connect_timeout_seconds)),
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "autocommit": True,
    }
    if settings.pg_sslrootcert is not None:
        parameters["sslrootcert"] = settings.pg_sslrootcert
    return parameters
