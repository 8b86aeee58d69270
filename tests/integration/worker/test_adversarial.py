"""A table of every type, and of values that break careless writers, comes back by every way that there is."""

import io
from collections.abc import Iterator
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from support.asking import ask
from support.exports import Exports, OpenExports
from support.unpack import UNPACK
from support.versions import HEADER

from worker.message.settlement import Complete

NAME = "x/1.csv.gz"
TABLE = """
    create type mood as enum ('good', 'so, "so"');
    create domain percent as numeric(5, 2);
    create table t (
        id int8, small int2, whole int4, single float4, double float8, flag bool, words text, short varchar(20),
        padded char(5), raw bytea, day date, clock time, wall timestamp, instant timestamptz, price numeric(12, 4),
        huge numeric(60, 20), exact numeric, share percent, visitor uuid, js json, payload jsonb, tags text[],
        days date[], visitors uuid[], prices numeric(9, 2)[], span interval, net inet, ranges int4range, place point,
        bits bit(3), mood mood, moods mood[], number oid, made int8 generated always as (whole * 2) stored)"""
# NULL, an empty value, and others take turns in each column.
ROWS = r"""
    insert into t select i, i % 30000, i, i / 7.0, pi() * i, i % 3 = 0,
        case i % 4 when 0 then null when 1 then '' when 2 then E'a,"b"\r\nc\\.' || i else repeat('é漢🚀', i % 40) end,
        case when i % 3 > 0 then left(md5(i::text), i % 20) end, case when i % 3 > 0 then left(E'\t, "', i % 5) end,
        case when i % 5 > 0 then decode(left(repeat(md5(i::text), 3), i % 90 / 2 * 2), 'hex') end,
        date '1900-01-01' + i, time '00:00' + i * interval '3.000001 s', timestamp '1969-12-31' + i * interval '7.7 s',
        timestamptz '1969-12-31' + i * interval '7.000007 s', case when i % 3 > 0 then (i - 9000) / 10000.0 end,
        case when i % 3 > 0 then (10 ^ (i % 38)::numeric) * (i % 7 - 3) + i / 1e20 end, i / 3.0::numeric,
        case when i % 3 > 0 then i % 100 / 7.0 end, md5(i::text)::uuid,
        case when i % 3 > 0 then json_build_object('a', E'\n"\\', 'b', i) end, jsonb_build_array(i, null, 'é'),
        case i % 4 when 0 then null when 1 then '{}' else array['', null, E'"{,}\n' || i] end,
        array[date '2000-01-01' - i, null], array[md5(i::text)::uuid], array[i / 100.0, null],
        case when i % 3 > 0 then i * interval '1 day 1.5 s' end, ('10.0.0.' || i % 250)::inet, int4range(i, i + 5),
        point(i, -i / 3.0), (i % 8)::bit(3), 'so, "so"', array[null, 'good']::mood[], i::oid
    from generate_series(1, 9000) as i"""
# What PostgreSQL itself says of a row, in 16 bytes.
ALL = "select md5({0}::text) from {0}"


@pytest.fixture
def table(admin: psycopg.Connection) -> None:
    admin.execute("set timezone = 'UTC'")
    admin.execute(TABLE)
    admin.execute(ROWS)
    # 24 MB of what has to be quoted, a row after which a connection is closed, in the middle of the others.
    admin.execute("update t set words = repeat(E'\"x\",\\r\\n', 3428571) where id = 4444")
    admin.execute("create table back (like t)")


def differences(admin: psycopg.Connection) -> list[Any]:
    one, other = ALL.format("t"), ALL.format("back")
    return admin.execute(f"({one} except all {other}) union all ({other} except all {one})").fetchall()


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize(("compression", "level"), [("gzip", 1), ("gzip", 2), ("gzip", 5), ("zstd", 1), ("none", None)])
def test_csv(
    open_exports: OpenExports, admin: psycopg.Connection, streams: int, compression: str, level: int | None
) -> None:
    exports = open_exports(TAILRACE_POOL_SIZE="4")
    output = {"compression": compression, "level": level}
    assert exports.handle(ask(output=output, streams=streams)) == Complete("exported")
    data = UNPACK[compression](exports.container.download_blob(NAME).readall())
    assert exports.receipt().rows == 9000
    assert (len(exports.receipt().parts) > 1) is (streams > 1)
    with admin.cursor() as cursor, cursor.copy(f"copy back from stdin (format csv, {HEADER})") as copy:
        copy.write(data)
    assert differences(admin) == []


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("streams", [1, 2])
def test_parquet(open_exports: OpenExports, admin: psycopg.Connection, streams: int) -> None:
    exports = open_exports(TAILRACE_POOL_SIZE="4")
    assert exports.handle(ask(output={"format": "parquet"}, streams=streams)) == Complete("exported")
    assert exports.receipt().rows == 9000
    with admin.cursor() as cursor, cursor.copy("copy back from stdin") as copy:
        for row in rows_of(exports):
            copy.write_row(row)
    assert differences(admin) == []


def rows_of(exports: Exports) -> Iterator[list[Any]]:
    with pq.ParquetFile(io.BytesIO(exports.container.download_blob(NAME).readall())) as file:
        for batch in file.iter_batches(1000):
            yield from map(list, zip(*(column.to_pylist() for column in batch.columns), strict=True))
