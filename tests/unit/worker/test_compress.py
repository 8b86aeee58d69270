"""Compression: any tool gives back what went in, also from runs that are joined end to end."""

import gzip
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.unpack import UNPACK

from worker.formats.codecs import compressed
from worker.native import library

RUNS = st.lists(st.lists(st.binary(max_size=200), max_size=5), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("compression", "level"),
    [("gzip", 0), ("gzip", 1), ("gzip", 2), ("gzip", 3), ("gzip", 6), ("gzip", 9), ("zstd", 3), ("none", 0)],
)
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(RUNS)
def test_runs_joined_end_to_end_are_one_valid_file(compression: str, level: int, runs: list[list[bytes]]) -> None:
    streams = (compressed(map(memoryview, run), compression, level) for run in runs)
    data = b"".join(map(bytes, chain.from_iterable(streams)))
    assert UNPACK[compression](data) == b"".join(chain.from_iterable(runs))


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_same_rows_give_the_same_bytes(compression: str) -> None:
    """No time and no file name go into the header."""
    first, second = (b"".join(map(bytes, compressed([memoryview(b"a,b\n" * 999)], compression, 2))) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("compression", "level"), [("gzip", 1), ("gzip", 2), ("gzip", 6), ("zstd", 1)])
def test_no_rows_are_a_file_too(compression: str, level: int) -> None:
    """Tools call a file of no bytes broken."""
    data = b"".join(map(bytes, compressed([], compression, level)))
    assert data
    assert UNPACK[compression](data) == b""


def test_without_the_compiled_library_there_is_a_valid_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_loaded", lambda: "switched off")
    rows = b"".join(b"%d,some words\n" % n for n in range(9999))
    data = b"".join(map(bytes, compressed([memoryview(rows)], "gzip", 2)))
    assert gzip.decompress(data) == rows
