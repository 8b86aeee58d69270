"""Whether a Parquet file is laid out as the format's own description (parquet.thrift) says, byte for byte.

`read_layout` follows the footer to each page, and raises AssertionError where the file differs from what it says.
"""

from dataclasses import dataclass, field
from typing import Any

import zstandard
from support.parquet.thrift import Thrift

_MAGIC = b"PAR1"
_DATA_PAGE, _DICTIONARY_PAGE, _ZSTD = 0, 2, 6
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8


@dataclass
class Page:
    """A data page: how many values it has, NULLs included, and what its header says of them."""

    values: int
    statistics: dict[int, Any] | None


@dataclass
class Chunk:
    """A column of a row group."""

    path: str
    group: int
    type: int
    width: int
    scale: int
    meta: dict[int, Any]
    bloom: bytes | None = None
    pages: list[Page] = field(default_factory=list)


@dataclass
class Layout:
    """A file: the rows of each row group, and their columns."""

    rows: list[int]
    chunks: list[Chunk]


def read_layout(data: bytes) -> Layout:
    """Everything is where the footer says, and nothing else is in the file."""
    assert data[:4] == data[-4:] == _MAGIC
    size = int.from_bytes(data[-8:-4], "little")
    footer = Thrift(data, len(data) - 8 - size)
    begin, file = footer.at, footer.struct()
    assert footer.at == len(data) - 8, "the footer is as long as it says"
    leaves, groups = _leaves(file[2]), file.get(4, [])
    assert file[3] == sum(group[3] for group in groups)
    at, chunks = len(_MAGIC), []
    for number, group in enumerate(groups):
        assert group.get(5, at) == at
        assert len(group[1]) == len(leaves)
        assert group[2] == sum(one[3][6] for one in group[1])
        assert group.get(6, 0) == sum(one[3][7] for one in group[1])
        assert group.get(7, number) == number
        for leaf, one in zip(leaves, group[1], strict=True):
            chunk = _chunk(leaf, number, one[3])
            at = _read_pages(data, at, chunk)
            chunks.append(chunk)
    for chunk in chunks:
        at = _read_bloom_filter(data, at, chunk)
    assert at == begin, "no byte of the file is without a description"
    return Layout([group[3] for group in groups], chunks)


def _leaves(schema: list[dict[int, Any]]) -> list[tuple[str, dict[int, Any]]]:
    """The elements that have values, with their paths."""
    elements = iter(schema)

    def below(path: str, count: int) -> list[tuple[str, dict[int, Any]]]:
        found = []
        for _ in range(count):
            element = next(elements)
            name = path + element[4].decode()
            children = element.get(5, 0)
            found += below(f"{name}.", children) if children else [(name, element)]
        return found

    leaves = below("", next(elements)[5])
    assert next(elements, None) is None
    return leaves


def _chunk(leaf: tuple[str, dict[int, Any]], group: int, meta: dict[int, Any]) -> Chunk:
    path, element = leaf
    assert b".".join(meta[3]).decode() == path
    assert meta[1] == element[1]
    assert meta[4] == _ZSTD
    return Chunk(path, group, element[1], element.get(2, 0), element.get(7, 0), meta)


def _read_pages(data: bytes, at: int, chunk: Chunk) -> int:
    """Reads the pages, which begin at `at`; returns where they end."""
    meta, begin, plain_bytes, kinds = chunk.meta, at, 0, {}
    assert meta.get(11, meta[9]) == at, "a column begins where the one before has ended"
    while at < begin + meta[7]:
        if not chunk.pages:
            assert at == meta[11 if 11 in meta and at == begin else 9], "the first data page is where it should be"
        header = Thrift(data, at)
        page = header.struct()
        kind, size = page[1], page[3]
        body = data[header.at : header.at + size]
        assert len(zstandard.ZstdDecompressor().decompress(body, max_output_size=page[2])) == page[2]
        details = page[7 if kind == _DICTIONARY_PAGE else 5]
        kinds[kind, details[2]] = kinds.get((kind, details[2]), 0) + 1
        if kind == _DICTIONARY_PAGE:
            assert at == meta[11]
        else:
            assert kind == _DATA_PAGE
            chunk.pages.append(Page(details[1], details.get(5)))
        plain_bytes += header.at - at + page[2]
        at = header.at + size
    assert at == begin + meta[7], "the pages are as long as the column"
    assert plain_bytes == meta[6]
    assert sum(page.values for page in chunk.pages) == meta[5]
    assert kinds == {(one[1], one[2]): one[3] for one in meta[13]}
    assert {encoding for _, encoding in kinds} <= set(meta[2]) <= {_PLAIN, _RLE, _RLE_DICTIONARY}
    return at


def _read_bloom_filter(data: bytes, at: int, chunk: Chunk) -> int:
    """Reads the chunk's filter, if it has one, which begins at `at`; returns where it ends."""
    if 14 not in chunk.meta:
        return at
    assert chunk.meta[14] == at, "bloom filters follow the row groups, one upon the other"
    header = Thrift(data, at)
    size, algorithm, hashed, compressed = header.struct().values()
    assert (algorithm, hashed, compressed) == ({1: {}}, {1: {}}, {1: {}}), "split blocks, XXH64, uncompressed"
    assert size >= 32
    assert size.bit_count() == 1
    chunk.bloom = data[header.at : header.at + size]
    assert chunk.meta[15] == header.at + size - at
    return header.at + size
