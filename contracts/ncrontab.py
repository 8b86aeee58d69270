"""NCRONTAB, the six-field cron of Azure Functions: second minute hour day month day-of-week, in UTC."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

if TYPE_CHECKING:
    from croniter import croniter

_ITEM = re.compile(r"(\*|\d{1,2}|[A-Za-z]{3})(?:-(\d{1,2}|[A-Za-z]{3}))?(?:/\d{1,2})?")
_DAYS, _MONTHS = "SUN MON TUE WED THU FRI SAT", "- JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
_VALUES = {name: str(number) for names in (_DAYS, _MONTHS) for number, name in enumerate(names.split())}


def ncrontab(value: str) -> str:
    """A schedule that has a next time.

    >>> ncrontab("0 30 2 * * *")
    '0 30 2 * * *'
    >>> ncrontab("30 2 * * *")
    Traceback (most recent call last):
    ValueError: a schedule has six fields, second minute hour day month day-of-week; '30 2 * * *' has 5
    """
    count = len(value.split())
    if count != 6:
        raise ValueError(f"a schedule has six fields, second minute hour day month day-of-week; {value!r} has {count}")
    if re.search(r"(?<!/)\b7\b", value.split()[5]):
        raise ValueError(f"{value!r}: Sunday is 0 in a schedule, not 7")
    for item in (item for field in value.split() for item in field.split(",")):
        _check_item(item)
    try:
        next(fire_times(value, datetime.fromisoformat("2026-01-01T00:00:00+00:00")))
    except ValueError as error:
        raise ValueError(f"{value!r} is no schedule: {error}") from None
    return value


def _check_item(item: str) -> None:
    """Refuses items that croniter accepts and Azure refuses or reads differently.

    >>> _check_item("FRI-SUN")
    Traceback (most recent call last):
    ValueError: 'FRI-SUN' runs backwards; write two ranges
    """
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ValueError(f"{item!r} is not possible in a schedule; write *, a number or name, a range 1-5, a step */5")
    first, last = (_VALUES.get(end.upper(), end) if end else "" for end in match.groups())
    if first.isdigit() and last.isdigit() and int(first) > int(last):
        raise ValueError(f"{item!r} runs backwards; write two ranges")
    if last and first == last:
        # croniter reads it as *.
        raise ValueError(f"{item!r} is a range of one; write {first}")


Ncrontab = Annotated[str, AfterValidator(ncrontab)]


def fire_times(schedule: str, after: datetime) -> Iterator[datetime]:
    """The times of a schedule strictly after `after`, ascending, in its zone.

    >>> next(fire_times("0 30 2 * * *", datetime.fromisoformat("2026-01-31T02:30:00+00:00"))).isoformat()
    '2026-02-01T02:30:00+00:00'
    """
    times = _croniter(schedule, after)
    while True:
        yield times.get_next(datetime)


@lru_cache(maxsize=256)  # an audit asks it of the same moment for every window
def last_fire_time(schedule: str, at: datetime) -> datetime:
    """The latest time of a schedule at or before `at`.

    >>> last_fire_time("0 0 * * * *", datetime.fromisoformat("2026-01-31T02:00:00+00:00")).isoformat()
    '2026-01-31T02:00:00+00:00'
    """
    times = _croniter(schedule, at)
    times.get_next(datetime)
    previous: datetime = times.get_prev(datetime)
    return previous


def _croniter(schedule: str, start: datetime) -> "croniter":
    # Imported here: most processes never read a schedule, and croniter imports dateutil.
    from croniter import croniter

    # day_or=False: NCRONTAB requires both day fields to match, Unix cron only one.
    return croniter(schedule, start, second_at_beginning=True, day_or=False)
