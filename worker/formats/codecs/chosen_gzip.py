"""gzip by our own compressor, or by libdeflate where the rows become much smaller: the first chunk decides."""

from collections.abc import Buffer

from deflate import gzip_compress

from worker.blob.buffers import CHUNK_BYTES
from worker.formats.codecs import libdeflate_gzip, native_gzip
from worker.formats.codecs.stream import Stream

# Tables of many columns with few values are 0.85 of our own size by 6, and ascending numbers 0.8 by 5 already; others
# are 0.93 and more. It takes two to three times the CPU, which such rows cost PostgreSQL, too.
_CHEAPER, _SMALLEST = 5, 6
_MUCH_SMALLER = 0.9
_LITTLE_LARGER = 1.02
# Of the first chunk's middle: its beginning may hold a header, and the first numbers of a key.
_SAMPLE = 128 << 10


class _Chosen:
    def __init__(self) -> None:
        self._stream: Stream | None = None

    def compress(self, data: memoryview, /) -> Buffer:
        if self._stream is None:
            level = _smaller_level(data)
            self._stream = libdeflate_gzip.begin(level) if level else native_gzip.begin(2)
        return self._stream.compress(data)

    def flush(self) -> Buffer:
        return (self._stream or native_gzip.begin(2)).flush()


def _smaller_level(chunk: memoryview) -> int | None:
    """libdeflate's, if it is worth its time; for a chunk that is not full, a choice would not pay."""
    if len(chunk) < CHUNK_BYTES:
        return None
    sample = chunk[(len(chunk) - _SAMPLE) // 2 :][:_SAMPLE]
    own = native_gzip.begin(2)
    size = len(memoryview(own.compress(sample))) + len(memoryview(own.flush()))
    smallest = len(gzip_compress(sample, _SMALLEST))
    if smallest >= _MUCH_SMALLER * size:
        return None
    return _CHEAPER if len(gzip_compress(sample, _CHEAPER)) <= _LITTLE_LARGER * smallest else _SMALLEST


def begin(level: int) -> Stream:  # noqa: ARG001  # it is chosen
    """One gzip member, or one for each chunk. Needs the compiled library."""
    return _Chosen()
