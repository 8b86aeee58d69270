"""The processes of these tests, each as a person or Azure starts it."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from contracts.jobs_file import load_jobs
from devstack.process import Launch, Process, start
from producer.ask import one_request
from settings import Settings

ROOT = Path(__file__).parents[2]
SECRET_ROW = "a-value-of-a-row"
JOBS = """
[[job]]
name = "clicks"
schema = "public"
table = "clicks"
blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
catch_up = "1 day"
"""


def settings_in(directory: Path, environ: dict[str, str]) -> dict[str, str]:
    """The environment of every process, without telemetry."""
    jobs = directory / "jobs.toml"
    jobs.write_text(JOBS)
    return {**environ, "TAILRACE_JOBS": str(jobs), "TAILRACE_RETRY_BASE_SECONDS": "0.1", "TAILRACE_TICK": "0 0 0 1 1 *"}


def create_clicks(admin: psycopg.Connection) -> None:
    admin.execute(
        "create table clicks as select timestamptz '2026-01-03 12:00Z' + n * interval '1 minute' as at,"
        f" '{SECRET_ROW}' as what from generate_series(0, 9) n"
    )
    admin.execute("grant select on clicks to exporter")


def submit(environ: dict[str, str], directory: Path) -> str:
    """Sends one request from a new process; returns its id."""
    request = one_request(
        load_jobs(Settings.from_env(environ).jobs)["clicks"], "2026-01-03", datetime(2026, 2, 1, tzinfo=UTC)
    )
    argv = [sys.executable, "-m", "cli", "submit", "clicks", "--window", "2026-01-03"]
    launch = Launch(log=directory / "submit.log", name="tailrace submit")
    with start(argv, env=environ, ready=re.compile("sent to queue"), cwd=ROOT, launch=launch) as sender:
        assert sender.wait(30) == 0, sender.output()
    return str(request.request_id)


@contextmanager
def working(environ: dict[str, str], directory: Path) -> Iterator[Process]:
    """`tailrace work` on the queue, for the block; then it is stopped, and must drain."""
    argv = [sys.executable, "-m", "cli", "work", "--json-logs"]
    launch = Launch(log=directory / "work.log", name="tailrace work")
    with start(argv, env=environ, ready=re.compile("worker ready"), cwd=ROOT, launch=launch) as worker:
        yield worker
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0, worker.output()


def events(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines()]
