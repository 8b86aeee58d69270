"""Problems of the database are found, and the advice fixes them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

COLUMNS = 'columns = ["id"]\n'


def test_a_role_in_the_wrong_case_cannot_log_in_and_the_advice_speaks_of_case(doctor: Callable[..., Any]) -> None:
    report = doctor(PGUSER="Exporter")
    failure = report.failure("postgres login")
    assert failure.says == 'password authentication failed for user "Exporter"'
    assert "upper and lower case" in failure.advice
    tables = {"postgres tables", "postgres windows", "closed windows", "large rows"}
    assert {*tables, "postgres connections"} == report.skipped


def test_an_unknown_database_is_reported(doctor: Callable[..., Any]) -> None:
    failure = doctor(PGDATABASE="Nowhere").failure("postgres login")
    assert failure.says == 'database "Nowhere" does not exist'
    assert "PGDATABASE" in failure.advice


@pytest.mark.parametrize("taken", ["select on clicks", "usage on schema public"])
def test_a_missing_privilege_is_reported_and_the_printed_grant_fixes_it(
    doctor: Callable[..., Any], clicks: psycopg.Connection, taken: str
) -> None:
    clicks.execute(f"revoke {taken} from exporter, public".encode())
    failure = doctor().failure("postgres tables")
    assert "role 'exporter' may not" in failure.says
    clicks.execute(failure.advice.encode())
    assert "failed" not in doctor().verdicts


def test_columns_are_looked_at_one_by_one(doctor: Callable[..., Any], clicks: psycopg.Connection) -> None:
    jobs = '[[job]]\nname = "a"\nschema = "public"\ntable = "clicks"\nblob = "{run}"\n'
    clicks.execute("revoke select on clicks from exporter; grant select (id) on clicks to exporter")
    assert "failed" not in doctor(jobs=jobs + 'columns = ["id"]').verdicts
    failure = doctor(jobs=jobs + 'columns = ["id", "at"]').failure("postgres tables")
    assert failure.says == "role 'exporter' may not read the columns at"
    failure = doctor(jobs=jobs + 'columns = ["id", "colour"]').failure("postgres tables")
    assert failure.says == "there is no column 'colour'; its columns are id, at"
    assert failure.advice == "correct columns in jobs.toml"


@pytest.mark.parametrize("source", ['table = "clicks"\nschema = "public"', 'query = "select id, at from clicks"'])
@pytest.mark.parametrize("window", ["", 'window = {column = "at", type = "timestamptz", every = "1 day"}\n'])
def test_an_output_that_names_a_column_that_is_not_there_fails(
    doctor: Callable[..., Any], clicks: psycopg.Connection, source: str, window: str
) -> None:
    assert clicks
    blob = 'blob = "{window_start}.parquet"\n' if window else 'blob = "{run}.parquet"\n'
    job = f'[[job]]\nname = "a"\n{source}\n{blob}{window}[job.output]\nformat = "parquet"\n'
    assert "failed" not in doctor(jobs=job + 'bloom_filters = ["id"]').verdicts
    failure = doctor(jobs=job + 'bloom_filters = ["id", "colour"]').failure("postgres tables")
    assert failure.says == "output.bloom_filters names the column 'colour', which is not there; the columns are id, at"
    assert failure.advice == "correct output.bloom_filters in jobs.toml"


@pytest.mark.parametrize("type_", ["boolean", "boolean[]"])
def test_a_bloom_filter_on_a_boolean_fails(doctor: Callable[..., Any], clicks: psycopg.Connection, type_: str) -> None:
    clicks.execute(f"alter table clicks add ok {type_}")
    job = '[[job]]\nname = "a"\ntable = "clicks"\nschema = "public"\nblob = "{run}.parquet"\n'
    failure = doctor(jobs=job + '[job.output]\nformat = "parquet"\nbloom_filters = ["ok"]').failure("postgres tables")
    assert failure.says == "output.bloom_filters names the column 'ok', and a boolean has no bloom filter"


def test_a_table_of_another_case_or_schema_is_suggested(doctor: Callable[..., Any], clicks: psycopg.Connection) -> None:
    clicks.execute('alter table clicks rename to "Clicks"')
    failure = doctor().failure("postgres tables")
    assert failure.says == "there is no such table; there is public.Clicks"
    assert failure.advice == "correct schema and table in jobs.toml"


def test_row_level_security_is_a_failure(doctor: Callable[..., Any], clicks: psycopg.Connection) -> None:
    clicks.execute("alter table clicks enable row level security")
    assert "row-level security" in doctor().failure("postgres tables").says


def test_a_query_that_may_not_read_its_table_is_reported(
    doctor: Callable[..., Any], clicks: psycopg.Connection
) -> None:
    clicks.execute("create table hidden (); revoke select on hidden from exporter")
    query = '[[job]]\nname = "q"\nquery = "select * from hidden"\nblob = "{run}"\n'
    failure = doctor(jobs=query).failure("postgres tables")
    assert failure.says == "permission denied for table hidden"
    assert "grants --resolve-queries" in failure.advice


@pytest.mark.parametrize(
    ("query", "says", "advice"),
    [
        ("select at::date as at from clicks", "'at' is date, and window.type is 'timestamptz'", 'window.type = "date"'),
        ("select id from clicks", 'column "at" does not exist', "window.column"),
        ("select id frm clicks", 'syntax error at or near "clicks"', "correct query"),
    ],
)
def test_a_query_whose_window_cannot_be_found_in_it_fails(
    doctor: Callable[..., Any], query: str, says: str, advice: str
) -> None:
    window = 'window = {column = "at", type = "timestamptz", every = "1 day"}\n'
    job = f'[[job]]\nname = "q"\nquery = "{query}"\nblob = "{{window_start}}"\n{window}'
    failure = doctor(jobs=job).failure("postgres tables")
    assert (failure.says, advice in failure.advice) == (says, True)


def test_a_query_with_its_own_bounds_is_run_without_any(doctor: Callable[..., Any]) -> None:
    query = "select count(*) from clicks where at >= {window_start} and at < {window_end}"
    window = 'window = {column = "at", type = "timestamptz", every = "1 day"}\n'
    job = f'[[job]]\nname = "q"\nquery = "{query}"\nblob = "{{window_start}}"\n{window}'
    assert doctor(jobs=job).of("postgres tables", "ok")[0].says == "it runs"


def test_a_window_of_another_type_than_its_column_fails_with_the_right_type(
    doctor: Callable[..., Any], clicks: psycopg.Connection
) -> None:
    clicks.execute("alter table clicks alter at type timestamp")
    failure = doctor().failure("postgres windows")
    assert failure.says == "'at' is timestamp without time zone, and window.type is 'timestamptz'"
    assert failure.advice == 'window.type = "timestamp" in jobs.toml'


def test_a_window_on_a_column_that_is_not_there_fails(doctor: Callable[..., Any], clicks: psycopg.Connection) -> None:
    clicks.execute("alter table clicks rename at to moment")
    assert doctor().failure("postgres windows").says == "there is no column 'at'"


def test_a_column_that_may_be_null_is_a_warning_and_its_fix_works(
    doctor: Callable[..., Any], clicks: psycopg.Connection
) -> None:
    clicks.execute("alter table clicks alter at drop not null")
    [found] = doctor().of("postgres windows", "warning")
    assert "in no window" in found.says
    clicks.execute(found.advice.encode())
    assert doctor().of("postgres windows", "warning") == []


def test_what_several_jobs_have_in_common_is_said_once(doctor: Callable[..., Any], clicks: psycopg.Connection) -> None:
    clicks.execute("alter table clicks alter at drop not null")
    jobs = "".join(
        f'[[job]]\nname = "{name}"\nschema = "public"\ntable = "clicks"\nblob = "{{job}}/{{window_start}}"\n'
        'window = {column = "at", type = "timestamptz", every = "1 day"}\n'
        for name in ("one", "two", "three")
    )
    [found] = doctor(jobs=jobs).of("postgres windows", "warning")
    assert found.subject == "window of one, two, three"


def test_the_right_to_see_transactions_is_spoken_of_once_and_its_grant_works(
    doctor: Callable[..., Any], clicks: psycopg.Connection, jobs_file: Path
) -> None:
    one = jobs_file.read_text()
    assert [finding.says for finding in doctor(jobs=one).of("closed windows", "ok")] == [
        "proven by the locks of writers; with pg_read_all_stats by all transactions"
    ]
    proven = one + 'closed = "transactions"\n'
    both = proven + proven.replace('"clicks"\nschema', '"b"\nschema')
    failure = doctor(jobs=both).failure("closed windows")
    assert "of clicks, b needs pg_read_all_stats, which the role lacks" in failure.says
    clicks.execute(failure.advice.encode())
    try:
        assert "failed" not in doctor(jobs=both).verdicts
    finally:
        clicks.execute("revoke pg_read_all_stats from exporter")


@pytest.mark.parametrize(("form", "is_too_large"), [("csv", False), ("parquet", True)])
def test_rows_of_large_values_that_may_not_fit_into_an_instance_are_a_warning(
    doctor: Callable[..., Any], clicks: psycopg.Connection, tmp_path: Path, form: str, is_too_large: bool
) -> None:
    clicks.execute("alter table clicks add document text; alter table clicks alter document set storage external")
    clicks.execute("insert into clicks select n, now(), repeat('x', 4 << 20) from generate_series(1, 3) n")
    clicks.execute("vacuum analyze clicks")
    each = {"instances": 1, "exports_at_once": 2, "memory_mb": 100}
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "capacity.json").write_text(json.dumps({"functions": each, "containers": each}))
    jobs = '[[job]]\nname = "large"\nschema = "public"\ntable = "clicks"\nblob = "{run}"\n'
    found = doctor(jobs=jobs + f'[job.output]\nformat = "{form}"\n', root=tmp_path).of("large rows", "warning")
    assert [finding.subject for finding in found] == ["rows of large"] * is_too_large
    assert all("takes 66 MiB, 4 times its size, of the 50 MiB that an export has" in finding.says for finding in found)


def test_a_partitioned_table_without_an_index_is_a_warning_and_its_fix_works(
    doctor: Callable[..., Any], clicks: psycopg.Connection
) -> None:
    clicks.execute("drop table clicks; create table clicks (id int, at timestamptz not null) partition by list (id)")
    [found] = doctor().of("postgres windows", "warning")
    assert found.says == "no index begins with 'at': every window reads the whole table"
    clicks.execute(found.advice.encode())
    assert doctor().of("postgres windows", "warning") == []


def test_a_partition_key_finds_the_rows_of_a_window_too(doctor: Callable[..., Any], clicks: psycopg.Connection) -> None:
    clicks.execute("drop table clicks; create table clicks (id int, at timestamptz not null) partition by range (at)")
    assert doctor().verdicts == {"ok"}


def test_a_large_table_without_an_index_is_a_warning(doctor: Callable[..., Any], clicks: psycopg.Connection) -> None:
    clicks.execute("alter table clicks add filler text; alter table clicks alter filler set storage plain")
    clicks.execute("insert into clicks select n, now(), repeat('x', 7000) from generate_series(1, 9000) n")
    assert doctor().verdicts == {"ok"}
    clicks.execute("drop index clicks_at_idx")
    [found] = doctor().of("postgres windows", "warning")
    assert found.advice == 'CREATE INDEX CONCURRENTLY ON "public"."clicks" ("at");'


def test_more_connections_than_the_server_has_fail(doctor: Callable[..., Any]) -> None:
    failure = doctor(TAILRACE_POOL_SIZE="64").failure("postgres connections")
    assert "up to 256 are opened (TAILRACE_POOL_SIZE 64, 4 instances), but the server has" in failure.says


def test_the_database_s_own_limit_counts(doctor: Callable[..., Any], clicks: psycopg.Connection, database: str) -> None:
    clicks.execute(f"alter database {database} connection limit 9".encode())
    assert doctor().failure("postgres connections").says.endswith("but the database's limit is 9")
