"""Queries of jobs.toml: with bounds, filtered, and unable to change anything."""

import psycopg
import pytest
from support.asking import ask, window
from support.exports import OpenExports

from worker.message.settlement import Complete, DeadLetter

NUMBERS = '[job.window]\ncolumn = "id"\ntype = "integer"\nsize = 10\n'


def jobs(query: str) -> str:
    return f"[[job]]\nname = \"q\"\nquery = '''{query}'''\nblob = \"x/{{window_start}}\"\n{NUMBERS}"


ASKED = ask(query="q", window=window("integer", "id", 10, 20))
SERIES = "select n as id, n * n as square from generate_series(1, 100) as n"


@pytest.mark.parametrize(
    "query",
    [
        SERIES,
        f"{SERIES};",
        f"{SERIES} -- all of it",
        f"/* all */ {SERIES}",
        f"with numbers as ({SERIES}) select * from numbers",
        "select n as id, n * n as square from generate_series({window_start}::int, {window_end} - 1) as n",
        f"select * from ({SERIES}) as s where id >= {{window_start}} and id < {{window_end}}",
        f"{SERIES} where n % 1 = 0 and '%s {{}} {{0}} $1 :x' <> ''",
        "select id, id * id as square from (select 9 + row_number() over () as id from generate_series(1, 10)) as s",
        "select * from (values (10, 100), (9, 81), (20, 400)) as v (id, square)",
    ],
)
def test_a_query_is_filtered_by_its_window_or_takes_the_bounds_itself(open_exports: OpenExports, query: str) -> None:
    exports = open_exports(jobs=jobs(query))
    assert exports.handle(ASKED) == Complete("exported")
    header, first, *rest = exports.csv().decode().splitlines()
    assert (header, first) == ("id,square", "10,100")
    assert len(rest) in {0, 9}
    assert all(10 <= int(line.split(",")[0]) < 20 for line in rest)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("with gone as (delete from t returning id) select * from gone", "NotSupported"),
        ("select id from t for update", "QueryWrites"),
        ("select nextval('s') as id", "QueryWrites"),
        ("select id from erase()", "QueryWrites"),
        ("delete from t", "StatementRefused"),
        ("select 1 as id) to program 'true' --", "StatementRefused"),
        ("selec 1", "StatementRefused"),
        ("select 'a'::int as id", "QueryFails"),
        ("select missing from t", "ColumnMissing"),
        ("select 1 as other", "ColumnMissing"),
        ("select length(pg_read_file('/etc/passwd')) as id", "PrivilegeMissing"),
        ("select 1 as id, 2 as id", "StatementRefused"),
    ],
)
def test_a_query_that_writes_or_fails_is_dead_lettered_and_changes_nothing(
    open_exports: OpenExports, admin: psycopg.Connection, query: str, reason: str
) -> None:
    admin.execute("create table t as select 10 as id; create sequence s; grant all on t, s to exporter")
    admin.execute("create function erase() returns table (id int) language sql as 'delete from t returning id'")
    exports = open_exports(jobs=jobs(query))
    settlement = exports.handle(ASKED)
    assert isinstance(settlement, DeadLetter)
    assert (settlement.reason, exports.names()) == (reason, [])
    assert settlement.description.startswith("export of query q was refused: ")
    assert admin.execute("select count(*) from t").fetchone() == (1,)


def test_a_query_that_fails_after_many_rows_leaves_nothing(open_exports: OpenExports) -> None:
    exports = open_exports(jobs=jobs("select n as id, repeat(md5(n::text), 20) as filler, 1 / (150000 - n)"
                                     " from generate_series(1, 150001) as n"))  # fmt: skip
    settlement = exports.handle(ask(query="q"))
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "QueryFails"
    assert "division by zero (SQLSTATE 22012)" in settlement.description
    assert [blob.name for blob in exports.container.list_blobs()] == []


def test_the_query_that_runs_is_this_workers_and_never_the_messages(open_exports: OpenExports) -> None:
    exports = open_exports(jobs=jobs(SERIES))
    settlement = exports.handle(ask(query="other", job="q"))
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "QueryMissing"
