"""The bytes of an export are the bytes that PostgreSQL's own COPY writes."""

import gzip
import subprocess
import zlib
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.asking import ask
from support.exports import Exports
from support.versions import HEADER

from worker.formats.codecs import native_gzip
from worker.message.settlement import Complete
from worker.native.gzip import GzipStream

ODD = 'Größe "x"; drop table t; --'
VALUES = r"""
    (1, 'plain', 'plain', '{"a": 1}', '1.50', '{1,2}', '\x00ff', '2026-01-31 23:59:59.999999+02', 'NaN', true),
    (2, null, '', null, null, null, null, null, null, null),
    (3, '', 'NULL', '""', 'NaN', '{}', '', '-infinity', 'Infinity', false),
    (4, E'"q", ''q'' and ""', E'a\nb\r\nc\rd', '{"a": "b\n\"c\", ,", "d": null}', '-0.00', '{{a,"b c"},{NULL,""}}',
     '\x0a0d22', '0044-03-15 12:00:00 BC', '-Infinity', null),
    (5, E'\\.', E'\\N', '[1, [2, [3]]]', '123456789012345678901234567890.123456789', '{"\"","\\"}', null, 'infinity',
     '1e-300', true),
    (6, E'tab\there', E'  spaces  ', '" "', '0', '{é,漢,🚀}', '\x', '1970-01-01 00:00:00-12:59:59', '0.1', true),
    (7, 'é漢🚀', U&'\200B\202E\FEFF', '{"é": "漢🚀"}', '1', '{","}', null, null, '0.30000000000000004', false),
    (8, ',', ';', 'null', '1', '{;}', null, null, null, null)"""


@pytest.fixture
def odd(admin: psycopg.Connection) -> sql.Identifier:
    """A table of values and names that break careless CSV writers."""
    name = sql.Identifier(ODD, ODD)
    admin.execute(sql.SQL("create schema {}").format(sql.Identifier(ODD)))
    columns = """(id int, "select" text, "Größe ""x"", y" text, js jsonb, n numeric, tags text[], raw bytea,
        at timestamptz, ratio float8, ok bool, "line
end" int default 7)"""
    admin.execute(sql.SQL("create table {} {}").format(name, sql.SQL(columns)))
    admin.execute(sql.SQL("insert into {} values {}").format(name, sql.SQL(VALUES)))
    return name


def copied(admin: psycopg.Connection, table: sql.Composable, options: str = "header") -> bytes:
    """What PostgreSQL writes in a session set as ours is."""
    admin.execute("set timezone = 'UTC'")
    statement = sql.SQL("copy (select * from {}) to stdout (format csv, {})").format(table, sql.SQL(options))
    with admin.cursor() as cursor, cursor.copy(statement) as copy:
        return b"".join(copy)


@pytest.mark.parametrize(
    ("output", "options"),
    [
        ({}, "header"),
        ({"header": False}, "header false"),
        ({"delimiter": ";"}, "header, delimiter ';'"),
        ({"delimiter": "\t", "null": "\\N"}, "header, delimiter E'\\t', null '\\N'"),
        ({"delimiter": "|", "null": "NULL"}, "header, delimiter '|', null 'NULL'"),
        ({"delimiter": "'", "null": " "}, "header, delimiter '''', null ' '"),
        ({"delimiter": "\x01"}, "header, delimiter E'\\x01'"),
    ],
)
def test_every_value_name_and_option_is_written_as_copy_writes_it(
    exports: Exports, admin: psycopg.Connection, odd: sql.Identifier, output: dict[str, Any], options: str
) -> None:
    assert exports.handle(ask(ODD, schema=ODD, output=output)) == Complete("exported")
    assert exports.csv() == copied(admin, odd, options)
    assert exports.receipt().rows == 8


def test_the_receipt_says_what_is_in_the_blob(exports: Exports, admin: psycopg.Connection, odd: sql.Identifier) -> None:
    request = ask(ODD, schema=ODD)
    exports.handle(request)
    receipt, stored = exports.receipt(), exports.container.download_blob("x/1.csv.gz")
    data = stored.readall()
    assert (receipt.request_id, receipt.job, receipt.run) == (request.request_id, "j", request.run)
    assert (receipt.csv_bytes, receipt.blob_bytes) == (len(copied(admin, odd)), len(data))
    assert [part.blob_bytes for part in receipt.parts] == [len(data)]
    assert receipt.started_at <= receipt.exported_at
    assert receipt.snapshot.count(":") == 2
    settings = stored.properties.content_settings
    assert (settings.content_type, settings.content_encoding) == ("application/gzip", None)


def test_any_gunzip_reads_the_blob(exports: Exports, admin: psycopg.Connection, odd: sql.Identifier) -> None:
    exports.handle(ask(ODD, schema=ODD))
    data = exports.container.download_blob("x/1.csv.gz").readall()
    assert gzip.decompress(data) == copied(admin, odd)
    done = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=True)
    assert done.stdout == copied(admin, odd)


