"""Transforms chunks of CSV into the bytes of a blob; runs joined end to end are one valid file."""

from collections.abc import Buffer, Iterable, Iterator
from typing import Protocol

_GZIP_HEADER = 16  # zlib's window bits: 16 more than the window for a gzip header and trailer


class _Stream(Protocol):
    def compress(self, data: bytearray | memoryview, /) -> bytes: ...
    def flush(self) -> bytes: ...


def compressed(chunks: Iterable[bytearray | memoryview], compression: str, level: int) -> Iterator[Buffer]:
    r"""One gzip member or zstd frame of all chunks, or the chunks themselves; releases the GIL as it compresses.

    >>> import gzip
    >>> gzip.decompress(b"".join(compressed([bytearray(b"a,b\n"), bytearray(b"1,2\n")], "gzip", 2)))
    b'a,b\n1,2\n'
    """
    if compression == "none":
        yield from chunks
        return
    stream = _gzip(level) if compression == "gzip" else _zstd(level)
    for chunk in chunks:
        if data := stream.compress(chunk):
            yield data
    yield stream.flush()


def _gzip(level: int) -> _Stream:
    """Levels 0 to 3 are ISA-L's, the fastest there is; 4 to 9 are zlib-ng's, smaller and slower."""
    if level <= 3:
        from isal import isal_zlib

        return isal_zlib.compressobj(level, isal_zlib.DEFLATED, _GZIP_HEADER + isal_zlib.MAX_WBITS)
    from zlib_ng import zlib_ng

    return zlib_ng.compressobj(level, zlib_ng.DEFLATED, _GZIP_HEADER + zlib_ng.MAX_WBITS)


def _zstd(level: int) -> _Stream:
    import zstandard

    return zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()
