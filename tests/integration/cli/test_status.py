"""The operator's questions, as a person types them."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.days import day
from support.dead_letters import Bus, message, request
from support.gate import Gate
from support.waiting import until
from typer.testing import Result

from contracts.errors import SourceUnavailable
from devstack.process import Process
from operations.running import Sessions, connect
from settings import Settings

ROOT = Path(__file__).parents[3]
type Tailrace = Callable[..., Result]


@pytest.fixture
def clicks(admin: psycopg.Connection) -> psycopg.Connection:
    admin.execute("create table clicks (at timestamptz not null); grant select on clicks to exporter")
    return admin


@pytest.fixture
def work(starting: Callable[..., Process]) -> Callable[[], None]:
    """Does what is on the queue."""

    def run() -> None:
        starting("work", "--until-empty", "--text-logs", ready=None).wait(60)

    return run


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.usefixtures("clicks", "bus")
def test_what_is_there_and_what_is_missing_is_one_look(
    tailrace: Tailrace, work: Callable[[], None], container: ContainerClient
) -> None:
    tailrace("backfill", "clicks", "--from", day(6), "--to", day(1))
    work()
    container.delete_blob(f"clicks/{day(4).replace('-', '/')}.csv.gz")
    container.upload_blob(f"clicks/{day(5).replace('-', '/')}.csv.gz", b"", overwrite=True)
    result = tailrace("status", "clicks", "--json")
    assert result.exit_code == 1
    (found,) = rows(result)
    assert {key: found[key] for key in ("there", "missing", "foreign", "dead", "well")} == {
        "there": 3, "missing": 3, "foreign": 1, "dead": 0, "well": False,
    }  # fmt: skip
    gaps = rows(tailrace("missing", "clicks", "--json"))
    assert [(gap["state"], gap["from"], gap["windows"]) for gap in gaps] == [
        ("missing", day(7), 1), ("foreign", day(5), 1), ("missing", day(4), 1), ("missing", day(1), 1),
    ]  # fmt: skip
    plain = tailrace("status", "clicks").stdout
    assert plain.splitlines()[0].split() == [
        "job", "windows", "there", "proven", "missing", "foreign", "lag", "last", "verified", "restorable",
    ]  # fmt: skip
    assert f"foreign  clicks  {day(5)}" in plain


@pytest.mark.usefixtures("clicks", "bus")
def test_status_of_a_job_that_lacks_nothing_ends_with_0(tailrace: Tailrace, work: Callable[[], None]) -> None:
    tailrace("backfill", "clicks", "--from", day(8), "--to", day(0))
    work()
    result = tailrace("status", "clicks")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2), result.output
    nothing = tailrace("missing", "clicks")
    assert (nothing.exit_code, nothing.stdout) == (0, "no window is dead, missing, too-old, foreign\n")


def test_a_dead_letter_and_a_waiting_message_are_told_apart_with_why(tailrace: Tailrace, bus: Bus) -> None:
    bus.bury(message(request(day(2))), description="relation clicks does not exist")
    tailrace("submit", "clicks", "--window", day(1))
    gaps = rows(tailrace("missing", "clicks", "--state", "dead", "--state", "waiting", "--json"))
    assert [(gap["state"], gap["from"], gap["why"]) for gap in gaps] == [
        ("dead", day(2), "TableMissing: relation clicks does not exist"), ("waiting", day(1), None),
    ]  # fmt: skip
    shown = tailrace("show", "clicks", day(2))
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"clicks {day(2)}: dead\n    why          TableMissing: relation clicks")


def test_dead_letters_of_runs_and_of_unknown_jobs_are_shown_by_status(tailrace: Tailrace, bus: Bus) -> None:
    tailrace("submit", "countries")
    bus.bury_queued(1, description="relation countries does not exist")
    bus.bury(message(request(day(2), job="gone")))
    countries = next(one for one in rows(tailrace("status", "--json")) if one["job"] == "countries")
    assert (countries["dead"], countries["well"]) == (1, False)
    shown = tailrace("status")
    assert "dead  countries" in shown.stdout
    assert "relation countries does not exist" in shown.stdout
    assert "1 further dead letter: `tailrace dlq list` shows what and why" in shown.stderr


def test_a_disabled_job_matters_to_those_who_ask_for_all(
    tailrace: Tailrace, configured: dict[str, str], container: ContainerClient
) -> None:
    assert container.exists()
    jobs = Path(configured["TAILRACE_JOBS"])
    jobs.write_text(jobs.read_text() + '[[job]]\nname = "bad"\nschema = "s"\nblob = "x/{run}"\n')
    named, every = tailrace("history", "clicks"), tailrace("missing", "--state", "running")
    assert (named.exit_code, named.stderr) == (0, "")
    assert every.exit_code == 1
    assert "job 'bad': table: missing" in every.stderr


@pytest.mark.usefixtures("bus")
def test_a_window_is_found_by_its_blob_and_by_its_request(
    tailrace: Tailrace, work: Callable[[], None], clicks: psycopg.Connection
) -> None:
    clicks.execute("insert into clicks select %s from generate_series(1, 7)", [f"{day(1)} 12:00 UTC"])
    tailrace("submit", "clicks", "--window", day(1))
    work()
    by_blob = rows(tailrace("show", f"clicks/{day(1).replace('-', '/')}.csv.gz", "--json"))
    by_request = rows(tailrace("show", str(request(day(1)).request_id), "--json"))
    assert by_blob == by_request
    assert (by_blob[0]["window"], by_blob[0]["rows"], by_blob[0]["closed_by"]) == (day(1), 7, "writers")
    assert by_blob[0]["state"] == "there"
    (export,) = rows(tailrace("history", "clicks", "--json"))
    assert (export["window"], export["rows"], export["attempts"]) == (day(1), 7, 1)
    numbers = ("rows", "csv_bytes", "blob_bytes", "seconds", "attempts")
    assert [by_blob[0][name] for name in numbers] == [export[name] for name in numbers]
    assert "size" not in by_blob[0]
    assert "1 export, 7 rows, " in tailrace("history", "clicks").stdout


@pytest.mark.usefixtures("bus")
def test_a_running_export_shows_its_window_and_its_rows(
    tailrace: Tailrace, starting: Callable[..., Process], admin: psycopg.Connection
) -> None:
    gate = Gate(admin, 60_000)
    admin.execute(
        f"create view clicks as select timestamptz '{day(1)} 12:00 UTC' as at, filler, gate from gated;"
        "grant select on clicks to exporter"
    )
    tailrace("submit", "clicks", "--window", day(1))
    with gate.closed():
        worker = starting("work", "--until-empty", "--text-logs", ready=None)
        gate.wait_for()
        (one,) = until(
            lambda: [row for row in rows(tailrace("running", "--json")) if row["rows"]], "rows of the export"
        )
        assert (one["job"], one["window"]) == ("clicks", day(1))
        assert one["rows"] > 1000
        (known,) = rows(tailrace("show", "clicks", day(1), "--json"))
        assert (known["rows_so_far"] >= one["rows"], known["pids"]) == (True, one["pids"])
        assert rows(tailrace("status", "clicks", "--json"))[0]["running"] == 1
        headings, shown = tailrace("running").stdout.splitlines()
        assert headings.split()[:3] == ["job", "window", "rows"]
        assert shown.startswith(f"clicks  {day(1)}")
    worker.wait(60)
    assert tailrace("running").stdout == "no export reads now\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("status", "click"), "there is no job 'click' in jobs.toml; did you mean clicks?"),
        (("status", "clicks", "--from", "yesterday"), "'yesterday' is no day or time"),
        (("missing", "--state", "lost"), "there is no state 'lost'; write one of there, running"),
        (("show", "clicks"), "job 'clicks' has many windows; say which by its start: tailrace show clicks START"),
        (("show", "nothing/at/all"), "blob 'nothing/at/all' belongs to no window of jobs.toml"),
        (("show", "click"), "there is no job 'click' in jobs.toml; did you mean clicks?"),
        (
            ("show", "clicks", "2999-01-01"),
            "the window of job 'clicks' that begins at 2999-01-01 00:00:00+00:00 is open until",
        ),
        (
            ("show", "clicks", "2026-01-01T07:00"),
            "job 'clicks' has no window that begins at 2026-01-01T07:00; the next",
        ),
        (("show", "clicks", "2026-01"), "'2026-01' is no day or time"),
        (("watch",), "watch needs a terminal"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_to_write(
    tailrace: Tailrace, container: ContainerClient, arguments: tuple[str, ...], says: str
) -> None:
    assert container.exists()
    result = tailrace(*arguments)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.output
    assert says in result.stderr


def test_without_a_server_the_rest_is_shown_and_the_gap_is_named(
    tailrace: Tailrace, container: ContainerClient
) -> None:
    assert container.exists()
    result = tailrace("status", "clicks", PGPORT="1")
    assert result.exit_code == 1
    assert result.stdout.startswith("job ")
    assert result.stderr.startswith("running exports were not seen: no connection to exporter@127.0.0.1:1/")


@pytest.mark.usefixtures("bus")
def test_watch_shows_all_jobs_until_ctrl_c_and_ends_well(configured: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    environ = {**configured, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    argv = [sys.executable, "-m", "cli", "watch"]
    with ExitStack() as stack:
        streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        watching = stack.enter_context(subprocess.Popen(argv, env=environ, cwd=ROOT, **streams))
        stack.callback(watching.kill)  # what fails does not wait for it
        os.close(theirs)
        shown = b""
        while b"no export reads now" not in shown:
            shown += os.read(ours, 4096)
        watching.send_signal(signal.SIGINT)
        with suppress(OSError):  # how Linux says that the other end is closed
            while more := os.read(ours, 4096):
                shown += more
        assert watching.wait(20) == 0, shown
    os.close(ours)
    assert b"minutes" in shown
    assert b"interrupted" not in shown


def test_a_server_that_goes_away_while_it_is_watched_is_one_clear_error(
    configured: dict[str, str], admin: psycopg.Connection
) -> None:
    with connect(Settings.from_env(configured)) as connection:
        sessions = Sessions(connection)
        assert sessions.running() == []
        admin.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        with pytest.raises(SourceUnavailable, match="no connection to the server: terminating connection"):
            sessions.running()
