"""Handles SIGTERM and SIGINT while work must not be interrupted."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# The exit status of a command that a person interrupted.
INTERRUPTED = 130
_STOP = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def at_first_signal(act: Callable[[], object]) -> Iterator[None]:
    """Calls `act` at the first SIGTERM or SIGINT of the block; the next one ends the process at once."""

    def first(_number: int, _frame: FrameType | None) -> None:
        for stop in _STOP:
            signal.signal(stop, lambda number, _: os._exit(128 + number))
        act()

    before = {stop: signal.signal(stop, first) for stop in _STOP}
    try:
        yield
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)
