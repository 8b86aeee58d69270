"""Puts a worker together from its settings."""

from collections.abc import Iterator
from contextlib import contextmanager

from contracts.jobs_file import load_jobs
from settings import Settings
from worker.delivery import Exporter
from worker.entra import password_source
from worker.sink import Sink
from worker.source import Source
from worker.verdict import RetryPolicy


@contextmanager
def open_exporter(settings: Settings) -> Iterator[Exporter]:
    """What exports need, for as long as the block runs. Raises ConfigurationError."""
    jobs = load_jobs(settings.jobs)
    sink = Sink(settings)
    try:
        with Source(settings, password_source(settings)) as source:
            yield Exporter(source, sink, jobs, RetryPolicy(settings.max_attempts, settings.retry_base))
    finally:
        sink.close()
