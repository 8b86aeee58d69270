"""An operator's day: each question is one command, typed into a shell, and answered from one look at real servers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from support.bus import Bus
from support.gate import Gate
from support.hosts import Hosts
from support.waiting import until

from contracts.message import job_of
from devstack.stack import Stack

BIN = Path(sys.executable).parent
JOBS = """
[defaults]
schema = "public"
blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
[defaults.window]
column = "at"
type = "timestamptz"
every = "1 day"
catch_up = "3 days"
"""
JOB = '\n[[job]]\nname = "{0}"\ntable = "{0}"\nenabled = {1}\n'
DUE, ON_REQUEST = ("clicks", "gaps", "broken", "useless", "late"), ("slow", "many", "held")


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Day:
    """A deployment with a worker, to which a tick has just been."""

    environ: dict[str, str]
    admin: psycopg.Connection
    container: ContainerClient
    bus: Bus
    hosts: Hosts
    gate: Gate
    # As the tick saw it: the tests may begin after a midnight that follows their collection.
    today: date = field(default_factory=lambda: datetime.now(UTC).date())

    def back(self, days: int) -> str:
        """The day so many days before today, as people write it."""
        return (self.today - timedelta(days=days)).isoformat()

    def type(self, line: str, **more: str) -> Said:
        """What a person sees who types the line."""
        done = subprocess.run(
            ["bash", "-c", line], env={**self.environ, **more}, capture_output=True, text=True, check=False, timeout=60
        )
        return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def day(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Three days of each job, of which some windows fail, and one blob is gone since."""
    folder, queue = tmp_path_factory.mktemp("day"), stack.unused_queue()
    (folder / "jobs.toml").write_text(
        JOBS + "".join(JOB.format(job, str(job in DUE).lower()) for job in DUE + ON_REQUEST)
    )
    with ExitStack() as opened:
        server = opened.enter_context(psycopg.connect(**stack.postgres.parameters("postgres"), autocommit=True))
        server.execute("create database operator_day")
        opened.callback(server.execute, "drop database operator_day with (force)")
        admin = opened.enter_context(
            psycopg.connect(**stack.postgres.parameters("postgres", "operator_day"), autocommit=True)
        )
        service = opened.enter_context(BlobServiceClient.from_connection_string(stack.azurite.connection_string))
        container = service.create_container("operator-day")
        opened.callback(container.delete_container)
        environ = {
            **stack.environ(database="operator_day", queue=queue, container="operator-day"),
            "TAILRACE_JOBS": str(folder / "jobs.toml"),
            "TAILRACE_RETRY_BASE_SECONDS": "0.3",
            "TAILRACE_LOCK_TIMEOUT_SECONDS": "60",
            "TAILRACE_CONCURRENCY": "3",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }
        bus = Bus(environ["ServiceBusConnection"], queue)
        opened.callback(bus.close)
        made = Day(environ, admin, container, bus, Hosts(environ, folder, opened), Gate(admin, 60_000))
        _plant(made)
        yield made


def _plant(day: Day) -> None:
    rows = "select timestamptz '{0}' + n * interval '1 hour' as at, n from generate_series(0, 71) as n"
    for table in ("clicks", "many", "held"):
        day.admin.execute(f"create table {table} as {rows.format(day.back(3))}".encode())
    for view in ("late", "slow"):
        day.admin.execute(
            f"create view {view} as select timestamptz '{day.back(1)} 12:00Z' as at, * from gated".encode()
        )
    failing = f"create view gaps as select at, 1 / (at::date - date '{day.back(2)}') as n from clicks"
    day.admin.execute(failing.encode())
    day.admin.execute("grant select on all tables in schema public to exporter")
    day.hosts.container()
    with day.gate.closed():
        assert day.type("tailrace tick").code == 0
        (backend,) = day.gate.wait_for()
        day.admin.execute("select pg_terminate_backend(%s)", [backend])  # so that job late needs a second attempt
    day.bus.wait_until_empty()
    day.container.delete_blob(blob("gaps", day.back(1)))


def blob(job: str, start: str) -> str:
    return f"{job}/{start.replace('-', '/')}.csv.gz"


def test_is_all_well(day: Day) -> None:
    assert day.type("tailrace status clicks").code == 0
    asked = day.type("tailrace status gaps")
    assert asked.code == 1
    assert asked.out.split()[:2] == ["job", "windows"]


