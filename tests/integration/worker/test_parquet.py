"""Parquet preserves PostgreSQL's types and values, and refuses those that it cannot."""

import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal, localcontext
from pathlib import Path
from threading import Timer
from time import monotonic
from uuid import UUID

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from azure.storage.blob import ContainerClient
from support.versions import MAJOR

from contracts.errors import ExportInterrupted, SourceRejected
from contracts.jobs_file import parse_jobs
from producer.ask import one_request
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import Exporter, run_export
from worker.native import library

# Column, its definition, the value that is put in, the Arrow type and the value that come out.
KEPT = [
    ("small", "smallint", "-3", pa.int16(), -3),
    ("whole", "int", "7", pa.int32(), 7),
    ("big", "bigint", "9223372036854775807", pa.int64(), 2**63 - 1),
    ("single", "real", "1.5", pa.float32(), 1.5),
    ("double", "float8", "2.25", pa.float64(), 2.25),
    ("yes", "bool", "true", pa.bool_(), True),
    ("words", "text", "E'é漢🚀, \"q\"\\n'", pa.string(), 'é漢🚀, "q"\n'),
    ("empty", "varchar(9)", "''", pa.string(), ""),
    ("padded", "char(3)", "'z'", pa.string(), "z  "),
    ("raw", "bytea", "'\\x0001ff'", pa.binary(), b"\x00\x01\xff"),
    ("day", "date", "'2026-02-28'", pa.date32(), date(2026, 2, 28)),
    ("clock", "time", "'10:30'", pa.time64("us"), time(10, 30)),
    (
        "wall",
        "timestamp",
        "'2026-01-01 10:00:00.000001'",
        pa.timestamp("us"),
        datetime.fromisoformat("2026-01-01T10:00:00.000001"),
    ),
    ("instant", "timestamptz", "'2026-01-01 10:00+02'", pa.timestamp("us", "UTC"), datetime(2026, 1, 1, 8, tzinfo=UTC)),
    ("price", "numeric(14,4)", "-1234567890.5", pa.decimal128(14, 4), Decimal("-1234567890.5000")),
    ("wide", "numeric(50,10)", "'-1e39'", pa.decimal256(57, 10), Decimal("-1e39")),
    ("exact", "numeric", "'0.1000'", pa.string(), "0.1000"),
    *([("hundreds", "numeric(5,-2)", "'1234567'", pa.string(), "1234600")] if MAJOR >= 15 else []),
    ("odd", "numeric", "'NaN'", pa.string(), "NaN"),
    ("visitor", "uuid", f"'{UUID(int=7)}'", pa.uuid(), UUID(int=7)),
    ("payload", "jsonb", "'{\"a\": [1, null]}'", pa.json_(), '{"a": [1, null]}'),
    ("numbers", "int[]", "array[1, null]", pa.list_(pa.int32()), [1, None]),
    ("tags", "text[]", "array['a,b', null, '']", pa.list_(pa.string()), ["a,b", None, ""]),
    ("none", "text[]", "'{}'", pa.list_(pa.string()), []),
    ("visitors", "uuid[]", f"array['{UUID(int=7)}'::uuid, null]", pa.list_(pa.uuid()), [UUID(int=7), None]),
    ("payloads", "jsonb[]", "array['{\"a\": 1}'::jsonb]", pa.list_(pa.json_()), ['{"a": 1}']),
    (
        "prices",
        "numeric(6,2)[]",
        "array[1.5, null, -0.01]",
        pa.list_(pa.decimal128(6, 2)),
        [Decimal("1.50"), None, Decimal("-0.01")],
    ),
    ("flags", "bool[]", "array[true, null, false]", pa.list_(pa.bool_()), [True, None, False]),
    ("shifted", "int8[]", "'[5:6]={1,2}'", pa.list_(pa.int64()), [1, 2]),
    ("domain", "percent", "12.5", pa.decimal128(5, 2), Decimal("12.50")),
    ("mood", "mood", "'so-so'", pa.string(), "so-so"),
    ("moods", "mood[]", "'{so-so}'", pa.string(), "{so-so}"),
    ("span", "interval", "'1 day 02:00'", pa.string(), "1 day 02:00:00"),
    ("net", "inet", "'10.0.0.1'", pa.string(), "10.0.0.1/32"),
    ("range", "int4range", "'[1,5)'", pa.string(), "[1,5)"),
    ("place", "point", "'(1,2)'", pa.string(), "(1,2)"),
    ("id number", "oid", "4294967295", pa.int64(), 4294967295),
    ("sums", "numeric[]", "array[1.5, 'NaN']", pa.string(), "{1.5,NaN}"),
]


