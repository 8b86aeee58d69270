"""Edge: the pool of connections that exports read by."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Semaphore, Thread
from typing import Any, Self

import psycopg
from psycopg import pq, sql
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from connections.postgres.connector import Connector
from connections.postgres.server_errors import Trouble, translated
from connections.postgres.session_name import PREFIX
from contracts.errors import SourceBusy
from settings import Settings
from telemetry.waits import waiting_for
from worker.source.large_rows import release
from worker.source.liveness import check, note_use
from worker.source.snapshot import Snapshot, begin_statement, join_snapshot, open_snapshot

# A further connection is worth a short wait only: meanwhile the snapshot of its export stays open.
_SPARE_SECONDS = 5.0
# For a pool that has failed to connect for all the time there was.
_LEAST_SECONDS = 0.1


def _reserved(settings: Settings) -> int:
    return min(settings.pool_size, settings.concurrency)


def places_of_one(settings: Settings) -> int:
    """How many connections one export may have, if no other one has further streams."""
    return 1 + settings.pool_size - _reserved(settings)


class Source:
    """A pool of at most `pool_size` connections to one server; safe for threads.

    One place is reserved for each export that may run at once, so that no large export can starve another; the places
    beyond those are for further streams.
    """

    def __init__(self, settings: Settings, password: Callable[[], str | None]) -> None:
        """`password` is called for every new connection, so that a token is always fresh."""
        self._settings = settings
        self._connector = Connector(settings, password)
        first = _reserved(settings)
        # Counts of free places: acquired before a connection is taken from the pool, released after it is back.
        self._first = Semaphore(first)
        self._spare = Semaphore(settings.pool_size - first)
        # The thread that makes a connection ahead, replaced under the lock by the threads of deliveries.
        self._beginning = Lock()
        self._coming = Thread()
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            kwargs=lambda: {**self._connector.parameters(), "autocommit": True},
            connection_class=self._connector.connection_class,
            min_size=0,
            max_size=settings.pool_size,
            timeout=settings.connect_timeout_seconds,
            # Or the pool would wait ever longer between its attempts, up to minutes after the server is back.
            reconnect_timeout=settings.connect_timeout_seconds,
            max_idle=120,
            # One that was just made is not asked whether it lives.
            configure=note_use,
            check=check,
            open=False,
            name="source",
        )

    def __enter__(self) -> Self:
        self._pool.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close(timeout=5)

    def ahead(self) -> None:
        """Begins to connect for an export that is about to ask for its connection, if the pool has none."""
        with self._beginning:
            if self._pool.get_stats()["pool_size"] == 0 and not self._coming.is_alive():
                self._coming = Thread(target=self._fill, name="connect", daemon=True)
                self._coming.start()

    def check(self) -> None:
        """Connects once, without waiting as an export would. Raises SourceUnavailable or IdentityUnavailable."""
        try:
            with waiting_for(f"a connection to {self._connector.target}"):
                self._connector.connection_class.connect(**self._connector.parameters()).close()
        except psycopg.Error as error:
            raise self._connector.failure(error) from None

    @contextmanager
    def connection(self, subject: str) -> Iterator[psycopg.Connection[Any]]:
        """An export's first connection, in autocommit. Raises SourceBusy if the pool has no place for it."""
        timeout = self._settings.connect_timeout_seconds
        with waiting_for("a free connection of this process"):
            is_free = self._first.acquire(timeout=timeout)
        if not is_free:
            raise SourceBusy(
                f"export of {subject} waits: no free connection to {self._connector.target} within {timeout:g} s",
                advice="let TAILRACE_POOL_SIZE be at least TAILRACE_CONCURRENCY",
                reason="PoolExhausted",
            )
        try:
            with self._connection(subject, timeout) as connection:
                yield connection
        finally:
            self._first.release()

    @contextmanager
    def snapshot(
        self,
        connection: psycopg.Connection[Any],
        selected: sql.Composable,
        relation: sql.Identifier | None = None,
        name: str = PREFIX,
    ) -> Iterator[Snapshot]:
        """A snapshot on a connection, for the block; `relation` is the table behind `selected`, if it is one.

        `name` is the application_name that pg_stat_activity shows meanwhile.
        """
        with open_snapshot(connection, self._begin(None, name), selected, relation, name) as snapshot:
            yield snapshot

    @contextmanager
    def sharing(self, shared: str, name: str, subject: str) -> Iterator[psycopg.Connection[Any] | None]:
        """A further connection on the exported snapshot `shared`; None if the pool has no place for one."""
        if not self._spare.acquire(blocking=False):
            yield None
            return
        try:
            with self._connection(subject, min(_SPARE_SECONDS, self._settings.connect_timeout_seconds)) as connection:
                join_snapshot(connection, self._begin(shared, name), subject)
                yield connection
                connection.execute("COMMIT")
        finally:
            self._spare.release()

    def _begin(self, shared: str | None, name: str) -> sql.Composed:
        settings = self._settings
        return begin_statement(
            int(settings.statement_timeout_seconds * 1000), int(settings.lock_timeout_seconds * 1000), shared, name
        )

    @contextmanager
    def _connection(self, subject: str, timeout: float) -> Iterator[psycopg.Connection[Any]]:
        try:
            with waiting_for(f"a connection to {self._connector.target}"):
                connection = self._taken(timeout)
        except PoolTimeout as error:
            raise self._connector.failure(error) from None
        try:
            yield connection
        except psycopg.Error as error:
            raise translated(Trouble.of(error), subject) from error
        finally:
            if connection.info.transaction_status in {pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR}:
                # If the connection is lost here, the pool makes a new one in its place.
                with suppress(psycopg.Error):
                    connection.rollback()
            release(connection)
            note_use(connection)
            # The pool closes one that is in the middle of a statement.
            self._pool.putconn(connection)

    def _taken(self, timeout: float) -> psycopg.Connection[Any]:
        """A connection of the pool, which would make a second one while the first is on its way."""
        deadline = time.monotonic() + timeout
        with self._beginning:
            coming = self._coming
        if coming.is_alive():
            coming.join(timeout)
        return self._pool.getconn(max(_LEAST_SECONDS, deadline - time.monotonic()))

    def _fill(self) -> None:
        # Whoever needs the connection then finds out why there is none.
        with suppress(PoolTimeout, PoolClosed):
            self._pool.putconn(self._pool.getconn(self._settings.connect_timeout_seconds))
