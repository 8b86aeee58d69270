"""An audit names exactly the windows that differ from their source, by counts or by rows."""

import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from azure.storage.blob import ContainerClient

from connections.records import Records
from contracts.audit import AuditRecord
from contracts.errors import SourceRejected
from contracts.jobs_file import parse_jobs
from devstack.stack import Stack
from operations.audit import Wanted
from operations.auditing import Audited, Auditing, export_again
from operations.blobs import Blobs
from operations.ledger import Ledger
from operations.proofs import said_of_rows_before
from operations.retention import begin_earlier, first_window
from producer.ask import AskRefused, requests_between
from producer.queue import ExportQueue
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import run_export

NOW = datetime(2026, 4, 2, tzinfo=UTC)
JOBS = """
[[job]]
name = "days"
schema = "public"
table = "events"
blob = "days/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
timezone = "Europe/Berlin"

[[job]]
name = "ids"
schema = "public"
table = "events"
columns = ["id", "word"]
blob = "ids/{window_start:06d}.parquet"
[job.window]
column = "id"
type = "integer"
size = 100
[job.output]
format = "parquet"

[[job]]
name = "query"
query = "select id, at, word from events where id % 2 = 0 -- even ones"
blob = "query/{window_start:%Y/%m/%d}.csv.zst"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
[job.output]
compression = "zstd"
delimiter = ";"
null = "NULL"

[[job]]
name = "bounds"
query = "select count(*) as n, max(id) as most from events where at >= {window_start} and at < {window_end}"
blob = "bounds/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
"""
# 28 March to 1 April in Berlin: one day of 23 hours. Ids from 0 to 599, one each 10 minutes.
TABLE = """
    create table events (id bigint, at timestamptz, word text);
    insert into events select i, '2026-03-27 23:00Z'::timestamptz + i * interval '10 minutes',
        case i % 4 when 0 then null when 1 then '' when 2 then E'a "q", \\n' || i else 'w' || i end
    from generate_series(0, 599) as i"""
RANGES = {
    "days": ("2026-03-28", "2026-04-01"),
    "ids": ("0", "600"),
    "query": ("2026-03-27", "2026-04-01"),
    "bounds": ("2026-03-27", "2026-04-01"),
}
type Run = Callable[..., Audited]


@pytest.fixture
def settings(
    environ: dict[str, str], container: ContainerClient, admin: psycopg.Connection, tmp_path: Path
) -> Settings:
    assert container.exists()
    file = tmp_path / "jobs.toml"
    file.write_text(JOBS)
    admin.execute(TABLE)
    return Settings.from_env({**environ, "TAILRACE_JOBS": str(file)})


def export(settings: Settings, job: str, since: str, until: str) -> None:
    with open_exporter(settings) as exporter:
        for request in requests_between(exporter.jobs[job], since, until, NOW):
            run_export(request, exporter, Cancellation())


@pytest.fixture
def auditing(settings: Settings) -> Iterator[Auditing]:
    with Auditing.opened(settings) as opened:
        yield opened


@pytest.fixture
def run(auditing: Auditing) -> Run:
    def audited(job: str = "days", now: datetime = NOW, **wanted: object) -> Audited:
        return auditing.audit(auditing.jobs[job], Wanted(**wanted), now)  # type: ignore[arg-type]

    return audited


def kinds(found: Audited) -> dict[str, str]:
    return {one.window.start: one.kind for one in found.findings}


def named(found: Audited) -> dict[str, str]:
    return {start: kind for start, kind in kinds(found).items() if kind != "equal"}


@pytest.mark.parametrize("job", RANGES)
@pytest.mark.parametrize("deep", [False, True])
def test_what_has_not_changed_raises_no_alarm(settings: Settings, run: Run, job: str, deep: bool) -> None:
    export(settings, job, *RANGES[job])
    found = run(job, deep=deep, until=RANGES[job][1])
    assert named(found) == {}
    assert all(one.by == ("rows" if deep else "count") for one in found.findings)


