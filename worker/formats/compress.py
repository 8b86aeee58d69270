"""Transforms chunks of CSV into the bytes of a blob; runs joined end to end are one valid file."""

from collections.abc import Buffer, Iterable, Iterator
from typing import Protocol

from worker.native.library import native

_GZIP_HEADER = 16  # zlib's window bits: 16 more than the window for a gzip header and trailer


class _Stream(Protocol):
    def compress(self, data: memoryview, /) -> Buffer: ...
    def flush(self) -> bytes: ...


def compressed(chunks: Iterable[memoryview], compression: str, level: int) -> Iterator[Buffer]:
    r"""Gzip members or a zstd frame of all chunks, or the chunks themselves; releases the GIL as it compresses.

    What it gives is valid until the next is asked for.

    >>> import gzip
    >>> [gzip.decompress(b"".join(compressed([memoryview(b"a,b\n"), memoryview(b"1,2\n")], "gzip", n))) for n in (1, 6)]
    [b'a,b\n1,2\n', b'a,b\n1,2\n']
    """
    if compression == "none":
        yield from chunks
    elif compression == "gzip" and level > 3:
        yield from _members(chunks, level)
    else:
        stream = _gzip(level) if compression == "gzip" else _zstd(level)
        for chunk in chunks:
            if data := stream.compress(chunk):
                yield data
        yield stream.flush()


def _gzip(level: int) -> _Stream:
    """Levels 0 and 1 are ISA-L's, the fastest there is; 2 and 3 our own, or ISA-L's where that is not compiled."""
    library = native()
    if library and level > 1:
        from worker.native.gzip import GzipStream

        return GzipStream(library)
    from isal import isal_zlib

    return isal_zlib.compressobj(min(level, 2), isal_zlib.DEFLATED, _GZIP_HEADER + isal_zlib.MAX_WBITS)


def _members(chunks: Iterable[memoryview], level: int) -> Iterator[Buffer]:
    """Levels 4 to 9 are libdeflate's, the smallest files for their time; it makes a whole member of each chunk."""
    from deflate import gzip_compress

    member: Buffer | None = None
    for chunk in chunks:
        member = gzip_compress(chunk, level)
        yield member
    if member is None:
        yield gzip_compress(b"", level)


def _zstd(level: int) -> _Stream:
    import zstandard

    return zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()
