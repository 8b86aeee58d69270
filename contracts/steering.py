"""What people have ordered: pauses and cancels, small records beside the exports that producers and workers honour."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from contracts.model import JobName, Model
from contracts.window import BigInt, Instant, Window

type Bound = BigInt | Instant


class Pause(Model):
    """A job that is not exported until somebody resumes it: who paused it, when, and why."""

    by: str
    at: Instant
    why: Annotated[str, Field(max_length=1000)] | None = None


class Cancel(Model):
    """Messages that are completed without an export: those of one backfill, or of a job.

    Of a job: those that were asked for before `at`, and whose windows begin in [since, until) if there are bounds.
    `timezone` is that of the job's windows; bounds of days and of times without a zone are compared in it.
    """

    by: str
    at: Instant
    why: Annotated[str, Field(max_length=1000)] | None = None
    backfill: str | None = None
    job: JobName | None = None
    since: Bound | None = None
    until: Bound | None = None
    timezone: str = "UTC"

    def covers(self, job: str, backfill: str | None, asked_at: datetime | None, window: Window | None) -> bool:
        """Whether a message of this job, backfill, time and window is cancelled.

        >>> from datetime import UTC
        >>> from contracts.window import IntegerWindow
        >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
        >>> cancel = Cancel(by="ann", at=noon, job="ids", since=0, until=100)
        >>> window = IntegerWindow(column="id", start=50, end=60)
        >>> cancel.covers("ids", None, noon.replace(hour=11), window), cancel.covers("ids", None, noon, window)
        (True, False)
        """
        if self.backfill is not None:
            return backfill == self.backfill
        if job != self.job or asked_at is None or asked_at >= self.at:
            return False
        return (self.since is None and self.until is None) or (window is not None and self._holds(window))

    def _holds(self, window: Window) -> bool:
        start = _comparable(window.bounds()[0], self.timezone)
        is_number = isinstance(start, int)
        if any(bound is not None and isinstance(bound, int) != is_number for bound in (self.since, self.until)):
            return False
        # All three are of one type.
        return (self.since is None or self.since <= start) and (self.until is None or start < self.until)  # type: ignore[operator]


@dataclass(frozen=True, slots=True)
class Steering:
    """The jobs that are paused, and all cancels."""

    paused: frozenset[str] = frozenset()
    cancels: tuple[Cancel, ...] = ()

    def is_cancelled(self, job: str, backfill: str | None, asked_at: datetime | None, window: Window | None) -> bool:
        """Whether any cancel covers such a message."""
        return any(cancel.covers(job, backfill, asked_at, window) for cancel in self.cancels)

    def may_cancel(self, job: str | None, backfill: str | None) -> bool:
        """Whether a cancel may cover a message of this job or backfill: without one its body need not be read."""
        return any(
            cancel.backfill == backfill if cancel.backfill is not None else cancel.job == job for cancel in self.cancels
        )


def _comparable(start: object, timezone: str) -> datetime | int:
    """A window's start as a number or an instant."""
    if isinstance(start, int):
        return start
    assert isinstance(start, date)
    moment = start if isinstance(start, datetime) else datetime.combine(start, time())
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(timezone))