@pytest.mark.parametrize("job", ["days", "ids", "query"])
def test_rows_that_came_or_went_are_found_by_their_count(
    settings: Settings, run: Run, admin: psycopg.Connection, job: str
) -> None:
    export(settings, job, *RANGES[job])
    starts = list(kinds(run(job, until=RANGES[job][1])))
    admin.execute("insert into events select 2, '2026-03-28 12:00Z', 'late'; delete from events where id = 222")
    says = {one.window.start: one for one in run(job, since=RANGES[job][0], until=RANGES[job][1]).drift}
    late, changed = (starts[0], starts[2]) if job == "ids" else (starts[-4], starts[-3])
    assert {start: one.kind for start, one in says.items()} == {late: "late", changed: "changed"}
    rows = {start: one.window.blob.receipt.rows for start, one in says.items()}  # type: ignore[union-attr]
    assert says[late].says == f"the source has {rows[late] + 1} rows, {rows[late]} were exported"
    assert says[changed].says == f"the source has {rows[changed] - 1} rows, {rows[changed]} were exported"


@pytest.mark.parametrize("job", RANGES)
def test_a_change_that_no_count_shows_is_found_by_reading_the_rows(
    settings: Settings, run: Run, admin: psycopg.Connection, job: str
) -> None:
    export(settings, job, *RANGES[job])
    admin.execute(
        "update events set id = 6000 where id = 299" if job == "bounds" else "update events set word='' where id = 200"
    )
    by_count = run(job, since=RANGES[job][0], until=RANGES[job][1])
    assert named(by_count) == {}
    by_rows = run(job, since=RANGES[job][0], until=RANGES[job][1], deep=True)
    assert list(named(by_rows).values()) == ["changed"]
    assert "their hash differs" in by_rows.drift[0].says


def test_rows_that_vacuum_and_updates_without_effect_have_moved_are_the_same(
    settings: Settings, run: Run, admin: psycopg.Connection
) -> None:
    export(settings, "days", *RANGES["days"])
    admin.execute("update events set word = word where id % 3 = 0")
    admin.execute("vacuum full events")
    assert named(run(deep=True, until="2026-04-01")) == {}


def test_missing_and_foreign_windows_are_named(settings: Settings, run: Run, container: ContainerClient) -> None:
    export(settings, "days", *RANGES["days"])
    container.delete_blob("days/2026/03/29.csv.gz")
    container.upload_blob("days/2026/03/31.csv.gz", b"", overwrite=True)
    expected = {"2026-03-28T23:00:00Z": "missing", "2026-03-30T22:00:00Z": "foreign"}
    assert named(run(until="2026-04-01")) == expected
    assert named(run(until="2026-04-01", deep=True)) == expected


def test_a_window_that_is_just_due_is_not_missing_yet(settings: Settings, run: Run) -> None:
    export(settings, "days", *RANGES["days"])
    just_due = datetime(2026, 4, 1, 22, 1, tzinfo=UTC)
    assert named(run(now=just_due)) == {"2026-03-31T22:00:00Z": "due"}
    assert named(run(now=just_due + timedelta(hours=3))) == {"2026-03-31T22:00:00Z": "missing"}


def test_an_audit_goes_on_where_the_last_one_ended(settings: Settings, run: Run) -> None:
    export(settings, "days", "2026-03-28", "2026-03-30")
    first = run(now=datetime(2026, 3, 29, 22, 30, tzinfo=UTC), deep=True)
    assert first.record.verified_through == "2026-03-29T22:00:00+00:00"
    assert first.record.origin == "2026-03-27T23:00:00+00:00"
    export(settings, "days", "2026-03-30", "2026-04-01")
    second = run(now=datetime(2026, 3, 31, 22, 30, tzinfo=UTC))
    assert list(kinds(second)) == ["2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"]
    # Counts alone verify nothing.
    assert second.record.verified_through == "2026-03-29T22:00:00+00:00"
    third = run(now=datetime(2026, 3, 31, 22, 30, tzinfo=UTC), deep=True)
    assert third.record.verified_through == "2026-03-31T22:00:00+00:00"


