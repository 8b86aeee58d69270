"""Exports in parts hold the same rows as one stream, whatever the table is, or nothing becomes visible."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from psycopg import sql
from support.unpack import UNPACK
from support.versions import HEADER

from contracts.errors import ExportInterrupted, SinkUnavailable, SourceUnavailable
from contracts.jobs_file import parse_jobs
from contracts.receipt import Receipt
from contracts.request import ExportRequest
from producer.ask import one_request
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import Exporter, run_export

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ROWS = 3000
ODD = 'Größe "x"; drop table t; --'
# Every kind of value that CSV writers get wrong; three columns' names too.
COLUMNS = """
    id bigint, "select" text, "Größe, ""x"" :" text, payload jsonb, price numeric, at timestamptz, day date,
    stamp timestamp, raw bytea, tags text[], matrix int[], visitor uuid, span interval, ok boolean, ratio float8,
    place point, net inet, range int4range"""
VALUES = r"""
    select i, case i % 5 when 0 then null when 1 then '' when 2 then E'"q"\r\n,' when 3 then E'\\.' else 'é漢🚀' end,
        '', case when i % 3 = 0 then '{"a": "b\nc", "d": null}'::jsonb end, i / 7.0,
        timestamptz '2026-01-01' + i * interval '10 minutes', date '2026-01-01' + i % 30,
        timestamp '2026-01-01' + i * interval '10 minutes', decode(md5(i::text), 'hex'),
        array['a,b', null, '', '"'], array[i, null], md5(i::text)::uuid, i * interval '1.5 hours', i % 2 = 0,
        case when i % 9 = 0 then 'NaN' else i / 3.0 end, point(i, -i), '10.0.0.1'::inet, int4range(i, i + 5)
    from generate_series(1, {rows}) as i"""


@pytest.fixture
def exporter(environ: dict[str, str], tmp_path: Path) -> Iterator[Exporter]:
    """An exporter with room for parts."""
    jobs = tmp_path / "jobs.toml"
    jobs.write_text('[[job]]\nname = "t"\nquery = "select 1"\nblob = "q/{run}"\n')
    settings = Settings.from_env(
        {**environ, "TAILRACE_POOL_SIZE": "9", "TAILRACE_MAX_STREAMS": "4", "TAILRACE_JOBS": str(jobs)}
    )
    with open_exporter(settings) as opened:
        yield opened


def create(admin: psycopg.Connection, kind: str) -> tuple[str, str]:
    """Creates the adversarial table as `kind`, and gives its schema and name."""
    name, plain = sql.Identifier(ODD, ODD), sql.Identifier(ODD, "plain")
    admin.execute(sql.SQL("create schema {}").format(sql.Identifier(ODD)))
    columns, values = sql.SQL(COLUMNS), sql.SQL(VALUES.replace("{rows}", "0" if kind == "empty table" else str(ROWS)))
    if kind == "partitioned table":
        admin.execute(sql.SQL("create table {} ({}) partition by range (id)").format(name, columns))
        for number, (begin, end) in enumerate([(0, 1000), (1000, 1001), (1001, 9000)]):
            part = sql.Identifier(ODD, f"part {number}")
            # A partition with its columns in another order.
            admin.execute(
                sql.SQL("create table {} (at timestamptz, {})").format(
                    part, sql.SQL(COLUMNS.replace("at timestamptz,", ""))
                )
            )
            admin.execute(
                sql.SQL("alter table {} attach partition {} for values from ({}) to ({})").format(
                    name, part, begin, end
                )
            )
    else:
        table = plain if kind in BEHIND else name
        generated = ", doubled bigint generated always as (id * 2) stored" if kind == "generated column" else ""
        admin.execute(sql.SQL("create table {} ({})").format(table, sql.SQL(COLUMNS + generated)))
    target = plain if kind in BEHIND else name
    admin.execute(sql.SQL("insert into {} {}").format(target, values))
    if "view" in kind:
        admin.execute(sql.SQL("create {} {} as table {}").format(sql.SQL(kind), name, plain))
    if kind == "foreign table":
        make_foreign(admin, name)
    if kind == "table with dead rows":
        admin.execute(sql.SQL("delete from {} where id % 3 = 0 or id between 100 and 900").format(name))
    return ODD, ODD


def make_foreign(admin: psycopg.Connection, name: sql.Identifier) -> None:
    """The plain table as one of another server, which is this one."""

    def options(**values: object) -> sql.Composed:
        return sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(key), sql.Literal(str(value))) for key, value in values.items()
        )

    info = admin.info
    admin.execute("create extension postgres_fdw")
    admin.execute(
        sql.SQL("create server other foreign data wrapper postgres_fdw options ({})").format(
            options(host=info.host, port=info.port, dbname=info.dbname)
        )
    )
    admin.execute(
        sql.SQL("create user mapping for public server other options ({})").format(
            options(user=info.user, password=info.password)
        )
    )
    admin.execute(
        sql.SQL("create foreign table {} ({}) server other options ({})").format(
            name, sql.SQL(COLUMNS), options(schema_name=ODD, table_name="plain")
        )
    )


def request_of(source: tuple[str, str], streams: int, **job: object) -> ExportRequest:
    """A request for a whole table, or a window of it."""
    schema, table = source
    window = job.pop("window_start", None)
    jobs = parse_jobs(
        {
            "job": [
                {
                    "name": "t",
                    "schema": schema,
                    "table": table,
                    "streams": streams,
                    "blob": job.pop("blob", "t/{run}.csv.gz"),
                    **job,
                }
            ]
        }
    )
    return one_request(jobs["t"], None if window is None else str(window), NOW)


def rows_of(admin: psycopg.Connection, statement: str) -> list[bytes]:
    """What PostgreSQL itself writes, a sorted list of rows; rows may hold line ends, so they come as messages."""
    admin.execute("set timezone = 'UTC'")
    with admin.cursor() as cursor, cursor.copy(f"copy ({statement}) to stdout (format csv)") as copy:
        return sorted(bytes(row) for row in copy)


def loaded_back(admin: psycopg.Connection, data: bytes) -> list[bytes]:
    """The rows of a CSV with header, as PostgreSQL reads them."""
    name = sql.Identifier(ODD, ODD)
    admin.execute(sql.SQL("create temporary table back as select * from {} limit 0").format(name))
    with admin.cursor() as cursor, cursor.copy(f"copy back from stdin (format csv, {HEADER})") as copy:
        copy.write(data)
    rows = rows_of(admin, "select * from back")
    admin.execute("drop table back")
    return rows


NAME = '"' + ODD.replace('"', '""') + '"'
BEHIND = {"view", "materialized view", "foreign table"}
KINDS = [
    "table",
    "table with dead rows",
    "empty table",
    "generated column",
    "partitioned table",
    "view",
    "materialized view",
    "foreign table",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("streams", [1, 3])
def test_every_kind_of_table_arrives_whole(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, kind: str, streams: int
) -> None:
    request = request_of(create(admin, kind), streams)
    receipt = run_export(request, exporter, Cancellation()).receipt
    expected = rows_of(admin, f"select * from {NAME}.{NAME}")
    data = gzip.decompress(container.download_blob(request.blob).readall())
    assert receipt.rows == len(expected) == sum(part.rows for part in receipt.parts)
    assert receipt.csv_bytes == len(data)
    assert loaded_back(admin, data) == expected
    is_split = streams > 1 and kind not in {"view", "empty table", "foreign table"}
    assert (len(receipt.parts) > 1) is is_split


@pytest.mark.parametrize(
    ("window", "start"),
    [
        ({"column": "at", "type": "timestamptz", "every": "1 week"}, "2026-01-05"),
        ({"column": "stamp", "type": "timestamp", "every": "1 week"}, "2026-01-05"),
        ({"column": "day", "type": "date", "every": "1 week"}, "2026-01-05"),
        ({"column": "id", "type": "integer", "size": 1000}, "1000"),
    ],
)
def test_a_window_in_parts_holds_its_rows_and_no_others(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, window: dict[str, object], start: str
) -> None:
    request = request_of(create(admin, "table"), 3, window=window, window_start=start, blob="t/{window_start}.csv.gz")
    receipt = run_export(request, exporter, Cancellation()).receipt
    end = "2000" if window["type"] == "integer" else "2026-01-12"
    column = window["column"]
    expected = rows_of(admin, f"select * from {NAME}.{NAME} where {column} >= '{start}' and {column} < '{end}'")
    data = gzip.decompress(container.download_blob(request.blob).readall())
    assert len(receipt.parts) > 1
    assert loaded_back(admin, data) == expected != []


def test_a_window_is_split_where_its_rows_are(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient
) -> None:
    """All rows lie within 50 minutes of a week: split by the clock, one part would have them all."""
    admin.execute(
        "create table burst as select i as id, timestamptz '2026-01-07' + i * interval '1 second' as at "
        "from generate_series(1, 3000) as i; analyze burst"
    )
    window = {"column": "at", "type": "timestamptz", "every": "1 week"}
    request = request_of(
        ("public", "burst"), 3, window=window, window_start="2026-01-05", blob="b/{window_start}.csv.gz"
    )
    receipt = run_export(request, exporter, Cancellation()).receipt
    assert receipt.rows == 3000
    assert max(part.rows for part in receipt.parts) < 1000


@pytest.mark.parametrize(
    ("compression", "unpack"),
    UNPACK.items(),
)
@pytest.mark.parametrize("level", [None, 7])
def test_parts_join_into_one_valid_file(
    exporter: Exporter,
    admin: psycopg.Connection,
    container: ContainerClient,
    compression: str,
    unpack: Callable[[bytes], bytes],
    level: int | None,
) -> None:
    if compression == "none" and level:
        return
    name = {"gzip": "t/{run}.csv.gz", "zstd": "t/{run}.csv.zst", "none": "t/{run}.csv"}[compression]
    output = {"compression": compression} | ({"level": level} if level else {})
    request = request_of(create(admin, "table"), 4, blob=name, output=output)
    run_export(request, exporter, Cancellation())
    data = unpack(container.download_blob(request.blob).readall())
    assert data.count(b'id,select,"Gr') == 1
    assert loaded_back(admin, data) == rows_of(admin, f"select * from {NAME}.{NAME}")


def test_all_parts_see_one_snapshot_while_others_write(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, stack: object, database: str
) -> None:
    admin.execute(
        "create table pairs as select i::bigint as id, repeat('x', 200) as filler from generate_series(1, 20000) as i"
    )
    done = Event()

    def move_rows() -> None:
        # Each update moves a row to the table's end: a part on a later snapshot would see it twice or not at all.
        with psycopg.connect(**stack.postgres.parameters("postgres", database), autocommit=True) as other:
            while not done.is_set():
                other.execute("update pairs set filler = repeat('y', 200) where id % 10 = 3")

    writer = threading.Thread(target=move_rows)
    writer.start()
    try:
        for second in range(3):
            request = request_of(("public", "pairs"), 4).model_copy(update={"blob": f"pairs/{second}.csv.gz"})
            receipt = run_export(request, exporter, Cancellation()).receipt
            lines = gzip.decompress(container.download_blob(request.blob).readall()).splitlines()[1:]
            assert sorted(int(line.split(b",")[0]) for line in lines) == list(range(1, 20001))
            assert len(receipt.parts) > 1
    finally:
        done.set()
        writer.join()


def test_a_table_of_large_values_counts_by_what_they_take(
    exporter: Exporter, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TOAST keeps them apart from the rows that the planner knows."""
    admin.execute(
        "create table wide as select i as id, string_agg(md5((i * 1000 + n)::text), '') as body"
        " from generate_series(1, 300) i, generate_series(1, 1000) n group by i; analyze wide"
    )
    selected, wide = sql.SQL("SELECT * FROM wide"), sql.Identifier("public", "wide")
    with exporter.source.connection("wide") as one, exporter.source.snapshot(one, selected, wide) as snapshot:
        assert 4_000_000 < snapshot.estimated_bytes < 40_000_000
    monkeypatch.setattr("worker.source.split.PART_BYTES", 1 << 20)
    request = request_of(("public", "wide"), 1).model_copy(update={"streams": None})
    receipt = run_export(request, exporter, Cancellation()).receipt
    assert (receipt.rows, len(receipt.parts) > 1) == (300, True)


