"""The drill restores a sample into a scratch schema, compares it with receipts and source, and leaves nothing."""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from psycopg import sql
from support.command import run_tailrace
from support.events_job import EVENTS

from contracts.jobs_file import load_jobs
from producer.ask import requests_between
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import run_export

JOBS = (
    EVENTS
    + """
[[job]]
name = "queried"
query = "select id, word from restored where at >= {window_start} and at < {window_end}"
blob = "queried/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
closed = "delay"

[[job]]
name = "idle"
schema = "public"
table = "idle"
blob = "idle/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
"""
)
# Types whose equality is another one, or that have none.
TABLE = """
    create domain positive as int check (value > 0);
    create type pair as (a int, "b c" text);
    create type mood as enum ('sad', 'happy');
    create table events (id bigint generated always as identity, at timestamptz not null, word text, n numeric,
        js json, jb jsonb, spot point, frame box, doc polygon, tags json[], two pair, "odd ""name"" x" positive,
        how mood, fixed char(5), twice int generated always as (length(word) * 2) stored);
    insert into events (at, word, n, js, jb, spot, frame, doc, tags, two, "odd ""name"" x", how, fixed)
    select '2026-03-28Z'::timestamptz + i * interval '7 minutes', 'word ' || i, i / 7.0, json_build_object('i', i),
        jsonb_build_object('i', i), point(i, -i), box(point(0, 0), point(i, 2)), polygon(box(point(0, 0), point(i, 1))),
        array[json_build_object('i', i)], row(i::int, 'x "y"')::pair, (i + 1)::int, 'happy', 'ab'
    from generate_series(0, 615) as i;
    create view restored as select * from events;
    create table idle (at timestamptz)"""
type Drill = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=[(".csv.gz", "")], ids=["csv"])
def configured(
    environ: dict[str, str], admin: psycopg.Connection, tmp_path: Path, request: pytest.FixtureRequest
) -> dict[str, str]:
    """The settings of jobs; three days of two of them are exported."""
    file = tmp_path / "jobs.toml"
    suffix, output = request.param
    file.write_text(JOBS.replace("SUFFIX", suffix).replace("OUTPUT", output))
    admin.execute(TABLE)
    found = {**environ, "TAILRACE_JOBS": str(file)}
    jobs = load_jobs(file)
    with open_exporter(Settings.from_env(found)) as exporter:
        for name in ("events", "queried"):
            for one in requests_between(jobs[name], "2026-03-28", "2026-03-31", datetime.now(UTC)):
                run_export(one, exporter, Cancellation())
    return found


@pytest.fixture
def server(admin: psycopg.Connection) -> str:
    """The source's server, on which the administrator may write."""
    return f"{admin.info.dsn} password={admin.info.password}"


@pytest.fixture
def elsewhere(admin: psycopg.Connection, server: str) -> Iterator[str]:
    """A database that is not the source's, with a table of the source's name."""
    name = f"scratch_of_{admin.info.dbname}"
    admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    other = f"{server} dbname={name}"
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute('create domain positive as int; create type pair as (a int, "b c" text)')
        connection.execute("create type mood as enum ('sad', 'happy'); create table events (at timestamptz)")
    yield other
    admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def drill(configured: dict[str, str]) -> Drill:
    """`tailrace restore --check`, with JSON."""

    def run(*arguments: str, own: bool = False, **environ: str) -> subprocess.CompletedProcess[str]:
        return run_tailrace(("restore", "--check", "--json", *arguments), {**configured, **environ}, own=own)

    return run


