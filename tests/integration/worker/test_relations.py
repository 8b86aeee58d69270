"""Every relation can be exported; losing rows silently is an error."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.asking import ask, window
from support.exports import Exports, OpenExports
from support.gate import Gate
from support.versions import since

from worker.message.settlement import Complete, DeadLetter

INHERITED = """
    create table t (id int);
    create table child () inherits (t);
    insert into t values (1);
    insert into child values (2)"""
PARTITIONED = """
    create table t (id int, day date) partition by range (day);
    create table t_1 partition of t for values from ('2026-01-01') to ('2026-02-01');
    create table t_2 (extra text, day date, id int);
    alter table t_2 drop column extra;
    alter table t attach partition t_2 for values from ('2026-02-01') to ('2026-03-01');
    insert into t select n, date '2026-01-01' + n from generate_series(0, 57) as n"""


@pytest.mark.parametrize(
    ("create", "rows"),
    [
        ("create view t as select n as id from generate_series(1, 10) as n", 10),
        ("create materialized view t as select n as id from generate_series(1, 10) as n", 10),
        ("create table t (id int, twice int generated always as (id * 2) stored); insert into t values (1), (2)", 2),
        pytest.param(
            "create table t (id int, twice int generated always as (id * 2) virtual); insert into t values (1), (2)",
            2,
            marks=since(18),
        ),
        (PARTITIONED, 58),
        (INHERITED, 2),
        ("create unlogged table t as select 1 as id", 1),
        ("create table t (id int, gone text); insert into t values (1, 'x'); alter table t drop column gone", 1),
        ("create table t as select 1 as id; alter table t add column late text default 'x'", 1),
    ],
)  # fmt: skip
def test_any_relation_is_exported_with_all_its_rows(
    exports: Exports, admin: psycopg.Connection, create: str, rows: int
) -> None:
    admin.execute(create)
    assert exports.handle(ask()) == Complete("exported")
    assert exports.receipt().rows == rows
    with admin.cursor() as cursor, cursor.copy("copy (select * from t) to stdout (format csv, header)") as copy:
        assert exports.csv() == b"".join(copy)


@pytest.mark.parametrize("streams", [None, 2])
def test_row_level_security_is_an_error_and_not_a_shorter_file(
    open_exports: OpenExports, admin: psycopg.Connection, streams: int | None
) -> None:
    admin.execute("create table t as select n as id from generate_series(1, 9) as n")
    admin.execute("alter table t enable row level security; create policy few on t using (id < 3)")
    exports = open_exports()
    settlement = exports.handle(ask(streams=streams))
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "PrivilegeMissing"
    assert "row-level security" in settlement.description
    assert settlement.description.endswith("(ALTER ROLE … BYPASSRLS), or export a view")
    assert exports.names() == []


@pytest.mark.parametrize("streams", [None, 3])
def test_row_level_security_of_a_partition_is_the_business_of_those_who_name_it(
    open_exports: OpenExports, admin: psycopg.Connection, streams: int | None
) -> None:
    """Through its parent PostgreSQL applies the parent's policies only, so nothing is left out."""
    admin.execute(PARTITIONED)
    admin.execute("alter table t_1 enable row level security")
    assert open_exports().handle(ask(streams=streams)) == Complete("exported")


@pytest.mark.parametrize("streams", [None, 3])
def test_only_the_parent_of_partitions_need_be_granted(
    open_exports: OpenExports, admin: psycopg.Connection, streams: int | None
) -> None:
    admin.execute(PARTITIONED)
    admin.execute("revoke all on t_1, t_2 from exporter")
    exports = open_exports()
    assert exports.handle(ask(streams=streams)) == Complete("exported")
    assert exports.receipt().rows == 58


@pytest.mark.parametrize("streams", [None, 3])
def test_a_grant_of_columns_is_enough_for_them(
    open_exports: OpenExports, admin: psycopg.Connection, streams: int | None
) -> None:
    admin.execute("create table t as select n as id, 'secret' as s from generate_series(1, 5000) as n")
    admin.execute("revoke all on t from exporter; grant select (id) on t to exporter")
    exports = open_exports()
    assert exports.handle(ask(columns=["id"], streams=streams)) == Complete("exported")
    assert exports.receipt().rows == 5000
    refused = exports.handle(ask(blob="all", streams=streams))
    assert isinstance(refused, DeadLetter)
    assert refused.reason == "PrivilegeMissing"