def test_a_difference_takes_the_verified_run_back_until_it_is_exported_again(
    settings: Settings, run: Run, admin: psycopg.Connection, auditing: Auditing
) -> None:
    export(settings, "days", *RANGES["days"])
    run(until=None, now=NOW - timedelta(hours=1), deep=True)
    admin.execute("update events set word = 'x' where id = 200")
    found = run(deep=True, since="2026-03-28", until="2026-04-01")
    assert found.record.verified_through == "2026-03-28T23:00:00+00:00"
    assert export_again(auditing.jobs["days"], found.drift, settings) == 1
    assert export_again(auditing.jobs["days"], found.drift, settings) == 0, "it is on the queue already"
    with ExportQueue(settings) as queue:
        (request_id,) = queue.look(None).live
    assert request_id == found.drift[0].window.request.request_id
    blob = found.drift[0].window.blob
    assert blob is not None
    request = found.drift[0].window.request.model_copy(update={"replaces": blob.etag})
    with open_exporter(settings) as exporter:
        assert run_export(request, exporter, Cancellation()).outcome == "exported"
        assert run_export(request, exporter, Cancellation()).outcome == "already-there"
    again = run(deep=True, now=NOW - timedelta(hours=3))
    assert (named(again), again.record.verified_through) == ({}, "2026-03-31T22:00:00+00:00")


def test_rows_deleted_after_their_window_was_verified_are_no_difference(
    settings: Settings, run: Run, admin: psycopg.Connection, auditing: Auditing
) -> None:
    export(settings, "days", *RANGES["days"])
    run(deep=True, since="2026-03-28", until="2026-03-30")
    admin.execute("delete from events where at < '2026-03-30 22:00Z'")
    found = run(deep=True, since="2026-03-28", until="2026-04-01")
    assert [one.kind for one in found.findings] == ["gone", "gone", "gone", "equal"]
    assert [one.window.start for one in found.drift] == ["2026-03-29T22:00:00Z"]
    assert export_again(auditing.jobs["days"], found.drift, settings) == 0


def test_a_budget_reads_what_was_never_read_and_then_what_was_read_the_longest_time_ago(
    settings: Settings, run: Run, admin: psycopg.Connection, auditing: Auditing
) -> None:
    export(settings, "days", *RANGES["days"])
    before = NOW - timedelta(hours=3)
    none = run(now=before, budget=0.0)
    assert {one.by for one in none.findings} == {"count"}
    assert none.record.verified_through is None
    all_ = run(now=before, budget=60.0)
    assert [one.by for one in all_.findings] == ["rows"] * 4
    assert all_.record.verified_through == "2026-03-31T22:00:00+00:00"
    admin.execute("update events set word = 'x' where id = 10")
    changed = run(now=before, budget=60.0)
    assert named(changed) == {"2026-03-27T23:00:00Z": "changed"}
    assert changed.record.verified_through is None
    assert [(span.start, span.end) for span in changed.record.verified] == [
        ("2026-03-28T23:00:00+00:00", "2026-03-31T22:00:00+00:00")
    ]


def test_rows_without_a_value_in_the_windows_column_are_counted(
    settings: Settings, run: Run, admin: psycopg.Connection
) -> None:
    export(settings, "days", *RANGES["days"])
    assert run(until="2026-04-01").record.without_window == 0
    admin.execute("insert into events select i, null from generate_series(1, 3) as i")
    assert run(until="2026-04-01").record.without_window == 3
    admin.execute("delete from events where at is null; alter table events alter at set not null")
    assert run(until="2026-04-01").record.without_window == 0
    export(settings, "bounds", *RANGES["bounds"])
    assert run("bounds", until="2026-04-01").record.without_window is None


