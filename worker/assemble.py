"""Puts a worker together from its settings."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from connections.postgres.tokens import password_source
from connections.steering import SteeringRecords
from contracts.jobs_file import load_jobs
from settings import Settings
from telemetry.jobs import report_disabled
from worker.blob.sink import Sink
from worker.export import Exporter
from worker.heap import map_blocks
from worker.message.delivery import Worker
from worker.message.verdict import RetryPolicy
from worker.source.pool import Source, places_of_one
from worker.source.split import Limits


@contextmanager
def open_exporter(settings: Settings) -> Iterator[Exporter]:
    """What exports need, for as long as the block runs. Raises ConfigurationError."""
    jobs = load_jobs(settings.jobs)
    report_disabled(jobs)
    map_blocks()
    limits = Limits.of(settings.max_streams, os.process_cpu_count() or 1, places_of_one(settings))
    with closing(Sink(settings)) as sink, Source(settings, password_source(settings)) as source:
        yield Exporter(source, sink, jobs, limits)


@contextmanager
def open_worker(settings: Settings) -> Iterator[Worker]:
    """What deliveries need, for as long as the block runs. Raises ConfigurationError."""
    with open_exporter(settings) as exporter:
        yield Worker(
            exporter,
            RetryPolicy(settings.max_attempts, settings.retry_base),
            SteeringRecords(settings, exporter.sink.container),
        )