MANY = "bigint generated always as identity, at timestamptz default now(), words text"
FILL = """insert into {} (at, words) select timestamptz '2026-01-05' + i * interval '1 minute', repeat(md5(i::text), 20)
    from generate_series(1, 90000) i"""


@pytest.fixture
def exporter(environ: dict[str, str], tmp_path: Path) -> Iterator[Exporter]:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text('[[job]]\nname = "t"\nquery = "select 1"\nblob = "q/{run}"\n')
    with open_exporter(Settings.from_env({**environ, "TAILRACE_JOBS": str(jobs)})) as opened:
        yield opened


def exported(
    exporter: Exporter, container: ContainerClient, table: str, cancelled: Cancellation | None = None
) -> pa.Table:
    """The table as Parquet, read by Arrow."""
    return exported_file(exporter, container, table, cancelled).read()


def exported_file(
    exporter: Exporter, container: ContainerClient, table: str, cancelled: Cancellation | None = None, **more: object
) -> pq.ParquetFile:
    job = {
        "name": "t",
        "schema": "public",
        "table": table,
        "blob": "{table}.{run}.parquet",
        "output": {"format": "parquet"},
        **more,
    }
    request = one_request(parse_jobs({"job": [job]})["t"], None, datetime(2026, 6, 1, tzinfo=UTC))
    receipt = run_export(request, exporter, cancelled or Cancellation()).receipt
    data = container.download_blob(request.blob).readall()
    assert receipt.blob_bytes == len(data)
    found = pq.ParquetFile(io.BytesIO(data))
    assert found.metadata.num_rows == receipt.rows
    return found


def test_types_and_values_are_preserved(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient
) -> None:
    admin.execute("create domain percent as numeric(5,2); create type mood as enum ('so-so')")
    admin.execute(f"create table kept ({', '.join(f'"{name}" {kind}' for name, kind, *_ in KEPT)})")
    admin.execute(f"insert into kept values ({', '.join(value for _, _, value, *_ in KEPT)})")
    admin.execute("insert into kept default values")
    table = exported(exporter, container, "kept")
    for name, _, _, kind, value in KEPT:
        assert table.schema.field(name).type == kind, name
        assert table[name].to_pylist() == [value, None], name


def test_a_table_without_rows_is_a_file_without_rows(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient
) -> None:
    admin.execute("create table nothing (id bigint, words text)")
    assert exported(exporter, container, "nothing").schema.names == ["id", "words"]


def test_many_row_groups_hold_every_row(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient
) -> None:
    admin.execute(
        "create table many as select i as id, repeat(md5(i::text), 10) as filler from generate_series(1, 150000) i"
    )
    table = exported(exporter, container, "many")
    assert sorted(table["id"].to_pylist()) == list(range(1, 150001))


@pytest.mark.parametrize("kind", ["table", "partitioned table", "view"])
def test_several_connections_write_the_same_rows_and_always_the_same_file(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, kind: str
) -> None:
    if kind == "partitioned table":
        admin.execute(f"create table many (id {MANY}) partition by range (id)")
        for number, (begin, end) in enumerate([(0, 100), (100, 50000), (50000, 60000), (60000, 900000)]):
            admin.execute(f"create table many{number} partition of many for values from ({begin}) to ({end})")
    else:
        admin.execute(f"create table {'many_rows' if kind == 'view' else 'many'} (id {MANY})")
    if kind == "view":
        admin.execute("create view many as table many_rows")
    admin.execute(FILL.format("many_rows" if kind == "view" else "many"))
    one = exported_file(exporter, container, "many", streams=1)
    first, second = (
        exported_file(exporter, container, "many", streams=3, blob=f"{number}.{{run}}.parquet") for number in "12"
    )
    assert first.read().sort_by("id").equals(one.read().sort_by("id"))
    assert first.read().equals(second.read())
    assert first.metadata.num_rows == 90000
    ids = first.read(["id"])["id"].to_pylist()
    assert (ids != sorted(ids)) is (kind != "view"), "row groups of several streams take turns"


