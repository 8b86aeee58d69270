"""The grid of a job's windows: side by side on the clock, or in whole numbers."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from contracts.model import Identifier, Model, Whole

_SPAN = re.compile(r"(\d{1,6}) (second|minute|hour|day|week|month)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
# Limits so that a window's end is a valid date, and a tick's requests fit into memory.
_MOST = {"day": 366, "week": 53}
_MOST_CAUGHT_UP = 50_000


def duration(value: object) -> object:
    """A length of time as people write it.

    >>> duration("90 minutes")
    datetime.timedelta(seconds=5400)
    """
    if isinstance(value, timedelta):
        return value
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] == "month":
        raise ValueError(f"{value!r} is no length of time; write for instance '15 minutes', '6 hours' or '7 days'")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value[:64]!r} is no time zone; write for instance 'UTC' or 'Europe/Berlin'") from None
    return value


def _at_most_ten_years(value: timedelta) -> timedelta:
    if value > timedelta(days=3660):
        raise ValueError("at most 3660 days are possible")
    return value


def _as_text(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{_SPAN.pattern}$", "examples": [example]})


Duration = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_at_most_ten_years), _as_text("6 hours")]


class Step(Model):
    """The length of a window: `count` units."""

    count: Annotated[int, Field(ge=1)]
    unit: Literal["minute", "hour", "day", "week", "month"]

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return value
        match = _SPAN.fullmatch(value) if isinstance(value, str) else None
        if match is None or match[2] == "second":
            raise ValueError(f"{value!r} is no window length; write for instance '15 minutes', '1 hour', '1 day'")
        return {"count": int(match[1]), "unit": match[2]}

    @model_validator(mode="after")
    def _divides(self) -> Self:
        whole = {"minute": 1440, "hour": 24, "month": 12}.get(self.unit, self.count)
        if whole % self.count:
            fits = [count for count in range(1, whole + 1) if whole % count == 0]
            near = [max(one for one in fits if one < self.count), *(one for one in fits if one > self.count)][:2]
            long, which = "year" if self.unit == "month" else "day", " and ".join(map(str, near))
            raise ValueError(f"{self.count} {self.unit}s do not divide a {long}, as {which} would")
        if self.count > _MOST.get(self.unit, self.count):
            raise ValueError(f"at most {_MOST[self.unit]} {self.unit}s are possible")
        return self

    @property
    def shortest(self) -> timedelta:
        """The least time that a window spans; an hour less on the day on which clocks go forward."""
        return timedelta(seconds=self.count * _SECONDS.get(self.unit, 28 * 86400))


class _Grid(Model):
    """How each window is proven closed before its export: by `closed`, or by the strongest means that the role may use.

    An open window waits for at most `closed_wait`; then `if_open` exports it without proof or leaves it out.
    """

    closed: Literal["transactions", "writers", "delay"] | None = None
    closed_wait: Duration = timedelta(hours=1)
    if_open: Literal["export", "leave"] = "export"


class TimeGrid(_Grid):
    """Windows of equal length side by side; a window is due once `delay` has passed after its end.

    `catch_up` is how far back a tick looks for windows without a blob. No window begins before `start`, or on `end`
    or later.
    Days, weeks and months begin at midnight of `timezone`; ISO weeks begin on Monday.
    """

    column: Identifier
    type: Literal["timestamptz", "timestamp", "date"]
    every: Annotated[Step, _as_text("1 day")]
    delay: Duration = timedelta(0)
    catch_up: Duration = timedelta(days=7)
    start: date | None = None
    end: date | None = None
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        within_a_day = self.every.unit in {"minute", "hour"}
        if within_a_day and self.type == "date":
            raise ValueError("a date column has no hours or minutes; use days, weeks or months for every")
        if within_a_day and self.timezone != "UTC":
            raise ValueError("windows of minutes or hours are in UTC; leave timezone out")
        if self.start is not None and self.end is not None and not self.start < self.end:
            raise ValueError(f"end: {self.end} is not after start, {self.start}: there is no window between them")
        if self.catch_up / self.every.shortest > _MOST_CAUGHT_UP:
            raise ValueError(
                f"catch_up: there are more than {_MOST_CAUGHT_UP:,} windows in it; "
                "shorten it, and ask for older windows by backfill"
            )
        return self


class IntegerGrid(_Grid):
    """Windows of `size` whole numbers, [k·size, (k+1)·size). They have no clock: backfill or submit asks for them."""

    column: Identifier
    type: Literal["integer"]
    size: Annotated[int, Field(ge=1, le=2**62), Whole]


type Grid = Annotated[TimeGrid | IntegerGrid, Field(discriminator="type")]
