"""The tables that are exported: the same rows on every machine, whatever PostgreSQL's random numbers are."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

SCHEMA = "bench"

# Each row's number, and two hashes of it.
_HASHED = """FROM generate_series(0, {rows}::bigint - 1) AS n,
     LATERAL (SELECT hashint8extended(n, 1) & 9223372036854775807 AS a,
                     hashint8extended(n, 2) & 9223372036854775807 AS b)
"""
# About 193 bytes of CSV a row, of which gzip -6 leaves about a fifth: keys that grow, times to the microsecond, uuids,
# short and long texts that come again and again, JSON, amounts, NULLs.
_EVENTS = (
    """
SELECT n AS event_id,
       timestamptz '2026-01-01 00:00:00+00' + n * interval '631 ms' + (a & 1048575) * interval '1 us' AS occurred_at,
       md5(a::text)::uuid AS session_id,
       (ARRAY['page_viewed', 'page_viewed', 'page_viewed', 'banner_clicked', 'banner_clicked', 'form_sent',
              'order_placed', 'signed_in'])[1 + (a >> 20 & 7)] AS kind,
       (ARRAY['NO', 'SE', 'DK', 'FI', 'DE', 'GB', 'NL', 'PL'])[1 + (a >> 23 & b >> 23 & 7)] AS country,
       (ARRAY['https://www.example.com/en/articles/read', 'https://www.example.com/en/shop/offers',
              'https://www.example.com/en/account/orders'])[1 + a % 3] AS url,
       CASE WHEN a >> 28 & 15 = 0 THEN 'https://search.example/?q=spring' END AS referrer,
       jsonb_build_object('ab', (ARRAY['control', 'blue'])[1 + (b >> 20 & 1)], 'ms', b >> 21 & 1023,
                          'mobile', b >> 31 & 1 = 1) AS properties,
       CASE WHEN a >> 20 & 7 = 6 THEN ((b >> 32 & 65535)::numeric / 100)::numeric(12, 2) END AS amount,
       CASE WHEN b >> 48 & 15 = 0 THEN 'a remark, with a comma; as people write them' END AS remark
"""
    + _HASHED
)
_NARROW = "SELECT n::int AS n FROM generate_series(0, {rows}::bigint - 1) AS n"
_WIDE = """
SELECT n AS id, (SELECT string_agg(md5((n * 10000 + i)::text) || ' some words that every row has ', '')
                 FROM generate_series(1, {width} / 64) AS i) AS body
FROM generate_series(0, {rows}::bigint - 1) AS n
"""
# Base64 of hashes: six bits in each byte, which is the most that text in CSV can hold.
_NOISE = """
SELECT n AS id, translate(encode((SELECT string_agg(sha512((n * 100 + i)::text::bytea), '')
                                  FROM generate_series(1, 12) AS i), 'base64'), E'\\n', '') AS body
FROM generate_series(0, {rows}::bigint - 1) AS n
"""
# As TPC-H's lineitem: numbers of few digits, dates, words of a few kinds.
_ORDERS = (
    """
SELECT n / 4 + 1 AS order_id, a % 200000 + 1 AS part_id, a >> 20 & 8191 AS supplier_id, n % 4 + 1 AS line,
       (1 + (a >> 33 & 63))::numeric(9, 2) AS quantity,
       ((90000 + (b & 1048575))::numeric / 100)::numeric(12, 2) AS price,
       ((b >> 20 & 15)::numeric / 100)::numeric(4, 2) AS discount, (ARRAY['R', 'A', 'N'])[1 + b % 3] AS flag,
       date '1992-01-01' + (b >> 24 & 2047)::int AS shipped, date '1992-02-01' + (b >> 35 & 2047)::int AS received,
       (ARRAY['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'])[1 + (a >> 40 & 3)] AS instructions,
       (ARRAY['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB', 'AIR'])[1 + (a >> 42 & 7)] AS mode
