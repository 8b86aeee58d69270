"""gzip by our own compressor, or by libdeflate where the rows become much smaller: the first chunk decides."""

from collections.abc import Buffer

from deflate import gzip_compress

from worker.blob.buffers import CHUNK_BYTES
from worker.formats.codecs import libdeflate_gzip, native_gzip
from worker.formats.codecs.stream import Stream

# Tables of many columns with few values are 0.85 of our own size by it, others 0.93 and more; it takes up to three
# times the CPU, which such tables cost PostgreSQL, too.
_LEVEL = 6
_MUCH_SMALLER = 0.9
# Of the first chunk's middle: its beginning may hold a header, and the first numbers of a key.
_SAMPLE = 128 << 10


class _Chosen:
    def __init__(self) -> None:
        self._stream: Stream | None = None

    def compress(self, data: memoryview, /) -> Buffer:
        if self._stream is None:
            self._stream = libdeflate_gzip.begin(_LEVEL) if _is_much_smaller(data) else native_gzip.begin(2)
        return self._stream.compress(data)

    def flush(self) -> Buffer:
        return (self._stream or native_gzip.begin(2)).flush()


def _is_much_smaller(chunk: memoryview) -> bool:
    """Of a chunk that is not full, all is over before a choice would pay."""
    if len(chunk) < CHUNK_BYTES:
        return False
    sample = chunk[(len(chunk) - _SAMPLE) // 2 :][:_SAMPLE]
    own = native_gzip.begin(2)
    size = len(memoryview(own.compress(sample))) + len(memoryview(own.flush()))
    return len(gzip_compress(sample, _LEVEL)) < _MUCH_SMALLER * size


def begin(level: int) -> Stream:  # noqa: ARG001  # it is chosen
    """One gzip member, or one for each chunk. Needs the compiled library."""
    return _Chosen()
