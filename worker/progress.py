"""How far the exports of this process have come, for whoever shows it; nothing is decided by it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Protocol


class Counts(Protocol):
    """A COPY that counts what has arrived."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows and bytes as PostgreSQL sent them, since the process began; those of the exports that run are included.

    `expected_bytes` is the planner's estimate for all exports so far, 0 before the first one reads.
    """

    running: int
    rows: int
    bytes: int
    expected_bytes: int


class _Process:
    """The counts of one process."""

    def __init__(self) -> None:
        # Guards all fields. Exporting threads add and remove what is theirs; whoever shows the progress reads.
        self.lock = Lock()
        self.copies: dict[int, Counts] = {}
        self.running = 0
        self.ended_rows = 0
        self.ended_bytes = 0
        self.expected_bytes = 0


_process = _Process()


@contextmanager
def exporting(estimated_bytes: int) -> Iterator[None]:
    """Counts the export of the block as running; the planner expects so many bytes of it."""
    with _process.lock:
        _process.running += 1
        _process.expected_bytes += estimated_bytes
    try:
        yield
    finally:
        with _process.lock:
            _process.running -= 1


@contextmanager
def counted(copy: Counts) -> Iterator[None]:
    """Includes the counts of a COPY: while the block runs as they grow, and at its end for good."""
    with _process.lock:
        _process.copies[id(copy)] = copy
    try:
        yield
    finally:
        with _process.lock:
            del _process.copies[id(copy)]
            _process.ended_rows += copy.rows
            _process.ended_bytes += copy.bytes


def progress() -> Progress:
    """How far the process has come."""
    with _process.lock:
        copies = list(_process.copies.values())
        rows = _process.ended_rows + sum(copy.rows for copy in copies)
        size = _process.ended_bytes + sum(copy.bytes for copy in copies)
        return Progress(_process.running, rows, size, _process.expected_bytes)
