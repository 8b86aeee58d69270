"""The hash of rows: the same for the same rows in whatever order and parts, another for any other rows."""

import psycopg
import pytest
import xxhash
from support.asking import ask
from support.exports import Exports, OpenExports

from worker.message.settlement import Complete

MANY = "create table t as select i as id, md5(i::text) as word, i / 7.0 as n from generate_series(1, 20000) as i"


def hash_of(exports: Exports, **request: object) -> str:
    name = f"x/{request.get('blob', 'h')}"
    assert exports.handle(ask(**{**request, "blob": name})) == Complete("exported")
    found = exports.receipt(name).row_hash
    exports.container.delete_blob(name)
    assert found is not None
    return found


@pytest.mark.parametrize("output", [{}, {"format": "parquet"}], ids=["csv", "parquet"])
def test_the_place_of_rows_does_not_matter(exports: Exports, admin: psycopg.Connection, output: dict[str, str]) -> None:
    admin.execute(MANY)
    first = hash_of(exports, output=output)
    admin.execute("update t set id = id where id % 3 = 0")
    admin.execute("vacuum t")
    assert hash_of(exports, output=output) == first
    admin.execute("create table again as select * from t order by word")
    assert hash_of(exports, table="again", output=output) == first


@pytest.mark.parametrize("output", [{}, {"header": False}, {"compression": "none"}, {"format": "parquet"}])
def test_streams_do_not_matter(open_exports: OpenExports, admin: psycopg.Connection, output: dict[str, object]) -> None:
    admin.execute(MANY)
    admin.execute("analyze t")
    exports = open_exports(TAILRACE_POOL_SIZE="6", TAILRACE_MAX_STREAMS="3")
    assert len({hash_of(exports, output=output, streams=streams) for streams in (1, 2, 3)}) == 1


def test_a_row_that_begins_at_a_chunk_s_edge_is_hashed_once(exports: Exports, admin: psycopg.Connection) -> None:
    """Rows of 1 KiB: each chunk of 1 MiB ends with a row."""
    admin.execute("create table t as select repeat('x', 1023) as word from generate_series(1, 3000)")
    row = xxhash.xxh3_64_intdigest(b"x" * 1023 + b"\n")
    assert hash_of(exports, output={"header": False}) == f"{3000 * row % 2**64:016x}"


def test_header_and_compression_do_not_matter(exports: Exports, admin: psycopg.Connection) -> None:
    admin.execute(MANY)
    outputs = ({}, {"header": False}, {"compression": "zstd"}, {"level": 6}, {"compression": "none"})
    assert len({hash_of(exports, output=output) for output in outputs}) == 1


@pytest.mark.parametrize(
    "change",
    [
        "update t set word = word || ' ' where id = 7",
        "update t set word = null where id = 7",
        "update t set word = '' where id = 7",
        "delete from t where id = 7",
        "insert into t values (7, 'x', 1)",
        "insert into t select * from t where id = 7",
        "update t set id = case id when 7 then 8 else 7 end where id in (7, 8)",
        "update t set n = -n where id = 7",
    ],
)
@pytest.mark.parametrize("output", [{}, {"format": "parquet"}], ids=["csv", "parquet"])
def test_any_change_of_one_row_shows(
    exports: Exports, admin: psycopg.Connection, change: str, output: dict[str, str]
) -> None:
    admin.execute(MANY)
    first = hash_of(exports, output=output)
    admin.execute(change)
    assert hash_of(exports, output=output) != first


def test_the_receipt_names_the_columns_and_their_types(exports: Exports, admin: psycopg.Connection) -> None:
    admin.execute("create type mood as enum ('sad', 'happy')")
    admin.execute(
        "create table t (id bigint, price numeric(9,2), at timestamp(3), tags text[], how mood, name varchar(20))"
    )
    assert exports.handle(ask()) == Complete("exported")
    columns = exports.receipt().columns
    assert columns is not None
    assert [(column.name, column.type) for column in columns] == [
        ("id", "bigint"),
        ("price", "numeric(9,2)"),
        ("at", "timestamp(3) without time zone"),
        ("tags", "text[]"),
        ("how", "mood"),
        ("name", "character varying(20)"),
    ]


def test_a_row_that_ends_where_a_chunk_ends_is_hashed_once(exports: Exports, admin: psycopg.Connection) -> None:
    # 64 bytes each with its line end, so that every chunk of 1 MiB ends with a row.
    admin.execute("create table t as select rpad(i::text, 63, 'x') as word from generate_series(1, 50000) as i")
    rows = (f"{i:x<63}\n".encode() for i in range(1, 50001))
    expected = sum(xxhash.xxh3_64_intdigest(row) for row in rows) % 2**64
    for output in ({"header": False}, {"header": False, "compression": "zstd"}):
        assert hash_of(exports, output=output) == f"{expected:016x}"
