"""Edge: the bytes that one COPY sends."""

import select
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq, sql

from contracts.errors import ExportIncomplete
from worker.blob.buffers import CHUNK_BYTES
from worker.cancellation import Cancellation
from worker.heap import pages
from worker.native.columns import Columns
from worker.native.library import Native, native
from worker.native.printer import Printer, open_printer
from worker.native.row_groups import RowGroups
from worker.native.rows import Rows, open_rows
from worker.progress import counted
from worker.source.large_rows import note_row
from worker.source.printing import Printing

if TYPE_CHECKING:
    import pyarrow as pa

# How often an export that waits for rows checks whether it is cancelled.
_LOOK_UP_MS = 1000


@contextmanager
def copy_out(
    connection: psycopg.Connection[Any], statement: sql.Composed | bytes, *, header: bool, cancelled: Cancellation
) -> Iterator["CopyOut"]:
    """Runs a COPY … TO STDOUT; leaving the block by an error cancels it and keeps the connection usable.

    Raises ExportInterrupted if it is cancelled before the first row, which may be long in coming.
    """
    has_begun = Event()
    watcher = Thread(target=_cancel_if, args=(cancelled, connection, has_begun), name="watch", daemon=True)
    watcher.start()
    try:
        with connection.cursor() as cursor, cursor.copy(statement):
            has_begun.set()
            copy = CopyOut(connection, header=header, cancelled=cancelled)
            with counted(copy):
                yield copy
    except psycopg.errors.QueryCanceled:
        cancelled.raise_if_set()
        raise
    finally:
        has_begun.set()
        watcher.join()


def _cancel_if(cancelled: Cancellation, connection: psycopg.Connection[Any], has_begun: Event) -> None:
    # psycopg cannot be interrupted before the server answers, which it does with the first rows only.
    while not has_begun.wait(_LOOK_UP_MS / 1000):
        if cancelled.is_set():
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=5)


class CopyOut:
    """The rows of one COPY. `rows` and `bytes` count those that have arrived; PostgreSQL sends one message a row.

    `row_hash` is the sum of the XXH3-64 of their bytes, modulo 2**64; None without the compiled library.
    """

    def __init__(self, connection: psycopg.Connection[Any], *, header: bool, cancelled: Cancellation) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._cancelled = cancelled
        self._header = int(header)
        self.rows = 0
        self.bytes = 0
        self.row_hash: int | None = None
        # Whether the mark has arrived that ends the rows of a binary COPY.
        self._has_mark = True

    def chunks(self, printing: Printing | None = None) -> Iterator[memoryview]:
        """Chunks of CHUNK_BYTES, the last one shorter; each is valid until the next one is taken.

        `printing` is how the rows of a binary COPY become CSV. The same rows give the same chunks however they arrived:
        a compressor's output depends on them.
        Raises ExportIncomplete if the rows are not as many as the command tag says, and ExportInterrupted once the
        export is cancelled.
        """
        library = native()
        if printing:
            assert library is not None
            chunks = self._printed(library, printing)
        else:
            chunks = self._joined_in_c(library) if library else self._joined_in_python()
        for chunk in chunks:
            self.bytes += len(chunk)
            yield chunk
        self._check_command_tag()

    def groups(self, groups: RowGroups, subject: str) -> Iterator["pa.RecordBatch"]:
        """The rows of a binary COPY in record batches of the size of `groups`, or of one row that is larger.

        The same rows give the same batches however they arrived. Raises what chunks() raises, and SourceRejected for
        a value that a column's type cannot hold.
        """
        with open_rows(self._pgconn, groups.library) as rows:
            columns, number = Columns(rows, groups, subject), 0
            while not rows.is_ended:
                is_full = columns.fill(groups.size(number), _LOOK_UP_MS)
                self.rows, self.bytes, self.row_hash = columns.rows, columns.bytes, rows.row_hash
                note_row(self._connection, rows.row_bytes)
                if not rows.is_ended:
                    self._cancelled.raise_if_set()
                if is_full:
                    yield columns.take()
                    number += 1
            self._has_mark = columns.is_complete
            self._check_command_tag()
            if columns.gathered:
                yield columns.take()

    def _printed(self, library: Native, printing: Printing) -> Iterator[memoryview]:
        with (
            open_rows(self._pgconn, library) as rows,
            open_printer(library, rows, printing.kinds, printing.delimiter, printing.null) as printer,
        ):
            yield from self._filled(rows, printer, printing.header if self._header else b"")
            self._has_mark = printer.is_complete

    def _joined_in_c(self, library: Native) -> Iterator[memoryview]:
        with open_rows(self._pgconn, library, unhashed=self._header) as rows:
            yield from self._filled(rows, rows)

    def _filled(self, rows: Rows, text: Rows | Printer, header: bytes = b"") -> Iterator[memoryview]:
        """Chunks of the header and of what `text` makes of the rows."""
        chunk, filled = pages(CHUNK_BYTES), len(header)
        chunk[:filled] = header
        while text.has_more:
            filled += text.fill(chunk, filled, _LOOK_UP_MS)
            self.rows, self.row_hash = text.count, rows.row_hash
            note_row(self._connection, rows.row_bytes)
            if not rows.is_ended:  # else its result must be taken, or the connection cannot be used again
                self._cancelled.raise_if_set()
            if filled == len(chunk) or not text.has_more:
                yield memoryview(chunk)[:filled]
                filled = 0

    def _joined_in_python(self) -> Iterator[memoryview]:
        readable = select.poll()
        readable.register(self._pgconn.socket, select.POLLIN)
        joined, total, size = bytearray(), 0, 0
        while size >= 0:
            messages, size = self._take_rows(joined)
            total += messages
            self.rows = max(0, total - self._header)
            note_row(self._connection, len(joined))
            begin = 0
            while len(joined) - begin >= CHUNK_BYTES:
                yield memoryview(joined)[begin : begin + CHUNK_BYTES]
                begin += CHUNK_BYTES
            joined = joined[begin:] if begin else joined
            if size == 0:
                # Readable or not, libpq looks for itself: bytes that TLS has decoded make no socket readable.
                readable.poll(_LOOK_UP_MS)
                self._cancelled.raise_if_set()
                self._pgconn.consume_input()
        yield memoryview(joined)

    def _take_rows(self, joined: bytearray) -> tuple[int, int]:
        """Appends the rows that libpq has read, some 16 KiB or one row.

        Returns how many, and 0 if more are to come, -1 at the end.
        """
        # psycopg's own iteration costs a generator and a wait for each row; this loop costs what libpq does.
        # Never get_copy_data(0): it keeps the GIL while it waits for the server, and with it all other exports.
        get, messages = self._pgconn.get_copy_data, 0
        size, data = get(1)
        while size > 0:
            joined += data
            messages += 1
            size, data = get(1)
        return messages, size

    def _check_command_tag(self) -> None:
        """Takes the final result: an error in the middle of the COPY shows only here."""
        results = []
        while (result := self._pgconn.get_result()) is not None:
            results.append(result)
        for result in results:
            if result.status != pq.ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result)
        # What follows the first one is of a COMMIT in the same round trip.
        reported = results[0].command_tuples if results else None
        if reported != self.rows:
            raise ExportIncomplete(f"the export is incomplete: {self.rows} rows arrived, PostgreSQL reports {reported}")
        if not self._has_mark:
            raise ExportIncomplete("the export is incomplete: the rows ended without the mark that ends them")
