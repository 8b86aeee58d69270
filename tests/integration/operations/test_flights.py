"""Flights and weather of New York, as in nycflights13: NULLs, and days of 23 and 25 hours."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from psycopg import sql

from operations.audit import Wanted
from operations.auditing import Audited, Auditing
from operations.blobs import Blobs
from operations.drilling import Drilling, Sample
from operations.restoring import Restoring
from operations.verifying import JobVerification, Range
from operations.windows import windows_of
from producer.ask import requests_between
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import run_export

NOW = datetime(2013, 12, 31, tzinfo=UTC)
JOB = """
[[job]]
name = "TABLE"
schema = "public"
table = "TABLE"
blob = "{table}/{window_start:%Y/%m/%d}SUFFIX"
[job.window]
column = "time_hour"
type = "timestamptz"
every = "1 day"
timezone = "America/New_York"
[job.output]
OUTPUT
"""
FORMS = {"csv": (".csv.gz", ""), "parquet": (".parquet", 'format = "parquet"')}
# Both changes of the clock, with a day before and after each. Of a flight that was cancelled nothing is known but its
# plan; of the weather a gust only if there was one.
TABLES = """
    create table flights (year int, month int, day int, dep_time int, sched_dep_time int not null, dep_delay float8,
        arr_time int, carrier char(2) not null, flight int, tailnum text, origin varchar(3), dest varchar(3),
        air_time numeric(6,1), distance real, time_hour timestamptz not null);
    create table weather (origin varchar(3), temp float8, dewp numeric, humid float4, wind_dir int, wind_speed float8,
        wind_gust float8, precip numeric(5,3), pressure numeric, visib float8, time_hour timestamptz);
    with hours as (
        select h from generate_series('2013-03-09 05:00Z'::timestamptz, '2013-03-12 03:00Z', '1 hour') as h
        union all select h from generate_series('2013-11-02 04:00Z'::timestamptz, '2013-11-05 04:00Z', '1 hour') as h)
    insert into flights
    select l.y, l.m, l.d, case when i % 7 > 0 then 500 + i end, 500 + i, case when i % 7 > 0 then i - 3.5 end,
        case when i % 7 > 0 then 700 + i end, (array['UA', 'AA', 'B6'])[1 + i % 3], i,
        case when i % 7 > 0 then 'N' || i when i % 14 = 7 then '' end, (array['EWR', 'JFK', 'LGA'])[1 + i % 3], 'IAH',
        case when i % 7 > 0 then i * 1.1 end, i * 100.1, h
    from hours, generate_series(1, 20) as i,
        lateral (select extract(year from n)::int as y, extract(month from n)::int as m, extract(day from n)::int as d
            from (values (h at time zone 'America/New_York')) as v (n)) as l;
    insert into weather
    select o, case n % 5 when 0 then 'NaN' when 1 then null else n / 3.0 end, n / 7.0, n, nullif(n % 360, 0), n,
        case when n % 4 = 0 then n + 0.25 end, 0.000, case when n % 9 > 0 then 1000 + n end, 10, h
    from (select distinct time_hour as h, extract(hour from time_hour)::int as n from flights) as hours,
        unnest(array['EWR', 'JFK', 'LGA']) as o"""
RANGES = (("2013-03-09", "2013-03-12"), ("2013-11-02", "2013-11-05"))
HOURS = {"2013-03-09": 24, "2013-03-10": 23, "2013-03-11": 24, "2013-11-02": 24, "2013-11-03": 25, "2013-11-04": 24}
A_HOUR = {"flights": 20, "weather": 3}


@pytest.fixture(params=[(table, form) for table in A_HOUR for form in FORMS], ids="-".join)
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def settings(
    environ: dict[str, str],
    container: ContainerClient,
    admin: psycopg.Connection,
    tmp_path: Path,
    case: tuple[str, str],
) -> Settings:
    """Six days of a table are exported."""
    assert container.exists()
    table, form = case
    suffix, output = FORMS[form]
    file = tmp_path / "jobs.toml"
    file.write_text(JOB.replace("TABLE", table).replace("SUFFIX", suffix).replace("OUTPUT", output))
    admin.execute(TABLES)
    found = Settings.from_env({**environ, "TAILRACE_JOBS": str(file)})
    with open_exporter(found) as exporter:
        for since, until in RANGES:
            for one in requests_between(exporter.jobs[table], since, until, NOW):
                run_export(one, exporter, Cancellation())
    return found


@pytest.fixture
def audited(settings: Settings, case: tuple[str, str]) -> Iterator[Callable[..., list[Audited]]]:
    """Audits both ranges."""
    with Auditing.opened(settings) as auditing:

        def run(*, deep: bool) -> list[Audited]:
            job = auditing.jobs[case[0]]
            return [auditing.audit(job, Wanted(since, until, deep=deep), NOW) for since, until in RANGES]

        yield run


def drift(found: list[Audited]) -> dict[str, str]:
    return {one.window.start[:10]: one.kind for audit in found for one in audit.drift}


@pytest.mark.parametrize("deep", [False, True], ids=["counts", "rows"])
def test_days_of_23_and_25_hours_are_equal_until_a_row_changes(
    audited: Callable[..., list[Audited]], case: tuple[str, str], admin: psycopg.Connection, deep: bool
) -> None:
    found = audited(deep=deep)
    kinds = {one.window.start[:10]: one.kind for audit in found for one in audit.findings}
    assert kinds == dict.fromkeys(HOURS, "equal")
    # The second 1 o'clock of the day of 25 hours, and the hour after the one that a day of 23 lacks.
    admin.execute(f"delete from {case[0]} where time_hour = '2013-11-03 06:00Z' and origin = 'EWR'".encode())
    admin.execute(f"insert into {case[0]} select * from {case[0]} where time_hour = '2013-03-10 07:00Z'".encode())
    assert drift(audited(deep=deep)) == {"2013-11-03": "changed", "2013-03-10": "late"}


def test_a_null_that_becomes_a_value_is_found(
    audited: Callable[..., list[Audited]], case: tuple[str, str], admin: psycopg.Connection
) -> None:
    column, value = {"flights": ("tailnum", "''"), "weather": ("wind_gust", "0")}[case[0]]
    admin.execute(
        f"update {case[0]} set {column} = {value} where ctid = (select min(ctid) from {case[0]}"
        f" where {column} is null and time_hour = '2013-03-10 07:00Z')".encode()
    )
    assert drift(audited(deep=False)) == {}
    assert drift(audited(deep=True)) == {"2013-03-10": "changed"}


def test_each_day_is_verified_restored_and_proven_restorable(
    settings: Settings, case: tuple[str, str], admin: psycopg.Connection
) -> None:
    table, server = case[0], f"{admin.info.dsn} password={admin.info.password}"
    target = sql.Identifier("public", "again")
    with Drilling.opened(settings, server) as drilling:
        job = drilling.jobs[table]
        for since, until in RANGES:
            verified = JobVerification(settings, Range(job, since, until), NOW).run(lambda _: None, quick=False)
            assert (verified.windows, verified.intact, verified.broken) == (3, 3, ())
            drilled = drilling.drill(job, Sample(3, since, until), NOW)
            compared = [(one.source.verdict, one.source.by, one.problems) for one in drilled.found]
            assert compared == [("same", "rows", ())] * 3
    blobs = Blobs(settings)
    own = [one.blob for since, until in RANGES for one in windows_of(job, blobs, since, until, NOW) if one.blob]
    assert [blob.receipt.rows for blob in own if blob.receipt] == [hours * A_HOUR[table] for hours in HOURS.values()]
    restoring = Restoring(settings, server, blobs, target)
    assert sum(one.rows for one in restoring.one_by_one(own, 2, create=True)) == sum(HOURS.values()) * A_HOUR[table]
    lost, new = f"table {table} except all table again", f"table again except all table {table}"
    differing = f"select count(*) from (({lost}) union all ({new}))"
    assert admin.execute(differing.encode()).fetchone() == (0,)