@pytest.mark.parametrize("output", [{}, {"format": "parquet"}], ids=["csv", "parquet"])
def test_an_export_goes_on_with_the_connections_that_it_gets(
    exporter: Exporter,
    admin: psycopg.Connection,
    container: ContainerClient,
    caplog: pytest.LogCaptureFixture,
    output: dict[str, str],
) -> None:
    admin.execute("create table many as select i, repeat(md5(i::text), 5) as filler from generate_series(1, 20000) i")
    # This test's own, and one of the export.
    admin.execute(sql.SQL("alter database {} connection limit 2").format(sql.Identifier(admin.info.dbname)))
    request = request_of(("public", "many"), 2, output=output, blob=f"many/{{run}}.{'parquet' if output else 'csv.gz'}")
    receipt = run_export(request, exporter, Cancellation()).receipt
    assert receipt.rows == 20000
    assert "export goes on with one connection less" in caplog.text
    assert list(container.list_blob_names()) == [request.blob]


def test_a_connection_that_is_lost_while_it_waits_gives_its_place_back(
    exporter: Exporter, admin: psycopg.Connection
) -> None:
    """More often than there are places in the pool."""
    selected = sql.SQL("SELECT 1")

    def lose() -> None:
        with exporter.source.connection("t") as one, exporter.source.snapshot(one, selected) as snapshot:
            admin.execute("select pg_terminate_backend(%s, 5000)", (snapshot.connection.info.backend_pid,))
            raise SinkUnavailable("what struck meanwhile")

    for _ in range(10):
        with pytest.raises(SinkUnavailable):
            lose()
    with exporter.source.connection("t") as one, exporter.source.snapshot(one, selected) as snapshot:
        assert snapshot.id