def test_rows_before_the_first_window_are_named_until_a_backfill_has_exported_them(
    settings: Settings, run: Run, admin: psycopg.Connection, auditing: Auditing
) -> None:
    export(settings, "days", "2026-03-30", "2026-04-01")
    late = run(deep=True).record
    assert (late.rows_before, late.verified_through) == ("2026-03-27 23:00:00+00", "2026-03-31T22:00:00+00:00")
    assert late.head["rows_before"] == late.rows_before
    said = said_of_rows_before(auditing.jobs["days"], late.rows_before, "2026-03-30")
    assert said.endswith("`tailrace backfill days --from 2026-03-28 --to 2026-03-30` exports them")
    export(settings, "days", "2026-03-29", "2026-03-30")
    assert run().record.rows_before == "2026-03-27 23:00:00+00"
    export(settings, "days", "2026-03-28", "2026-03-29")
    assert run().record.verified_through is None
    whole = run(deep=True)
    assert [one.kind for one in whole.findings] == [*["equal"] * 4, "missing"]
    assert (whole.record.rows_before, whole.record.origin) == (None, "2026-03-27T23:00:00+00:00")
    assert whole.record.verified_through == "2026-03-31T22:00:00+00:00"
    admin.execute("insert into events values (0, '-infinity', '')")
    assert run(deep=True, since="2026-03-31").record.rows_before == "-infinity"
    assert "no window of the job holds such a value" in said_of_rows_before(auditing.jobs["days"], "-infinity", "x")


def test_no_window_is_looked_for_before_the_start_of_a_job_nor_are_rows(settings: Settings) -> None:
    export(settings, "days", *RANGES["days"])
    text = JOBS.replace('timezone = "Europe/Berlin"', 'timezone = "Europe/Berlin"\nstart = 2026-03-29')
    record = AuditRecord(job="days", at=NOW, origin="2026-03-30T22:00:00+00:00")
    ledger = Ledger.of(parse_jobs(tomllib.loads(text))["days"], record)
    assert first_window(ledger, NOW) is not None
    for _ in range(2):
        begin_earlier(ledger, Blobs(settings), NOW)
        assert str(ledger.origin) == "2026-03-28 23:00:00+00:00"
        assert first_window(ledger, NOW) is None


def test_numbers_and_queries_tell_what_is_before_their_first_window(settings: Settings, run: Run) -> None:
    export(settings, "ids", "200", "600")
    assert run("ids").record.rows_before == "0"
    export(settings, "ids", "0", "200")
    assert run("ids").record.rows_before is None
    export(settings, "query", "2026-03-29", "2026-04-01")
    assert run("query", until="2026-04-01").record.rows_before == "2026-03-27 23:00:00+00"
    export(settings, "bounds", "2026-03-29", "2026-04-01")
    assert run("bounds", until="2026-04-01").record.rows_before is None


def test_columns_that_were_added_since_are_no_difference_and_lost_ones_are(
    settings: Settings, run: Run, admin: psycopg.Connection
) -> None:
    export(settings, "days", *RANGES["days"])
    admin.execute("alter table events add more int default 7")
    assert named(run(deep=True, until="2026-04-01")) == {}
    admin.execute("alter table events alter id type numeric(20, 2)")
    assert "id is numeric(20,2), and was bigint" in run(deep=True, until="2026-04-01").drift[0].says
    admin.execute("alter table events drop word")
    assert run(deep=True, until="2026-04-01").drift[0].says == "its rows cannot be read as they were: word is gone"


def test_a_window_that_can_still_grow_is_not_verified_until_it_is_closed(
    settings: Settings, run: Run, stack: Stack, database: str
) -> None:
    settings.jobs.write_text(JOBS.replace('timezone = "Europe/Berlin"', 'timezone = "Europe/Berlin"\nclosed = "delay"'))
    export(settings, "days", "2026-03-28", "2026-03-29")
    now = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
    with psycopg.connect(**stack.postgres.parameters("postgres", database)) as writer:
        writer.execute("insert into events values (7, '2026-03-28 12:00Z', 'late')")
        found = run(deep=True, now=now)
        assert (named(found), found.drift) == ({"2026-03-27T23:00:00Z": "open"}, [])
        assert found.record.verified_through is None
        writer.commit()
    assert named(run(deep=True, now=now)) == {"2026-03-27T23:00:00Z": "late"}