def test_what_is_missing_and_why(day: Day) -> None:
    asked = day.type("tailrace missing gaps")
    assert asked.code == 1
    assert [line.split()[:5] for line in asked.out.splitlines()[1:-1]] == [
        ["gaps", day.back(2), day.back(1), "1", "dead"],
        ["gaps", day.back(1), day.back(0), "1", "missing"],
    ]
    assert "QueryFails: export of public.gaps was refused: division by zero" in asked.out


def test_what_runs_and_how_far(day: Day) -> None:
    with day.gate.closed():
        assert day.type(f"tailrace submit slow --window {day.back(1)}").code == 0
        day.gate.wait_for()
        (one,) = until(lambda: [row for row in day.type("tailrace running --json").rows() if row["rows"]], "rows")
    assert (one["job"], one["window"]) == ("slow", day.back(1))
    assert isinstance(one["rows"], int)
    assert 1000 < one["rows"] <= day.gate.rows
    assert one["estimated_rows"]
    day.bus.wait_until_empty()


def test_how_long_did_yesterday_take(day: Day) -> None:
    """And how often it was tried: it lost its connection at first."""
    asked = day.type(f"tailrace history late --from {day.back(1)}")
    headings, row, total = asked.out.splitlines()
    assert headings.split()[-4:] == ["seconds", "attempts", "closed", "by"]
    assert row.split()[0] == day.back(1)
    assert int(row.split()[-2]) > 1
    assert total.startswith("1 export, 60,000 rows, ")
    assert total.endswith(f"the slowest was {day.back(1)} with {row.split()[-3]} s")


def test_why_did_this_fail_and_is_it_there_once_it_is_fixed_and_replayed(day: Day) -> None:
    listed = day.type("tailrace dlq list --job broken")
    assert listed.out.splitlines()[1].split()[:3] == ["TableMissing", "broken", "3"]
    assert 'relation "public.broken" does not exist' in day.type(f"tailrace show broken {day.back(1)}").out
    day.admin.execute("create table broken as select * from clicks")
    assert day.type("tailrace dlq replay --job broken").out == "replayed 3 of 3 dead letters\n"
    day.bus.wait_until_empty()
    assert day.type("tailrace status broken").code == 0


def test_what_is_useless_is_dropped(day: Day) -> None:
    """A dead letter whose blob was exported by hand meanwhile."""
    day.admin.execute("create table useless as select * from clicks")
    assert day.type(f"tailrace export useless --window {day.back(3)}").code == 0
    assert day.type("tailrace dlq drop --stale --job useless").out == "dropped 1 of 1 dead letters\n"
    assert sum(job_of(one.application_properties) == "useless" for one in day.bus.dead_letters()) == 2


def test_a_backfill_that_was_a_mistake_is_stopped(day: Day, stack: Stack) -> None:
    queue = stack.unused_queue()
    sent = day.type("tailrace backfill many --from 2020-01-01 --to 2020-07-19 --json", TAILRACE_QUEUE=queue)
    (counts,) = sent.rows()
    assert counts["sent"] == 200
    cancelled = day.type(f"tailrace cancel {counts['backfill']}", TAILRACE_QUEUE=queue)
    assert cancelled.out.startswith(f"200 messages of {counts['backfill']} cancelled")
    worked = day.type("tailrace work --until-empty", TAILRACE_QUEUE=queue)
    assert worked.out.startswith("200 completed, ")
    assert [one.name for one in day.container.list_blobs(name_starts_with="many/")] == []


def test_a_job_is_paused_and_goes_on(day: Day) -> None:
    assert day.type("tailrace pause held --why 'index build'").code == 0
    assert "its job is paused; nothing was sent" in day.type(f"tailrace submit held --window {day.back(3)}").out
    assert day.type("tailrace resume held").code == 0
    assert day.type(f"tailrace submit held --window {day.back(3)}").code == 0
    until(lambda: day.container.get_blob_client(blob("held", day.back(3))).exists(), "the export")


def test_a_day_is_exported_again(day: Day) -> None:
    day.admin.execute("insert into clicks values (%s, 99)", [f"{day.back(2)} 12:00Z"])
    asked = day.type(f"tailrace export clicks --window {day.back(2)} --again")
    assert asked.out.startswith(f"exported {blob('clicks', day.back(2))}: 25 rows, ")
    shown = day.type(f"tailrace show clicks {day.back(2)} --json").rows()[0]
    assert (shown["rows"], shown["attempts"]) == (25, 1)