def test_a_snapshot_whose_connection_has_ended_is_no_refusal_of_the_export(
    exporter: Exporter, admin: psycopg.Connection
) -> None:
    source, selected = exporter.source, sql.SQL("SELECT 1")

    def join() -> None:
        with source.connection("t") as one, source.snapshot(one, selected) as snapshot:
            shared = snapshot.export()()
            admin.execute("select pg_terminate_backend(%s, 5000)", (one.info.backend_pid,))
            with source.sharing(shared, snapshot.name, "t"):
                pass

    with pytest.raises(SourceUnavailable, match="the connection that holds its snapshot has ended"):
        join()


@pytest.fixture
def large(admin: psycopg.Connection) -> tuple[str, str]:
    """A table whose export takes some seconds."""
    admin.execute(
        "create table large as select i, repeat(md5(i::text), 20) as filler from generate_series(1, 400000) i"
    )
    return "public", "large"


def while_exporting(
    exporter: Exporter, request: ExportRequest, cancelled: Cancellation, act: Callable[[], bool]
) -> BaseException | Receipt:
    """Runs an export in a thread, calls `act` until it says that it has acted, and gives how the export ended."""
    ended: list[BaseException | Receipt] = []

    def export() -> None:
        try:
            ended.append(run_export(request, exporter, cancelled).receipt)
        except Exception as error:  # noqa: BLE001  # whatever it is, the test looks at it
            ended.append(error)

    thread = threading.Thread(target=export)
    thread.start()
    deadline = time.monotonic() + 30
    while not act() and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    thread.join(30)
    return ended[0]


