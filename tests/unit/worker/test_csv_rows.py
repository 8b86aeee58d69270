"""Rows in the text of a CSV file, however it is split into pieces."""

import csv
import ctypes
import io
import os

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.native import library
from worker.native.csv_rows import CsvRows

VALUES = st.text(alphabet='a,"\n\r\\é ', max_size=6)
ROWS = st.lists(st.lists(VALUES, min_size=1, max_size=3), max_size=8)


def written(row: list[str]) -> bytes:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(row)
    return file.getvalue().encode()


@pytest.mark.parametrize("size", [*range(300), 511, 1023, 1024, 1025, 4096, 65537, 1 << 20])
def test_a_row_is_hashed_as_the_published_function_does(size: int) -> None:
    native = library.native()
    assert native is not None
    data = os.urandom(size)
    assert native.rowhash_one(data, size) == xxhash.xxh3_64_intdigest(data)


@pytest.mark.parametrize("is_compiled", [True, False])
@settings(max_examples=400, deadline=None, database=None)
@given(ROWS, st.lists(st.integers(0, 100), max_size=5), st.booleans())
def test_rows_are_found_whatever_the_pieces(
    is_compiled: bool, rows: list[list[str]], cuts: list[int], header: bool
) -> None:
    lines = [written(row) for row in rows]
    data = b"".join(lines)
    found = CsvRows(header=header)
    if not is_compiled:
        found._library = None
    begin = 0
    for end in [*sorted(cut for cut in cuts if cut <= len(data)), len(data)]:
        found.take(data[begin:end])
        begin = end
    counted = lines[1:] if header else lines
    assert found.is_whole
    assert found.rows == len(counted)
    if is_compiled:
        assert found.row_hash == sum(map(xxhash.xxh3_64_intdigest, counted)) % 2**64


def test_a_file_that_is_cut_off_in_a_row_is_not_whole() -> None:
    for text in (b"1,2\n3", b'1,"a\n'):
        found = CsvRows(header=False)
        found.take(text)
        assert not found.is_whole


def test_a_large_row_is_scanned_once() -> None:
    """Twenty pieces of one quoted value: the place where each piece was left is remembered."""
    found = CsvRows(header=False)
    found.take(b'"')
    for _ in range(20):
        found.take(b"x" * 100_000)
        assert ctypes.c_int64(found._state.scanned).value == len(found._rest)
    found.take(b'"\n')
    assert (found.rows, found.is_whole) == (1, True)
