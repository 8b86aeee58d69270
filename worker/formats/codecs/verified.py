"""Verifies a gzip codec: inflates what it writes by ISA-L, an independent library, in constant memory."""

from collections.abc import Buffer

from isal import isal_zlib

from contracts.errors import CompressionWrong
from worker.formats.codecs.isal_gzip import GZIP
from worker.formats.codecs.stream import Stream

# Inflated at a time. What malloc makes a mapping of costs as much as inflating into it.
_PIECE = 256 << 10


class Verified:
    """A stream that raises CompressionWrong unless its members inflate to the bytes that went in."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._inflater = isal_zlib.decompressobj(GZIP)
        self._in = self._out = 0
        self._crc_in = self._crc_out = 0

    def compress(self, data: memoryview, /) -> Buffer:
        """The stream's bytes, inflated and counted."""
        self._in += len(data)
        self._crc_in = isal_zlib.crc32(data, self._crc_in)
        compressed = self._stream.compress(data)
        self._inflate(compressed)
        return compressed

    def flush(self) -> Buffer:
        """The end of the stream's bytes, once all have been compared."""
        compressed = self._stream.flush()
        self._inflate(compressed)
        if not self._inflater.eof:
            raise CompressionWrong("the compressor wrote gzip that is cut off")
        if (self._in, self._crc_in) != (self._out, self._crc_out):
            raise CompressionWrong(f"the compressor was given {self._in} bytes, and its gzip holds {self._out} others")
        return compressed

    def _inflate(self, compressed: Buffer) -> None:
        left: Buffer = compressed
        while True:
            if self._inflater.eof:
                if not memoryview(left):
                    return
                self._inflater = isal_zlib.decompressobj(GZIP)
            try:
                data = self._inflater.decompress(left, _PIECE)
            except isal_zlib.IsalError as error:  # type: ignore[misc]  # isal's stub does not say that it is a class
                raise CompressionWrong(f"the compressor wrote gzip that does not inflate: {error}") from error
            self._out += len(data)
            self._crc_out = isal_zlib.crc32(data, self._crc_out)
            left = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if not left and not self._inflater.eof and len(data) < _PIECE:
                return
