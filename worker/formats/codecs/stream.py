"""What each codec gives: a module with `begin`, and a stream for one run of chunks."""

from collections.abc import Buffer
from typing import Protocol


class Stream(Protocol):
    """Compresses the chunks of one run, for one thread."""

    def compress(self, data: memoryview, /) -> Buffer:
        """The bytes that are ready after `data`; valid until the next call."""

    def flush(self) -> Buffer:
        """The bytes that end the run."""


class Codec(Protocol):
    """A module of this package."""

    def begin(self, level: int) -> Stream:
        """A new stream."""
