"""A window: the half-open interval [start, end) on one column."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, NaiveDatetime, Strict, model_validator

from contracts.model import Identifier, Model


class _Interval(Model):
    column: Identifier

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        start, end = self.bounds()
        if not start < end:  # type: ignore[operator]  # both ends are of the subclass's one type
            raise ValueError("a window's start must be before its end")
        return self

    def bounds(self) -> tuple[object, object]:
        """Start and end, of the type that the column has."""
        return self.__dict__["start"], self.__dict__["end"]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC this time is outside the years 1 to 9999") from None


def _written_out(value: object) -> object:
    # Pydantic would read a number as seconds, or a large one as milliseconds.
    if isinstance(value, (int, float)) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("a time is written as text, such as 2026-01-31T00:00:00Z, and not as a number")
    return value


def _as_day(value: object) -> object:
    # Pydantic would also accept midnight of some zone as a day, and drop the zone.
    if not isinstance(value, date) and not _DAY.fullmatch(str(value)):
        raise ValueError("a day is written as 2026-01-31")
    return value


_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?\s*")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_Written = BeforeValidator(_written_out)
Instant = Annotated[AwareDatetime, _Written, AfterValidator(_in_utc)]
Day = Annotated[date, BeforeValidator(_as_day)]
# bigint's range: a larger bound could not be compared with any integer column.
BigInt = Annotated[int, Strict(), Field(ge=-(2**63), le=2**63 - 1)]


class TimestamptzWindow(_Interval):
    """Instants; a bound without a zone is refused, since its instant would depend on the machine."""

    type: Literal["timestamptz"] = "timestamptz"
    start: Instant
    end: Instant


class TimestampWindow(_Interval):
    """Wall-clock times of a `timestamp without time zone`; a zone is refused, since PostgreSQL would drop it."""

    type: Literal["timestamp"] = "timestamp"
    start: Annotated[NaiveDatetime, _Written]
    end: Annotated[NaiveDatetime, _Written]


class DateWindow(_Interval):
    """Days."""

    type: Literal["date"] = "date"
    start: Day
    end: Day


class IntegerWindow(_Interval):
    """Whole numbers of smallint, integer or bigint."""

    type: Literal["integer"] = "integer"
    start: BigInt
    end: BigInt


type Window = Annotated[TimestamptzWindow | TimestampWindow | DateWindow | IntegerWindow, Field(discriminator="type")]
