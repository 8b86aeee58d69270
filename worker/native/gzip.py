"""Edge: gzip.c, the compressor that exports have by default."""

import ctypes

from isal import isal_zlib

from worker.native.library import Native, writable


class GzipStream:
    """One gzip member out of chunks; for one thread. It works in half a MiB of memory beside its output."""

    def __init__(self, library: Native) -> None:
        self._library = library
        self._stream = ctypes.create_string_buffer(library.gzip_stream_bytes())
        self._out = bytearray(library.gzip_bound(0))
        self._crc = self._bytes = 0
        self._begun = library.gzip_begin(writable(self._out))

    def compress(self, chunk: memoryview) -> memoryview:
        """What a chunk becomes, after what has not been given yet; valid until the next call."""
        self._crc = isal_zlib.crc32(chunk, self._crc)
        self._bytes += len(chunk)
        begun, self._begun = self._begun, 0
        bound = begun + self._library.gzip_bound(len(chunk))
        if len(self._out) < bound:
            self._out = self._out[:begun] + bytes(bound - begun)
        if chunk:
            # ctypes gives addresses of what may be written only, which the chunks of an export are.
            given = writable(bytearray(chunk) if chunk.readonly else chunk)
            begun += self._library.gzip_chunk(self._stream, given, len(chunk), writable(self._out, begun))
        return memoryview(self._out)[:begun]

    def flush(self) -> bytes:
        """The end of the member."""
        begun, self._begun = self._begun, 0
        size = self._library.gzip_end(self._stream, self._crc, self._bytes, writable(self._out, begun))
        return bytes(self._out[: begun + size])
