"""One tick: what the timer function and `tailrace tick` do."""

from datetime import datetime

from contracts.jobs_file import Jobs
from producer.enqueue import Enqueued, enqueue_due
from producer.queue import ExportQueue
from producer.store import BlobIndex
from settings import Settings
from telemetry.traces import NOWHERE, Origin, span


def tick(settings: Settings, jobs: Jobs, now: datetime, origin: Origin = NOWHERE) -> Enqueued:
    """Enqueues each export that is due at `now` and has neither a blob nor a live message.

    Safe to run at any time and from several places at once. Raises QueueUnavailable, SinkUnavailable, SinkRejected or
    ConfigurationError; what was sent by then stays sent.
    """
    with span("enqueue due", origin=origin), ExportQueue(settings) as queue:
        return enqueue_due(jobs, BlobIndex(settings), queue, now, settings.queue_limit)