def test_a_csv_is_loaded_back_without_a_difference(
    exports: Exports, admin: psycopg.Connection, odd: sql.Identifier
) -> None:
    exports.handle(ask(ODD, schema=ODD))
    admin.execute(sql.SQL("create table back (like {})").format(odd))
    with admin.cursor() as cursor, cursor.copy(f"copy back from stdin (format csv, {HEADER})") as copy:
        copy.write(exports.csv())
    difference = sql.SQL("(table {0} except table back) union all (table back except table {0})").format(odd)
    assert admin.execute(difference).fetchall() == []
    assert admin.execute("select count(*) from back").fetchone() == (8,)


def test_columns_come_in_the_order_they_were_asked_for(
    exports: Exports, admin: psycopg.Connection, odd: sql.Identifier
) -> None:
    exports.handle(ask(ODD, schema=ODD, columns=["ok", 'Größe "x", y', "id", "id"]))
    first, second, *_ = exports.csv().decode().splitlines()
    assert (first, second) == ('ok,"Größe ""x"", y",id,id', "t,plain,1,1")


@pytest.mark.parametrize(("header", "expected"), [(True, b"id,name\n"), (False, b"")])
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_table_without_rows_is_a_blob_without_rows(
    exports: Exports, admin: psycopg.Connection, header: bool, expected: bytes, compression: str
) -> None:
    admin.execute("create table t (id int, name text)")
    exports.handle(ask(output={"header": header, "compression": compression}))
    data = exports.container.download_blob("x/1.csv.gz").readall()
    assert (gzip.decompress(data) if compression == "gzip" else data) == expected
    assert (exports.receipt().rows, exports.receipt().csv_bytes) == (0, len(expected))


def test_a_table_without_columns_still_has_its_rows(exports: Exports, admin: psycopg.Connection) -> None:
    admin.execute("create table t (); insert into t default values; insert into t default values")
    assert exports.handle(ask()) == Complete("exported")
    assert (exports.csv(), exports.receipt().rows) == (b"\n\n\n", 2)


def test_values_of_many_megabytes_come_through(exports: Exports, admin: psycopg.Connection) -> None:
    """Longer than a chunk and a block; one of them hardly compresses."""
    admin.execute("""create table t as select n as id, case n
        when 1 then repeat('"', 10000000) when 2 then repeat('0123456789', 1200000)
        else (select string_agg(md5(i::text), '') from generate_series(1, 320000) as i) end as v
        from generate_series(1, 3) as n""")
    assert exports.handle(ask()) == Complete("exported")
    assert exports.csv() == copied(admin, sql.Identifier("t"))
    assert exports.receipt().blob_bytes > 5 << 20


def test_the_same_rows_give_the_same_bytes(exports: Exports, admin: psycopg.Connection) -> None:
    """However the network splits them, which differs each time."""
    admin.execute("create table t as select n, md5(n::text) from generate_series(1, 30000) as n")
    names = [f"{number}" for number in range(20)]
    for name in names:
        exports.handle(ask(blob=name))
    assert len({exports.receipt(name).parts for name in names}) == 1


def test_the_servers_own_settings_leave_the_bytes_alone(
    exports: Exports, admin: psycopg.Connection, odd: sql.Identifier, database: str
) -> None:
    """An administrator may set them for the role or the database."""
    for setting in (
        "datestyle = 'German'",
        "timezone = 'Asia/Kathmandu'",
        "intervalstyle = 'iso_8601'",
        "bytea_output = 'escape'",
        "extra_float_digits = -5",
        "default_transaction_isolation = 'read committed'",
        "search_path = ''",
        "client_encoding = 'LATIN1'",
        "standard_conforming_strings = on",
    ):
        admin.execute(sql.SQL("alter database {} set {}").format(sql.Identifier(database), sql.SQL(setting)))
    admin.execute("create table t as select interval '1 day 02:03:04' as i, date '2026-01-31' as d, 0.1::float8 as f")
    assert exports.handle(ask(ODD, schema=ODD)) == Complete("exported")
    assert exports.csv() == copied(admin, odd)
    exports.handle(ask(blob="t"))
    assert exports.csv("t") == b"i,d,f\n1 day 02:03:04,2026-01-31,0.1\n"


def test_wrongly_compressed_bytes_are_never_published_and_another_compressor_writes_the_blob(
    exports: Exports, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class OneBitOff(GzipStream):
        def compress(self, chunk: memoryview) -> memoryview:
            data = super().compress(chunk)
            if len(data) > 1000:
                data[999] ^= 1
            return data

    monkeypatch.setattr(native_gzip, "GzipStream", OneBitOff)
    admin.execute("create table t as select n as id, md5(n::text) as words from generate_series(1, 9999) as n")
    assert exports.handle(ask()) == Complete("exported")
    assert exports.csv().count(b"\n") == 10_000
    assert "compression wrong" in caplog.text
    unverified = exports.handle(ask(blob="unverified", output={"verify": False}))
    assert unverified == Complete("exported")
    with pytest.raises((zlib.error, gzip.BadGzipFile)):
        exports.csv("unverified")
