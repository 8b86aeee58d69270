"""Waits for conditions, with a time-out."""

import time
from collections.abc import Callable


def until[T](look: Callable[[], T], what: str, timeout_s: float = 30) -> T:
    """The first true result of `look`. Fails with `what` and the last result after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s for {what}; the last look gave {seen!r}")
        time.sleep(0.02)
    return seen
