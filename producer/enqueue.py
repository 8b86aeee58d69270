"""Due requests → queue: exactly those whose window has no blob and no live message."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol
from uuid import UUID

from contracts.jobs_file import Jobs
from contracts.message import Lineage
from contracts.request import ExportRequest
from producer.asking import Asked, blob_state, counts_of, decide
from producer.facts import Present, QueueView
from producer.schedule import due_requests
from telemetry.catalogue import WINDOW_LAG
from telemetry.events import event
from telemetry.jobs import report_disabled
from telemetry.metrics import record
from telemetry.traces import annotate

_log = logging.getLogger(__name__)
_NAMED = 5  # foreign blobs that a tick names in the log
_EMPTY = QueueView()


class Index(Protocol):
    """Looks blobs up."""

    def present(self, groups: Iterable[Collection[str]]) -> Mapping[str, Present]:
        """The blobs that exist, by name; the names of one job are a group."""


class Queue(Protocol):
    """Takes requests, and shows the earlier ones."""

    def look(self, limit: int | None) -> QueueView:
        """What is on the queue and among the dead letters, at most `limit` messages of each."""

    def send(
        self, requests: Iterable[ExportRequest], asked_at: datetime | None, lineages: Mapping[UUID, Lineage]
    ) -> int:
        """Sends each request; returns how many."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What one tick found and did, in requests. `asking.State` explains the words."""

    asked: int
    present: int
    sent: int
    alive: int = 0
    dead: int = 0
    postponed: int = 0
    held: int = 0
    foreign: int = 0
    paused: int = 0


def enqueue_due(jobs: Jobs, index: Index, queue: Queue, now: datetime, limit: int | None = None) -> Enqueued:
    """Sends a request for every due export that has neither a blob nor a live message.

    If the queue or the dead letters hold more than `limit` messages, requests that could be
    among them are held back. Disabled jobs are named in the log and ask for nothing. Nothing is sent for paused jobs.
    """
    report_disabled(jobs)
    due = [request for job in jobs.values() for request in due_requests(job, now)]
    asked = ask(due, jobs, index, queue, now, limit)
    lacking = [one.request for one in asked if one.state != "there"]
    for job, seconds in lags(jobs, lacking, now).items():
        record(WINDOW_LAG, seconds, job=job)
    sent = send_asked(asked, queue, now)
    found = counts_of(asked)
    states = {state: found.get(state, 0) for state in ("alive", "dead", "postponed", "held", "foreign", "paused")}
    done = Enqueued(asked=len(due), present=found.get("there", 0), sent=sent, **states)
    event(_log, logging.INFO, "enqueued", **asdict(done))
    annotate(**asdict(done))
    _warn(asked, limit)
    return done


def ask(
    requests: Sequence[ExportRequest],
    jobs: Jobs,
    index: Index,
    queue: Queue,
    now: datetime,
    limit: int | None = None,
) -> list[Asked]:
    """The state of each request. Reads the queue only if a blob is missing.

    Looks blobs up again after the queue: an export that ended in between has left the queue for the container.
    """
    present = index.present(names_of(requests))
    lacking = [request for request in requests if blob_state(request, present) is None]
    view = queue.look(limit) if lacking else _EMPTY
    versions = {name: job.version for name, job in jobs.items()}
    asked = decide(requests, present, view, versions, now)
    wanted = [one.request for one in asked if one.state == "send"]
    if not wanted:
        return asked
    again = {**present, **index.present(names_of(wanted))}
    return decide(requests, again, view, versions, now)


def send_asked(asked: Iterable[Asked], queue: Queue, now: datetime) -> int:
    """Sends the requests in state "send"; returns how many."""
    wanted = [one for one in asked if one.state == "send"]
    lineages = {one.request.request_id: one.lineage for one in wanted}
    return queue.send([one.request for one in wanted], now, lineages) if wanted else 0


def lags(jobs: Iterable[str], lacking: Iterable[ExportRequest], now: datetime) -> dict[str, float]:
    """For each job, the seconds since the end of its oldest due window without its blob; 0.0 if none lacks one.

    For a job without windows: the seconds since its latest run was due, if that run has no blob.
    """
    oldest = dict.fromkeys(jobs, now)
    for request in lacking:
        oldest[request.job] = min(oldest[request.job], request.run)
    return {job: (now - run).total_seconds() for job, run in oldest.items()}


def names_of(requests: Iterable[ExportRequest]) -> list[list[str]]:
    """The names of each job's blobs."""
    by_job: dict[str, list[str]] = {}
    for request in requests:
        by_job.setdefault(request.job, []).append(request.blob)
    return list(by_job.values())


def _warn(asked: Iterable[Asked], limit: int | None) -> None:
    foreign = [one.request for one in asked if one.state == "foreign"]
    for request in islice(foreign, _NAMED):
        event(_log, logging.WARNING, "foreign blob", job=request.job, blob=request.blob, foreign=len(foreign))
    if held := sum(one.state == "held" for one in asked):
        event(_log, logging.WARNING, "queue too long to look at", limit=limit, held=held)