def windows(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """What was found of each blob."""
    return {found["blob"]: found for found in map(json.loads, done.stdout.splitlines())}


def test_windows_are_compared_row_by_row_and_nothing_is_left_behind(
    drill: Drill, server: str, admin: psycopg.Connection, container: ContainerClient
) -> None:
    done = drill("events", "--server", server)
    assert (done.returncode, done.stderr) == (0, "")
    found = windows(done)
    assert len(found) == 3
    for one in found.values():
        assert (one["problems"], one["source"], one["compared_by"], one["says"]) == ([], "same", "rows", None)
    record = json.loads(container.download_blob("_tailrace/drills/events.json").readall())
    assert (record["windows"], record["rows"], record["newest"]) == (3, 616, "2026-03-30T00:00:00Z")
    assert record["source"] == {"same": 3}
    assert admin.execute("select count(*) from pg_namespace where nspname like 'tailrace_drill%'").fetchone() == (0,)


def test_windows_with_rows_are_drilled_before_those_without(
    drill: Drill, configured: dict[str, str], server: str
) -> None:
    with open_exporter(Settings.from_env(configured)) as exporter:
        for since, until in (("2026-03-20", "2026-03-28"), ("2026-03-31", "2026-04-05")):
            for one in requests_between(exporter.jobs["events"], since, until, datetime.now(UTC)):
                run_export(one, exporter, Cancellation())
    with_rows = [f"events/2026/03/{day}.csv.gz" for day in (30, 29, 28)]
    some = drill("events", "--server", server)
    assert (some.returncode, some.stderr, list(windows(some))) == (0, "", with_rows)
    more = windows(drill("events", "--server", server, "--sample", "5"))
    assert sorted(one["rows"] for one in more.values())[:3] == [0, 0, 204]
    assert [name for name in more if name in with_rows] == with_rows
    none = drill("events", "--server", server, "--from", "2026-03-20", "--to", "2026-03-28")
    assert (none.returncode, [one["rows"] for one in windows(none).values()]) == (0, [0, 0, 0])
    assert (
        none.stderr == "events: no window here has rows, so the drill proves that its table can be made, and no more\n"
    )


def test_what_a_killed_drill_left_behind_is_dropped_by_the_next_and_what_is_in_use_is_not(
    drill: Drill, server: str, admin: psycopg.Connection
) -> None:
    admin.execute("create schema tailrace_drill_left; create table tailrace_drill_left.restored ()")
    admin.execute("create schema tailrace_drill_used; create schema tailrace_drills")
    with psycopg.connect(server) as other:
        other.execute("select pg_advisory_lock(hashtext('tailrace_drill_used'))")
        assert drill("events", "--server", server).returncode == 0
    names = "select array_agg(nspname::text order by 1) from pg_namespace where nspname like 'tailrace%'"
    assert admin.execute(names).fetchone() == (["tailrace_drill_used", "tailrace_drills"],)


@pytest.mark.parametrize("configured", [(".parquet", 'format = "parquet"')], indirect=True)
@pytest.mark.usefixtures("configured")
def test_restored_parquet_is_hashed_as_its_export_was(drill: Drill, server: str) -> None:
    done = drill("events", "--server", server)
    assert (done.returncode, done.stderr) == (0, "")
    assert {(one["source"], one["compared_by"], *one["problems"]) for one in windows(done).values()} == {
        ("same", "rows")
    }


@pytest.mark.parametrize(
    ("change", "differing", "shown"),
    [
        ("update events set word = 'other' where id = 3", (1, 1), "word 2"),
        ("update events set n = n::numeric(30, 25) where id = 3", (1, 1), "word 2"),
        ("update events set frame = box(point(0, 0), point(1, 4)) where id = 3", (1, 1), "word 2"),
        ("update events set js = '{\"i\":  2}' where id = 3", (1, 1), "word 2"),
        ("insert into events (at, word) values ('2026-03-28 12:00Z', 'late')", (0, 1), "late"),
        ("delete from events where id = 3", (1, 0), "word 2"),
    ],
)
def test_a_row_that_changed_in_the_source_is_counted_and_shown(
    drill: Drill, server: str, admin: psycopg.Connection, change: str, differing: tuple[int, int], shown: str
) -> None:
    admin.execute(change.encode())
    done = drill("events", "--server", server)
    assert done.returncode == 0, done.stderr
    found = windows(done)
    one = found.pop("events/2026/03/28.csv.gz")
    assert (one["source"], one["only_in_blob"], one["only_in_source"]) == ("changed", *differing)
    assert shown in one["says"]
    assert {other["source"] for other in found.values()} == {"same"}


def test_a_window_whose_rows_were_deleted_is_gone_and_restorable(
    drill: Drill, server: str, admin: psycopg.Connection
) -> None:
    admin.execute("delete from events where at >= '2026-03-30Z'")
    found = windows(drill("events", "--server", server))
    assert found["events/2026/03/30.csv.gz"]["source"] == "gone"


def test_a_query_of_the_job_is_compared_with_its_own_rows(drill: Drill, server: str) -> None:
    found = windows(drill("queried", "--server", server))
    assert {(one["source"], one["compared_by"]) for one in found.values()} == {("same", "rows")}


def test_rows_of_a_query_without_its_window_column_are_restored_only_where_a_person_says_so(
    configured: dict[str, str], server: str, admin: psycopg.Connection
) -> None:
    def restore(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_tailrace(("restore", "queried", "--into", "again", "--server", server, *arguments), configured)

    refused = restore("--create")
    assert refused.returncode == 1
    assert refused.stderr.endswith(
        "queried/2026/03/28.csv.gz has no column at, so its rows cannot be found in a table; --append adds them, "
        "whatever is there\n"
    )
    assert restore("--append").returncode == 0
    assert admin.execute("select count(*), count(distinct id) from again").fetchone() == (616, 616)


def test_in_another_database_rows_are_compared_by_their_hash(
    drill: Drill, elsewhere: str, admin: psycopg.Connection
) -> None:
    done = drill("events", "--server", elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    assert {(one["source"], one["compared_by"], one["says"]) for one in windows(done).values()} == {
        ("same", "hash", None)
    }
    admin.execute("update events set word = 'other' where id = 3")
    one = windows(drill("events", "--server", elsewhere))["events/2026/03/28.csv.gz"]
    assert (one["source"], one["compared_by"], one["says"]) == ("changed", "hash", "as many rows, but not the same")


def test_a_scratch_server_that_lacks_a_type_is_a_problem_with_what_to_do(drill: Drill, elsewhere: str) -> None:
    with psycopg.connect(elsewhere, autocommit=True) as connection:
        connection.execute("drop type mood")
    done = drill("events", "--sample", "1", "--server", elsewhere)
    assert done.returncode == 1
    ((problem,),) = (one["problems"] for one in windows(done).values())
    assert problem == (
        'the table of the receipt cannot be created: type "mood" does not exist; create the type first, or the '
        "extension that has it"
    )


def test_without_settings_of_the_source_rows_are_compared_with_the_receipt_only(drill: Drill, elsewhere: str) -> None:
    done = drill("events", "--server", elsewhere, PGHOST="", PGDATABASE="", PGUSER="")
    assert done.returncode == 0, done.stderr
    assert {(one["source"], one["says"]) for one in windows(done).values()} == {
        ("not compared", "the settings name no source: PGHOST, PGDATABASE, PGUSER")
    }


def test_a_role_that_may_not_read_the_source_leaves_the_comparison_to_the_hash(
    drill: Drill, server: str, admin: psycopg.Connection
) -> None:
    name, database = f"driller_{admin.info.dbname}", sql.Identifier(admin.info.dbname)
    admin.execute(sql.SQL("create role {} login password 'x'").format(sql.Identifier(name)))
    admin.execute(sql.SQL("grant create on database {} to {}").format(database, sql.Identifier(name)))
    try:
        done = drill("events", "--server", f"{server} user={name} password=x")
        assert (done.returncode, done.stderr) == (0, "")
        for one in windows(done).values():
            assert (one["source"], one["compared_by"]) == ("same", "hash")
            assert one["says"] == "not compared row by row: permission denied for table events"
    finally:
        admin.execute(sql.SQL("drop owned by {0}; drop role {0}").format(sql.Identifier(name)))


def test_columns_that_are_gone_from_the_source_are_named(drill: Drill, server: str, admin: psycopg.Connection) -> None:
    admin.execute("alter table events rename column n to m; alter table events add more int")
    for one in windows(drill("events", "--server", server)).values():
        assert (one["source"], one["compared_by"], one["problems"]) == ("changed", "hash", [])
        assert one["says"].startswith('the columns differ: n is gone; not compared row by row: column "n"')


def _drill_failures(stderr: str) -> dict[str, int]:
    """What the metric last said of each job."""
    said = [json.loads(line) for line in stderr.splitlines() if '"tailrace.drill_failures"' in line]
    assert said, stderr
    found: dict[str, int] = {}
    for resource in said[-1]["resource_metrics"]:
        for metric in (metric for scope in resource["scope_metrics"] for metric in scope["metrics"]):
            if metric["name"] == "tailrace.drill_failures":
                found |= {one["attributes"]["job"]: one["value"] for one in metric["data"]["data_points"]}
    return found


def test_all_jobs_are_drilled_and_one_damaged_blob_fails_the_drill(
    drill: Drill, server: str, container: ContainerClient
) -> None:
    done = drill("--all", "--sample", "2", "--server", server)
    assert done.returncode == 0, done.stderr
    assert sorted(one["job"] for one in windows(done).values()) == ["events", "events", "queried", "queried"]
    assert done.stderr == "left out: job 'idle' has no blob of a window yet\n"
    before = container.download_blob("_tailrace/drills/events.json").readall()
    client = container.get_blob_client("events/2026/03/30.csv.gz")
    data = bytearray(client.download_blob().readall())
    data[len(data) // 2] ^= 1
    client.upload_blob(bytes(data), metadata=client.get_blob_properties().metadata, overwrite=True)
    failed = drill("--all", "--sample", "1", "--server", server, own=True, TAILRACE_TELEMETRY="console")
    assert failed.returncode == 1
    assert _drill_failures(failed.stderr) == {"events": 1, "queried": 0}
    (problem,) = windows(failed)["events/2026/03/30.csv.gz"]["problems"]
    assert problem.startswith("events/2026/03/30.csv.gz is damaged: ")
    assert container.download_blob("_tailrace/drills/events.json").readall() == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say which job is to be drilled; its name, or --all for all jobs"),
        (("--all", "events"), "a job and --all exclude each other; leave one of them out"),
        (("--all", "--from", "2026-03-28"), "--all takes windows of any time; leave --from and --to out"),
        (("event",), "there is no job 'event' in jobs.toml; did you mean events?"),
        (("idle",), "job 'idle' has no blob of a window yet"),
    ],
)
def test_a_wrong_question_is_refused_with_what_to_write(
    environ: dict[str, str], container: ContainerClient, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    assert container.exists()
    file = tmp_path / "jobs.toml"
    file.write_text(JOBS.replace("SUFFIX", ".csv.gz").replace("OUTPUT", ""))
    done = run_tailrace(("restore", "--check", *arguments), {**environ, "TAILRACE_JOBS": str(file)})
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert says in done.stderr
