"""A window: the half-open interval [start, end) on one column."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, NaiveDatetime, Strict, model_validator

from contracts.model import Identifier, Model


class _Interval(Model):
    column: Identifier

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        start, end = self.bounds()
        if not start < end:  # type: ignore[operator]  # both ends are of the subclass's one type
            raise ValueError(f"a window's start must be before its end; {start} is not before {end}")
        return self

    def bounds(self) -> tuple[object, object]:
        """Start and end, of the type that the column has."""
        values = dict(self)
        return values["start"], values["end"]


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
# bigint's range: a larger bound could not be compared with any integer column.
BigInt = Annotated[int, Strict(), Field(ge=-(2**63), le=2**63 - 1)]


class TimestamptzWindow(_Interval):
    """Instants; a bound without a zone is refused, since it would mean another instant elsewhere."""

    type: Literal["timestamptz"] = "timestamptz"
    start: Instant
    end: Instant


class TimestampWindow(_Interval):
    """Wall-clock times of a `timestamp without time zone`; a zone is refused, PostgreSQL would drop it."""

    type: Literal["timestamp"] = "timestamp"
    start: NaiveDatetime
    end: NaiveDatetime


class DateWindow(_Interval):
    """Days."""

    type: Literal["date"] = "date"
    start: date
    end: date


class IntegerWindow(_Interval):
    """Whole numbers of smallint, integer or bigint."""

    type: Literal["integer"] = "integer"
    start: BigInt
    end: BigInt


type Window = Annotated[TimestamptzWindow | TimestampWindow | DateWindow | IntegerWindow, Field(discriminator="type")]