@pytest.mark.parametrize(
    ("made_of", "asked", "expected"),
    [
        ("timestamptz", window("timestamptz", "c", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"), 23),
        ("timestamptz", window("timestamptz", "c", "2026-03-29T00:00:00Z", "2026-03-29T00:00:00.000001Z"), 1),
        ("timestamp", window("timestamp", "c", "2026-03-29T00:00:00", "2026-03-30T00:00:00"), 24),
        ("date", window("date", "c", "2026-03-29", "2026-03-31"), 48),
        ("integer", window("integer", "c", 10, 20), 10),
        ("bigint", window("integer", "c", -(2**63), 20), 20),
        ("smallint", window("integer", "c", 5, 2**63 - 1), 235),
        ("numeric", window("integer", "c", 10, 12), 2),
    ],
)
def test_a_window_takes_its_start_and_leaves_its_end(
    exports: Exports, admin: psycopg.Connection, made_of: str, asked: dict[str, object], expected: int
) -> None:
    """Ten days of hours, or 240 numbers."""
    hours = "timestamp '2026-03-25' + n * interval '1 hour'"
    values = {"timestamptz": f"({hours}) at time zone 'UTC'", "timestamp": hours, "date": f"({hours})::date"}
    admin.execute(
        f"create table t as select {values.get(made_of, f'n::{made_of}')} as c from generate_series(0, 239) n"
    )
    admin.execute("insert into t values (null)")
    assert exports.handle(ask(window=asked)) == Complete("exported")
    assert exports.receipt().rows == expected
    assert exports.receipt().window is not None


def test_two_neighbouring_windows_share_no_row_and_lose_none(exports: Exports, admin: psycopg.Connection) -> None:
    admin.execute("create table t as select timestamptz '2026-01-31 23:59:59.999999Z' + n * interval '1 us' as c"
                  " from generate_series(0, 2) n")  # fmt: skip
    days = ["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z"]
    for number in (0, 1):
        exports.handle(ask(blob=str(number), window=window("timestamptz", "c", days[number], days[number + 1])))
    assert [exports.receipt(name).rows for name in ("0", "1")] == [1, 2]


def test_an_export_sees_one_moment_of_a_table_that_changes(exports: Exports, admin: psycopg.Connection) -> None:
    """The export has begun before the change, and reads its last row after it."""
    admin.execute("create table t as select n as id from generate_series(1, 5) as n")
    gate = Gate(admin, 5)
    admin.execute("create view both_ as select t.id, gated.gate from t join gated using (id)")
    with gate.closed(), ThreadPoolExecutor() as threads:
        exporting = threads.submit(exports.handle, ask("both_"))
        gate.wait_for()
        admin.execute("update t set id = id + 100; insert into t values (7)")
        gate.open()
        assert exporting.result(30) == Complete("exported")
    assert sorted(exports.csv().splitlines()) == [b"1,", b"2,", b"3,", b"4,", b'5,""', b"id,gate"]


@pytest.mark.parametrize("streams", [1, 3])
def test_leaves_in_a_schema_that_is_closed_to_the_role_are_read_through_their_parent(
    open_exports: OpenExports, admin: psycopg.Connection, streams: int
) -> None:
    admin.execute(PARTITIONED)
    admin.execute(
        "create schema closed; alter table t_1 set schema closed;"
        " grant select on all tables in schema closed to exporter"
    )
    admin.execute("revoke all on schema closed from exporter")
    exports = open_exports(TAILRACE_MAX_STREAMS="3", TAILRACE_POOL_SIZE="6")
    assert exports.handle(ask(streams=streams)) == Complete("exported")
    assert exports.receipt().rows == 58


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("made_of", ["timestamptz", "timestamp", "date"])
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_a_window_of_another_type_of_times_than_its_column_takes_the_same_rows_at_every_size(
    open_exports: OpenExports, admin: psycopg.Connection, kind: str, made_of: str, streams: int
) -> None:
    """With statistics, by which a large table is split."""
    admin.execute(
        f"create table t as select (timestamp '2026-03-20' + n * interval '1 hour')::{made_of} as c"
        " from generate_series(0, 999) n; analyze t"
    )
    zone = {"timestamptz": "T00:00:00Z", "timestamp": "T00:00:00", "date": ""}[kind]
    exports = open_exports(TAILRACE_MAX_STREAMS="3", TAILRACE_POOL_SIZE="6")
    asked = window(kind, "c", f"2026-03-25{zone}", f"2026-04-04{zone}")
    assert exports.handle(ask(window=asked, streams=streams)) == Complete("exported")
    receipt = exports.receipt()
    assert (receipt.rows, len(receipt.parts) > 1) == (240, streams > 1)
