"""Prefetch: a thread produces items while another one consumes them."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Condition, Thread
from typing import override

from worker.cancellation import Cancellation


@contextmanager
def prefetch[Item](
    produce: Callable[[Cancellation], Iterator[Item]], cancelled: Cancellation
) -> Iterator[Iterator[Item]]:
    """The items of `produce`, which runs in a thread: one item is taken, and one is being produced or waits.

    The cancellation that `produce` gets is set when the block ends. The iterator raises what producing raised, and
    ExportInterrupted if `cancelled` is set.
    """
    items: _Items[Item] = _Items(cancelled)
    thread = Thread(target=items.run, args=(produce,), name="read", daemon=True)
    thread.start()
    try:
        yield items
    finally:
        items.stop()
        thread.join()


class _Items[Item](Iterator[Item]):
    """Passes items from the producing thread to the consuming one; holds no taken item, which may be large."""

    def __init__(self, cancelled: Cancellation) -> None:
        self._cancelled = cancelled
        # Set by the consumer when it needs no more, read by the producer.
        self._unwanted = cancelled.child()
        # Guards the fields below, and is notified of each change.
        self._changed = Condition()
        # The producer appends at most one, the consumer takes it.
        self._waiting: list[Item] = []
        # Written once, by whichever thread ends the items; read by both.
        self._ended = False
        self._error: Exception | None = None

    @override
    def __next__(self) -> Item:
        while True:
            self._cancelled.raise_if_set()
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended, timeout=1.0)
                if self._waiting:
                    self._changed.notify_all()
                    return self._waiting.pop()
                if self._ended:
                    # Not held here: its traceback refers to what was read when it was raised, in a circle.
                    error, self._error = self._error, None
                    try:
                        raise error or StopIteration
                    finally:
                        del error

    def run(self, produce: Callable[[Cancellation], Iterator[Item]]) -> None:
        """Produces until there are no more items, or the consumer wants no more."""
        error: Exception | None = None
        try:
            with closing(produce(self._unwanted)) as items:  # type: ignore[type-var]  # a generator
                for item in items:
                    self._put(item)
                    # The consumer owns it now: its memory is freed as soon as the consumer drops it.
                    del item
        except Exception as raised:  # noqa: BLE001  # passed on to the consuming thread
            error = raised
        try:
            self._end(error)
        finally:
            del error

    def stop(self) -> None:
        """Ends producing; the consumer takes no more."""
        self._unwanted.set()
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
                self._changed.notify_all()

    def _put(self, item: Item) -> None:
        with self._changed:
            self._waiting.append(item)
            self._changed.notify_all()
            # Production pauses: a further item would take memory, and no time is saved by it.
            self._changed.wait_for(lambda: self._ended or not self._waiting)
        self._unwanted.raise_if_set()
