"""gzip by ISA-L, the fastest there is; its levels are 0 to 2."""

from isal import isal_zlib

from worker.formats.codecs.stream import Stream

# zlib's window bits: 16 more than the window ask for gzip's header and trailer.
GZIP = 16 + isal_zlib.MAX_WBITS


def begin(level: int) -> Stream:
    """One gzip member for the whole run."""
    stream: Stream = isal_zlib.compressobj(min(level, 2), isal_zlib.DEFLATED, GZIP)
    return stream
