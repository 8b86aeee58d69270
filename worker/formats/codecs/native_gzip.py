"""gzip by our own compressor, which is made for rows: smaller than zlib's level 6, several times as fast."""

from worker.formats.codecs.stream import Stream
from worker.native.gzip import GzipStream
from worker.native.library import native


def begin(level: int) -> Stream:  # noqa: ARG001  # it has one
    """One gzip member for the whole run. Needs the compiled library."""
    library = native()
    assert library is not None
    return GzipStream(library)
