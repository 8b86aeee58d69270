"""Pure: how many streams and parts an export has, and what each part selects. Parts never overlap and miss no row."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from psycopg import sql

from contracts.request import ExportRequest, TableSource
from contracts.window import DateWindow, IntegerWindow, TimestamptzWindow, TimestampWindow, Window
from worker.blob.buffers import BYTES_PER_S, FAR_PART_BYTES, FAR_STREAMS, MAX_PARTS, PART_BYTES, WINDOW_BYTES
from worker.source.layout import Layout, Leaf
from worker.source.statement import select_from, within

_FAR_PARTS = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """How many streams an export may have: if PostgreSQL is near, and if it is far."""

    near: int
    far: int

    @classmethod
    def of(cls, max_streams: int | None, processors: int, places: int) -> "Limits":
        """Those of a process; `places` is how many connections one export may have.

        >>> Limits.of(None, 2, 3), Limits.of(None, 16, 64), Limits.of(2, 16, 64)
        (Limits(near=2, far=3), Limits(near=16, far=16), Limits(near=2, far=2))
        """
        near = max_streams or min(processors, MAX_PARTS)
        return cls(near, near if max_streams else max(near, min(FAR_STREAMS, places)))

    def at_most(self, most: int) -> "Limits":
        """The same, and `most` at most."""
        return Limits(min(self.near, most), min(self.far, most))


@dataclass(frozen=True, slots=True)
class Streams:
    """How many streams an export is read by, what decided it, and how many would carry BYTES_PER_S so far away."""

    count: int
    by: Literal["job", "size", "distance"]
    carrying: int = field(default=1, compare=False)


def streams_wanted(request: ExportRequest, estimated_bytes: int, limits: Limits, round_trip_s: float) -> Streams:
    """What the job says, else one for each PART_BYTES, or, if PostgreSQL is far, as many as carry BYTES_PER_S."""
    carrying = math.ceil(round_trip_s * BYTES_PER_S / WINDOW_BYTES)
    if request.streams:
        return Streams(min(max(limits.near, min(carrying, limits.far)), request.streams), "job", carrying)
    near = min(limits.near, max(1, estimated_bytes // PART_BYTES))
    far = min(limits.far, carrying, estimated_bytes // FAR_PART_BYTES)
    return Streams(far, "distance", carrying) if far > near else Streams(near, "size", carrying)


def parts_wanted(streams: Streams, estimated_bytes: int) -> int:
    """More parts than streams: parts differ in size, and all streams should end together.

    A stream that reads on alone is slow if PostgreSQL is far: then each has as many parts as the others, of
    FAR_PART_BYTES or more, since the next one takes a round trip to begin.
    """
    count = streams.count
    if count == 1:
        return 1
    if streams.by == "distance":
        return count * max(2, min(_FAR_PARTS, MAX_PARTS // count, estimated_bytes // (count * FAR_PART_BYTES)))
    return max(count, min(MAX_PARTS, max(2 * count, estimated_bytes // PART_BYTES)))


def split(
    request: ExportRequest, layout: Layout, count: int, quantiles: Iterable[str] = (), most: int = MAX_PARTS
) -> list[sql.Composed]:
    """About `count` SELECTs, `most` at most, in the order of their rows; empty if the source cannot be split.

    `quantiles` are of the window's column, in its text form.
    """
    assert isinstance(request.source, TableSource)
    if request.window is not None and layout.kind in {"r", "p", "m"}:
        name = sql.Identifier(request.source.schema_name, request.source.table)
        return [
            select_from(name, request.source.columns, within(piece)) for piece in cut(request.window, count, quantiles)
        ]
    if request.window is not None or not layout.leaves or not layout.has_tid_range_scans:
        return []
    # The parent's columns by name: a partition may have them in another order.
    columns = request.source.columns or layout.columns
    return [_union(group, columns) for group in _groups(list(_page_ranges(layout.leaves, count)), most)]


def cut(window: Window, count: int, quantiles: Iterable[str] = ()) -> list[Window]:
    """The window in at most `count` windows side by side, of as many rows each as far as `quantiles` show.

    >>> [(piece.start, piece.end) for piece in cut(IntegerWindow(column="id", start=0, end=10), 3)]
    [(0, 3), (3, 6), (6, 10)]
    >>> known = ["-5", "1", "1", "2", "2", "3", "4", "99"]
    >>> [(piece.start, piece.end) for piece in cut(IntegerWindow(column="id", start=0, end=10), 2, known)]
    [(0, 2), (2, 10)]
    >>> len(cut(DateWindow(column="day", start=date(2026, 1, 1), end=date(2026, 1, 2)), 3))
    1
    """
    inner = _values_within(window, quantiles)
    # A few quantiles say little about the rows of the window, so it is split evenly.
    cuts = (
        [inner[len(inner) * i // count] for i in range(1, count)] if len(inner) >= 2 * count else _even(window, count)
    )
    bounds = [window.start, *cuts, window.end]
    pairs = [(start, end) for start, end in pairwise(bounds) if start != end]
    return [window.model_copy(update={"start": start, "end": end}) for start, end in pairs]


def _even(window: Window, count: int) -> list[Any]:
    match window:
        case IntegerWindow():
            return [window.start + (window.end - window.start) * i // count for i in range(1, count)]
        case DateWindow():
            days = (window.end - window.start).days
            return [window.start + timedelta(days=days * i // count) for i in range(1, count)]
        case TimestamptzWindow() | TimestampWindow():
            return [window.start + (window.end - window.start) * i // count for i in range(1, count)]


def _values_within(window: Window, texts: Iterable[str]) -> list[Any]:
    """The texts that are values of the window's type and lie inside it, ascending; infinity is none."""
    parsers: dict[str, Callable[[str], Any]] = {"integer": int, "date": date.fromisoformat, "timestamptz": _in_utc}
    parse = parsers.get(window.type, _without_zone)
    inner = []
    for text in texts:
        with suppress(ValueError, OverflowError):
            value = parse(text)
            if window.start < value < window.end:
                inner.append(value)
    return sorted(inner)


