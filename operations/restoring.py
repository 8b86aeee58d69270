"""Restores the blobs of many windows: all in one transaction, or window by window and several at once."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from connections.postgres.connector import Connector
from connections.postgres.server_errors import Trouble
from connections.postgres.tokens import password_source
from contracts.errors import SourceUnavailable
from contracts.output import Output
from operations.blobs import Blob, Blobs
from operations.restore import Mode, Restored, RestoreRefused, create_table, restore_blob
from settings import Settings
from telemetry.waits import waiting_for


@contextmanager
def writing_session(settings: Settings, server: str | None) -> Iterator[psycopg.Connection[Any]]:
    """A session that may write: of the server that the conninfo string names, else of the settings; in autocommit.

    Raises SourceUnavailable for whatever PostgreSQL refuses in the block.
    """
    parameters: dict[str, Any] = {} if server else Connector(settings, password_source(settings)).parameters()
    parameters["options"] = "-c default_transaction_read_only=off -c TimeZone=UTC"
    parameters["connect_timeout"] = max(2, int(settings.connect_timeout_seconds))
    try:
        with waiting_for("a connection to PostgreSQL"):
            connection = psycopg.connect(server or "", autocommit=True, **parameters)
        with connection:
            yield connection
    except psycopg.Error as error:
        lacks_right = error.sqlstate == "42501"
        advice = "the role that exports may not write; name one that may by --server" if lacks_right else None
        raise SourceUnavailable(f"the restore failed: {Trouble.of(error).cause}", advice=advice) from error


@dataclass(frozen=True, slots=True)
class Restoring:
    """Where blobs are restored to, and how. `progress` is called with the bytes that were read."""

    settings: Settings
    server: str | None
    blobs: Blobs
    target: sql.Identifier
    mode: Mode = "refuse"
    output: Output | None = None
    progress: Callable[[int], object] = lambda _: None

    def create(self, blobs: Sequence[Blob]) -> None:
        """Makes the table from the first receipt that names columns. Raises RestoreRefused if none does."""
        columns = next((blob.receipt.columns for blob in blobs if blob.receipt and blob.receipt.columns), None)
        if columns is None:
            raise RestoreRefused(
                "the receipts name no columns", advice="make the table yourself, and leave --create out"
            )
        with writing_session(self.settings, self.server) as connection:
            create_table(connection, self.target, columns)

    def all_or_none(self, blobs: Sequence[Blob]) -> list[Restored]:
        """All in one transaction."""
        with writing_session(self.settings, self.server) as connection, connection.transaction():
            return [self._restore(connection, blob) for blob in blobs]

    def one_by_one(self, blobs: Sequence[Blob], parallel: int) -> Iterator[Restored]:
        """Each on a separate connection and in one transaction, `parallel` at once.

        The first failure ends it; what is committed stays, and is passed over when it is run again.
        """

        def one(blob: Blob) -> Restored:
            with writing_session(self.settings, self.server) as connection, connection.transaction():
                return self._restore(connection, blob)

        with ThreadPoolExecutor(parallel, thread_name_prefix="restore") as threads:
            running = [threads.submit(one, blob) for blob in blobs]
            try:
                for future in running:
                    yield future.result()
            finally:
                threads.shutdown(cancel_futures=True)

    def _restore(self, connection: psycopg.Connection[Any], blob: Blob) -> Restored:
        return restore_blob(
            connection, self.blobs, blob, self.target, mode=self.mode, output=self.output, progress=self.progress
        )