def test_an_error_of_one_connection_stops_all(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient
) -> None:
    admin.execute(f"create table many (id {MANY})")
    admin.execute(FILL.format("many"))
    admin.execute("alter table many add part numeric(4,2)")
    admin.execute("update many set part = 'NaN' where id = 50000")
    with pytest.raises(SourceRejected):
        exported_file(exporter, container, "many", streams=3)
    assert list(container.list_blob_names()) == []


def test_only_columns_whose_values_repeat_have_a_dictionary_and_those_and_numbers_and_ids_have_statistics(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient
) -> None:
    admin.execute(
        "create table mixed as select i as id, md5(i::text)::uuid as visitor, (i % 7)::numeric(9,2) as price,"
        " 'kind ' || i % 5 as kind, array['tag ' || i % 3] as tags, jsonb_build_object('ab', i % 9) as payload,"
        " null::text as nothing, repeat('filler', 80) as filler from generate_series(1, 40000) i"
    )
    file = exported_file(exporter, container, "mixed")
    groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
    assert len(groups) == 3
    for group in groups:
        columns = [group.column(n) for n in range(group.num_columns)]
        plain = {column.path_in_schema for column in columns if "RLE_DICTIONARY" not in column.encodings}
        assert plain == {"id", "visitor"}
        assert [column.path_in_schema for column in columns if not column.is_stats_set] == []
    table = file.read()
    assert sorted(table["id"].to_pylist()) == list(range(1, 40001))
    assert table["price"].to_pylist() == [Decimal(i % 7) for i in table["id"].to_pylist()]
    for n, group in enumerate(groups):
        ids = file.read_row_group(n, columns=["id"])["id"].to_pylist()
        assert (group.column(0).statistics.min, group.column(0).statistics.max) == (min(ids), max(ids))


def test_values_larger_than_a_row_group_are_preserved(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient
) -> None:
    admin.execute("create view wide as select i as id, repeat('x', 20000000 + i) as v from generate_series(1, 5) i")
    file = exported_file(exporter, container, "wide")
    assert file.num_row_groups == 5
    assert [len(value.as_buffer()) for value in file.read()["v"]] == [20000000 + i for i in range(1, 6)]


@pytest.mark.parametrize("failing_row", [1, 150000])
def test_an_error_among_the_rows_is_raised_and_nothing_is_written(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, failing_row: int
) -> None:
    admin.execute(
        f"create view failing as select 1 / ({failing_row} - i) as x, repeat(md5(i::text), 10) as filler"
        " from generate_series(1, 200000) i"
    )
    with pytest.raises(SourceRejected, match=r"division by zero.*22012|22012.*division by zero"):
        exported(exporter, container, "failing")
    assert list(container.list_blob_names()) == []


@pytest.mark.parametrize(
    "endless",
    ["select pg_sleep(60) is null as slept", "select i, md5(i::text) as filler from generate_series(1, 1000000000) i"],
    ids=["before the first row", "among the rows"],
)
def test_a_cancelled_export_ends(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, endless: str
) -> None:
    admin.execute(f"create view endless as {endless}")
    cancelled = Cancellation()
    Timer(0.5, cancelled.set).start()
    began = monotonic()
    with pytest.raises(ExportInterrupted):
        exported(exporter, container, "endless", cancelled)
    assert monotonic() - began < 5
    assert list(container.list_blob_names()) == []


# Numerics of every declared size, written by Python's decimal: the least and the largest, zeros before and after the
# point, and digits that begin and end at each place of PostgreSQL's groups of four.
SIZES = [(1, 0), (1, 1), (4, 2), (9, 4), (18, 0), (18, 18), (19, 3), (38, 0), (38, 37), (39, 5), (76, 0), (76, 76)]


@pytest.mark.parametrize(("precision", "scale"), SIZES)
def test_numerics_are_exact(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, precision: int, scale: int
) -> None:
    digits = "98765432101234567890" * 4
    units = {0, 1, 10**precision - 1, 10 ** (precision - 1)}
    units |= {
        int(digits[:n]) * 10**zeros for n in range(1, precision + 1) for zeros in range(min(9, precision - n + 1))
    }
    with localcontext(prec=80):
        values = [Decimal(sign * unit).scaleb(-scale) for unit in sorted(units) for sign in (1, -1)]
    admin.execute(f"create table amounts (n int, x numeric({precision},{scale}))")
    with admin.cursor().copy("copy amounts from stdin") as copy:
        for row in enumerate([*values, None]):
            copy.write_row(row)
    table = exported(exporter, container, "amounts").sort_by("n")
    assert table["x"].to_pylist() == [*values, None]


