"""CSV that is printed here out of binary rows is, byte for byte, the CSV that PostgreSQL sends.

Each type has its edges, and then so many values out of hashes as VALUES says (20,000 unless set).
"""

import os
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.versions import MAJOR

from contracts.output import Output
from worker.cancellation import Cancellation
from worker.source.catalogue import output_functions
from worker.source.copy_out import copy_out
from worker.source.printing import Printing, binary_copy, printing_of, types_to_convert
from worker.source.snapshot import begin_statement, open_snapshot
from worker.source.statement import copy_statement

VALUES = int(os.environ.get("VALUES", "20000"))
OUTPUTS = (
    Output(),
    Output(delimiter=";", null="\\N", header=False),
    Output(delimiter=" ", null="0"),
    Output(delimiter="-", null="t"),
    Output(delimiter=":", null="NaN"),
)
# Made of what asks for quotes and what does not, of one to four bytes a character.
_TEXT = r"""(select coalesce(string_agg(substr(E'ab,"\n\r\\.;\té漢🚀 0t-:', 1 + (h >> i & 15)::int, 1), ''), '')
             from generate_series(1, (n % 37)::int) as i)"""
_SPECIAL = (
    r"array['', ',', '\.', E'\n', E'\r', '\N', '0', 't', 'NaN', ' ', '\', E'\t', '"
    "', repeat('x', 15) || '"
    "', repeat('é', 40)]"
)
_TIMES = """array['infinity', '-infinity', 'epoch', '0001-01-01', '0001-01-01 BC', '4713-01-01 BC', '0099-12-31',
    '1999-12-31 23:59:59.999999', '2000-01-01', '2000-02-29 00:00:00.1', '1900-03-01 12:00:00.000001',
    '9999-12-31 23:59:59', '10000-01-01 00:00:00.5', '294276-12-31 23:59:59.999999']"""
_MOMENT = "+ case when n % 3 = 0 then -(h % 200000000000000000) else h % 9000000000000000000 / (1 + n % 999999) end"
# A type → its edges, and the expression of a value out of `n`, the row's number, and `h`, a hash of it from 0 on.
PRINTED = {
    "bool": ("array['t', 'f']", "h % 2 = 0"),
    "int2": ("array['0', '-1', '9', '10', '99', '100', '-32768', '32767']", "(h % 65536 - 32768)::int2"),
    "int4": (
        "array['0', '-1', '-2147483648', '2147483647', '1000000000', '999999999']",
        "(h % 4294967296 - 2147483648) >> (n % 31)::int",
    ),
    "int8": (
        "array['0', '-9223372036854775808', '9223372036854775807']",
        "(case n % 2 when 0 then h else -h end) >> (n % 63)::int",
    ),
    "numeric": (
        """array['0', '0.0', '-0.00', 'NaN', 'Infinity', '-Infinity', '1e-16383', '1e130000', '9999.9999', '10000',
            '0.0001', '0.00010000', '-0.00000000000000000001', '123456789012345678901234567890.123', '99999999',
            '100000000.00000001']""",
        """round((case n % 2 when 0 then h else -h end)::numeric / 10::numeric ^ (n % 40), (n % 23)::int)
            * case when n % 7 = 0 then 10::numeric ^ (n % 60) else 1 end""",
    ),
    "numeric(12, 4)": ("array['0', '-99999999.9999', '0.0001', '1000']", "h % 1000000000000 / 10000.0"),
    "numeric(5, -2)": ("array['0', '-9999900', '100']", "h % 9999900"),
    "text": (_SPECIAL, _TEXT),
    "varchar": (_SPECIAL, _TEXT),
    "char(9)": ("array['', ',', '\\.', 'x']", f"left({_TEXT}, 9)"),
    "name": ("array['', ',', '\\.', 'x']", f"left({_TEXT}, 15)"),
    "json": ("""array['{"a": 1}', '[]', '"x"', '1', ' null ']""", f"json_build_object('a', {_TEXT}, 'n', n)"),
    "jsonb": (
        """array['{"a": 1}', '[]', '"x"', '1', 'null', '"\\\\."']""",
        f"jsonb_build_object('a', {_TEXT}, 'n', n)",
    ),
    "uuid": (
        "array['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']",
        "md5(h::text)::uuid",
    ),
    "bytea": (r"array['\x', '\x00', '\x5c2e', '\xff22']", "decode(left(md5(h::text), (n % 17)::int * 2), 'hex')"),
    "date": (
        _TIMES.replace("294276", "5874897"),
        "date '2000-01-01' + (case n % 2 when 0 then h % 2145031948 else -(h % 2451545) end)::int",
    ),
    "time": (
        "array['00:00', '24:00', '23:59:59.999999', '00:00:00.1', '00:00:00.000001', '12:34:56.78']",
        "time '00:00' + h % 86400000000 * interval '1 us'",
    ),
    "timestamp": (_TIMES, f"timestamp '2000-01-01' + (0 {_MOMENT}) * interval '1 us'"),
    "timestamptz": (_TIMES, f"timestamptz '2000-01-01 00:00+00' + (0 {_MOMENT}) * interval '1 us'"),
    "percent": ("array['0', '100.00']", "h % 10000 / 100.0"),
}
# The server makes texts of these.
CONVERTED = {
    "float4": (
        "array['NaN', 'Infinity', '-0', '1e-45', '3.4028235e38', '0.1']",
        "(h % 1000000007 * 10 ^ (n % 60 - 30))::float4",
    ),
    "float8": (
        "array['NaN', '-Infinity', '-0', '5e-324', '1.7976931348623157e308', '0.1', '1e15', '1e16']",
        "h::float8 * 10 ^ (n % 300 - 150)",
    ),
    "interval": (
        "array['0', '-1 mon 3 days', '1 year 00:00:00.000001', '178000000 years']",
        "(n % 999) * interval '1 mon' - h % 9999999999 * interval '1 us'",
    ),
    "timetz": (
        "array['00:00+00', '24:00-15:59', '12:34:56.7+05:30']",
        "(time '00:00' + h % 86399999999 * interval '1 us')::timetz",
    ),
    "inet": ("array['::1', '10.0.0.0/8', '1.2.3.4']", "'0.0.0.0'::inet + h % 4294967296"),
    "money": ("array['0', '-92233720368547758.08']", "(h % 1000000000)::numeric::money"),
    "mood": ("array['good', 'so, \"so\"', '\\.']", "(array['good', 'so, \"so\"'])[1 + n % 2]::mood"),
    "pair": ("""array['(1,"a b")', '(,)', '(2,",")']""", f"row(n, {_TEXT})::pair"),
    "text[]": ("""array['{}', '{NULL,"",a,"b c"}']""", f"array[{_TEXT}, null, n::text]"),
    "timestamptz[]": ("array['{}', '{infinity}']", "array[timestamptz '2000-01-01 00:00+00' + n * interval '1 min']"),
    "int4range": ("array['empty', '(,)', '[1,5)']", "int4range(n::int, n::int + 5)"),
    "point": ("array['(0,0)']", "point(n, h % 1000 / 7.0)"),
    "bit varying": ("array['', '101']", "(h % 256)::int::bit(8)"),
    "oid": ("array['0', '4294967295']", "(h % 4294967296)::oid"),
    "tsvector": ("""array['a:1 b:2', '''x, y''']""", "to_tsvector('simple', md5(h::text))"),
}
UNKNOWN = {"numeric(5, -2)"} if MAJOR < 15 else set()
MAKE = """
    create type mood as enum ('good', 'so, "so"', '\\.');
    create domain percent as numeric(5, 2);
    create type pair as (a int, b text);
    create table t (id int8, v {type});
    insert into t select -1 - i, e::{type} from unnest({edges} || null::text) with ordinality as x (e, i);
    insert into t select n, {value} from (
        select n, hashint8extended(n, 7) & 9223372036854775807 as h from generate_series(0, {count} - 1) as n) as x"""