def test_a_part_that_fails_leaves_nothing_and_stops_the_others(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, large: tuple[str, str]
) -> None:
    def end_one_copy() -> bool:
        ended = admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where query like 'COPY%' and datname = current_database() and state = 'active' limit 1"
        ).fetchall()
        return bool(ended)

    error = while_exporting(exporter, request_of(large, 3), Cancellation(), end_one_copy)
    assert isinstance(error, SourceUnavailable)
    # A server process that ends while its client's socket is full closes it without an error.
    assert any(end in str(error) for end in ("57P01", "server closed the connection")), error
    assert list(container.list_blob_names()) == []
    assert isinstance(while_exporting(exporter, request_of(large, 3), Cancellation(), lambda: True), Receipt)


def test_a_cancelled_export_ends_at_once_and_leaves_nothing(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, large: tuple[str, str]
) -> None:
    cancelled = Cancellation()

    def cancel() -> bool:
        copies = admin.execute(
            "select count(*) from pg_stat_activity where query like 'COPY%' and datname = current_database()"
        ).fetchone()
        if copies and copies[0] > 1:
            cancelled.set()
        return cancelled.is_set()

    error = while_exporting(exporter, request_of(large, 3), cancelled, cancel)
    assert isinstance(error, ExportInterrupted)
    assert list(container.list_blob_names()) == []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        left = admin.execute(
            "select count(*) from pg_stat_activity where query like 'COPY%' and state = 'active'"
        ).fetchone()
        if left == (0,):
            break
        time.sleep(0.05)
    assert left == (0,)
