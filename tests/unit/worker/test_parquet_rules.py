"""The tests' checks of a Parquet file see what is wrong with one."""

import io
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.parquet.claims import check_file
from support.parquet.layout import read_layout

LEAST, GREATEST = 1_234_567_890_123, 7_654_321_098_765


def file() -> bytes:
    """Two row groups of numbers and texts, with statistics and bloom filters."""
    table = pa.table({"number": [LEAST, None, GREATEST] * 100, "text": ["é", "zz", None] * 100})
    out = io.BytesIO()
    filters = {name: {"ndv": 100, "fpp": 0.01} for name in table.column_names}
    pq.write_table(table, out, row_group_size=200, compression="zstd", bloom_filter_options=filters)
    return out.getvalue()


def little(number: int) -> bytes:
    return number.to_bytes(8, "little")


def without_bits(data: bytes) -> bytes:
    bloom = read_layout(data).chunks[1].bloom
    assert bloom
    return data.replace(bloom, bytes(len(bloom)))


def in_footer(before: bytes, after: bytes) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        begin = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        assert before in data[begin:]
        return data[:begin] + data[begin:].replace(before, after)

    return changed


def with_a_page_of_another_size(data: bytes) -> bytes:
    """Its header begins with the fields 1, its kind, and 2, its size as a varint."""
    assert data[4] == data[6] == 0x15
    return data[:7] + bytes([data[7] ^ 2]) + data[8:]


def with_a_byte_more(data: bytes) -> bytes:
    begin = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    return data[:begin] + b"\0" + data[begin:]


def test_a_file_of_arrow_is_right() -> None:
    check_file(file())
    assert [chunk.bloom is not None for chunk in read_layout(file()).chunks] == [True] * 4


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (without_bits, "the bloom filter of text denies 2 values"),
        (in_footer(little(LEAST), little(LEAST - 1)), "the least value of number"),
        (in_footer(little(GREATEST), little(GREATEST - 1)), "the greatest value of number"),
        (in_footer("é".encode(), "è".encode()), "the greatest value of text"),
        (with_a_byte_more, "no byte of the file is without a description"),
        (with_a_page_of_another_size, None),
        (lambda data: data[:100] + data[101:], None),
        (lambda data: data[:-8] + (10).to_bytes(4, "little") + data[-4:], None),
    ],
    ids=["bloom filter", "least", "greatest", "text", "a byte more", "page", "a byte less", "footer"],
)
def test_what_is_wrong_is_seen(changed: Callable[[bytes], bytes], says: str | None) -> None:
    with pytest.raises(Exception, match=says) as seen:
        check_file(changed(file()))
    assert says is None or seen.type is AssertionError
