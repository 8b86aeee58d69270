"""Row groups that threads read ahead of the one that writes them. Imports pyarrow."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Thread
from typing import Any, override

import psycopg
import pyarrow as pa
from psycopg import sql

from worker.native.library import native
from worker.parquet.types import SelectedColumn, schema_of
from worker.snapshot import Cancellation, copy_out, stop_if


@contextmanager
def streamed(
    connection: psycopg.Connection[Any], statement: sql.Composed, columns: list[SelectedColumn], cancelled: Cancellation
) -> Iterator["Stream"]:
    """The rows of a binary COPY, which a thread reads; leaving the block early cancels it."""
    stream = Stream(cancelled)
    reader = Thread(target=stream.read, args=(connection, statement, columns), name="read", daemon=True)
    reader.start()
    try:
        yield stream
    finally:
        stream.end(None)
        reader.join()


class Stream(Iterator[pa.RecordBatch]):
    """Row groups between two threads: one that is filled, and one that waits to be taken.

    It keeps none that it has given away: a row may be as large as a gigabyte. The iterator raises what reading met.
    `rows` and `bytes` count what was read.
    """

    def __init__(self, cancelled: Cancellation) -> None:
        self._cancelled = cancelled
        self._changed = Condition()
        self._group: pa.RecordBatch | None = None
        self._ended = False
        self._error: Exception | None = None
        self.rows = 0
        self.bytes = 0

    def is_set(self) -> bool:
        """Whether reading is to stop: the export is cancelled, or nobody wants the rows any more."""
        return self._ended or self._cancelled.is_set()

    @override
    def __next__(self) -> pa.RecordBatch:
        while True:
            stop_if(self._cancelled)
            with self._changed:
                self._changed.wait_for(lambda: self._group is not None or self._ended, timeout=1.0)
                if self._group is not None:
                    group, self._group = self._group, None
                    self._changed.notify_all()
                    return group
                if self._ended:
                    raise self._error or StopIteration

    def read(self, connection: psycopg.Connection[Any], statement: sql.Composed, columns: list[SelectedColumn]) -> None:
        """Reads until there are no more rows, or nobody wants them."""
        error: Exception | None = None
        try:
            library = native()
            assert library is not None
            schema, types = schema_of(columns), [column.type for column in columns]
            with copy_out(connection, statement, header=False, cancelled=self) as copy:
                for group in copy.groups(library, schema, types):
                    self._put(group)
                    # It is the writer's now: its memory is given back as soon as it is written.
                    del group
                self.rows, self.bytes = copy.rows, copy.bytes
        except Exception as raised:  # noqa: BLE001  # passed on to the thread that writes
            error = raised
        self.end(error)

    def end(self, error: Exception | None) -> None:
        """Says that no more row groups come; `error` is what stopped them."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
                self._changed.notify_all()

    def _put(self, group: pa.RecordBatch) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._group is None)
            self._group = group
            self._changed.notify_all()
        stop_if(self)
