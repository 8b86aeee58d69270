"""Says what a process waits for, if it waits long: storage, the queue or PostgreSQL may be frozen."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from threading import Event, Lock, Thread
from typing import NamedTuple

from telemetry.events import event

_log = logging.getLogger(__name__)
_LONG_SECONDS = 5.0
_LOOK_SECONDS = 1.0


class _Wait(NamedTuple):
    what: str
    since: float
    context: Context


# Under `_lock`: each waiting thread adds and removes its own wait, and the watching thread reads them.
_waits: dict[object, _Wait] = {}
_lock = Lock()
# Set under `_lock` by the first wait of the process, which starts the watching thread.
_watched = Event()


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Logs `still waiting` with `what` once the block has taken five seconds."""
    key = object()
    with _lock:
        _waits[key] = _Wait(what, time.monotonic(), copy_context())
        if not _watched.is_set():
            _watched.set()
            Thread(target=_watch, name="waits", daemon=True).start()
    try:
        yield
    finally:
        with _lock:
            _waits.pop(key, None)


def _watch() -> None:
    """One thread for all waits of the process: one for each wait would cost small exports more than the wait."""
    said: set[object] = set()
    while True:
        time.sleep(_LOOK_SECONDS)
        with _lock:
            waits = dict(_waits)
        said &= waits.keys()
        for key, wait in waits.items():
            seconds = time.monotonic() - wait.since
            if seconds >= _LONG_SECONDS and key not in said:
                said.add(key)
                # In the context of the waiting thread, so that the line names its delivery.
                wait.context.run(event, _log, logging.WARNING, "still waiting", on=wait.what, seconds=seconds)
