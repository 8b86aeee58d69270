"""Rows of a binary COPY taken apart: whatever bytes come, there are right columns or a refusal."""

import struct
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.binary_copy import HEADER, TRAILER, FakeLibpq, row

from contracts.errors import SourceRejected
from worker.native.columns import Columns
from worker.native.library import Native
from worker.native.row_groups import ColumnType, Kind, RowGroups
from worker.native.rows import Rows

TYPES = [
    ColumnType(Kind.BOOL, pa.bool_()),
    ColumnType(Kind.INT32, pa.int32()),
    ColumnType(Kind.DATE, pa.date32()),
    ColumnType(Kind.TIMESTAMP, pa.timestamp("us")),
    ColumnType(Kind.UUID, pa.uuid()),
    ColumnType(Kind.BYTES, pa.binary()),
    ColumnType(Kind.JSONB, pa.binary()),
    ColumnType(Kind.DECIMAL, pa.decimal128(9, 2), 9, 2),
    ColumnType(Kind.DECIMAL, pa.decimal256(60, 20), 60, 20),
    ColumnType(Kind.LIST, pa.list_(pa.binary()), element=ColumnType(Kind.BYTES, pa.binary())),
    ColumnType(Kind.LIST, pa.list_(pa.int64()), element=ColumnType(Kind.INT64, pa.int64())),
]
ONE_AND_A_HALF = struct.pack(">hhHhhh", 2, 0, 0, 1, 1, 5000)
FULL = [
    b"\x01",
    struct.pack(">i", -5),
    struct.pack(">i", 1),
    struct.pack(">q", 1),
    bytes(range(16)),
    b"some bytes",
    b"\x01{}",
    ONE_AND_A_HALF,
    ONE_AND_A_HALF,
    struct.pack(">iiiii", 1, 1, 17, 2, 1) + struct.pack(">ic", 1, b"a") + struct.pack(">i", -1),
    struct.pack(">iii", 0, 0, 20),
]


def read(messages: list[bytes], types: list[ColumnType] = TYPES) -> tuple[pa.RecordBatch, Columns]:
    schema = pa.schema([pa.field(f"c{n}", one.arrow) for n, one in enumerate(types)])
    libpq = FakeLibpq(iter(messages))
    library: Native = libpq.library()
    rows = Rows(SimpleNamespace(pgconn_ptr=0, socket=-1), library)  # type: ignore[arg-type]
    columns = Columns(rows, RowGroups(library, schema, types), "public.t")
    try:
        columns.fill(1 << 30, 10_000)
        batch = columns.take()
    finally:
        rows.close()
    batch.validate(full=True)
    return batch, columns


def test_values_and_nulls_in_turn() -> None:
    nulls = row(*[None] * len(TYPES))
    batch, columns = read([HEADER + row(*FULL), nulls, row(*FULL), TRAILER])
    assert (columns.rows, columns.is_complete) == (3, True)
    first, second, third = batch.to_pylist()
    assert first == third
    assert set(second.values()) == {None}
    assert [str(value) for value in first.values()][-4:] == ["1.50", "1.50000000000000000000", "[b'a', None]", "[]"]


@pytest.mark.parametrize("first", [0, 1, 7, 8, 1022, 1023, 1024, 2047, 2048])
def test_the_first_null_comes_late_and_room_grows_before_and_after_it(first: int) -> None:
    nulls = row(*[None] * len(TYPES))
    numbers = {first, first + 1, first + 9, 3000, 4095, 4096}
    batch, _ = read([HEADER, *(nulls if n in numbers else row(*FULL) for n in range(5000)), TRAILER])
    for column in batch.columns:
        assert column.null_count == len(numbers)
        assert {n for n, value in enumerate(column.is_valid().to_pylist()) if not value} == numbers
        column.validate(full=True)


@pytest.mark.parametrize("messages", [[HEADER + TRAILER], [HEADER, TRAILER]])
def test_no_rows(messages: list[bytes]) -> None:
    batch, columns = read(messages)
    assert (batch.num_rows, columns.rows, columns.is_complete) == (0, 0, True)


def test_rows_without_an_end_are_not_complete() -> None:
    assert not read([HEADER + row(*FULL)])[1].is_complete


@pytest.mark.parametrize(
    "messages",
    [
        [b"PGCOPY"],
        [b"x" * 30],
        [HEADER[:-8] + struct.pack(">ii", 1 << 16, 0) + TRAILER],
        [HEADER[:-4] + struct.pack(">i", 5) + TRAILER],
        [HEADER + row(*FULL) + b"x"],
        [HEADER + row(*FULL[:-1])],
        [HEADER + TRAILER + b"x"],
        [HEADER, TRAILER, row(*FULL)],
        [HEADER, row(*FULL, b"more")],
        [HEADER, b"\0"],
    ],
    ids=str,
)
def test_what_is_no_binary_copy_is_refused(messages: list[bytes]) -> None:
    with pytest.raises(SourceRejected, match="in a form that"):
        read(messages)


def test_every_row_that_is_cut_short_is_refused() -> None:
    whole = row(*FULL)
    for size in range(1, len(whole)):
        with pytest.raises(SourceRejected):
            read([HEADER, whole[:size]])


@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, len(row(*FULL)) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_give_valid_columns_or_a_refusal(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(row(*FULL))
    for at, byte in changes:
        changed[at] = byte
    try:
        batch, _ = read([HEADER + row(*FULL), bytes(changed), TRAILER])
    except SourceRejected:
        return
    assert batch.num_rows == 2


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (struct.pack(">hhHh", 0, 0, 0xC000, 0), "NaN"),
        (struct.pack(">hhHh", 0, 0, 0xD000, 0), "NaN"),
        (struct.pack(">hhHhh", 1, 1, 0, 0, 1000), "out of range"),
        (struct.pack(">hhHhh", 1, 30000, 0, 0, 1), "out of range"),
        (struct.pack(">hhHhh", 1, -1, 0, 4, 1), "out of range"),
        (struct.pack(">hhHhh", 1, -30000, 0, 4, 1), "out of range"),
        (struct.pack(">hhHhH", 1, 0, 0, 0, 10000), "form"),
        (struct.pack(">hhHh", 1, 0, 0, 0), "form"),
    ],
    ids=["NaN", "infinity", "8 digits before the point", "many before it", "4 behind it", "many", "digit", "short"],
)
def test_numerics_that_a_decimal_of_9_and_2_digits_cannot_hold_are_refused(field: bytes, said: str) -> None:
    with pytest.raises(SourceRejected, match=said):
        read([HEADER + row(field)], [ColumnType(Kind.DECIMAL, pa.decimal128(9, 2), 9, 2)])
