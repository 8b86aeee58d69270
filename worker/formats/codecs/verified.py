"""Verifies a gzip codec: inflates what it writes by ISA-L, an independent library, in constant memory."""

from collections.abc import Buffer

from isal import isal_zlib

from contracts.errors import CompressionWrong
from worker.formats.codecs.isal_gzip import GZIP
from worker.formats.codecs.stream import Stream

# Inflated at a time. What malloc makes a mapping of costs as much as inflating into it.
_PIECE = 256 << 10


class Verified:
    """A stream that raises CompressionWrong unless its members inflate to the bytes that went in.

    Each member ends with the CRC of what its compressor was given, taken before anything is compressed. ISA-L compares
    it with the CRC of what it inflates, so that only the bytes of all members are left to be counted.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._inflater = isal_zlib.decompressobj(GZIP)
        self._in = self._out = 0

    def compress(self, data: memoryview, /) -> Buffer:
        """The stream's bytes, inflated and counted."""
        self._in += len(data)
        compressed = self._stream.compress(data)
        self._inflate(compressed)
        return compressed

    def flush(self) -> Buffer:
        """The end of the stream's bytes, once all have been compared."""
        compressed = self._stream.flush()
        self._inflate(compressed)
        if not self._inflater.eof:
            raise CompressionWrong("the compressor wrote gzip that is cut off")
        if self._in != self._out:
            raise CompressionWrong(f"the compressor was given {self._in} bytes, and its gzip holds {self._out}")
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
            left = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if not left and not self._inflater.eof and len(data) < _PIECE:
                return
