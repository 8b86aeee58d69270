"""Pure: the windows of a job's grid, and when each is closed. Cheap for a million of them."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from contracts.grid import Grid, IntegerGrid, Step, TimeGrid
from contracts.window import DateWindow, IntegerWindow, TimestamptzWindow, TimestampWindow, Window

_MONDAY = date(1970, 1, 5).toordinal()
_EPOCH = date(1970, 1, 1).toordinal()


class GridWindow(NamedTuple):
    """One window of a grid: its bounds as blob names write them, and both as instants, None for numbers."""

    grid: Grid
    start: Any
    end: Any
    opened_at: datetime | None
    closed_at: datetime | None

    @property
    def interval(self) -> Window:
        """The window as requests and receipts hold it; validated, so made only if it is needed."""
        column = self.grid.column
        match self.grid.type:
            case "timestamptz":
                assert self.opened_at is not None
                assert self.closed_at is not None
                return TimestamptzWindow(column=column, start=self.opened_at, end=self.closed_at)
            case "timestamp":
                return TimestampWindow(
                    column=column, start=self.start.replace(tzinfo=None), end=self.end.replace(tzinfo=None)
                )
            case "date":
                return DateWindow(column=column, start=self.start, end=self.end)
            case "integer":
                return IntegerWindow(column=column, start=self.start, end=self.end)


def windows_between(grid: TimeGrid, since: datetime, until: datetime) -> Iterator[GridWindow]:
    """The windows that begin in [since, until), ascending; both are aware.

    >>> grid = TimeGrid(column="at", type="date", every="1 week")
    >>> [window.interval.start.isoformat() for window in windows_between(
    ...     grid, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 13, tzinfo=UTC))]
    ['2026-01-05', '2026-01-12']
    """
    first = datetime.combine(grid.start or date.min, time())
    last = datetime.combine(grid.end or date.max, time())
    written, following = _written(grid), _following(grid.every)
    start = floor(max(since.astimezone(ZoneInfo(grid.timezone)).replace(tzinfo=None), first), grid.every)
    begin, opened = written(start) if start < last else (None, until)
    while start < last and opened < until:
        next_start = following(start)
        end, closed = written(next_start)
        # A day that a zone skipped, such as 2011-12-30 in Apia, has no instants, but it has a date.
        is_empty = closed == opened and grid.type == "timestamptz"
        if opened >= since and start >= first and not is_empty:
            yield GridWindow(grid, begin, end, opened, closed)
        start, begin, opened = next_start, end, closed


def integer_windows_between(grid: IntegerGrid, since: int, until: int) -> Iterator[GridWindow]:
    """The windows of whole numbers that begin in [since, until), ascending.

    >>> grid = IntegerGrid(column="id", type="integer", size=100)
    >>> [(window.start, window.end) for window in integer_windows_between(grid, 50, 201)]
    [(100, 200), (200, 300)]
    """
    for start in range(-(-since // grid.size) * grid.size, until, grid.size):
        yield GridWindow(grid, start, start + grid.size, None, None)


def floor(wall: datetime, step: Step) -> datetime:
    """The latest boundary at or before a wall-clock time.

    >>> floor(datetime(2026, 8, 20, 13, 47), Step(count=3, unit="month")).isoformat()
    '2026-07-01T00:00:00'
    >>> floor(datetime(2026, 8, 20, 13, 47), Step(count=15, unit="minute")).isoformat()
    '2026-08-20T13:45:00'
    """
    midnight = datetime.combine(wall.date(), time())
    if step.unit == "month":
        months = (wall.year * 12 + wall.month - 1) // step.count * step.count
        return datetime(months // 12, months % 12 + 1, 1)  # noqa: DTZ001  # a wall-clock time
    if step.unit in {"day", "week"}:
        origin, days = (_MONDAY, 7 * step.count) if step.unit == "week" else (_EPOCH, step.count)
        return midnight - timedelta(days=(wall.toordinal() - origin) % days)
    length = _length(step)
    return midnight + (wall - midnight) // length * length


def longest(step: Step) -> timedelta:
    """The most time that a window can span; the hour allows for the day on which clocks go back."""
    return timedelta(days=31 * step.count, hours=1) if step.unit == "month" else _length(step) + timedelta(hours=1)


def _length(step: Step) -> timedelta:
    return timedelta(**{f"{step.unit}s": step.count})


def _following(step: Step) -> Callable[[datetime], datetime]:
    """Gives the boundary after one."""
    if step.unit != "month":
        length = _length(step)
        return lambda boundary: boundary + length

    def following(boundary: datetime) -> datetime:
        months = boundary.year * 12 + boundary.month - 1 + step.count
        return datetime(months // 12, months % 12 + 1, 1)  # noqa: DTZ001  # a wall-clock time

    return following


def _written(grid: TimeGrid) -> Callable[[datetime], tuple[date, datetime]]:
    """Gives a boundary as blob names write it, and as an instant, from the wall-clock time of the grid's zone."""
    zone = ZoneInfo(grid.timezone)

    def instant(wall: datetime) -> datetime:
        return wall.replace(tzinfo=zone).astimezone(UTC)

    if grid.type == "date":
        return lambda wall: (wall.date(), instant(wall))
    if grid.timezone != "UTC":
        return lambda wall: (wall.replace(tzinfo=zone), instant(wall))

    def in_utc(wall: datetime) -> tuple[date, datetime]:
        aware = wall.replace(tzinfo=UTC)
        return aware, aware

    return in_utc