def streamed(connection: Any, selected: sql.Composed, output: Output, printing: Printing | None) -> tuple[object, ...]:
    """The SHA-256 of a COPY's text, its bytes and rows, and the rows' hash."""
    statement = binary_copy(selected, printing) if printing else copy_statement(selected, output, header=output.header)
    digest = sha256()
    with copy_out(connection, statement, header=output.header, cancelled=Cancellation()) as copy:
        for chunk in copy.chunks(printing):
            digest.update(chunk)
    return digest.hexdigest(), copy.bytes, copy.rows, copy.row_hash


def assert_same(connection: psycopg.Connection[Any], selected: str) -> int:
    """That both ways give the same for every form; the number of columns that are printed here."""
    composed = sql.Composed([sql.SQL(selected)])  # type: ignore[arg-type]
    with open_snapshot(connection, begin_statement(60_000, 60_000), composed, None, "t") as snapshot:
        functions = output_functions(connection, types_to_convert(snapshot.columns))()
        for output in OUTPUTS:
            printing = printing_of(snapshot.columns, output, functions)
            theirs, ours = (streamed(connection, composed, output, one) for one in (None, printing))
            assert ours == theirs, f"{selected}, {output}"
    return printing.functions.count(None)


@pytest.mark.parametrize("name", [name for name in (*PRINTED, *CONVERTED) if name not in UNKNOWN])
def test_every_value_is_printed_as_postgresql_prints_it(admin: psycopg.Connection, name: str) -> None:
    edges, value = (PRINTED | CONVERTED)[name]
    admin.execute("set timezone = 'UTC'")
    for statement in MAKE.format(type=name, edges=edges, value=value, count=VALUES).split(";\n"):
        admin.execute(statement)  # type: ignore[arg-type]
    assert assert_same(admin, "select v from t") == (name in PRINTED)
    assert_same(admin, 'select v, id as "a ""b"", c", v from t')


@pytest.mark.parametrize(
    "selected",
    [
        "select v from t where id = 3",
        "select v from t where false",
        "select v, v as v, 1.5::float8 as v from t",
        "select repeat('\"x', 700000) as a, null::text as b, n from generate_series(1, 5) as n",
        "select repeat('x', (n % 1100)::int) as a from generate_series(1, 9999) as n",
        "select null::text as a, null::int as b from generate_series(1, 9999)",
    ],
)
def test_rows_of_any_number_and_size_are_printed(admin: psycopg.Connection, selected: str) -> None:
    admin.execute("create table t as select n as id, 'v' || n as v from generate_series(1, 9) as n")
    assert_same(admin, selected)
