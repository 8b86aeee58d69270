"""Parts of an export: no row twice, none left out."""

import re
from datetime import UTC, date, datetime, timedelta
from hashlib import md5
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.receipt import Closed, Part, Read, Receipt, SourceColumn
from contracts.request import ExportRequest, TableSource
from contracts.window import DateWindow, IntegerWindow, TimestamptzWindow, TimestampWindow, Window
from worker.blob.buffers import BYTES_PER_S, FAR_PART_BYTES, FAR_STREAMS, MAX_PARTS, PART_BYTES, WINDOW_BYTES
from worker.source.layout import Layout, Leaf
from worker.source.split import Limits, Streams, cut, parts_wanted, split, streams_wanted

DAY = date(2026, 1, 1)
AT = datetime(2026, 1, 1)  # noqa: DTZ001


def request(window: Window | None = None, **more: Any) -> ExportRequest:
    return ExportRequest(
        request_id=UUID(int=1),
        job="j" * 63,
        source=TableSource(schema_name="s", table="t"),
        window=window,
        blob="b",
        run=datetime(2026, 1, 1, tzinfo=UTC),
        **more,
    )


WINDOWS = st.one_of(
    st.builds(
        lambda a, n: IntegerWindow(column="c", start=a, end=a + n), st.integers(-(2**63), 0), st.integers(1, 2**62)
    ),
    st.builds(lambda n: DateWindow(column="c", start=DAY, end=DAY + timedelta(days=n)), st.integers(1, 4000)),
    st.builds(
        lambda n: TimestampWindow(column="c", start=AT, end=AT + timedelta(microseconds=n)), st.integers(1, 10**14)
    ),
    st.builds(
        lambda n: TimestamptzWindow(
            column="c", start=AT.replace(tzinfo=UTC), end=AT.replace(tzinfo=UTC) + timedelta(microseconds=n)
        ),
        st.integers(1, 10**14),
    ),
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(WINDOWS, st.integers(1, 32))
def test_pieces_of_a_window_tile_it(window: Window, count: int) -> None:
    pieces: list[Any] = cut(window, count)
    assert 1 <= len(pieces) <= count
    assert (pieces[0].start, pieces[-1].end) == (window.start, window.end)
    assert all(piece.start < piece.end for piece in pieces)
    assert all(earlier.end == later.start for earlier, later in pairwise(pieces))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=80), st.integers(1, MAX_PARTS))
def test_parts_of_pages_cover_every_page_of_every_leaf_once(sizes: list[int], count: int) -> None:
    leaves = tuple(Leaf("s", f"leaf{number}", pages) for number, pages in enumerate(sizes))
    parts = split(request(), Layout("p", ("a",), leaves, has_tid_range_scans=True), count)
    assert 1 <= len(parts) <= MAX_PARTS
    ranges: dict[str, list[tuple[int, float]]] = {}
    for select in (select for part in parts for select in part.as_string().split(" UNION ALL ")):
        (name,) = re.findall(r'"s"\."(\w+)"', select)
        low, high = re.findall(r">= '\((\d+),0\)'", select), re.findall(r"< '\((\d+),0\)'", select)
        ranges.setdefault(name, []).append((int(low[0]) if low else 0, int(high[0]) if high else float("inf")))
    assert set(ranges) == {leaf.table for leaf in leaves}
    for pieces in ranges.values():
        assert (pieces[0][0], pieces[-1][1]) == (0, float("inf"))
        assert all(earlier[1] == later[0] for earlier, later in pairwise(pieces))


@pytest.mark.parametrize("kind", ["v", "f", ""])
def test_what_cannot_be_read_by_parts_is_not_split(kind: str) -> None:
    """A view may give other rows each time it is asked."""
    found = Layout(kind, ("a",), (), has_tid_range_scans=True)
    window = IntegerWindow(column="c", start=0, end=10)
    assert split(request(), found, 4) == split(request(window), found, 4) == []


SIZES = st.integers(0, 10**13)
LIMITS = st.builds(Limits.of, st.none() | st.integers(1, 32), st.integers(1, 64), st.integers(1, 64))


