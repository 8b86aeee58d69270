"""Due requests → queue."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts.jobs_file import Jobs
from contracts.request import ExportRequest
from producer.schedule import due_requests, missing
from telemetry.catalogue import WINDOW_LAG
from telemetry.events import event
from telemetry.metrics import record
from telemetry.traces import annotate

_log = logging.getLogger(__name__)


class Index(Protocol):
    """Where blobs are looked up."""

    def present(self, names: Iterable[str]) -> Mapping[str, UUID | None]:
        """Those of the names that are there, with the request id on each."""


class Outbox(Protocol):
    """Where requests go."""

    def send(self, requests: Iterable[ExportRequest]) -> int:
        """Sends each request; returns how many."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What one tick, backfill or submit found and did, in requests."""

    asked: int
    present: int
    sent: int


def enqueue_due(jobs: Jobs, index: Index, outbox: Outbox, now: datetime) -> Enqueued:
    """Sends a request for every due export without a blob.

    A request that is still under way is sent again and dropped by the queue's duplicate detection.
    """
    due = [request for job in jobs.values() for request in due_requests(job, now)]
    lacking = without_blob(due, index)
    for job, seconds in lags(jobs, lacking, now).items():
        record(WINDOW_LAG, seconds, job=job)
    sent = outbox.send(lacking) if lacking else 0
    done = Enqueued(asked=len(due), present=len(due) - len(lacking), sent=sent)
    event(_log, logging.INFO, "enqueued", **asdict(done))
    annotate(**asdict(done))
    return done


def lags(jobs: Iterable[str], lacking: Iterable[ExportRequest], now: datetime) -> dict[str, float]:
    """For each job, the seconds since the end of its oldest due window without a blob; 0.0 where none lacks one.

    Of a job without windows: since its latest run was due, which has no blob.
    """
    oldest = dict.fromkeys(jobs, now)
    for request in lacking:
        oldest[request.job] = min(oldest[request.job], request.run)
    return {job: (now - run).total_seconds() for job, run in oldest.items()}


def without_blob(requests: list[ExportRequest], index: Index) -> list[ExportRequest]:
    """Those of the requests that have no blob; the names of one job are listed by their own prefix."""
    by_job: dict[str, list[ExportRequest]] = {}
    for request in requests:
        by_job.setdefault(request.job, []).append(request)
    lacking: list[ExportRequest] = []
    for group in by_job.values():
        lacking += missing(group, index.present(request.blob for request in group))
    return lacking
