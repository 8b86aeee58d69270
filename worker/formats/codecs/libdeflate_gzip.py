"""gzip by libdeflate, the smallest files for their time. It has no streams: each chunk becomes a member."""

from collections.abc import Buffer

from deflate import gzip_compress

from worker.formats.codecs.stream import Stream


class _Members:
    def __init__(self, level: int) -> None:
        self._level = level
        self._is_empty = True

    def compress(self, data: memoryview, /) -> Buffer:
        self._is_empty = False
        member: Buffer = gzip_compress(data, self._level)
        return member

    def flush(self) -> Buffer:
        """A member of no rows if there were none: tools call a file of no bytes broken."""
        return self.compress(memoryview(b"")) if self._is_empty else b""


def begin(level: int) -> Stream:
    """A gzip member for each chunk."""
    return _Members(level)
