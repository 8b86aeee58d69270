"""Rows of a binary COPY printed as CSV: whatever bytes come, there are whole lines or a refusal."""

import struct
from types import SimpleNamespace

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.binary_copy import HEADER, TRAILER, FakeLibpq, row

from worker.native.library import Native
from worker.native.printer import Kind, open_printer
from worker.native.rows import open_rows

FULL = {
    Kind.TEXT: b'a "b"',
    Kind.JSONB: b"\x01{}",
    Kind.BOOL: b"\x01",
    Kind.INT2: struct.pack(">h", -5),
    Kind.INT4: struct.pack(">i", 7),
    Kind.INT8: struct.pack(">q", 1 << 40),
    Kind.NUMERIC: struct.pack(">hhHhhh", 2, 0, 0x4000, 1, 1, 5000),
    Kind.UUID: bytes(range(16)),
    Kind.BYTEA: b"\xff\0",
    Kind.DATE: struct.pack(">i", 60),
    Kind.TIME: struct.pack(">q", 3_600_000_001),
    Kind.TIMESTAMP: struct.pack(">q", -1_500_000),
    Kind.TIMESTAMPTZ: struct.pack(">q", 0),
}
LINE = (
    '"a ""b""",{},t,-5,7,1099511627776,-1.5,00010203-0405-0607-0809-0a0b0c0d0e0f,\\xff00,2000-03-01,01:00:00.000001,'
    "1999-12-31 23:59:58.5,2000-01-01 00:00:00+00\n"
)
VALUES = row(*FULL.values())


def printed(
    messages: list[bytes], kinds: tuple[Kind, ...] = tuple(FULL), null: bytes = b"", room: int = 1 << 16
) -> tuple[str, int, bool]:
    """The text, the number of rows, and whether the mark that ends them came."""
    libpq = FakeLibpq(iter(messages))
    library: Native = libpq.library()
    connection = SimpleNamespace(pgconn_ptr=0, socket=-1)
    text, buffer = b"", bytearray(room)
    with (
        open_rows(connection, library) as rows,  # type: ignore[arg-type]
        open_printer(library, rows, kinds, b",", null) as printer,
    ):
        while printer.has_more:
            text += buffer[: printer.fill(buffer, 0, 10_000)]
        return text.decode(errors="replace"), printer.count, printer.is_complete


@pytest.mark.parametrize("room", [1, 7, 1 << 16])
def test_values_and_nulls_in_turn(room: int) -> None:
    nulls = row(*[None] * len(FULL))
    found = printed([HEADER + VALUES, nulls, VALUES, TRAILER], null=b"no", room=room)
    assert found == (LINE + ",".join(["no"] * len(FULL)) + "\n" + LINE, 3, True)


def test_rows_without_an_end_are_not_complete() -> None:
    assert printed([HEADER + VALUES]) == (LINE, 1, False)


@pytest.mark.parametrize(
    "messages",
    [
        [b"PGCOPY"],
        [HEADER[:-4] + struct.pack(">i", 5) + TRAILER],
        [HEADER + VALUES + b"x"],
        [HEADER + row(*list(FULL.values())[:-1])],
        [HEADER, TRAILER, VALUES],
        [HEADER, row(*FULL.values(), b"more")],
        [HEADER, b"\0"],
    ],
    ids=str,
)
def test_what_is_no_binary_copy_of_these_columns_is_refused(messages: list[bytes]) -> None:
    with pytest.raises(psycopg.DataError, match="in a form that"):
        printed(messages)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.JSONB, b""),
        (Kind.JSONB, b"\x02{}"),
        (Kind.INT4, b"123"),
        (Kind.TIME, struct.pack(">q", -1)),
        (Kind.TIME, struct.pack(">q", 86_400_000_001)),
        (Kind.NUMERIC, struct.pack(">hhHh", 1, 0, 0, 0)),
        (Kind.NUMERIC, struct.pack(">hhHhH", 1, 0, 0, 0, 10_000)),
        (Kind.NUMERIC, struct.pack(">hhHhh", 1, 0, 0x1234, 0, 1)),
    ],
)
def test_a_value_that_is_none_of_its_type_is_refused(kind: Kind, value: bytes) -> None:
    with pytest.raises(psycopg.DataError):
        printed([HEADER + row(value), TRAILER], (kind,))


def test_every_row_that_is_cut_short_is_refused() -> None:
    for size in range(1, len(VALUES)):
        with pytest.raises(psycopg.DataError):
            printed([HEADER, VALUES[:size]])


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, len(VALUES) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_give_whole_lines_or_a_refusal(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(VALUES)
    for at, byte in changes:
        changed[at] = byte
    try:
        text, rows, _ = printed([HEADER + VALUES, bytes(changed), TRAILER])
    except psycopg.DataError:
        return
    assert text.startswith(LINE)
    assert text.endswith("\n")
    assert rows == 2
