"""Whether what a Parquet file says of its values is true: statistics, sizes and bloom filters."""

import io
import struct
from collections.abc import Sequence
from decimal import localcontext
from typing import Any

import pyarrow.parquet as pq
import xxhash
from support.parquet.layout import Chunk, read_layout
from support.parquet.readers import plain_values

# Of parquet.thrift's Type.
_FLOAT, _DOUBLE, _BYTE_ARRAY = 4, 5, 6

# Of BloomFilter.md.
_SALT = (0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31)


def check_file(data: bytes) -> None:
    """Raises AssertionError if the file is not laid out as it says, or says of its values what is not true."""
    layout, file = read_layout(data), pq.ParquetFile(io.BytesIO(data))
    for group, rows in enumerate(layout.rows):
        table = file.read_row_group(group)
        assert len(table) == rows
        chunks = [chunk for chunk in layout.chunks if chunk.group == group]
        for chunk, column in zip(chunks, table.columns, strict=True):
            _check_chunk(chunk, _entries(plain_values(column), is_list=".list." in chunk.path))


def _entries(values: list[Any], *, is_list: bool) -> list[Any]:
    """What a chunk counts: the values of a column, or the elements of its lists; NULL for one of neither."""
    return [entry for value in values for entry in (value or [None])] if is_list else values


def _check_chunk(chunk: Chunk, entries: list[Any]) -> None:
    assert len(entries) == chunk.meta[5], chunk.path
    _check_statistics(chunk, chunk.meta.get(12), entries)
    begin = 0
    for page in chunk.pages:
        _check_statistics(chunk, page.statistics, entries[begin : begin + page.values])
        begin += page.values
    if chunk.type == _BYTE_ARRAY and 1 in (sizes := chunk.meta.get(16, {})):
        assert sizes[1] == sum(len(_encoded(chunk, entry)) for entry in entries if entry is not None), chunk.path
    if chunk.bloom is not None:
        encoded = {_encoded(chunk, entry) for entry in entries if entry is not None}
        missing = [value for value in encoded if not may_hold(chunk.bloom, value)]
        assert not missing, f"the bloom filter of {chunk.path} denies {len(missing)} values that are there"


def _check_statistics(chunk: Chunk, said: dict[int, Any] | None, entries: Sequence[Any]) -> None:
    """Least and greatest value and NULLs, of a column's chunk or of one of its pages."""
    if not said:
        return
    there = [entry for entry in entries if entry is not None and entry == entry]  # noqa: PLR0124  # NaN has no order
    assert said.get(3, 0) == sum(entry is None for entry in entries), f"NULLs of {chunk.path}"
    assert (6 in said) is (5 in said) is bool(there), f"statistics of {chunk.path} have a least and a greatest value"
    if there:
        key = str.encode if isinstance(there[0], str) else None
        least, greatest = min(there, key=key), max(there, key=key)
        assert _is(chunk, said[6], least), f"the least value of {chunk.path}"
        assert _is(chunk, said[5], greatest), f"the greatest value of {chunk.path}"
        # What older readers look at.
        assert said.get(2, said[6]) == said[6]
        assert said.get(1, said[5]) == said[5]


def _is(chunk: Chunk, said: bytes, value: Any) -> bool:
    if chunk.type in {_FLOAT, _DOUBLE}:  # zero may have either sign
        return bool(struct.unpack("<f" if chunk.type == _FLOAT else "<d", said)[0] == value)
    return said == _encoded(chunk, value)


def _encoded(chunk: Chunk, value: Any) -> bytes:
    """A value in Parquet's plain encoding, without a length."""
    match chunk.type:
        case 0:
            return bytes([value])
        case 1 | 2 | 4 | 5:
            return struct.pack({1: "<i", 2: "<q", 4: "<f", 5: "<d"}[chunk.type], value)
    if isinstance(value, str | bytes):
        return value.encode() if isinstance(value, str) else value
    with localcontext(prec=100):
        return int(value.scaleb(chunk.scale)).to_bytes(chunk.width, "big", signed=True)


def may_hold(bloom: bytes, value: bytes) -> bool:
    """What a reader asks a split block bloom filter."""
    hashed = xxhash.xxh64_intdigest(value)
    block = 32 * ((hashed >> 32) * (len(bloom) // 32) >> 32)
    words = struct.unpack_from("<8I", bloom, block)
    return all(
        word >> ((hashed & 0xFFFFFFFF) * salt % 2**32 >> 27) & 1 for word, salt in zip(words, _SALT, strict=True)
    )
