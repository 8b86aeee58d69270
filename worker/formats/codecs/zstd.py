"""zstd by its reference library."""

from zstandard import ZstdCompressor

from worker.formats.codecs.stream import Stream


def begin(level: int) -> Stream:
    """One frame with a checksum for the whole run."""
    return ZstdCompressor(level=level, write_checksum=True).compressobj()