def test_blobs_that_a_lifecycle_rule_deleted_after_they_were_verified_are_passed_over(
    settings: Settings, run: Run, container: ContainerClient
) -> None:
    export(settings, "days", *RANGES["days"])
    before = NOW - timedelta(hours=3)
    run(now=before, deep=True)
    for day in (28, 29):
        container.delete_blob(f"days/2026/03/{day}.csv.gz")
    found = run(now=before, budget=60.0)
    assert (named(found), found.deleted) == ({}, 2)
    assert found.record.origin == "2026-03-29T22:00:00+00:00"
    assert found.record.verified_through == "2026-03-31T22:00:00+00:00"
    container.delete_blob("days/2026/03/31.csv.gz")
    assert named(run(now=before, budget=60.0)) == {"2026-03-30T22:00:00Z": "missing"}
    container.delete_blob("days/2026/03/30.csv.gz")
    gone = run(now=before, until="2026-04-01", since="2026-03-30")
    assert named(gone) == {"2026-03-29T22:00:00Z": "missing", "2026-03-30T22:00:00Z": "missing"}


def test_a_verified_window_whose_blob_was_removed_or_exchanged_is_named_by_every_audit(
    settings: Settings, run: Run, container: ContainerClient
) -> None:
    export(settings, "days", *RANGES["days"])
    before = NOW - timedelta(hours=3)
    assert run(now=before, deep=True).record.verified_through == "2026-03-31T22:00:00+00:00"
    container.delete_blob("days/2026/03/29.csv.gz")
    other = container.download_blob("days/2026/03/28.csv.gz")
    container.upload_blob("days/2026/03/30.csv.gz", other.readall(), metadata=other.properties.metadata, overwrite=True)
    found = run(now=before)
    assert named(found) == {"2026-03-28T23:00:00Z": "missing", "2026-03-29T22:00:00Z": "foreign"}
    assert found.record.verified_through == "2026-03-28T23:00:00+00:00"


def test_the_record_is_beside_the_exports(settings: Settings, run: Run) -> None:
    export(settings, "days", *RANGES["days"])
    found = run(until="2026-04-01")
    written = Records(settings, "audits", AuditRecord).get("days")
    assert written is not None
    assert written.value == found.record


def test_all_jobs_share_a_budget_and_one_failure_is_its_own(
    settings: Settings, auditing: Auditing, admin: psycopg.Connection
) -> None:
    for job, bounds in RANGES.items():
        export(settings, job, *bounds)
    admin.execute("alter table events rename word to other")
    found = {job.name: one for job, one in auditing.audit_all(60.0, NOW - timedelta(hours=3))}
    assert {name: one.reason for name, one in found.items() if not isinstance(one, Audited)} == {
        "query": "ColumnMissing",
        "ids": "ColumnMissing",
    }
    bounds_found = found["bounds"]
    assert isinstance(bounds_found, Audited)
    assert bounds_found.drift == []


def test_an_audit_that_compared_nothing_leaves_the_record_as_it_was(
    settings: Settings, run: Run, admin: psycopg.Connection
) -> None:
    export(settings, "days", *RANGES["days"])
    admin.execute("insert into events values (2, '2026-03-28 12:00Z', 'late')")
    record = run(until="2026-04-01").record
    assert record.drift == {"late": 1}
    admin.execute("alter table events rename to elsewhere")
    with pytest.raises(SourceRejected):
        run(until="2026-04-01")
    written = Records(settings, "audits", AuditRecord).get("days")
    assert written is not None
    assert written.value == record


def test_a_job_without_a_blob_has_nothing_to_audit(run: Run) -> None:
    with pytest.raises(AskRefused, match="no blob of a window yet"):
        run()
