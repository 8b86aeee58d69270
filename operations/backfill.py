"""What a backfill is: which windows are wanted, how far sending them has come, and the record of both."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Annotated, Literal

from pydantic import Field

from contracts.grid import IntegerGrid, TimeGrid
from contracts.job import ExportJob
from contracts.model import JobName, Model
from contracts.window import Instant
from producer.ask import bound, planned_between
from producer.asking import Asked
from producer.schedule import Planned

type Only = Literal["missing", "failed", "all"]

BACKFILLS = "backfills"
_MONTH_DAYS = 30.44


class Backfill(Model):
    """The record of a backfill: what was asked for, by whom, and how far sending it has come.

    `windows` were looked at, `sent` of them sent. `ended_at` is None until all are sent.
    """

    by: str
    at: Instant
    job: JobName
    since: str
    until: str
    only: Only = "missing"
    newest_first: bool = False
    in_flight: Annotated[int, Field(ge=1)] | None = None
    windows: int = 0
    sent: int = 0
    updated_at: Instant
    ended_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which windows a person wants: those of `job` that begin in [since, until), as they wrote it, and are closed.

    only: `missing` have no blob, no message and no dead letter; `failed` have a dead letter; `all` are exported again
    over their blobs. `force` adds what is on the queue or dead. `parts` are ranges inside [since, until), in order and
    apart from each other: with any, only windows that begin in one of them are wanted.
    """

    job: ExportJob
    since: str
    until: str
    only: Only = "missing"
    newest_first: bool = False
    force: bool = False
    parts: tuple[tuple[str, str], ...] = ()

    def planned(self, now: datetime) -> Iterator[Planned]:
        """The request of each window closed at `now`."""
        parts = self.parts or ((self.since, self.until),)
        for since, until in reversed(parts) if self.newest_first else parts:
            yield from planned_between(self.job, since, until, now, newest_first=self.newest_first)

    def expected(self, now: datetime) -> int:
        """About how many windows these are, without walking through them."""
        start, end, grid = bound(self.job, self.since), bound(self.job, self.until), self.job.window
        if isinstance(grid, IntegerGrid):
            assert isinstance(start, int)
            assert isinstance(end, int)
            return max(1, (end - start) // grid.size)
        assert isinstance(grid, TimeGrid)
        assert isinstance(start, datetime)
        assert isinstance(end, datetime)
        first = datetime.combine(grid.start, time(), UTC) if grid.start else start
        length = grid.every.shortest * (_MONTH_DAYS / 28 if grid.every.unit == "month" else 1)
        return max(1, round((min(end, now) - max(start, first)) / length))

    def means(self, one: Asked[Planned]) -> bool:
        """Whether a window in this state is wanted."""
        match self.only:
            case "failed":
                return one.state in {"dead", "postponed"}
            case "all":
                return one.state in {"there", "send", "dead", "postponed"} or (self.force and one.state == "alive")
            case "missing":
                return one.state == "send" or (self.force and one.state != "there")


@dataclass(slots=True)
class Counts:
    """How far a backfill has come, in windows: `expected` of the range, and `passed` as they were sent or left out."""

    states: Counter[str] = field(default_factory=Counter)
    expected: int = 0
    passed: int = 0
    chosen: int = 0
    sent: int = 0
    waiting: int = 0

    @property
    def windows(self) -> int:
        """How many were looked at."""
        return self.states.total()

    @property
    def done(self) -> int:
        """How many need no more waiting: of those that were passed, all but those on the queue."""
        return max(0, self.passed - self.waiting)
