import json
import re
from collections.abc import Callable

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.dead_letters import Bus
from support.gate import Gate
from support.waiting import until
from typer.testing import Result

from contracts.message import attempt_of, waits_since_of
from devstack.process import Process

type Tailrace = Callable[..., Result]
type Starting = Callable[..., Process]
SUBMIT = ("submit", "clicks", "--window", "2026-01-03")
SOON = {"TAILRACE_RETRY_BASE_SECONDS": "0.05"}  # a paused message is put off by a second


def said(result: Result) -> str:
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def test_a_paused_job_is_listed_with_who_when_and_why_until_it_is_resumed(tailrace: Tailrace) -> None:
    assert said(tailrace("pause", "--list")) == "no job is paused\n"
    assert said(tailrace("pause", "clicks", "--why", "index\x1b build")).startswith("job 'clicks' is paused; ticks")
    again = said(tailrace("pause", "clicks", "--why", "another reason"))
    assert re.fullmatch(r"job 'clicks' was paused already by \S+@\S+ at 20\S+: index\\x1b build\n", again), again
    listed = [" ".join(line.split()) for line in said(tailrace("pause", "--list")).splitlines()]
    assert (listed[0], listed[3]) == ("clicks", "why index\\x1b build")
    shown = json.loads(said(tailrace("pause", "--list", "--json")))
    assert (shown["job"], shown["why"]) == ("clicks", "index\x1b build")
    assert said(tailrace("resume", "clicks")).startswith("job 'clicks' goes on; it was paused by ")
    assert said(tailrace("resume", "clicks")) == "job 'clicks' was not paused\n"
    assert said(tailrace("pause", "--list", "--json")) == ""


def test_a_missing_window_of_a_paused_job_says_that_no_tick_asks_for_it_before_it_is_resumed(
    tailrace: Tailrace,
) -> None:
    said(tailrace("pause", "clicks"))
    shown = tailrace("status", "clicks", PGHOST="").stdout
    assert re.search(r"^ +why +the job is paused$", shown, re.MULTILINE)
    assert "next tick" not in shown
    assert shown.splitlines()[-1] == "clicks is paused: `tailrace pause --list` says since when and why"
    assert json.loads(tailrace("status", "clicks", "--json", PGHOST="").stdout)["paused"] is True


def test_submit_and_backfill_say_that_the_job_is_paused_and_send_nothing(tailrace: Tailrace, bus: Bus) -> None:
    said(tailrace("pause", "clicks"))
    assert said(tailrace(*SUBMIT)).splitlines()[-1].startswith("its job is paused; nothing was sent")
    refused = tailrace("backfill", "clicks", "--from", "2026-01-01", "--to", "2026-01-05")
    assert refused.exit_code == 2
    assert re.match(r"error: job 'clicks' was paused by .*; resume it first: tailrace resume clicks", refused.stderr)
    assert bus.queued() == []
    assert said(tailrace(*SUBMIT, "--force")).splitlines()[-1].startswith("sent to queue")


@pytest.mark.usefixtures("clicks")
def test_a_message_of_a_paused_job_is_put_off_without_an_attempt_and_exported_once_it_is_resumed(
    tailrace: Tailrace, starting: Starting, bus: Bus, container: ContainerClient
) -> None:
    said(tailrace(*SUBMIT))
    said(tailrace("pause", "clicks"))
    worker = starting("work", "--json-logs", ready="worker ready", **SOON)
    for _ in range(2):
        worker.wait_for(re.compile("export put off"))
    worker.close()
    (waiting,) = until(bus.queued, "the message that was put off")
    assert attempt_of(waiting.application_properties, redeliveries=0) == 1
    assert waits_since_of(waiting.application_properties) is None, "its window has not been waited for"
    assert [blob.name for blob in container.list_blobs(name_starts_with="clicks/")] == []
    said(tailrace("resume", "clicks"))
    starting("work", "--json-logs", ready="worker ready", **SOON).wait_for(re.compile("export done"))
    until(lambda: not bus.queued(), "the queue to be empty")


def test_what_runs_when_its_job_is_paused_is_finished(
    tailrace: Tailrace, starting: Starting, admin: psycopg.Connection, container: ContainerClient
) -> None:
    gate = Gate(admin, 1000)
    admin.execute("create view countries as select * from gated; grant select on countries, gated to exporter")
    with gate.closed():
        said(tailrace("submit", "countries"))
        worker = starting("work", "--text-logs", ready="worker ready")
        gate.wait_for()
        said(tailrace("pause", "countries"))
    worker.wait_for(re.compile("export done"))
    assert len(list(container.list_blobs(name_starts_with="countries/"))) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (("pause",), 2, "say which job is paused, or --list"),
        (("pause", "clicks", "--list"), 2, "say which job is paused, or --list"),
        (("pause", "click"), 2, "did you mean clicks?"),
        (("resume", "click"), 2, "did you mean clicks?"),
        (("pause", "clicks", "--why", "x" * 1001), 2, "the reason has 1,001 characters; write 1,000 at most"),
    ],
)
def test_what_cannot_be_paused_is_a_clear_line(
    tailrace: Tailrace, arguments: tuple[str, ...], status: int, line: str
) -> None:
    result = tailrace(*arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    assert line in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_pause_without_a_container_says_what_to_set(tailrace: Tailrace) -> None:
    result = tailrace("pause", "clicks", TAILRACE_CONTAINER="nowhere")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "create it, or set TAILRACE_CONTAINER" in result.stderr
