"""Edge: the server that exports read from."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Semaphore
from typing import Any, Self

import psycopg
from psycopg import pq, sql
from psycopg_pool import ConnectionPool, PoolTimeout

from connections.postgres.connector import Connector
from connections.postgres.server_errors import Trouble, translated
from contracts.errors import SourceUnavailable
from settings import Settings
from worker.source.copy_out import begin_statement


class Snapshot:
    """One read-only repeatable-read transaction; `id` is what pg_current_snapshot() says of it."""

    def __init__(self, connection: psycopg.Connection[Any], id_: str, estimated_bytes: int) -> None:
        self.connection = connection
        self.id = id_
        self.estimated_bytes = estimated_bytes

    def export(self) -> str:
        """A name under which other connections see the same, for as long as this transaction is open."""
        (name,) = self.connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
        return str(name)


class Source:
    """A pool of connections to one server, safe for threads; at most `pool_size` of them, parts of exports included."""

    def __init__(self, settings: Settings, password: Callable[[], str | None]) -> None:
        """`password` is called for every new connection, so that a token is always fresh."""
        self._settings = settings
        self._connector = Connector(settings, password)
        self._slots = Semaphore(settings.pool_size)
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            kwargs=lambda: {**self._connector.parameters(), "autocommit": True},
            connection_class=self._connector.connection_class,
            min_size=0,
            max_size=settings.pool_size,
            timeout=settings.connect_timeout_seconds,
            # Or the pool would wait ever longer between its attempts, up to minutes after the server is back.
            reconnect_timeout=settings.connect_timeout_seconds,
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

    def _begin(self, shared: str | None = None) -> sql.Composed:
        """The statement that begins an export's transaction, or a part's on an exported snapshot."""
        settings = self._settings
        return begin_statement(
            int(settings.statement_timeout_seconds * 1000), int(settings.lock_timeout_seconds * 1000), shared
        )

    @contextmanager
    def snapshot(
        self, selected: sql.Composable, subject: str, relation: sql.Identifier | None = None
    ) -> Iterator[Snapshot]:
        """A snapshot on a connection of its own, with an estimate of the bytes that `selected` gives.

        `relation` is the table behind it, if there is one: the planner knows nothing of values that are kept apart.
        """
        with self._slot(subject), self._connection(subject) as connection:
            # One round trip: small exports are many.
            first = sql.SQL("{};\nSELECT pg_current_snapshot()::text, {};\nEXPLAIN (FORMAT JSON) {}")
            cursor = connection.execute(first.format(self._begin(), _whole_to_heap(relation), selected))
            id_, factor = cursor.set_result(-2).fetchone() or ("", 1)
            (plan,) = cursor.set_result(-1).fetchone() or ([],)
            yield Snapshot(connection, str(id_), int(_planned_bytes(plan) * float(factor)))
            connection.execute("COMMIT")

    @contextmanager
    def sharing(self, shared: str, subject: str) -> Iterator[psycopg.Connection[Any]]:
        """A connection that sees what an exported snapshot sees, within the caller's spare_connections."""
        with self._connection(subject) as connection:
            connection.execute(self._begin(shared))
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def spare_connections(self, wanted: int) -> Iterator[int]:
        """How many of `wanted` further connections may be opened for the block, without waiting for any."""
        got = 0
        while got < wanted and self._slots.acquire(blocking=False):
            got += 1
        try:
            yield got
        finally:
            if got:
                self._slots.release(got)

    @contextmanager
    def _slot(self, subject: str) -> Iterator[None]:
        if not self._slots.acquire(timeout=self._settings.connect_timeout_seconds):
            raise SourceUnavailable(
                f"export of {subject} failed: no free connection to {self._connector.target} within "
                f"{self._settings.connect_timeout_seconds:g} s; let TAILRACE_POOL_SIZE be at least the number of "
                "exports that run at once",
                reason="PoolExhausted",
            )
        try:
            yield
        finally:
            self._slots.release()

    @contextmanager
    def _connection(self, subject: str) -> Iterator[psycopg.Connection[Any]]:
        try:
            connection = self._pool.getconn()
        except PoolTimeout as timeout:
            raise self._connector.failure(subject, timeout) from None
        try:
            yield connection
        except psycopg.Error as error:
            raise translated(Trouble.of(error), subject) from error
        finally:
            if connection.info.transaction_status in {pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR}:
                # A connection that is lost here has the pool make a new one in its place.
                with suppress(psycopg.Error):
                    connection.rollback()
            # The pool closes one that is in the middle of something.
            self._pool.putconn(connection)


def _whole_to_heap(relation: sql.Identifier | None) -> sql.Composable:
    """How many times larger a table is than its rows without the large values, which TOAST keeps apart."""
    if relation is None:
        return sql.SQL("1")
    table = sql.SQL("{}::regclass").format(sql.Literal(relation.as_string()))
    return sql.SQL("greatest(1, pg_table_size({table})::float8 / greatest(8192, pg_relation_size({table})))").format(
        table=table
    )


def _planned_bytes(plan: object) -> int:
    """Rows times width of the topmost node; the width is of values as they are stored, close to their CSV."""
    parsed = json.loads(plan) if isinstance(plan, str) else plan
    top = parsed[0]["Plan"]  # type: ignore[index]  # as EXPLAIN (FORMAT JSON) gives it
    return int(top["Plan Rows"]) * int(top["Plan Width"])
