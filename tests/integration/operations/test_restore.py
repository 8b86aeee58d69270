"""One command restores exports into a table, whole and unchanged; a drill proves it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.command import run_tailrace
from support.events_job import EVENTS
from support.waiting import until

from contracts.jobs_file import load_jobs
from producer.ask import requests_between
from producer.schedule import request_for_run
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import run_export

ROOT = Path(__file__).parents[3]
# 23 and 25 hour days, NULL against empty, quotes and line ends, years that Python has not, every kind of value.
TABLE = """
    create type mood as enum ('sad', 'happy');
    create table events (id bigint, at timestamptz not null, word text, price numeric(9,2), ratio float8, ok boolean,
        tags text[], js jsonb, raw bytea, day date, span interval, who uuid, how mood, name varchar(30),
        far date, far_times timestamptz[], ancient timestamp);
    insert into events select i, '2026-03-28 00:00Z'::timestamptz + i * interval '7 minutes',
        case i % 4 when 0 then null when 1 then '' when 2 then E'a "q", \\n ü' || i else '\\N' end, i / 7.0,
        case i % 5 when 0 then 'NaN'::float8 else i / 3.0 end, i % 2 = 0, array['a,b', null, i::text],
        jsonb_build_object('i', i), decode(md5(i::text), 'hex'), '2026-03-28'::date + i % 9, i * interval '1 minute',
        md5(i::text)::uuid, (array['sad', 'happy'])[1 + i % 2]::mood, 'n' || i,
        case i % 3 when 0 then '0044-03-15 BC'::date when 1 then '20000-01-01' end,
        case when i % 4 > 0 then array['0044-03-15 23:59:59.000001Z BC', null, '294246-12-31Z']::timestamptz[] end,
        timestamp '0001-12-31 BC' + i * interval '1.5 seconds'
    from generate_series(0, 615) as i"""
OUTPUTS = {
    "csv": (".csv.gz", ""),
    "options": (".csv.gz", 'header = false\ndelimiter = ";"\nnull = "NULL"'),
    "zstd": (".csv.zst", 'compression = "zstd"'),
    "plain": (".csv", 'compression = "none"'),
    "parquet": (".parquet", 'format = "parquet"'),
}
type Tailrace = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=OUTPUTS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def exported(environ: dict[str, str], admin: psycopg.Connection, tmp_path: Path, form: str) -> dict[str, str]:
    """The settings of a job whose three days have been exported."""
    suffix, output = OUTPUTS[form]
    file = tmp_path / "jobs.toml"
    file.write_text(EVENTS.replace("SUFFIX", suffix).replace("OUTPUT", output))
    admin.execute(TABLE)
    configured = {**environ, "TAILRACE_JOBS": str(file)}
    settings = Settings.from_env(configured)
    job = load_jobs(file)["events"]
    with open_exporter(settings) as exporter:
        for request in requests_between(job, "2026-03-28", "2026-03-31", datetime.now(UTC)):
            run_export(request, exporter, Cancellation())
    return configured


@pytest.fixture
def tailrace(admin: psycopg.Connection) -> Callable[[dict[str, str]], Tailrace]:
    """The command, for a server on which the administrator may write; with `own` in a process of its own."""

    def of(configured: dict[str, str]) -> Tailrace:
        dsn = f"{admin.info.dsn} password={admin.info.password}"

        def run(*arguments: str, writes: bool = True, own: bool = False) -> subprocess.CompletedProcess[str]:
            server = ["--server", dsn] if writes else []
            days = [] if "--from" in arguments else ["--from", "2026-03-28", "--to", "2026-03-31"]
            return run_tailrace((*arguments, *days, *server), configured, own=own)

        return run

    return of


@pytest.fixture
def csv_export(
    environ: dict[str, str], admin: psycopg.Connection, tmp_path: Path, tailrace: Callable[[dict[str, str]], Tailrace]
) -> Tailrace:
    return tailrace(exported(environ, admin, tmp_path, "csv"))


def difference(admin: psycopg.Connection, table: str) -> int:
    """Rows of the three days that only one of the tables has."""
    days = "at >= '2026-03-28Z' and at < '2026-03-31Z'"
    row = admin.execute(
        f"select count(*) from ((select * from events where {days} except all select * from {table})"
        f" union all (select * from {table} except all select * from events where {days})) as d"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_every_form_comes_back_as_it_was(
    environ: dict[str, str],
    admin: psycopg.Connection,
    tmp_path: Path,
    form: str,
    tailrace: Callable[[dict[str, str]], Tailrace],
) -> None:
    run = tailrace(exported(environ, admin, tmp_path, form))
    done = run("restore", "events", "--into", "public.again", "--create")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "616 rows restored, 3 windows\n"
    assert difference(admin, "again") == 0


def test_a_second_run_passes_over_what_is_there(csv_export: Tailrace, admin: psycopg.Connection) -> None:
    csv_export("restore", "events", "--into", "again", "--create")
    admin.execute("delete from again where at >= '2026-03-29Z' and at < '2026-03-30Z'")
    again = csv_export("restore", "events", "--into", "again")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.endswith("3 windows, 2 windows restored before\n")
    assert difference(admin, "again") == 0


def test_rows_of_a_window_are_neither_doubled_nor_lost_without_being_asked(
    csv_export: Tailrace, admin: psycopg.Connection
) -> None:
    csv_export("restore", "events", "--into", "again", "--create")
    admin.execute("delete from again where id = 300")
    refused = csv_export("restore", "events", "--into", "again")
    assert refused.returncode == 1
    assert refused.stderr.endswith(
        'error: table "public"."again" holds 205 rows of the window of events/2026/03/29.csv.gz, which has 206; of the '
        "3 windows of the range 1 has other rows (2026-03-29T00:00:00Z: 205 of 206), 2 have all of their rows "
        "(2026-03-28T00:00:00Z, 2026-03-30T00:00:00Z), and none is empty; --replace-window deletes them first, "
        "--append adds to them\n"
    )
    assert difference(admin, "again") == 1
    assert csv_export("restore", "events", "--into", "again", "--replace-window").returncode == 0
    assert difference(admin, "again") == 0


def test_a_refused_restore_says_that_the_rest_of_the_range_is_empty(
    csv_export: Tailrace, admin: psycopg.Connection
) -> None:
    admin.execute("create table again (like events)")
    # A row before the range is none of it.
    admin.execute("insert into again select * from events where id = 7")
    admin.execute("insert into again (at) values ('2026-03-27 23:59:59Z')")
    refused = csv_export("restore", "events", "--into", "again", "--one-transaction")
    assert (refused.returncode, refused.stdout) == (1, "")
    says = "of the 3 windows of the range 1 has other rows (2026-03-28T00:00:00Z: 1 of 206), and 2 have none; "
    assert says in refused.stderr
    assert admin.execute("select count(*) from again").fetchone() == (2,)


@pytest.mark.parametrize("place", [3, 40, 5_000, -9, -5], ids=str)
def test_a_damaged_blob_changes_no_table(
    csv_export: Tailrace, admin: psycopg.Connection, container: ContainerClient, place: int
) -> None:
    client = container.get_blob_client("events/2026/03/29.csv.gz")
    data = bytearray(client.download_blob().readall())
    data[place] ^= 0xFF
    client.upload_blob(bytes(data), metadata=client.get_blob_properties().metadata, overwrite=True)
    refused = csv_export("restore", "events", "--into", "again", "--create", "--one-transaction")
    assert refused.returncode == 1
    assert "events/2026/03/29.csv.gz is damaged" in refused.stderr
    assert admin.execute("select to_regclass('again')").fetchone() == (None,)
    verified = csv_export("verify", "events", writes=False)
    assert verified.returncode == 1
    assert "damaged     events/2026/03/29.csv.gz: " in verified.stdout
    assert verified.stdout.endswith("3 windows, 2 intact, 1 damaged\n")


def test_a_table_of_other_columns_is_refused_with_what_differs(csv_export: Tailrace, admin: psycopg.Connection) -> None:
    admin.execute("create table again (like events); alter table again alter price type float8, drop who")
    refused = csv_export("restore", "events", "--into", "again")
    assert refused.returncode == 1
    assert "does not have the columns of events/2026/03/28.csv.gz: price numeric(9,2), who uuid" in refused.stderr


@pytest.mark.parametrize("create", [(), ("--create",)], ids=["", "create"])
def test_a_table_without_columns_is_said_to_have_none(
    csv_export: Tailrace, admin: psycopg.Connection, create: tuple[str, ...]
) -> None:
    admin.execute("create table again ()")
    refused = csv_export("restore", "events", "--into", "again", *create)
    assert (refused.returncode, refused.stderr) == (
        1,
        'error: table "public"."again" has no columns; drop it, and let --create make it from the receipt\n',
    )


def test_the_role_that_exports_may_not_restore_and_is_reported(csv_export: Tailrace) -> None:
    refused = csv_export("restore", "events", "--into", "again", "--create", writes=False)
    assert refused.returncode == 1
    assert "permission denied" in refused.stderr
    assert "name one that may: --server" in refused.stderr


def test_a_blob_that_goes_in_between_ends_the_restore_and_the_next_one_goes_on(
    csv_export: Tailrace, admin: psycopg.Connection, container: ContainerClient
) -> None:
    client = container.get_blob_client("events/2026/03/30.csv.gz")
    data, metadata = client.download_blob().readall(), client.get_blob_properties().metadata
    # The first row of the last window removes the blob of it: by then the blobs are listed.
    admin.execute("create table again (like events); create table reached ()")
    admin.execute("""
        create function reach() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock(7); return new; end $$;
        create trigger slow before insert on again for each statement execute function reach()""")
    with psycopg.connect(admin.info.dsn, password=admin.info.password) as other:
        other.execute("select pg_advisory_xact_lock(7)")
        with ThreadPoolExecutor(1) as threads:
            options = ("--into", "again", "--parallel", "1")
            restoring = threads.submit(csv_export, "restore", "events", *options, own=True)
            waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
            until(lambda: admin.execute(waits).fetchone() == (1,), "the first window waits")
            client.delete_blob()
            other.rollback()
            done = restoring.result()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "2 of 3 windows are restored, and the others as they were\n"
        "error: events/2026/03/30.csv.gz was removed or replaced while it was read; run it again; `tailrace verify` "
        "names what is missing\n"
    )
    client.upload_blob(data, metadata=metadata)
    assert csv_export("restore", "events", "--into", "again").stdout.endswith("3 windows, 2 windows restored before\n")
    assert difference(admin, "again") == 0


def test_a_restore_that_is_interrupted_ends_at_once_even_if_it_waits_for_a_lock(
    environ: dict[str, str], admin: psycopg.Connection, tmp_path: Path
) -> None:
    configured = exported(environ, admin, tmp_path, "csv")
    admin.execute("create table again (like events)")
    server = f"{admin.info.dsn} password={admin.info.password}"
    days = ["--from", "2026-03-28", "--to", "2026-03-31"]
    argv = [sys.executable, "-m", "cli", "restore", "events", "--into", "again", "--server", server, *days]
    with psycopg.connect(admin.info.dsn, password=admin.info.password) as other:
        other.execute("lock table again in share mode")
        with subprocess.Popen(argv, cwd=ROOT, env=configured, stderr=subprocess.PIPE, text=True) as process:
            waits = "select count(*) from pg_locks where relation = 'again'::regclass and not granted"
            until(lambda: admin.execute(waits).fetchone() == (2,), "both streams wait")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 130
            assert process.stderr is not None
            assert "Traceback" not in process.stderr.read()
    assert admin.execute("select count(*) from again").fetchone() == (0,)


def test_a_table_that_computes_and_checks_columns_takes_its_rows_back(
    environ: dict[str, str],
    admin: psycopg.Connection,
    tmp_path: Path,
    tailrace: Callable[[dict[str, str]], Tailrace],
) -> None:
    admin.execute("""
        create domain positive as int check (value >= 0);
        create domain smaller as positive check (value < 1000);
        create table "Odd.events" ("Id" bigint generated always as identity, at timestamptz, small smaller,
            doubled int generated always as (small * 2) stored,
            "a ""b"" c" text default 'x');
        insert into "Odd.events" (at, small, "a ""b"" c")
            select '2026-03-28Z'::timestamptz + i * interval '7 minutes', i, null from generate_series(0, 615) as i""")
    file = tmp_path / "jobs.toml"
    jobs = EVENTS.replace('table = "events"', 'table = "Odd.events"').replace("SUFFIX", ".csv.gz").replace("OUTPUT", "")
    file.write_text(jobs)
    configured = {**environ, "TAILRACE_JOBS": str(file)}
    with open_exporter(Settings.from_env(configured)) as exporter:
        for request in requests_between(exporter.jobs["events"], "2026-03-28", "2026-03-31", datetime.now(UTC)):
            run_export(request, exporter, Cancellation())
    run = tailrace(configured)
    admin.execute('create table saved as select * from "Odd.events"; truncate "Odd.events"')
    done = run("restore", "events", "--into", 'public."Odd.events"')
    assert (done.stdout, done.stderr) == ("616 rows restored, 3 windows\n", "")
    differs = 'table "Odd.events" except all table saved'
    assert admin.execute(differs.encode()).fetchall() == []
    again = run("restore", "events", "--into", '"public"."Odd.events"', "--replace-window", "--one-transaction")
    assert (again.stdout, again.stderr) == ("616 rows restored, 3 windows\n", "")
    assert admin.execute(differs.encode()).fetchall() == []
    assert admin.execute('select count(*) from "Odd.events"').fetchone() == (616,)


def test_the_newest_run_of_a_job_without_windows_comes_back(
    environ: dict[str, str],
    admin: psycopg.Connection,
    tmp_path: Path,
    tailrace: Callable[[dict[str, str]], Tailrace],
) -> None:
    file = tmp_path / "jobs.toml"
    blob = "all/{run:%Y%m%dT%H%M%S}.csv.gz"
    file.write_text(f'[[job]]\nname = "all"\nschema = "public"\ntable = "small"\nblob = "{blob}"\n')
    configured = {**environ, "TAILRACE_JOBS": str(file)}
    admin.execute("create table small as select i from generate_series(1, 5) as i")
    with open_exporter(Settings.from_env(configured)) as exporter:
        for hour in (1, 2):
            run = datetime(2026, 3, 28, hour, tzinfo=UTC)
            run_export(request_for_run(exporter.jobs["all"], run), exporter, Cancellation())
            admin.execute("insert into small values (6)")
    command = tailrace(configured)
    assert command("verify", "all", writes=False).stdout == "2 windows, 2 intact\n"
    done = command("restore", "all", "--into", "again", "--create")
    assert (done.returncode, done.stdout) == (0, "6 rows restored, 1 window\n")
    assert done.stderr == "each run holds all rows, so the newest is restored: 2026-03-28T02:00:00+00:00\n"
    again = command("restore", "all", "--into", "again", "--create")
    assert again.stdout == "0 rows restored, 1 window, 1 window restored before\n"
    admin.execute("delete from again where i = 6")
    refused = command("restore", "all", "--into", "again")
    assert "holds 5 rows and all/20260328T020000.csv.gz has 6; --append adds to them" in refused.stderr
    older = command("restore", "all", "--into", "older", "--create", "--from", "2026-03-28", "--to", "2026-03-28T02:00")
    assert older.stdout == "5 rows restored, 1 window\n"
    refused = command("verify", "all", "--from", "2026-03-29", writes=False)
    assert "no run of job 'all' from 2026-03-29 to now has a blob" in refused.stderr


def test_what_cannot_be_restored_as_asked_is_refused_with_what_to_do(csv_export: Tailrace) -> None:
    for arguments, status, says in (
        (("--into", "nowhere.t", "--create"), 1, 'schema "nowhere" does not exist; create the schema first'),
        (("--into", "again", "--server", "secret"), 2, "--server is no conninfo string; write for instance"),
        (("--into", "again", "--check"), 2, "it takes no --into; leave --check out to restore into a table"),
        (("--all", "--into", "again"), 2, "say which job is to be restored"),
    ):
        job = () if "--all" in arguments else ("events",)
        refused = csv_export("restore", *job, *arguments, writes="--server" not in arguments)
        assert (refused.returncode, refused.stdout) == (status, "")
        assert says in refused.stderr
        assert "secret" not in refused.stderr


def test_a_receipt_cannot_smuggle_a_statement_into_the_server(
    csv_export: Tailrace, admin: psycopg.Connection, container: ContainerClient
) -> None:
    from contracts.receipt import Receipt

    for name in container.list_blob_names():
        client = container.get_blob_client(name)
        receipt = Receipt.from_metadata(client.get_blob_properties().metadata)
        assert receipt is not None
        assert receipt.columns is not None
        first = receipt.columns[0].model_copy(update={"type": "int default pg_sleep(60)"})
        changed = receipt.model_copy(update={"columns": (first, *receipt.columns[1:])})
        client.set_blob_metadata(changed.to_metadata())
    refused = csv_export("restore", "events", "--into", "again", "--create")
    assert refused.returncode == 1
    assert "the receipt's type of column 'id' is no type: 'int default pg_sleep(60)'" in refused.stderr


def test_missing_and_foreign_windows_are_named(csv_export: Tailrace, container: ContainerClient) -> None:
    container.delete_blob("events/2026/03/28.csv.gz")
    container.upload_blob("events/2026/03/30.csv.gz", b"", overwrite=True)
    verified = csv_export("verify", "events", "--from", "2026-03-28", "--to", "2026-03-31", "--quick", writes=False)
    assert verified.returncode == 1
    assert verified.stdout == (
        "missing     2026-03-28: no blob\n"
        "foreign     2026-03-30: events/2026/03/30.csv.gz was not written for this window\n"
        "3 windows, 1 intact, 1 missing, 1 foreign\n"
    )