@given(SIZES, LIMITS, st.floats(0, 0.012))
def test_within_a_region_the_number_of_streams_follows_the_size_alone(
    size: int, limits: Limits, round_trip_s: float
) -> None:
    assert streams_wanted(request(), size, limits, round_trip_s).count == min(limits.near, max(1, size // PART_BYTES))


@given(SIZES, LIMITS, st.floats(0, 10), st.floats(0, 10))
def test_a_farther_server_never_has_fewer_streams(size: int, limits: Limits, one: float, other: float) -> None:
    near, far = (streams_wanted(request(), size, limits, seconds).count for seconds in sorted((one, other)))
    assert 1 <= near <= far <= max(limits.near, limits.far)


@given(st.floats(0, 10), st.integers(1, 64), st.integers(1, 64))
def test_the_streams_of_a_large_table_carry_the_rate_or_are_as_many_as_there_may_be(
    round_trip_s: float, processors: int, places: int
) -> None:
    limits = Limits.of(None, processors, places)
    count = streams_wanted(request(), 10**12, limits, round_trip_s).count
    assert count * WINDOW_BYTES >= round_trip_s * BYTES_PER_S or count == limits.far
    assert limits.far <= max(FAR_STREAMS, limits.near)


def test_how_many_streams_are_chosen_and_why() -> None:
    limits, large = Limits.of(None, 2, 8), 10**9
    chosen = [streams_wanted(request(), large, limits, ms / 1000) for ms in (0, 5, 20, 50, 100, 500)]
    assert [one.count for one in chosen] == [2, 2, 2, 4, 8, 8]
    assert [one.by for one in chosen] == ["size", "size", "size", "distance", "distance", "distance"]
    assert streams_wanted(request(), 3 * FAR_PART_BYTES, limits, 0.1) == Streams(3, "distance")
    assert streams_wanted(request(), FAR_PART_BYTES, limits, 0.1) == Streams(1, "size")
    assert streams_wanted(request(), large, Limits.of(2, 16, 16), 0.1) == Streams(2, "size")


def test_a_job_decides_itself_within_the_limits() -> None:
    limits = Limits.of(None, 2, 8)
    assert streams_wanted(request(streams=3), 10**9, limits, 0.0) == Streams(2, "job")
    assert streams_wanted(request(streams=3), 10**9, limits, 0.05) == Streams(3, "job")
    assert streams_wanted(request(streams=1), 10**9, limits, 0.05) == Streams(1, "job")


@given(st.integers(1, 32), st.integers(0, 10**15))
def test_there_are_never_more_parts_than_the_receipt_has_room_for(streams: int, size: int) -> None:
    assert streams <= parts_wanted(Streams(streams, "size"), size) <= MAX_PARTS or streams == 1


@given(st.integers(2, FAR_STREAMS), st.integers(0, 10**15))
def test_the_streams_of_a_far_table_have_as_many_parts_each(streams: int, size: int) -> None:
    parts = parts_wanted(Streams(streams, "distance"), size)
    assert parts % streams == 0
    assert 2 * streams <= parts <= MAX_PARTS


def test_the_largest_receipt_fits_into_the_metadata_of_a_blob() -> None:
    part = Part(rows=10**10, csv_bytes=10**13, blob_bytes=10**12, sha256="f" * 64)
    window = IntegerWindow(column="\x01" * 63, start=-(2**63), end=2**63 - 1)
    at = datetime(2026, 12, 31, 23, 59, 59, 999999, UTC)
    columns = tuple(SourceColumn(name=md5(b"%d" % n).hexdigest(), type="text") for n in range(99))  # noqa: S324
    closed = Closed(by="transactions", at=at, open="x" * 500)
    read = Read((part,) * MAX_PARTS, "1" * 10_000, 2**64 - 1, columns, closed)
    receipt = Receipt.of(request(window, revision=10**9), read, (at, at))
    metadata = receipt.to_metadata()
    assert sum(len(key) + len(value) for key, value in metadata.items()) <= 8 * 1024
    assert Receipt.from_metadata(metadata) == receipt.model_copy(update={"columns": None})
