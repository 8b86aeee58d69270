"""Compressors of CSV: one module each, with the same function `begin`, and the table that says who compresses what.

Whatever the codec, runs joined end to end are one valid file, and the same chunks give the same bytes.
"""

from collections.abc import Buffer, Iterable, Iterator
from enum import Enum
from importlib import import_module

from worker.formats.codecs.stream import Codec, Stream
from worker.native.library import native

_ISAL, _NATIVE, _LIBDEFLATE, _CHOSEN = "isal_gzip", "native_gzip", "libdeflate_gzip", "chosen_gzip"
_COMPILED = {_NATIVE, _CHOSEN}
# Compression → level → module. gzip 0 and 1 are the fastest; 2 and 3 are the same, smaller; 4 to 9 are the smallest for
# their time; None is 2, 5 or 6. contracts.output names the same levels.
TABLE: dict[str, dict[int | None, str]] = {
    "gzip": {None: _CHOSEN, 0: _ISAL, 1: _ISAL, 2: _NATIVE, 3: _NATIVE, **dict.fromkeys(range(4, 10), _LIBDEFLATE)},
    "zstd": dict.fromkeys(range(1, 20), "zstd"),
    "none": {0: "none"},
}


class Trust(Enum):
    """How far a compressor other than ISA-L is trusted."""

    FULL = 0
    VERIFIED = 1  # what it writes is inflated again
    NONE = 2  # ISA-L compresses instead


def begin(compression: str, level: int | None, trust: Trust = Trust.FULL) -> Stream:
    """A stream of the codec that compresses at this level; ISA-L instead of our own if that is not compiled here."""
    name = TABLE[compression][level]
    is_verified = name in {*_COMPILED, _LIBDEFLATE}
    if (is_verified and trust is Trust.NONE) or (name in _COMPILED and native() is None):
        name, is_verified = _ISAL, False
    codec: Codec = import_module(f"{__name__}.{name}")
    stream = codec.begin(2 if level is None else level)
    if not is_verified or trust is not Trust.VERIFIED:
        return stream
    from worker.formats.codecs.verified import Verified

    return Verified(stream)


def compressed(
    chunks: Iterable[memoryview], compression: str, level: int | None, trust: Trust = Trust.FULL
) -> Iterator[Buffer]:
    r"""The compressed bytes of all chunks. Each item is valid until the next is taken; the GIL is free meanwhile.

    Raises CompressionWrong if `trust` asks for a verification and that fails.

    >>> import gzip
    >>> [gzip.decompress(b"".join(compressed([memoryview(b"a,b\n"), memoryview(b"1,2\n")], "gzip", n))) for n in (1, 6)]
    [b'a,b\n1,2\n', b'a,b\n1,2\n']
    """
    stream = begin(compression, level, trust)
    for chunk in chunks:
        if data := stream.compress(chunk):
            yield data
    if data := stream.flush():
        yield data