"""
    + _HASHED
)
# Some hundred bytes of words, a few frequent and many rare, as in natural text.
_PROSE = """
WITH parts AS (SELECT string_to_array('ba ter con de in ment ly er ing the or pre sta lo ra ti ous al per so mi '
                                      'un able ful gra ch st qu oo ea ni ke po w v an es on do ha', ' ') AS p),
     words AS (SELECT i, p[1 + i % 40] || p[1 + i * 7 / 40 % 40]
                         || CASE WHEN i > 99 THEN p[1 + i / 40 % 40] ELSE '' END AS word
               FROM parts, generate_series(0, 3999) AS i),
     listed AS (SELECT array_agg(word ORDER BY i) AS w FROM words)
SELECT n AS id, 1 + n % 5 AS stars,
       (SELECT string_agg(w[1 + floor(3999 ^ ((hashint8extended(n, i) & 1048575) / 1048576.0::float8))::int], ' ')
        FROM generate_series(1, 20 + (hashint8extended(n, 0) & 127)) AS i) AS review
FROM listed, generate_series(0, {rows}::bigint - 1) AS n
"""
_KINDS = (
    "CASE WHEN {h} & 31 = 0 THEN {h} >> 5 & 1023 END",
    "{h} & 1 = 0",
    "CASE WHEN {h} & 3 = 0 THEN {h} >> 2 & 127 ELSE 0 END",
    "CASE WHEN {h} & 31 = 0 THEN 'some remark' END",
    "(ARRAY['new', 'open', 'closed', 'pending'])[1 + ({h} & 3)]",
)
# 60 columns, most of which are empty, a flag, or a small number.
_FLAGS = "SELECT n AS id, {} FROM generate_series(0, {{rows}}::bigint - 1) AS n".format(
    ", ".join(f"{_KINDS[i % 5].format(h=f'hashint8extended(n, {i})')} AS c{i}" for i in range(59))
)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the benchmark: its name, its number of rows, and the SELECT that generates them."""

    name: str
    rows: int
    select: str
    width: int = 0

    @property
    def qualified(self) -> str:
        return f"{SCHEMA}.{self.name}"


def events(rows: int) -> Table:
    return Table(f"events_{rows}", rows, _EVENTS)


def narrow(rows: int) -> Table:
    return Table(f"narrow_{rows}", rows, _NARROW)


def wide(rows: int, width: int) -> Table:
    """Rows of about `width` bytes."""
    return Table(f"wide_{rows}_{width}", rows, _WIDE, width)


def noise(rows: int) -> Table:
    """Rows of about 1 KB that compress by a quarter at most."""
    return Table(f"noise_{rows}", rows, _NOISE)


def orders(rows: int) -> Table:
    """About 90 bytes of CSV a row."""
    return Table(f"orders_{rows}", rows, _ORDERS)


def prose(rows: int) -> Table:
    """About 500 bytes of CSV a row."""
    return Table(f"prose_{rows}", rows, _PROSE)


def flags(rows: int) -> Table:
    """About 160 bytes of CSV a row."""
    return Table(f"flags_{rows}", rows, _FLAGS)


def load(connection: psycopg.Connection, table: Table) -> None:
    """Recreates the table, frozen and analysed, so that the first reader writes nothing. Needs autocommit."""
    name = sql.Identifier(SCHEMA, table.name)
    select = table.select.format(rows=table.rows, width=table.width)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
    connection.execute(sql.SQL("CREATE TABLE {} AS {}").format(name, sql.SQL(select)))
    connection.execute(sql.SQL("VACUUM (FREEZE, ANALYZE) {}").format(name))


def index(connection: psycopg.Connection, table: Table, column: str) -> None:
    """Creates an index, as tables exported by windows have."""
    name = sql.Identifier(SCHEMA, table.name)
    connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(name, sql.Identifier(column)))


def drop(connection: psycopg.Connection, table: Table) -> None:
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(SCHEMA, table.name)))
