"""Decompresses each format with an independent library, also runs that are joined end to end."""

import gzip
import io
from collections.abc import Callable

import zstandard

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read(),
    "none": bytes,
}
