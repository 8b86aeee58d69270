"""Transforms chunks into the bytes of one gzip member."""

from collections.abc import Iterable, Iterator

from isal import isal_zlib

_GZIP = 16  # zlib's window bits: 16 more than the window for a gzip header and trailer


def gzip_member(chunks: Iterable[bytes | bytearray], level: int) -> Iterator[bytes]:
    r"""One gzip member of all chunks; `level` is ISA-L's, 0 (least) to 3 (most). Releases the GIL as it compresses.

    >>> import gzip
    >>> gzip.decompress(b"".join(gzip_member([b"a,b\n", b"1,2\n"], level=2)))
    b'a,b\n1,2\n'
    """
    member = isal_zlib.compressobj(level, isal_zlib.DEFLATED, _GZIP + isal_zlib.MAX_WBITS)
    for chunk in chunks:
        if compressed := member.compress(chunk):
            yield compressed
    yield member.flush()
