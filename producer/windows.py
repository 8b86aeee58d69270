"""Pure: the windows of a job's grid, and when each is closed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from contracts.grid import IntegerGrid, Step, TimeGrid
from contracts.window import DateWindow, IntegerWindow, TimestamptzWindow, TimestampWindow, Window

_MONDAY = date(1970, 1, 5).toordinal()
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class GridWindow:
    """One window of a grid: its interval, its bounds as blob names write them, and when it closes."""

    interval: Window
    start: object
    end: object
    closed_at: datetime | None


def windows_between(grid: TimeGrid, since: datetime, until: datetime) -> Iterator[GridWindow]:
    """The windows that begin in [since, until), ascending; both are aware.

    >>> grid = TimeGrid(column="at", type="date", every="1 week")
    >>> [window.interval.start.isoformat() for window in windows_between(
    ...     grid, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 13, tzinfo=UTC))]
    ['2026-01-05', '2026-01-12']
    """
    zone = ZoneInfo(grid.timezone)
    first = datetime.combine(grid.start or date.min, time())
    last = datetime.combine(grid.end or date.max, time())
    start = floor(max(since.astimezone(zone).replace(tzinfo=None), first), grid.every)
    while start < last and (instant := start.replace(tzinfo=zone).astimezone(UTC)) < until:
        end = following(start, grid.every)
        # A day that a zone skipped, such as 2011-12-30 in Apia, has no instants, but it has a date.
        is_empty = grid.type == "timestamptz" and end.replace(tzinfo=zone).astimezone(UTC) == instant
        if instant >= since and start >= first and not is_empty:
            yield _window(grid, start, end, zone)
        start = end


def integer_windows_between(grid: IntegerGrid, since: int, until: int) -> Iterator[GridWindow]:
    """The windows of whole numbers that begin in [since, until), ascending.

    >>> grid = IntegerGrid(column="id", type="integer", size=100)
    >>> [(window.start, window.end) for window in integer_windows_between(grid, 50, 201)]
    [(100, 200), (200, 300)]
    """
    for start in range(-(-since // grid.size) * grid.size, until, grid.size):
        end = start + grid.size
        yield GridWindow(IntegerWindow(column=grid.column, start=start, end=end), start, end, None)


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


def following(boundary: datetime, step: Step) -> datetime:
    """The next boundary after one."""
    if step.unit == "month":
        months = boundary.year * 12 + boundary.month - 1 + step.count
        return datetime(months // 12, months % 12 + 1, 1)  # noqa: DTZ001  # a wall-clock time
    return boundary + _length(step)


def longest(step: Step) -> timedelta:
    """The most time that a window can span; the hour allows for the day on which clocks go back."""
    return timedelta(days=31 * step.count, hours=1) if step.unit == "month" else _length(step) + timedelta(hours=1)


def _length(step: Step) -> timedelta:
    return timedelta(**{f"{step.unit}s": step.count})


def _window(grid: TimeGrid, start: datetime, end: datetime, zone: ZoneInfo) -> GridWindow:
    aware_start, aware_end = start.replace(tzinfo=zone), end.replace(tzinfo=zone)
    closed_at = aware_end.astimezone(UTC)
    interval: Window
    match grid.type:
        case "timestamptz":
            interval = TimestamptzWindow(column=grid.column, start=aware_start, end=aware_end)
        case "timestamp":
            interval = TimestampWindow(column=grid.column, start=start, end=end)
        case "date":
            interval = DateWindow(column=grid.column, start=start.date(), end=end.date())
            return GridWindow(interval, start.date(), end.date(), closed_at)
    return GridWindow(interval, aware_start, aware_end, closed_at)
