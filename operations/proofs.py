"""Edge: what audits and drills have proven of many jobs; two listings, whatever their number. docs: proof."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connections.records import Records
from contracts.audit import AuditRecord, DrillRecord
from contracts.grid import IntegerGrid, TimeGrid
from contracts.job import ExportJob
from operations.coverage import written
from producer.ask import AskRefused, bound
from producer.windows import longest, windows_between
from settings import Settings


@dataclass(frozen=True, slots=True)
class Proof:
    """What is proven of one job; None if nothing is.

    `verified_through` is the end of the windows that audits found equal to their source row by row, as `--from` takes
    it; `audited_at` is the time of the last audit, `restorable_at` of the last drill that succeeded. `rows_before` is
    the least value of rows that the source has before `begins`, the start of the first window that audits cover.
    """

    verified_through: str | None = None
    audited_at: datetime | None = None
    restorable_at: datetime | None = None
    rows_before: str | None = None
    begins: str | None = None


def proofs_of(settings: Settings, jobs: Iterable[ExportJob]) -> dict[str, Proof]:
    """What is proven of each job, by name. Raises SinkRejected or SinkUnavailable."""
    records = (Records(settings, "audits", AuditRecord), Records(settings, "drills", DrillRecord))
    with ThreadPoolExecutor(len(records), thread_name_prefix="proofs") as threads:
        audits, drills = threads.map(lambda one: one.heads(), records)
    return {job.name: _proof(job, audits.get(job.name, {}), drills.get(job.name, {})) for job in jobs}


def _proof(job: ExportJob, audit: Mapping[str, str], drill: Mapping[str, str]) -> Proof:
    through, begins = (
        as_written(job, text) if (text := audit.get(key)) else None for key in ("verified_through", "origin")
    )
    return Proof(through, _instant(audit), _instant(drill), audit.get("rows_before"), begins)


def said_of_rows_before(job: ExportJob, rows_before: str, begins: str) -> str:
    """What a person should know of rows that lie before all windows that audits cover."""
    says = f"{job.name}: the source has rows from {rows_before} on, before {begins}, where its audited windows begin"
    start = _window_of(job, rows_before)
    if start is None:
        return f"{says}; no window of the job holds such a value, so nothing is proven of them"
    span = f"--from {as_written(job, start)} --to {begins}"
    return f"{says}; nothing is proven of them: `tailrace backfill {job.name} {span}` exports them"


def _window_of(job: ExportJob, value: str) -> str | None:
    """The start of the window that holds a value of its column; None if none does, as of -infinity."""
    with suppress(AskRefused):
        at = bound(job, value)
        if isinstance(at, int) and isinstance(job.window, IntegerGrid):
            return str(at // job.window.size * job.window.size)
        if isinstance(at, datetime) and isinstance(job.window, TimeGrid):
            near = windows_between(job.window, at - longest(job.window.every), at + timedelta(microseconds=1))
            return next((str(window.start) for window in reversed(list(near))), None)
    return None


def as_written(job: ExportJob, text: str) -> str:
    """A bound of a record or request as a person writes it, in the job's zone; a text that is none, as it is."""
    # The windows of the job were of another type: as the record has it.
    with suppress(AskRefused):
        found = bound(job, text)
        if isinstance(found, datetime) and isinstance(job.window, TimeGrid):
            return written(found.astimezone(ZoneInfo(job.window.timezone)))
    return text


def _instant(head: Mapping[str, str]) -> datetime | None:
    """When a record was written; None if nobody has written one, or something else wrote it."""
    with suppress(KeyError, ValueError):
        return datetime.fromisoformat(head["at"])
    return None
