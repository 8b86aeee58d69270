"""Compression: any tool restores the input, also from runs that are joined end to end."""

import gzip
import random
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.unpack import UNPACK

from contracts.errors import CompressionWrong
from worker.blob.buffers import CHUNK_BYTES
from worker.formats.codecs import Trust, begin, compressed
from worker.formats.codecs.stream import Stream
from worker.formats.codecs.verified import Verified
from worker.native import library

RUNS = st.lists(st.lists(st.binary(max_size=200), max_size=5), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("compression", "level"),
    [
        ("gzip", None),
        ("gzip", 0),
        ("gzip", 1),
        ("gzip", 2),
        ("gzip", 3),
        ("gzip", 6),
        ("gzip", 9),
        ("zstd", 3),
        ("none", 0),
    ],
)
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(RUNS)
def test_runs_joined_end_to_end_are_one_valid_file(
    compression: str, level: int | None, runs: list[list[bytes]]
) -> None:
    streams = (compressed(map(memoryview, run), compression, level) for run in runs)
    data = b"".join(map(bytes, chain.from_iterable(streams)))
    assert UNPACK[compression](data) == b"".join(chain.from_iterable(runs))


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_the_same_rows_give_the_same_bytes(compression: str) -> None:
    """No time and no file name go into the header."""
    first, second = (b"".join(map(bytes, compressed([memoryview(b"a,b\n" * 999)], compression, 2))) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("compression", "level"), [("gzip", None), ("gzip", 1), ("gzip", 2), ("gzip", 6), ("zstd", 1)])
def test_no_rows_are_a_file_too(compression: str, level: int | None) -> None:
    """Tools call a file of no bytes broken."""
    data = b"".join(map(bytes, compressed([], compression, level)))
    assert data
    assert UNPACK[compression](data) == b""


def test_without_the_compiled_library_there_is_a_valid_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_loaded", lambda: "switched off")
    rows = b"".join(b"%d,some words\n" % n for n in range(9999))
    for level in (None, 2):
        data = b"".join(map(bytes, compressed([memoryview(rows)], "gzip", level)))
        assert gzip.decompress(data) == rows


DICE = random.Random(2)  # noqa: S311

# For each of five columns, how often it has the first value, and the others.
KINDS = [(0.5, b"f", [b"t"]), (0.9, b"", [b"%d" % n for n in range(99)]), (0.95, b"", [b"open", b"closed", b"unknown"])]
KINDS += [(0.8, b"0", [b"%d" % n for n in range(10)]), (1, b"", [b""])]
FLAGS = b"".join(
    b"%d,%s\n"
    % (n, b",".join(some if DICE.random() < often else DICE.choice(others) for often, some, others in KINDS * 12))
    for n in range(12_000)
)
NUMBERS = b"".join(b"%d\n" % n for n in range(10**7, 10**7 + 120_000))
EVENTS = b"".join(b"%d,%s,page_viewed\n" % (n, DICE.randbytes(16).hex().encode()) for n in range(60_000))


def gzipped(rows: bytes, level: int | None, trust: Trust = Trust.VERIFIED) -> bytes:
    chunks = (memoryview(bytearray(rows[at : at + CHUNK_BYTES])) for at in range(0, len(rows), CHUNK_BYTES))
    return b"".join(map(bytes, compressed(chunks, "gzip", level, trust)))


def test_without_a_level_the_rows_decide() -> None:
    assert gzipped(FLAGS, None) == gzipped(FLAGS, 6)
    assert len(gzipped(FLAGS, 6)) < 0.9 * len(gzipped(FLAGS, 2))
    assert gzipped(NUMBERS, None) == gzipped(NUMBERS, 5)
    assert gzipped(EVENTS, None) == gzipped(EVENTS, 2)
    assert gzip.decompress(gzipped(FLAGS, None)) == FLAGS


def test_without_a_level_less_than_a_chunk_is_compressed_by_2() -> None:
    assert gzipped(FLAGS[: CHUNK_BYTES - 1], None) == gzipped(FLAGS[: CHUNK_BYTES - 1], 2)


def test_without_a_level_isal_compresses_where_nothing_else_is_trusted() -> None:
    assert gzipped(FLAGS, None, Trust.NONE) == gzipped(FLAGS, 2, Trust.NONE) != gzipped(FLAGS, 2)


class Wrong:
    """A compressor that flips one bit of its `n`th byte, or drops its end."""

    def __init__(self, stream: Stream, flipped: int | None) -> None:
        self._stream, self._flipped = stream, flipped
        self._done = 0

    def compress(self, data: memoryview, /) -> bytes:
        return self._wrong(bytes(self._stream.compress(data)))

    def flush(self) -> bytes:
        end = bytes(self._stream.flush())
        return self._wrong(end) if self._flipped is not None else end[:-9]

    def _wrong(self, data: bytes) -> bytes:
        wrong = bytearray(data)
        if self._flipped is not None and 0 <= self._flipped - self._done < len(wrong):
            wrong[self._flipped - self._done] ^= 4
        self._done += len(data)
        return bytes(wrong)


ROWS = [b"".join(b"%d,some words,%d\n" % (n, n * n) for n in range(k, k + 300)) for k in range(0, 1500, 300)]


def written(stream: Stream) -> bytes:
    return b"".join([*(bytes(stream.compress(memoryview(rows))) for rows in ROWS), bytes(stream.flush())])


@pytest.mark.parametrize("level", [2, 6])
def test_a_wrong_byte_of_a_compressor_is_noticed_or_harmless(level: int) -> None:
    """Harmless are those of gzip's headers that say nothing about the rows."""
    whole, caught = written(begin("gzip", level, Trust.VERIFIED)), 0
    assert gzip.decompress(whole) == b"".join(ROWS)
    wrong = [None, *range(0, len(whole), 7)]
    for flipped in wrong:
        try:
            data = written(Verified(Wrong(begin("gzip", level), flipped)))
        except CompressionWrong:
            caught += 1
        else:
            assert gzip.decompress(data) == b"".join(ROWS)
    assert caught > 0.98 * len(wrong)


@pytest.mark.parametrize("level", [2, 6])
def test_a_wrong_checksum_or_size_of_a_member_is_noticed(level: int) -> None:
    size = len(written(begin("gzip", level)))
    for flipped in range(size - 8, size):
        with pytest.raises(CompressionWrong):
            written(Verified(Wrong(begin("gzip", level), flipped)))


def test_a_compressor_that_leaves_a_member_out_is_noticed() -> None:
    class Forgetful(Wrong):
        def compress(self, data: memoryview, /) -> bytes:
            return b"" if bytes(data) == ROWS[1] else super().compress(data)

    with pytest.raises(CompressionWrong):
        written(Verified(Forgetful(begin("gzip", 6), 10**9)))
