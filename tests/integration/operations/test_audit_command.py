"""`tailrace audit` and what it prints, as a person and as a program read it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.command import run_tailrace
from support.waiting import until

from producer.ask import requests_between
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import run_export

ROOT = Path(__file__).parents[3]
JOBS = """
[[job]]
name = "ids"
schema = "public"
table = "events"
blob = "ids/{window_start:06d}.csv.gz"
[job.window]
column = "id"
type = "integer"
size = 100

[[job]]
name = "whole"
schema = "public"
table = "events"
blob = "whole/{run}.csv.gz"
"""
type Command = Callable[..., subprocess.CompletedProcess[str]]
# A command in this process has no time limit of its own.
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def configured(
    environ: dict[str, str], container: ContainerClient, admin: psycopg.Connection, tmp_path: Path
) -> dict[str, str]:
    assert container.exists()
    file = tmp_path / "jobs.toml"
    file.write_text(JOBS)
    admin.execute("create table events as select i as id, 'w' || i as word from generate_series(0, 399) as i")
    found = {**environ, "TAILRACE_JOBS": str(file), "COLUMNS": "80"}
    with open_exporter(Settings.from_env(found)) as exporter:
        for one in requests_between(exporter.jobs["ids"], "0", "400", datetime.now(UTC)):
            run_export(one, exporter, Cancellation())
    return found


@pytest.fixture
def tailrace(configured: dict[str, str]) -> Command:
    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return run_tailrace(arguments, {**configured, **environ})

    return run


def test_what_differs_is_printed_by_window_and_ends_with_1(
    tailrace: Command, admin: psycopg.Connection, container: ContainerClient
) -> None:
    well = tailrace("audit", "ids", "--deep")
    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout == "ids: 4 windows, 4 read again, 4 equal, verified through 400\n"
    admin.execute("insert into events values (50, 'late'), (null, 'nowhere'); update events set word = '' where id = 1")
    admin.execute("update events set word = '' where id = 250; delete from events where id between 300 and 399")
    container.delete_blob("ids/000100.csv.gz")
    found = tailrace("audit", "ids", "--from", "0", "--deep")
    assert found.returncode == 1
    assert found.stdout.splitlines() == [
        "late     ids 0: the source has 101 rows, 100 were exported",
        "missing  ids 100: no blob",
        "changed  ids 200: as many rows, 100, but not the same: their hash differs",
        "gone     ids 300: the source has none of its 100 rows any more, after it was verified",
        "ids: 4 windows, 3 read again, 1 changed, 1 gone, 1 late, 1 missing, nothing is verified yet",
    ]
    assert found.stderr == "1 row has no id (it is NULL): in no window, and never exported\n"


def test_a_program_reads_an_object_a_line(tailrace: Command, admin: psycopg.Connection) -> None:
    admin.execute("update events set word = '' where id = 250")
    found = tailrace("audit", "--all", "--budget", "1m", "--export-again", "--json")
    first, last = map(json.loads, found.stdout.splitlines())
    assert (found.returncode, found.stderr) == (1, "")
    assert (first["job"], first["window"], first["found"]) == ("ids", "200", "changed")
    assert (last["windows"], last["equal"], last["changed"], last["sent"]) == (4, 3, 1, 1)
    assert (last["verified_through"], last["rows_without_window"]) == ("200", 0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("audit",), "say which job is to be audited; its name, or --all for all jobs"),
        (("audit", "ids", "--all"), "a job and --all exclude each other"),
        (("audit", "id"), "there is no job 'id' in jobs.toml; did you mean ids?"),
        (("audit", "whole"), "job 'whole' has no windows"),
        (("audit", "ids", "--from", "x"), "'x' is no whole number"),
        (("audit", "ids", "--from", "9", "--to", "8"), "the range is empty"),
        (("audit", "ids", "--budget", "ten"), "'ten' is no length of time; write 90s, 10m or 2h"),
        (("audit", "--all", "--deep"), "--all goes on where the last audits ended"),
    ],
)
def test_what_cannot_be_audited_is_refused_with_what_to_write(
    tailrace: Command, arguments: tuple[str, ...], says: str
) -> None:
    found = tailrace(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("error: ")
    assert says in found.stderr


def test_servers_that_are_away_are_errors_of_one_line(tailrace: Command) -> None:
    for environ in ({"PGPORT": "1"}, {"TAILRACE_CONTAINER": "nowhere"}):
        found = tailrace("audit", "ids", TAILRACE_CONNECT_TIMEOUT_SECONDS="1", **environ)
        assert (found.returncode, found.stdout) == (1, "")
        # On a busy machine it may also say before that what it waits for.
        assert found.stderr.splitlines()[-1].startswith("error: ")
        assert "Traceback" not in found.stderr


def test_a_deep_audit_that_is_interrupted_ends_at_once_and_remembers_what_it_read(
    configured: dict[str, str], admin: psycopg.Connection, container: ContainerClient
) -> None:
    # A row of the last window takes an hour to read.
    admin.execute("alter table events rename to origin")
    admin.execute(
        "create function slow(i int) returns text language plpgsql stable"
        " as $$ begin perform pg_sleep(3600); return ''; end $$"
    )
    admin.execute("create view events as select id, case when id < 300 then word else slow(id) end as word from origin")
    admin.execute("grant select on events to exporter")
    argv = [sys.executable, "-m", "cli", "audit", "ids", "--from", "0", "--to", "400", "--deep"]
    with subprocess.Popen(argv, cwd=ROOT, env=configured, stderr=subprocess.PIPE, text=True) as process:
        running = "select wait_event from pg_stat_activity where usename = 'exporter' and state <> 'idle'"
        until(lambda: admin.execute(running).fetchall() == [("PgSleep",)], "only the last window is read")
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    record = json.loads(container.download_blob("_tailrace/audits/ids.json").readall())
    assert record["counted"] == [{"start": "0", "end": "300"}]
