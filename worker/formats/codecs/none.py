"""Chunks as they are."""

from collections.abc import Buffer

from worker.formats.codecs.stream import Stream


class _AsItIs:
    def compress(self, data: memoryview, /) -> Buffer:
        return data

    def flush(self) -> Buffer:
        return b""


def begin(level: int) -> Stream:  # noqa: ARG001  # it has none
    """Nothing is compressed."""
    return _AsItIs()
