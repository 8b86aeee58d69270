"""The clock of heartbeats and idle times."""

import time


def now_ms() -> int:
    """Return ms since some moment in the past; never set back."""
    return time.monotonic_ns() // 1_000_000
