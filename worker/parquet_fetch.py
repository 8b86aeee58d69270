"""Edge: record batches that a thread fetches ahead of the thread that writes them."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, override

from worker.snapshot import Cancellation, stop_if

if TYPE_CHECKING:
    import pyarrow as pa

# More than arrives while a row group is encoded on a busy machine, so that the server need not wait for that.
_AHEAD_BYTES = 16 << 20


@contextmanager
def fetched(cursor: Any, statement: str, cancelled: Cancellation) -> Iterator[Iterator["pa.RecordBatch"]]:
    """The rows of an ADBC cursor's statement, which a thread runs; leaving the block early cancels it.

    The thread is ahead by _AHEAD_BYTES, or by one batch that is larger, and by the one that it is reading. The
    iterator raises what the driver raises, and ExportInterrupted once it is cancelled.
    """
    ahead = _Ahead(cancelled)
    fetcher = Thread(target=ahead.fill, args=(cursor, statement), name="fetch", daemon=True)
    fetcher.start()
    try:
        yield ahead
    except BaseException:
        ahead.end(None)
        while fetcher.is_alive():
            # Once may not be enough: the server ignores it before it has the statement.
            cursor.adbc_cancel()
            fetcher.join(1.0)
        raise
    finally:
        ahead.end(None)
        fetcher.join()


class _Ahead(Iterator["pa.RecordBatch"]):
    """Batches between two threads. It keeps none that it has given away: one may be as large as a value."""

    def __init__(self, cancelled: Cancellation) -> None:
        self._cancelled = cancelled
        self._changed = Condition()
        self._batches: deque[pa.RecordBatch] = deque()
        self._bytes = 0
        self._ended = False
        self._error: Exception | None = None

    @override
    def __next__(self) -> "pa.RecordBatch":
        while True:
            stop_if(self._cancelled)
            with self._changed:
                self._changed.wait_for(lambda: self._batches or self._ended, timeout=1.0)
                if self._batches:
                    batch = self._batches.popleft()
                    self._bytes -= batch.nbytes
                    self._changed.notify_all()
                    return batch
                if self._ended:
                    raise self._error or StopIteration

    def fill(self, cursor: Any, statement: str) -> None:
        """Runs the statement and reads its rows until there are no more, or nobody wants them."""
        error: Exception | None = None
        try:
            # The driver waits for the first row here already, which may be long in coming.
            cursor.execute(statement)
            reader = cursor.fetch_record_batch()
            while self._put(reader.read_next_batch()):
                pass
        except StopIteration:
            pass
        except Exception as raised:  # noqa: BLE001  # passed on to the thread that writes
            error = raised
        self.end(error)

    def end(self, error: Exception | None) -> None:
        """Says that no more batches come; `error` is what stopped them."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def _put(self, batch: "pa.RecordBatch") -> bool:
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended or not self._batches or self._bytes + batch.nbytes <= _AHEAD_BYTES
            )
            if not self._ended:
                self._batches.append(batch)
                self._bytes += batch.nbytes
                self._changed.notify_all()
            return not self._ended
