"""The compressor in C: zlib restores any input, and the size is bounded."""

import random
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import accumulate, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib

from worker.native.gzip import GzipStream
from worker.native.library import Native, native

BLOCK, WINDOW = 131_072, 32_768
# Around where blocks, the window and stored blocks end, and where the search stops before the end.
SIZES = [*range(70), 300, 16_383, 16_384, 16_418, WINDOW, 65_535, 65_536, BLOCK, BLOCK + 16_384, 1 << 20]
DICE = random.Random(1)  # noqa: S311


@pytest.fixture(scope="module")
def library() -> Native:
    found = native()
    assert found is not None
    return found


def packed(library: Native, *chunks: bytes) -> bytes:
    stream = GzipStream(library)
    return b"".join([*(bytes(stream.compress(memoryview(chunk))) for chunk in chunks), stream.flush()])


@pytest.fixture(scope="module")
def checked(library: Native) -> Callable[..., int]:
    """Compresses chunks to one member, checks it, and returns its size."""

    def check(*chunks: bytes) -> int:
        member = packed(library, *chunks)
        assert len(member) <= sum(library.gzip_bound(len(chunk)) for chunk in [*chunks, b""])
        unpacker = zlib.decompressobj(31)
        assert unpacker.decompress(member) + unpacker.flush() == b"".join(chunks)
        assert unpacker.eof
        assert unpacker.unused_data == b""
        return len(member)

    return check


CONTENTS: dict[str, Callable[[int], bytes]] = {
    "zeros": bytes,
    "noise": DICE.randbytes,
    "hexadecimal": lambda size: DICE.randbytes(size // 2 + 1).hex().encode()[:size],
    "two values": lambda size: bytes(DICE.choices(b"01", k=size)),
    "counting": lambda size: bytes(n & 255 for n in range(size)),
    "rows": lambda size: b"".join(rows(size // 40 + 1))[:size],
    "noise between rows": lambda size: b"".join(
        b"a,bb,ccc\n" * 100 if n % 2 else DICE.randbytes(1000) for n in range(size // 900 + 1)
    )[:size],
}


def rows(count: int) -> Iterator[bytes]:
    for n in range(count):
        yield b"%d,2026-01-%02d,%s,%s\n" % (
            n,
            n % 31,
            DICE.randbytes(8).hex().encode(),
            DICE.choice([b"yes", b"", b"no"]),
        )


@pytest.mark.parametrize("content", CONTENTS)
def test_any_size_of(content: str, checked: Callable[..., int]) -> None:
    for size in SIZES:
        checked(CONTENTS[content](size))


def test_periods(checked: Callable[..., int]) -> None:
    """Matches that overlap themselves, and such that are just near enough or just too far."""
    for period in [*range(1, 40), 257, 258, 259, *range(WINDOW - 3, WINDOW + 4), *range(65_530, 65_542)]:
        once = DICE.randbytes(period)
        checked((once * (3 + 2000 // period))[: 3 * period + 1000])


def test_matches_of_every_length_at_the_ends_of_the_window(checked: Callable[..., int]) -> None:
    for length in range(3, 300):
        for distance in (max(length, 300), WINDOW, WINDOW + 1):
            before = DICE.randbytes(distance)
            checked(before + before[:length] + DICE.randbytes(40))


def test_frequencies_that_want_longer_codes_than_there_are(checked: Callable[..., int]) -> None:
    """Those of Fibonacci give the deepest trees."""
    fibonacci = [1, *(b for _, b in accumulate(repeat(0, 23), lambda pair, _: (pair[1], sum(pair)), initial=(1, 1)))]
    symbols = bytearray(b"".join(bytes([n * 7]) * count for n, count in enumerate(fibonacci)))[:BLOCK]
    DICE.shuffle(symbols)
    checked(bytes(symbols))


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.text("0123456789,\n", max_size=60).map(str.encode),
            st.tuples(st.integers(1, 70_000), st.integers(1, 700)),
        ),
        max_size=60,
    ),
    st.integers(0, 66_000),
)
def test_texts_with_copies_of_what_came_before(
    checked: Callable[..., int], pieces: list[bytes | tuple[int, int]], leading: int
) -> None:
    data = bytearray(leading)
    for piece in pieces:
        if isinstance(piece, bytes):
            data += piece
        else:
            distance, length = piece
            for _ in range(length if data else 0):
                data.append(data[-min(distance, len(data))])
    checked(bytes(data))


def test_rows_are_no_larger_than_by_zlib(checked: Callable[..., int]) -> None:
    """Of random ids among words that come again and again, and where nothing can be saved."""
    data = b"".join(rows(20_000))
    assert checked(data) < len(zlib.compress(data, 6))
    assert checked(DICE.randbytes(1 << 20)) < (1 << 20) + 1000


def test_chunks_are_one_member(checked: Callable[..., int]) -> None:
    """Whatever bits of a byte are left when a chunk ends, and blocks that begin at whole bytes, too."""
    table = list(rows(4000))
    for size in (1, 2, 3, 5, 7, 99, 1000):
        checked(*(b"".join(table[begin : begin + size]) for begin in range(0, size * 9, size)))
    checked(table[0], DICE.randbytes(1000), b"".join(table), b"", DICE.randbytes(70_000), table[1])
    checked()
    checked(b"", b"")


def test_the_same_rows_give_the_same_bytes_whatever_came_before_in_the_process(library: Native) -> None:
    first, second = b"".join(rows(9000)), b"".join(rows(9000))
    assert packed(library, first, second, first) == packed(library, first, second, first)
    once, twice = len(packed(library, first)), len(packed(library, first, first))
    assert 2 * once - 40 <= twice <= 2 * once


def test_the_bytes_are_the_same_on_every_machine(library: Native) -> None:
    """What a compiler makes of the code must not matter."""
    data = b"".join(b"%d,%d,%x,word%d\n" % (n, n * n, n * 2_654_435_761 & 0xFFFFFFFF, n % 7) for n in range(30_000))
    assert zlib.crc32(packed(library, data)) == 3_618_825_643


@pytest.mark.parametrize(("text", "base64"), [(2_000, 2_000), (1_000, 8_000), (8_000, 64_000), (40_000, 80_000)])
def test_text_between_digits_at_random_is_no_larger_than_by_isal(
    checked: Callable[..., int], text: int, base64: int
) -> None:
    """Digits are passed over in steps, and what matches after them must be found all the same."""
    words = [bytes(DICE.choices(b"abcdefghijklmnopqrstuvwxyz", k=DICE.randrange(3, 9))) for _ in range(400)]
    data = b"".join(
        b" ".join(DICE.choices(words, k=text // 4))[:text] + b64encode(DICE.randbytes(base64 * 3 // 4))
        for _ in range((4 << 20) // (text + base64))
    )
    theirs = isal_zlib.compressobj(2, wbits=31)
    assert checked(data) <= 1.015 * len(theirs.compress(data) + theirs.flush())
