"""Says in the log which jobs of jobs.toml are disabled, and why."""

import logging

from contracts.jobs_file import Jobs
from telemetry.events import event

_log = logging.getLogger(__name__)


def report_disabled(jobs: Jobs) -> None:
    """Logs an error for each job that cannot be used until somebody corrects jobs.toml."""
    for one in jobs.disabled:
        event(_log, logging.ERROR, "job disabled", job=one.name, error="; ".join(one.problems))
