"""Checks that a contender exported every row, since losing some would look fast."""

import zlib
from collections.abc import Iterator

from azure.storage.blob import ContainerClient
from isal import isal_zlib


def rows_in(container: ContainerClient, name: str) -> int | None:
    """The rows of data in a blob of CSV with a header, plain or compressed; None for other forms.

    The tables of the benchmark have no line ends in their values.
    """
    if not name.endswith((".csv", ".csv.gz", ".csv.zst")):
        return None
    chunks = container.download_blob(name, max_concurrency=2).chunks()
    return sum(data.count(b"\n") for data in _unpacked(chunks, name)) - 1


def _unpacked(chunks: Iterator[bytes], name: str) -> Iterator[bytes]:
    if name.endswith(".gz"):
        return _gunzipped(chunks)
    if name.endswith(".zst"):
        return _unzstd(chunks)
    return chunks


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompresses all members. Raises EOFError if the last one is truncated."""
    member = None
    for data in chunks:
        rest = data
        while rest:
            member = member or isal_zlib.decompressobj(16 + zlib.MAX_WBITS)
            yield member.decompress(rest)
            rest = member.unused_data
            member = None if member.eof else member
    if member is not None:
        raise EOFError("the gzip file is truncated")


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    import zstandard

    frame = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
    return map(frame.decompress, chunks)