def test_times_are_exact_from_the_first_to_the_last(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient
) -> None:
    """Beyond Python's years, too: PostgreSQL's first ones, and the last that Arrow's 64 bits hold."""
    first, last = "4713-01-01 BC", "294246-12-31"
    admin.execute(
        f"create table times as select '{first}'::date as a, '{last}'::date as b, '{first}'::timestamp as c,"
        f" '{last} 23:59:59.999999+00'::timestamptz as d, '23:59:59.999999'::time as e, '0:0'::time as f"
    )
    found = exported(exporter, container, "times")
    given = admin.execute(
        "select a - '1970-01-01'::date, b - '1970-01-01'::date, (extract(epoch from c) * 1000000)::int8,"
        " (extract(epoch from d) * 1000000)::int8, 86399999999, 0 from times"
    ).fetchone()
    whole = {"a": pa.int32(), "b": pa.int32()}
    assert tuple(found[name].cast(whole.get(name, pa.int64())).to_pylist()[0] for name in "abcdef") == given


def test_texts_bytes_and_documents_are_those_of_the_table(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient
) -> None:
    """NULL, empty, and long values in turn, over several row groups; one at a million times another's size."""
    admin.execute(
        "create table texts as select i as id, case when i % 3 > 0 then repeat(chr(97 + i % 26), i % 1500) end as t,"
        " case when i % 5 > 0 then decode(repeat(md5(i::text), i % 40), 'hex') end as b,"
        " case when i % 7 > 0 then array_fill(i, array[i % 9]) end as l, i % 2 = 0 as even"
        " from generate_series(1, 30000) i"
    )
    admin.execute("update texts set t = repeat('é', 30000000) where id = 15000")
    columns = ("id", "t", "b", "l", "even")
    file = exported_file(exporter, container, "texts")
    assert file.num_row_groups >= 3
    found = file.read().sort_by("id")
    given = list(zip(*admin.execute("select * from texts order by id").fetchall(), strict=True))
    for name, values in zip(columns, given, strict=True):
        assert found[name].to_pylist() == list(values), name


def test_a_worker_without_its_compiled_library_refuses(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_loaded", lambda: "no such file")
    admin.execute("create table few as select 1 as id")
    with pytest.raises(SourceRejected, match=r"compiled library.*no such file") as refused:
        exported(exporter, container, "few")
    assert refused.value.reason == "FormatNotInstalled"


def test_a_table_without_columns_is_refused(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient
) -> None:
    admin.execute("create table bare ()")
    with pytest.raises(SourceRejected, match="at least one column"):
        exported(exporter, container, "bare")


@pytest.mark.parametrize(
    ("definition", "value", "said"),
    [
        ("numeric(6,2)", "'NaN'", "holds a value that decimal128(6, 2) cannot"),
        ("numeric(9,2)[]", "array[1, numeric 'NaN']", "it is NaN or infinite"),
        ("date", "'infinity'", "holds a value that date32[day] cannot"),
        ("timestamp", "'-infinity'", "holds a value that timestamp[us] cannot"),
        ("timestamptz", "'294276-12-31'", "out of range"),
        ("time", "'24:00'", "out of range"),
        ("int[]", "array[[1, 2], [3, 4]]", "an array of several dimensions is no Parquet list"),
    ],
)
def test_what_parquet_cannot_hold_is_refused_and_nothing_is_written(
    exporter: Exporter, admin: psycopg.Connection, container: ContainerClient, definition: str, value: str, said: str
) -> None:
    admin.execute(f"create table odd (x {definition})")
    admin.execute(f"insert into odd values ({value})")
    with pytest.raises(SourceRejected, match=re.escape(said)):
        exported(exporter, container, "odd")
    assert list(container.list_blob_names()) == []


def test_a_missing_table_says_so(exporter: Exporter, container: ContainerClient) -> None:
    with pytest.raises(SourceRejected, match="42P01"):
        exported(exporter, container, "missing")
