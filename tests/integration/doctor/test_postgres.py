"""Problems of the database are found, and the advice fixes them."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

COLUMNS = 'columns = ["id"]\n'


def test_a_role_in_the_wrong_case_cannot_log_in_and_the_advice_speaks_of_case(doctor: Callable[..., Any]) -> None:
    report = doctor(PGUSER="Exporter")
    failure = report.failure("postgres login")
    assert failure.says == 'password authentication failed for user "Exporter"'
    assert "upper and lower case" in failure.advice
    assert {"postgres tables", "postgres windows", "postgres connections"} == report.skipped


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
    assert (failure.says, "id, at" in failure.advice) == ("there is no column 'colour'", True)


def test_a_table_of_another_case_or_schema_is_suggested(doctor: Callable[..., Any], clicks: psycopg.Connection) -> None:
    clicks.execute('alter table clicks rename to "Clicks"')
    failure = doctor().failure("postgres tables")
    assert failure.says == "there is no such table"
    assert "there is public.Clicks" in failure.advice


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
