"""Edge: what audits and drills have proven of many jobs; two listings, whatever their number. docs: proof."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from connections.records import Records
from contracts.audit import AuditRecord, DrillRecord
from contracts.grid import TimeGrid
from contracts.job import ExportJob
from operations.coverage import written
from producer.ask import AskRefused, bound
from settings import Settings


@dataclass(frozen=True, slots=True)
class Proof:
    """What is proven of one job; None if nothing is.

    `verified_through` is the end of the windows that audits found equal to their source row by row, as `--from` takes
    it; `audited_at` is the time of the last audit, `restorable_at` of the last drill that succeeded.
    """

    verified_through: str | None = None
    audited_at: datetime | None = None
    restorable_at: datetime | None = None


def proofs_of(settings: Settings, jobs: Iterable[ExportJob]) -> dict[str, Proof]:
    """What is proven of each job, by name. Raises SinkRejected or SinkUnavailable."""
    records = (Records(settings, "audits", AuditRecord), Records(settings, "drills", DrillRecord))
    with ThreadPoolExecutor(len(records), thread_name_prefix="proofs") as threads:
        audits, drills = threads.map(lambda one: one.heads(), records)
    return {job.name: _proof(job, audits.get(job.name, {}), drills.get(job.name, {})) for job in jobs}


def _proof(job: ExportJob, audit: Mapping[str, str], drill: Mapping[str, str]) -> Proof:
    through = audit.get("verified_through")
    return Proof(through and as_written(job, through), _instant(audit), _instant(drill))


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
