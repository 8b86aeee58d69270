"""The tables that are exported: the same rows on every machine, whatever PostgreSQL's random numbers are."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

SCHEMA = "bench"

# About 193 bytes of CSV a row, of which gzip -6 leaves about a fifth: keys that grow, times to the microsecond, uuids,
# short and long texts that come again and again, JSON, amounts, NULLs.
_EVENTS = """
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
FROM generate_series(0, {rows}::bigint - 1) AS n,
     LATERAL (SELECT hashint8extended(n, 1) & 9223372036854775807 AS a,
                     hashint8extended(n, 2) & 9223372036854775807 AS b)
"""
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


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the benchmark: how it is called, how many rows it has, and the SELECT that makes them."""

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


def load(connection: psycopg.Connection, table: Table) -> None:
    """Makes the table anew, frozen and analysed: the first reader has nothing to write. Wants autocommit."""
    name = sql.Identifier(SCHEMA, table.name)
    select = table.select.format(rows=table.rows, width=table.width)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
    connection.execute(sql.SQL("CREATE TABLE {} AS {}").format(name, sql.SQL(select)))
    connection.execute(sql.SQL("VACUUM (FREEZE, ANALYZE) {}").format(name))


def index(connection: psycopg.Connection, table: Table, column: str) -> None:
    """As tables that are exported by windows have one."""
    name = sql.Identifier(SCHEMA, table.name)
    connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(name, sql.Identifier(column)))


def drop(connection: psycopg.Connection, table: Table) -> None:
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(SCHEMA, table.name)))
