"""Restores the blobs of many windows: all in one transaction, or window by window and several at once."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import psycopg
from psycopg import sql

from connections.postgres.connector import Connector
from connections.postgres.server_errors import Trouble
from connections.postgres.tokens import password_source
from contracts.errors import SourceUnavailable
from operations.blobs import Blob, Blobs
from operations.restore import How, Restored, restore_blob
from operations.rows_there import RowsThere, said_of_range
from operations.target import RestoreRefused, create_table, exists
from producer.ask import AskRefused
from settings import Settings
from telemetry.waits import waiting_for

_CANCEL_SECONDS = 5.0
_WRITER = 'the role that exports may not write; name one that may: --server "host=… dbname=… user=…"'


def check_server(server: str) -> None:
    """Raises AskRefused if --server is no conninfo string."""
    try:
        psycopg.conninfo.conninfo_to_dict(server)
    except psycopg.ProgrammingError as error:
        # Its own words quote what was given, which may hold a password.
        advice = 'write for instance "host=scratch dbname=drill user=drill", or postgresql://drill@scratch/drill'
        raise AskRefused("--server is no conninfo string", advice=advice) from error


@contextmanager
def writing_session(settings: Settings, server: str | None) -> Iterator[psycopg.Connection[Any]]:
    """A session that may write: of the server that the conninfo string names, else of the settings; in autocommit.

    Raises SourceUnavailable for whatever PostgreSQL refuses in the block.
    """
    parameters: dict[str, Any] = {} if server else Connector(settings, password_source(settings)).parameters()
    if server:
        check_server(server)
    parameters["options"] = "-c default_transaction_read_only=off -c TimeZone=UTC"
    parameters["connect_timeout"] = max(2, int(settings.connect_timeout_seconds))
    try:
        with waiting_for("a connection to PostgreSQL"):
            connection = psycopg.connect(server or "", autocommit=True, **parameters)
        with connection:
            yield connection
    except psycopg.Error as error:
        lacks_right = error.sqlstate == "42501"
        advice = _WRITER if lacks_right else None
        raise SourceUnavailable(f"the restore failed: {Trouble.of(error).cause}", advice=advice) from error


@dataclass(frozen=True, slots=True)
class Restoring:
    """Where blobs are restored to, and how."""

    settings: Settings
    server: str | None
    blobs: Blobs
    target: sql.Identifier
    how: How = field(default_factory=How)

    def create(self, connection: psycopg.Connection[Any], blobs: Sequence[Blob]) -> None:
        """Makes the table from the first receipt that names columns, unless it is there.

        Raises RestoreRefused if no receipt names any.
        """
        if exists(connection, self.target):
            return
        columns = next((blob.receipt.columns for blob in blobs if blob.receipt and blob.receipt.columns), None)
        if columns is None:
            raise RestoreRefused(
                "the receipts name no columns", advice="make the table yourself, and leave --create out"
            )
        create_table(connection, self.target, columns)

    def all_or_none(self, blobs: Sequence[Blob], *, create: bool) -> list[Restored]:
        """All in one transaction; with `create` the table, too."""
        with (
            self._saying_what_is_there(blobs),
            writing_session(self.settings, self.server) as connection,
            connection.transaction(),
        ):
            if create:
                self.create(connection, blobs)
            return [restore_blob(connection, self.blobs, blob, self.target, self.how) for blob in blobs]

    def one_by_one(self, blobs: Sequence[Blob], parallel: int, *, create: bool) -> Iterator[Restored]:
        """Each on a separate connection and in one transaction, `parallel` at once; with `create` the table first.

        The first failure ends it, and so does an interruption: what runs is rolled back. What is committed stays, and
        is passed over when it is run again.
        """
        sessions = _Sessions()
        if create:
            with writing_session(self.settings, self.server) as connection:
                self.create(connection, blobs)

        def one(blob: Blob) -> Restored:
            with writing_session(self.settings, self.server) as connection, sessions.holding(connection):
                return restore_blob(connection, self.blobs, blob, self.target, self.how)

        with self._saying_what_is_there(blobs), ThreadPoolExecutor(parallel, thread_name_prefix="restore") as threads:
            running = [threads.submit(one, blob) for blob in blobs]
            try:
                for future in running:
                    yield future.result()
            except BaseException:
                self.how.cancelled.set()
                threads.shutdown(wait=False, cancel_futures=True)
                sessions.cancel()
                raise

    @contextmanager
    def _saying_what_is_there(self, blobs: Sequence[Blob]) -> Iterator[None]:
        """Adds to the refusal of a window what the table holds of the whole range."""
        try:
            yield
        except RowsThere as error:
            says = str(error)
            # What cannot be counted takes nothing from what was refused, and why.
            with suppress(SourceUnavailable), writing_session(self.settings, self.server) as connection:
                receipts = [blob.receipt for blob in blobs if blob.receipt]
                says += f"; {said_of_range(connection, self.target, receipts)}"
            raise RestoreRefused(says, advice=error.advice) from error


class _Sessions:
    """The sessions that restore now."""

    def __init__(self) -> None:
        self._lock = Lock()
        # Added and removed by the thread that restores, read by the one that cancels; under the lock.
        self._open: set[psycopg.Connection[Any]] = set()

    @contextmanager
    def holding(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """A transaction that `cancel` ends."""
        with connection.transaction():
            with self._lock:
                self._open.add(connection)
            try:
                yield
            finally:
                # Before the commit: what is restored to its end is not cancelled.
                with self._lock:
                    self._open.discard(connection)

    def cancel(self) -> None:
        """Cancels the statements that run: they may wait for a lock of somebody else."""
        with self._lock:
            for connection in self._open:
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=_CANCEL_SECONDS)
