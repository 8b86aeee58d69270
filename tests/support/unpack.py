"""How each compression is undone by a library of its own, from runs that are joined end to end, too."""

import gzip
import io
from collections.abc import Callable

import zstandard

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read(),
    "none": bytes,
}
