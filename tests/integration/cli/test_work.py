import json
import re
import signal
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from azure.storage.blob import ContainerClient

from contracts.jobs_file import load_jobs
from local.process import Process
from producer.ask import one_request
from producer.queue import ExportQueue
from settings import Settings

type Begin = Callable[..., Process]


def submit(environ: dict[str, str], window_start: str) -> None:
    settings = Settings.from_env(environ)
    request = one_request(load_jobs(settings.jobs)["clicks"], window_start, datetime.now(UTC))
    with ExportQueue(settings) as queue:
        queue.send([request])


@pytest.mark.usefixtures("clicks")
def test_a_request_on_the_queue_becomes_a_blob_and_sigterm_ends_the_worker_with_0(
    worker: Begin, configured: dict[str, str], container: ContainerClient
) -> None:
    running = worker("--json-logs")
    submit(configured, "2026-01-03")
    running.wait_for(re.compile("export done"))
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 0
    assert [blob.name for blob in container.list_blobs()] == ["clicks/2026/01/03.csv.gz"]
    events = [json.loads(line)["event"] for line in running.output().splitlines()]
    assert events[0] == "worker ready"
    assert events[-2:] == ["worker draining", "worker stopped"]


def test_ctrl_c_drains_as_sigterm_does(worker: Begin) -> None:
    running = worker("--text-logs")
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 0
    assert "INFO worker stopped" in running.output()


@pytest.mark.usefixtures("clicks")
def test_a_second_signal_ends_a_draining_worker_at_once(
    worker: Begin, configured: dict[str, str], admin: psycopg.Connection
) -> None:
    running = worker("--text-logs", TAILRACE_LOCK_TIMEOUT_SECONDS="600", TAILRACE_DRAIN_SECONDS="600")
    with admin.transaction():
        admin.execute("lock table clicks in access exclusive mode")
        submit(configured, "2026-01-03")
        running.wait_for(re.compile("export started"))
        running.send_signal(signal.SIGTERM)
        running.wait_for(re.compile("worker draining"))
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 128 + signal.SIGTERM


def test_a_worker_without_a_queue_says_what_to_set_and_ends_with_2(worker: Begin) -> None:
    running = worker(TAILRACE_QUEUE="nowhere")
    assert running.wait(30) == 2
    assert re.search(
        "^error: receive on queue 'nowhere' failed: there is no such queue", running.output(), re.MULTILINE
    )
