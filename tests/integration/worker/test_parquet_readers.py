"""Readers of Parquet of four makes find in our files what PostgreSQL says, and the files keep the format's rules."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.exports import Exports
from support.parquet.claims import check_file
from support.parquet.layout import read_layout
from support.parquet.readers import READERS, plain_values

from contracts.jobs_file import parse_jobs
from producer.ask import one_request
from worker.blob import buffers
from worker.cancellation import Cancellation
from worker.export import run_export
from worker.formats.parquet import types
from worker.native import row_groups

ROWS = 2_000

# What a value is compared as; `{}` is the column, or an element of its lists.
DAY = "{} - date '1970-01-01'"
MICROSECONDS = "(extract(epoch from {}) * 1000000)::int8"
EXACT = "{}::float8"
TEXT = "{}::text"
ODD_NUMBERS = "(array['NaN', 'Infinity', '-0', (i / 7.0)::text])[1 + i % 4]"

# Name, type, a value out of the row's number i, and how PostgreSQL says it.
COLUMNS = [
    ("even", "bool", "i % 2 = 0", "{}"),
    ("small", "int2", "(i * 32 - 32768)", "{}"),
    ("whole", "int4", "(i::int8 * 1400000 - 2147483648)", "{}"),
    ("big", "int8", "i::int8 * 3000000000000000 * (i % 2 * 2 - 1)", "{}"),
    ("single", "float4", f"{ODD_NUMBERS}::float4", EXACT),
    ("double", "float8", f"{ODD_NUMBERS}::float8", EXACT),
    ("words", "text", "'é漢🚀\" ' || repeat(md5(i::text), 4)", "{}"),
    ("kind", "text", "'kind ' || i % 5", "{}"),
    ("empty", "varchar(9)", "''", "{}"),
    ("padded", "char(3)", "'z'", TEXT + " || '  '"),
    ("label", "name", "'label ' || i % 300", TEXT),
    ("raw", "bytea", "decode(repeat(md5(i::text), i % 4), 'hex')", "{}"),
    ("day", "date", "date '4713-01-01 BC' + i * 700", DAY),
    ("clock", "time", "time '0:0' + i * interval '28.799123 s'", MICROSECONDS),
    ("wall", "timestamp", "timestamp '4713-01-01 BC' + i * interval '99 years 1 us'", MICROSECONDS),
    ("instant", "timestamptz", "timestamptz '2026-01-01' + i * interval '1 min 1 us'", MICROSECONDS),
    ("price", "numeric(14,4)", "(i - 1500) * 12345.6789", "{}"),
    ("long", "numeric(38,10)", "(i - 1500) * 1234567890123456789012345.0123456789", "{}"),
    ("exact", "numeric", "i / 3.0", TEXT),
    ("visitor", "uuid", "md5(i::text)::uuid", "{}"),
    ("document", "json", "json_build_array(i, null)", TEXT),
    ("payload", "jsonb", "jsonb_build_object('a', i % 9)", TEXT),
    ("number", "oid", "i::int8 * 1400000", "{}::int8"),
    ("span", "interval", "i * interval '1 day 02:00'", TEXT),
    ("evens", "bool[]", "array[true, null, i % 2 = 0]", "{}"),
    ("numbers", "int[]", "(array[i, null, -i])[1 : i % 4]", "{}"),
    ("doubles", "float8[]", f"array[{ODD_NUMBERS}::float8, i]", EXACT),
    ("tags", "text[]", "(array['tag ' || i % 3, null, ''])[1 : i % 4]", "{}"),
    ("raws", "bytea[]", "array[decode(md5(i::text), 'hex'), null, '']", "{}"),
    ("days", "date[]", "array[date '2026-01-01' + i, null]", DAY),
    ("instants", "timestamptz[]", "array[null, timestamptz '2026-01-01' + i * interval '1 us']", MICROSECONDS),
    ("prices", "numeric(9,2)[]", "array[i / 7.0, null, -0.01]", "{}"),
    ("visitors", "uuid[]", "array[md5(i::text)::uuid, null]", "{}"),
    ("payloads", "jsonb[]", "array[jsonb_build_object('a', i)]", TEXT),
]
FILTERED = [name for name, type_, *_ in COLUMNS if not type_.startswith("bool")]

type Export = Callable[..., Path]
type Rows = dict[str, list[Any]]


@pytest.fixture
def export(exports: Exports, admin: psycopg.Connection, container: ContainerClient, tmp_path: Path) -> Export:
    """Exports the table with these options of its output, and returns the file."""

    def run(streams: int = 1, **options: Any) -> Path:
        job = {"name": "j", "schema": "public", "table": "every", "blob": "{run}.parquet", "streams": streams}
        job["output"] = {"format": "parquet", **options}
        request = one_request(parse_jobs({"job": [job]})["j"], None, datetime(2026, 6, 1, tzinfo=UTC))
        run_export(request, exports.worker.exporter, Cancellation())
        file = tmp_path / "every.parquet"
        file.write_bytes(container.download_blob(request.blob).readall())
        return file

    return run


def fill(admin: psycopg.Connection, rows: int) -> Rows:
    """Makes the table, with a NULL in every seventh row of each column, and returns what PostgreSQL says it holds."""
    admin.execute(f"create table every (id int, {', '.join(f'{name} {type_}' for name, type_, *_ in COLUMNS)})")
    values = (
        f"case when (i + {n}) % 7 > 0 then ({value})::{type_} end" for n, (_, type_, value, _) in enumerate(COLUMNS)
    )
    admin.execute(f"insert into every select i, {', '.join(values)} from generate_series(1, {rows}) as i".encode())
    return said(admin)


def said(admin: psycopg.Connection) -> Rows:
    found = admin.execute(
        f"select {', '.join(expected(*column) for column in COLUMNS)} from every order by id".encode()
    )
    rows = found.fetchall()
    return {name: [compared(row[n]) for row in rows] for n, (name, *_) in enumerate(COLUMNS)}


def expected(name: str, type_: str, _: str, says: str) -> str:
    if not type_.endswith("[]"):
        return says.format(name)
    elements = f"array(select {says.format('x')} from unnest({name}) with ordinality as e(x, n) order by n)"
    return f"case when {name} is not null then {elements} end"


def compared(value: Any) -> Any:
    """NaN equals itself, zeros have signs, and some readers show a UUID as its bytes, others as its text."""
    if isinstance(value, list):
        return list(map(compared, value))
    return repr(value) if isinstance(value, float) else str(value) if isinstance(value, UUID) else value


def read(reader: str, file: Path) -> tuple[list[int], Rows]:
    """The ids, and the other columns."""
    table = READERS[reader](file)
    assert table.schema.names == ["id", *(name for name, *_ in COLUMNS)]
    found = {name: list(map(compared, plain_values(table[name]))) for name in table.schema.names}
    for name in ("visitor", "visitors"):
        found[name] = [as_uuid(value) for value in found[name]]
    return found.pop("id"), found


def as_uuid(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(as_uuid, value))
    return str(UUID(bytes=value)) if isinstance(value, bytes) else value


def check(file: Path, truth: Rows) -> list[int]:
    """Every reader finds the truth in the file, whose layout and claims are right; returns the ids, in its order."""
    check_file(file.read_bytes())
    orders = []
    for reader in READERS:
        ids, found = read(reader, file)
        assert sorted(ids) == list(range(1, 1 + len(truth["even"])))
        for name, values in truth.items():
            assert found[name] == [values[id_ - 1] for id_ in ids], f"{reader}: {name}"
        orders.append(ids)
    assert all(ids == orders[0] for ids in orders)
    return orders[0]


def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (buffers, row_groups):
        monkeypatch.setattr(module, "GROUP_BYTES", 256 << 10)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dictionary": True, "statistics": True},
        {"dictionary": False, "statistics": False},
        {"dictionary": True, "statistics": True, "bloom_filters": FILTERED},
        {"dictionary": False, "bloom_filters": FILTERED},
        {"streams": 2},
        {"streams": 2, "dictionary": True, "statistics": True, "bloom_filters": FILTERED},
    ],
    ids=["as it decides", "all", "none", "all, filters", "filters", "two streams", "two streams, all, filters"],
)
def test_every_reader_finds_what_postgresql_says(
    export: Export, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    truth = fill(admin, ROWS)
    small_row_groups(monkeypatch)
    file = export(**options)
    ids = check(file, truth)
    assert len(read_layout(file.read_bytes()).rows) > 4
    in_table = [id_ for (id_,) in admin.execute("select id from every order by ctid").fetchall()]
    assert (ids != in_table) is (options.get("streams") == 2), "row groups of two streams take turns"


def test_every_reader_reads_row_groups_that_grow(
    export: Export, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = fill(admin, ROWS)
    small_row_groups(monkeypatch)
    monkeypatch.setattr(buffers, "ENTRY_BYTES", 16 << 10)
    file = export()
    check(file, truth)
    rows = read_layout(file.read_bytes()).rows
    assert rows[1] > 1.5 * rows[0]


@pytest.mark.parametrize("rows", [0, 1, 8])
def test_every_reader_reads_a_file_of_few_rows_or_none(export: Export, admin: psycopg.Connection, rows: int) -> None:
    truth = fill(admin, rows)
    check(export(), truth)
    check(export(streams=2, dictionary=True, statistics=True, bloom_filters=FILTERED), truth)


def test_numerics_of_more_than_38_digits_are_exact_or_the_nearest_doubles(
    export: Export, admin: psycopg.Connection
) -> None:
    """DuckDB makes doubles of them, and polars has none."""
    sizes = [(39, 0), (39, 39), (50, 10), (57, 1), (58, 1), (76, 38)]
    values = ", ".join(f"(i - 6) * ('7' || repeat('6', {p - 2}))::numeric * 1e-{s}" for p, s in sizes)
    columns = ", ".join(f"x{p}_{s} numeric({p},{s})" for p, s in sizes)
    admin.execute(f"create table every (id int, {columns})".encode())
    admin.execute(f"insert into every select i, {values} from generate_series(1, 11) as i".encode())
    truth = admin.execute("select * from every order by id").fetchall()
    file = export(statistics=True, bloom_filters=[f"x{p}_{s}" for p, s in sizes])
    check_file(file.read_bytes())
    for reader, nearest in (("Arrow in C++", None), ("Arrow in Rust", None), ("DuckDB", 1e-14)):
        found = list(zip(*map(plain_values, READERS[reader](file).columns), strict=True))
        wanted = [pytest.approx(tuple(map(float, row)), rel=nearest) for row in truth] if nearest else truth
        assert found == wanted, reader


def test_every_type_that_is_kept_is_among_the_columns() -> None:
    same = {"varchar(9)": "varchar", "char(3)": "bpchar"}
    assert set(types._KEPT) <= {same.get(type_, type_) for _, type_, *_ in COLUMNS}
