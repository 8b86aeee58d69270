import json
import re
import signal
import sys
from collections.abc import Callable

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.gate import Gate
from support.terminal import in_terminal
from typer.testing import Result

from devstack.process import Process

type Tailrace = Callable[..., Result]
EXPORT = ("export", "clicks", "--window", "2026-01-03")
BLOB = "clicks/2026/01/03.csv.gz"
NO_QUEUE = {"ServiceBusConnection": ""}


def names(container: ContainerClient) -> list[str]:
    return [blob.name for blob in container.list_blobs()]


def said(result: Result) -> str:
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    (line,) = result.stdout.splitlines()
    return line


@pytest.mark.usefixtures("clicks")
def test_one_window_is_exported_at_once_and_without_a_queue(tailrace: Tailrace, container: ContainerClient) -> None:
    line = said(tailrace(*EXPORT, **NO_QUEUE))
    assert re.fullmatch(rf"exported {BLOB}: 1 row, 26 bytes → \d+ bytes, \d+\.\d s, closed by \w+", line), line
    assert names(container) == [BLOB]


@pytest.mark.usefixtures("clicks")
def test_a_blob_that_is_there_stays_and_is_replaced_if_asked_again(
    tailrace: Tailrace, container: ContainerClient, admin: psycopg.Connection
) -> None:
    said(tailrace(*EXPORT))
    admin.execute("insert into clicks values ('2026-01-03 13:00Z')")
    line = said(tailrace(*EXPORT))
    assert line.startswith(f"{BLOB} is there since 20")
    assert line.endswith("; nothing was done, --again replaces it")
    assert json.loads(tailrace(*EXPORT, "--json").stdout)["outcome"] == "already-there"
    shown = json.loads(tailrace(*EXPORT, "--again", "--json").stdout)
    assert (shown["outcome"], shown["rows"], shown["blob"], shown["job"]) == ("exported", 2, BLOB, "clicks")
    assert names(container) == [BLOB]


@pytest.mark.usefixtures("clicks")
def test_a_blob_of_somebody_else_is_refused_and_replaced_if_asked_again(
    tailrace: Tailrace, container: ContainerClient
) -> None:
    container.upload_blob(BLOB, b"mine")
    refused = tailrace(*EXPORT)
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: blob '{BLOB}' is there already, written by something other")
    assert container.download_blob(BLOB).readall() == b"mine"
    assert said(tailrace(*EXPORT, "--again")).startswith(f"exported {BLOB}: 1 row")


def test_a_job_without_windows_is_exported_as_of_now(tailrace: Tailrace, admin: psycopg.Connection) -> None:
    admin.execute("create table countries as select 1 as id; grant select on countries to exporter")
    assert re.match(r"exported countries/\d{8}T\d{6}\.csv\.gz: 1 row, ", said(tailrace("export", "countries")))


@pytest.mark.usefixtures("clicks")
def test_a_window_that_is_still_written_to_is_refused_or_waited_for(
    tailrace: Tailrace, starting: Callable[..., Process], admin: psycopg.Connection, container: ContainerClient
) -> None:
    with admin.transaction():
        admin.execute("insert into clicks values ('2026-01-03 13:00Z')")
        refused = tailrace(*EXPORT)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr.startswith("error: nothing was exported: export of public.clicks waits: rows before")
        assert refused.stderr.endswith("end that transaction, or wait for it by --wait\n")
        waiting = starting(*EXPORT, "--wait", ready="can still arrive")
        assert names(container) == []
    assert waiting.wait(30) == 0, waiting.output()
    assert f"exported {BLOB}: 2 rows" in waiting.output()


def test_ctrl_c_leaves_no_blob_and_says_so(
    configured: dict[str, str], starting: Callable[..., Process], admin: psycopg.Connection, container: ContainerClient
) -> None:
    gate = Gate(admin, 100_000)
    admin.execute("create view countries as select * from gated; grant select on countries, gated to exporter")
    with gate.closed():
        running = starting("export", "countries", ready=None)
        gate.wait_for()
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130
    assert re.fullmatch(r"interrupted: blob 'countries/.*' is as it was; run the command again\n", running.output())
    assert names(container) == []


@pytest.mark.parametrize(
    ("wrong", "arguments", "status", "said"),
    [
        ({"PGPASSWORD": "wrong"}, EXPORT, 1, "password authentication failed"),
        ({"PGPORT": "1"}, EXPORT, 1, "Connection refused"),
        ({"TAILRACE_CONTAINER": "nowhere"}, EXPORT, 1, "create it, or set TAILRACE_CONTAINER"),
        ({"PGHOST": "", "ExportStorage": ""}, EXPORT, 2, "PGHOST is missing"),
        ({}, EXPORT, 1, "create it, or correct schema and table in jobs.toml"),
        ({}, ("export", "click", "--window", "2026-01-03"), 2, "did you mean clicks?"),
        ({}, ("export", "clicks", "--window", "2026-01-32"), 2, "is no day or time; write 2026-01-31"),
        ({}, ("export", "clicks", "--window", "8000-01-01"), 2, "is open until"),
    ],
    ids=["password", "no server", "no container", "no settings", "no table", "no job", "no date", "open"],
)
def test_what_cannot_be_done_is_a_clear_line_and_a_status(
    tailrace: Tailrace, wrong: dict[str, str], arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = tailrace(*arguments, **wrong)
    assert (result.exit_code, result.stdout) == (status, "")
    assert said in result.stderr
    assert all(line.startswith("error: ") for line in result.stderr.splitlines())
    assert len(result.stderr.splitlines()) == (2 if "PGHOST" in wrong else 1)


@pytest.mark.usefixtures("clicks")
def test_a_terminal_shows_a_bar_and_the_outcome_on_a_line(configured: dict[str, str]) -> None:
    shown = in_terminal([sys.executable, "-m", "cli", *EXPORT], {**configured, "TERM": "xterm"})
    assert "exporting" in shown
    assert f"exported {BLOB}: 1 row" in shown.replace("\r\n", "")
