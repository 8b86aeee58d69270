"""Pure: how many parts an export has, and what each of them selects. Parts never overlap and leave nothing out."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from psycopg import sql

from contracts.request import ExportRequest, TableSource
from contracts.window import DateWindow, IntegerWindow, TimestamptzWindow, TimestampWindow, Window
from worker.blob.buffers import MAX_PARTS, PART_BYTES
from worker.source.layout import Leaf, Survey
from worker.source.statement import select_from, within


def streams_wanted(request: ExportRequest, estimated_bytes: int, most: int) -> int:
    """How many parts are to be read at once: as the job says, else one for each PART_BYTES, `most` at most."""
    return request.streams or max(1, min(most, estimated_bytes // PART_BYTES))


def parts_wanted(streams: int, estimated_bytes: int) -> int:
    """More parts than streams, so that all streams end together though parts differ in size."""
    if streams == 1:
        return 1
    return max(streams, min(MAX_PARTS, max(2 * streams, estimated_bytes // PART_BYTES)))


def split(
    request: ExportRequest, survey: Survey, count: int, quantiles: Iterable[str] = (), most: int = MAX_PARTS
) -> list[sql.Composed]:
    """About `count` SELECTs, `most` at most, in the order of their rows; empty where the source cannot be split.

    `quantiles` are of the window's column, in its text form.
    """
    assert isinstance(request.source, TableSource)
    if request.window is not None and survey.kind in {"r", "p", "m"}:
        name = sql.Identifier(request.source.schema_name, request.source.table)
        return [
            select_from(name, request.source.columns, within(piece)) for piece in cut(request.window, count, quantiles)
        ]
    if request.window is not None or not survey.leaves or not survey.has_tid_range_scans:
        return []
    # The parent's columns by name: a partition may have them in another order.
    columns = request.source.columns or survey.columns
    return [_union(group, columns) for group in _groups(list(_page_ranges(survey.leaves, count)), most)]


def cut(window: Window, count: int, quantiles: Iterable[str] = ()) -> list[Window]:
    """The window in at most `count` windows side by side: of as many rows each, as far as `quantiles` tell.

    >>> [(piece.start, piece.end) for piece in cut(IntegerWindow(column="id", start=0, end=10), 3)]
    [(0, 3), (3, 6), (6, 10)]
    >>> known = ["-5", "1", "1", "2", "2", "3", "4", "99"]
    >>> [(piece.start, piece.end) for piece in cut(IntegerWindow(column="id", start=0, end=10), 2, known)]
    [(0, 2), (2, 10)]
    >>> len(cut(DateWindow(column="day", start=date(2026, 1, 1), end=date(2026, 1, 2)), 3))
    1
    """
    inner = _values_within(window, quantiles)
    # Few quantiles in the window say little of how rows lie in it: then it is cut by the clock.
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
    """The texts that are values of the window's type and lie in it, ascending; infinity and the like are not."""
    parsers: dict[str, Callable[[str], Any]] = {"integer": int, "date": date.fromisoformat}
    parse = parsers.get(window.type, datetime.fromisoformat)
    inner = []
    for text in texts:
        with suppress(ValueError):
            value = parse(text)
            if window.start < value < window.end:
                inner.append(value)
    return sorted(inner)


type _Range = tuple[Leaf, int, int | None]


def _page_ranges(leaves: tuple[Leaf, ...], count: int) -> Iterator[_Range]:
    """Ranges of pages of about the same size; the last of each leaf is open, for pages that came since."""
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