def _in_utc(text: str) -> datetime:
    """A time of a column of any type of times, as PostgreSQL compares it: the session's time zone is UTC."""
    value = datetime.fromisoformat(text)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _without_zone(text: str) -> datetime:
    return _in_utc(text).replace(tzinfo=None)


type _Range = tuple[Leaf, int, int | None]


def _page_ranges(leaves: tuple[Leaf, ...], count: int) -> Iterator[_Range]:
    """Ranges of pages of about the same size; the last one of each leaf is open, for pages that were added since."""
    size = max(1, -(-sum(leaf.pages for leaf in leaves) // count))
    for leaf in leaves:
        begin = 0
        while leaf.pages - begin > size * 3 // 2:
            yield leaf, begin, begin + size
            begin += size
        yield leaf, begin, None


def _groups(ranges: list[_Range], most: int) -> Iterator[list[_Range]]:
    """The ranges in at most `most` groups of neighbours."""
    each = -(-len(ranges) // most)
    for begin in range(0, len(ranges), each):
        yield ranges[begin : begin + each]


def _union(ranges: list[_Range], columns: tuple[str, ...]) -> sql.Composed:
    selects = [
        select_from(sql.Identifier(leaf.schema, leaf.table), columns, _pages(begin, end)) for leaf, begin, end in ranges
    ]
    return sql.SQL(" UNION ALL ").join(selects)


def _pages(begin: int, end: int | None) -> sql.Composed | None:
    bounds = [sql.SQL("ctid >= {}").format(_tid(begin))] if begin else []
    if end is not None:
        bounds.append(sql.SQL("ctid < {}").format(_tid(end)))
    return sql.SQL(" AND ").join(bounds) if bounds else None


def _tid(page: int) -> sql.Composed:
    return sql.SQL("{}::tid").format(sql.Literal(f"({page},0)"))
