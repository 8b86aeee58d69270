"""Edge: one transaction's view of the database, read by COPY in chunks."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import psycopg
from psycopg import pq, sql

from contracts.errors import ExportIncomplete, ExportInterrupted
from worker.buffers import CHUNK_BYTES


class Snapshot:
    """A read-only transaction; `id` is what pg_current_snapshot() says of it."""

    def __init__(self, connection: psycopg.Connection[Any], subject: str, id_: str) -> None:
        self._connection = connection
        self._subject = subject
        self.id = id_

    @contextmanager
    def copy(self, statement: sql.Composed, *, header: bool, cancelled: Event) -> Iterator["CopyOut"]:
        """Runs a COPY … TO STDOUT; leaving the block early cancels it and keeps the connection usable."""
        with self._connection.cursor() as cursor, cursor.copy(statement):
            yield CopyOut(self._connection.pgconn, self._subject, header=header, cancelled=cancelled)


class CopyOut:
    """The bytes of one COPY. `rows` and `bytes` count what has arrived; PostgreSQL sends one message a row."""

    def __init__(self, pgconn: pq.abc.PGconn, subject: str, *, header: bool, cancelled: Event) -> None:
        self._pgconn = pgconn
        self._subject = subject
        self._cancelled = cancelled
        self._header = int(header)
        self._messages = 0
        self.bytes = 0

    @property
    def rows(self) -> int:
        """Rows of data so far."""
        return max(0, self._messages - self._header)

    def chunks(self) -> Iterator[bytearray]:
        """Chunks of at least CHUNK_BYTES, whole rows each, but for the last.

        Raises ExportIncomplete where the rows are not as many as the command tag says, and
        ExportInterrupted once `cancelled` is set.
        """
        buffer = bytearray()
        for size in self._fill(buffer):
            if size >= CHUNK_BYTES:
                self.bytes += size
                yield buffer[:]
                buffer.clear()
        if buffer:
            self.bytes += len(buffer)
            yield buffer
        self._check_command_tag()

    def _fill(self, buffer: bytearray) -> Iterator[int]:
        # psycopg's own iteration costs a generator and a wait for each row; this loop only what libpq does.
        # Never get_copy_data(0): it keeps the GIL while it waits for the server, and with it all other exports.
        get, consume = self._pgconn.get_copy_data, self._pgconn.consume_input
        readable = select.poll()
        readable.register(self._pgconn.socket, select.POLLIN)
        while True:
            size, data = get(1)
            if size > 0:
                buffer += data
                self._messages += 1
                if len(buffer) >= CHUNK_BYTES:
                    yield len(buffer)
                continue
            if size < 0:
                return
            while not readable.poll(1000):
                self._stop_if_cancelled()
            self._stop_if_cancelled()
            consume()

    def _stop_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise ExportInterrupted(
                f"export of {self._subject} was stopped: its lock is lost or this process is stopping"
            )

    def _check_command_tag(self) -> None:
        """The final result: an error that struck in the middle of the COPY is only seen here."""
        results = []
        while (result := self._pgconn.get_result()) is not None:
            results.append(result)
        for result in results:
            if result.status != pq.ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result)
        reported = results[-1].command_tuples if results else None
        if reported != self.rows:
            raise ExportIncomplete(
                f"export of {self._subject} is incomplete: {self.rows} rows arrived, PostgreSQL reports {reported}"
            )
