import json
import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from typer.testing import Result

from contracts.grid import TimeGrid
from contracts.jobs_file import load_jobs

type Tailrace = Callable[..., Result]
ONLY_POSTGRES = {"ServiceBusConnection": "", "ExportStorage": ""}


@pytest.fixture(autouse=True)
def tables(admin: psycopg.Connection) -> None:
    admin.execute("""
        create schema events; grant usage on schema events to exporter;
        create table events.clicks (id bigint primary key, created_at timestamptz not null, updated_at timestamptz);
        insert into events.clicks
        select n, timestamptz '2026-01-01Z' + n * interval '1 hour', case when n % 2 = 0 then now() end
        from generate_series(0, 999) n;
        create index on events.clicks (created_at);
        create table events.parted (at date not null) partition by range (at);
        create table events.parted_1 partition of events.parted for values from ('2026-01-01') to ('2027-01-01');
        insert into events.parted select date '2026-03-01' + n from generate_series(0, 99) n;
        create table events."Odd name" (code text);
        analyze events.clicks; analyze events.parted;
        grant select on all tables in schema events to exporter""")


def lines_of(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def test_tables_are_listed_with_their_columns_and_a_file_is_written_that_jobs_accepts(
    tailrace: Tailrace, tmp_path: Path
) -> None:
    file = tmp_path / "new.toml"
    result = tailrace("init", "--schema", "events", "--output", str(file), **ONLY_POSTGRES)
    lines = lines_of(result)
    clicks = lines.index("events.clicks")
    assert re.fullmatch(r"size [\d.]+ kB, about 1,000 rows", lines[clicks + 1])
    assert lines[clicks + 2] == (
        "export by windows of 1 day of created_at (timestamptz, index, no NULLs, 2026-01-01 to 2026-02-11)"
    )
    assert lines[clicks + 3] == (
        "or by id (integer, index, no NULLs, 0 to 999); updated_at (timestamptz, no index, 50% NULL)"
    )
    assert "events.parted_1" not in lines
    assert lines[lines.index("events.parted") + 1].endswith("kB, about 100 rows")
    assert result.stderr == f"wrote {file} with 3 jobs; look it over, then: tailrace jobs --jobs {file}\n"
    jobs = load_jobs(file)
    assert jobs.disabled == ()
    assert {(job.schema_name, job.table) for job in jobs.values()} == {
        ("events", "clicks"),
        ("events", "parted"),
        ("events", "Odd name"),
    }
    window = jobs["events.parted"].window
    assert isinstance(window, TimeGrid)
    assert (window.column, window.type) == ("at", "date")
    assert tailrace("jobs", "--jobs", str(file)).exit_code == 0


def test_a_file_that_is_there_is_overwritten_only_if_asked(tailrace: Tailrace, tmp_path: Path) -> None:
    file = tmp_path / "jobs.toml"
    mine = file.read_text()
    refused = tailrace("init", "--output", str(file))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr == f"error: {file} is there already; --force overwrites it, --output - prints the new one\n"
    assert file.read_text() == mine
    assert tailrace("init", "--output", str(file), "--force").exit_code == 0
    assert "events.clicks" in load_jobs(file)
    assert list(tmp_path.glob(".jobs.toml*")) == []


def test_a_file_can_be_printed_and_tables_shown_as_json(tailrace: Tailrace, tmp_path: Path) -> None:
    printed = tailrace("init", "--table", "events.clicks", "--output", "-")
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert 'tables = ["events.clicks"]' in printed.stdout
    result = tailrace("init", "--table", "clicks", "--output", str(tmp_path / "x.toml"), "--json")
    (shown,) = map(json.loads, result.stdout.splitlines())
    assert (shown["table"], shown["rows"], shown["proposed"]["column"]) == ("clicks", 1000, "created_at")


def test_an_exported_window_of_such_a_file_holds_its_rows(tailrace: Tailrace, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    assert tailrace("init", "--output", str(file)).exit_code == 0
    shown = tailrace("export", "events.clicks", "--window", "2026-01-03", "--json", TAILRACE_JOBS=str(file))
    assert json.loads(shown.stdout)["rows"] == 24


@pytest.mark.parametrize(
    ("wrong", "arguments", "status", "line"),
    [
        ({"PGPASSWORD": "wrong"}, (), 1, "cannot be listed: .*password authentication failed"),
        ({"PGPORT": "1"}, (), 1, "cannot be listed: .*Connection refused"),
        ({"PGDATABASE": ""}, (), 2, "PGDATABASE is missing"),
        ({}, ("--schema", "nowhere"), 2, "role 'exporter' can read none of the tables that are named"),
        ({}, ("--output", "/nowhere/jobs.toml"), 2, "cannot be written: No such file or directory; name another"),
    ],
)
def test_what_cannot_be_done_is_a_clear_line(
    tailrace: Tailrace, tmp_path: Path, wrong: dict[str, str], arguments: tuple[str, ...], status: int, line: str
) -> None:
    result = tailrace("init", "--output", str(tmp_path / "new.toml"), *arguments, **wrong)
    assert result.exit_code == status
    assert re.search(line, result.stderr)
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "new.toml").exists()
