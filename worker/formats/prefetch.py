"""What a thread reads ahead of the one that writes it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Condition, Thread
from typing import override

from worker.source.copy_out import Cancellation, stop_if


@contextmanager
def ahead[Item](produce: Callable[[Cancellation], Iterator[Item]], cancelled: Cancellation) -> Iterator[Iterator[Item]]:
    """What `produce` yields, which a thread runs: one item is taken, one waits, and one is under way.

    It is given what tells when to stop: the export is cancelled, or the block has been left. The iterator raises what
    producing met, and ExportInterrupted once it is cancelled.
    """
    items: _Ahead[Item] = _Ahead(cancelled)
    thread = Thread(target=items.run, args=(produce,), name="read", daemon=True)
    thread.start()
    try:
        yield items
    finally:
        items.end(None)
        thread.join()


class _Ahead[Item](Iterator[Item]):
    """Items between two threads. It keeps none that it has given away: one may be as large as a gigabyte."""

    def __init__(self, cancelled: Cancellation) -> None:
        self._cancelled = cancelled
        self._changed = Condition()
        self._waiting: list[Item] = []
        self._ended = False
        self._error: Exception | None = None

    def is_set(self) -> bool:
        """Whether producing is to stop."""
        return self._ended or self._cancelled.is_set()

    @override
    def __next__(self) -> Item:
        while True:
            stop_if(self._cancelled)
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended, timeout=1.0)
                if self._waiting:
                    self._changed.notify_all()
                    return self._waiting.pop()
                if self._ended:
                    # Not kept here: with its traceback it would keep what was read when it struck, in a circle.
                    error, self._error = self._error, None
                    try:
                        raise error or StopIteration
                    finally:
                        del error

    def run(self, produce: Callable[[Cancellation], Iterator[Item]]) -> None:
        """Produces until there are no more, or nobody wants them."""
        error: Exception | None = None
        try:
            with closing(produce(self)) as items:  # type: ignore[type-var]  # a generator
                for item in items:
                    self._put(item)
                    # It is the taker's now: its memory is given back as soon as that is done with it.
                    del item
        except Exception as raised:  # noqa: BLE001  # passed on to the thread that takes
            error = raised
        try:
            self.end(error)
        finally:
            del error

    def end(self, error: Exception | None) -> None:
        """Says that no more items come; `error` is what stopped them."""
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
                self._changed.notify_all()

    def _put(self, item: Item) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or not self._waiting)
            self._waiting.append(item)
            self._changed.notify_all()
        stop_if(self)
