import json
import re
import signal
import sys
from collections.abc import Callable

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.terminal import in_terminal
from typer.testing import Result

from devstack.process import Process

type Starting = Callable[..., Process]
type Tailrace = Callable[..., Result]
SUBMIT = ("submit", "clicks", "--window", "2026-01-03")


@pytest.mark.usefixtures("clicks")
def test_a_request_on_the_queue_becomes_a_blob_and_sigterm_ends_the_worker_with_0(
    starting: Starting, tailrace: Tailrace, container: ContainerClient
) -> None:
    running = starting("work", "--json-logs", ready="worker ready")
    assert tailrace(*SUBMIT).exit_code == 0
    running.wait_for(re.compile("export done"))
    running.send_signal(signal.SIGTERM)
    assert running.wait(30) == 0
    assert [blob.name for blob in container.list_blobs()] == ["clicks/2026/01/03.csv.gz"]
    events = [json.loads(line)["event"] for line in running.output().splitlines()]
    assert events[0] == "worker ready"
    assert events[-2:] == ["worker draining", "worker stopped"]


@pytest.mark.usefixtures("clicks")
def test_a_worker_until_empty_does_what_is_queued_and_ends_with_0(
    starting: Starting, tailrace: Tailrace, container: ContainerClient
) -> None:
    assert tailrace(*SUBMIT).exit_code == 0
    running = starting("work", "--until-empty", "--text-logs", ready="worker ready")
    assert running.wait(60) == 0
    assert [blob.name for blob in container.list_blobs()] == ["clicks/2026/01/03.csv.gz"]


def test_ctrl_c_drains_as_sigterm_does(starting: Starting) -> None:
    running = starting("work", "--text-logs", ready="worker ready")
    running.send_signal(signal.SIGINT)
    assert running.wait(30) == 0
    assert "INFO worker stopped" in running.output()


@pytest.mark.usefixtures("clicks")
def test_a_second_signal_ends_a_draining_worker_at_once(
    starting: Starting, tailrace: Tailrace, admin: psycopg.Connection
) -> None:
    patient = {"TAILRACE_LOCK_TIMEOUT_SECONDS": "600", "TAILRACE_DRAIN_SECONDS": "600"}
    running = starting("work", "--json-logs", ready="worker ready", **patient)
    with admin.transaction():
        admin.execute("lock table clicks in access exclusive mode")
        assert tailrace(*SUBMIT).exit_code == 0
        running.wait_for(re.compile("export started"))
        running.send_signal(signal.SIGTERM)
        running.wait_for(re.compile("worker draining"))
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 128 + signal.SIGTERM


def test_a_worker_without_a_queue_says_what_to_set_and_ends_with_2(starting: Starting) -> None:
    running = starting("work", ready="worker ready", TAILRACE_QUEUE="nowhere")
    assert running.wait(30) == 2
    said = re.compile("^error: receive on queue 'nowhere' failed: there is no such queue", re.MULTILINE)
    assert said.search(running.output())
    assert "receiver failed" in running.output()


@pytest.mark.usefixtures("clicks")
def test_a_worker_until_empty_ends_with_1_if_something_was_dead_lettered_and_counts_all(
    starting: Starting, tailrace: Tailrace, admin: psycopg.Connection
) -> None:
    assert tailrace(*SUBMIT).exit_code == 0
    admin.execute("drop table clicks")
    running = starting("work", "--until-empty", "--text-logs", ready="worker ready")
    assert running.wait(60) == 1
    assert "0 completed, 0 retried later, 1 dead-lettered, 0 given back" in running.output()
    assert "dead_lettered=1" in running.output()


def test_a_worker_with_a_wrong_password_says_so_before_it_is_ready_and_ends_with_2(starting: Starting) -> None:
    running = starting("work", "--text-logs", ready="^error", PGPASSWORD="wrong")
    assert running.wait(30) == 2
    assert "password authentication failed" in running.output()
    assert "check PGUSER, PGPASSWORD and PGDATABASE" in running.output()
    assert "worker ready" not in running.output()


@pytest.mark.usefixtures("clicks")
def test_text_logs_have_one_line_for_each_export(starting: Starting, tailrace: Tailrace) -> None:
    assert tailrace("backfill", "clicks", "--from", "2026-01-01", "--to", "2026-01-06").exit_code == 0
    running = starting("work", "--until-empty", "--text-logs", ready="worker ready")
    assert running.wait(60) == 0
    assert len(re.findall("blob=clicks/", running.output())) == 5
    assert "5 completed, 0 retried later, 0 dead-lettered, 0 given back" in running.output()


@pytest.mark.usefixtures("clicks")
def test_a_terminal_shows_below_the_logs_how_far_the_worker_has_come(
    tailrace: Tailrace, configured: dict[str, str]
) -> None:
    assert tailrace("backfill", "clicks", "--from", "2026-01-01", "--to", "2026-01-06").exit_code == 0
    argv = [sys.executable, "-m", "cli", "work", "--until-empty"]
    shown = in_terminal(argv, {**configured, "TERM": "xterm", "COLUMNS": "120"})
    assert len(re.findall("INFO export done", shown)) == 5
    assert re.search(r"0 running, 5 rows, [\d.]+ \w+/s; 5 completed, 0 retried later", shown), shown
    assert shown.endswith("5 completed, 0 retried later, 0 dead-lettered, 0 given back\r\n")
