"""Due requests → queue."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from contracts.jobs_file import Jobs
from contracts.request import ExportRequest
from producer.schedule import due_requests, missing

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
    return enqueue_missing(due, index, outbox)


def enqueue_missing(requests: list[ExportRequest], index: Index, outbox: Outbox) -> Enqueued:
    """Sends those of the requests that have no blob, job by job."""
    lacking = without_blob(requests, index)
    sent = outbox.send(lacking) if lacking else 0
    done = Enqueued(asked=len(requests), present=len(requests) - len(lacking), sent=sent)
    _log.info("enqueued asked=%d present=%d sent=%d", done.asked, done.present, done.sent)
    return done


def without_blob(requests: list[ExportRequest], index: Index) -> list[ExportRequest]:
    """Those of the requests that have no blob; the names of one job are listed by their own prefix."""
    by_job: dict[str, list[ExportRequest]] = {}
    for request in requests:
        by_job.setdefault(request.job, []).append(request)
    lacking: list[ExportRequest] = []
    for group in by_job.values():
        lacking += missing(group, index.present(request.blob for request in group))
    return lacking
