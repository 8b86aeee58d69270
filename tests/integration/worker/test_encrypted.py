"""Exports over TLS: all rows arrive, and a server that cannot prove its identity gets no password."""

from collections.abc import Iterator

import psycopg
import pytest
from support.asking import ask
from support.exports import OpenExports

from devstack.postgres import Postgres
from worker.message.settlement import Complete, RetryLater


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres.start(tmp_path_factory.mktemp("tls"), tls=True) as postgres:
        with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as admin:
            admin.execute("create table t as select n as id, md5(n::text) as v from generate_series(1, 300000) as n")
            admin.execute(
                "create table wide as select repeat(md5(n::text), 3000) as v from generate_series(1, 300) as n"
            )
        yield postgres


@pytest.mark.parametrize(("table", "streams"), [("t", None), ("wide", None), ("t", 2)])
def test_rows_of_any_size_arrive_whole(
    open_exports: OpenExports, encrypted: Postgres, table: str, streams: int | None
) -> None:
    """Rows smaller than a TLS record, and some that span several."""
    exports = open_exports(**encrypted.environ())
    assert exports.handle(ask(table, streams=streams)) == Complete("exported")
    with psycopg.connect(encrypted.dsn()) as client, client.cursor() as cursor:
        with cursor.copy(f"copy {table} to stdout (format csv, header)") as copy:
            assert exports.csv() == b"".join(copy)


def test_a_server_with_an_untrusted_certificate_gets_no_password(
    open_exports: OpenExports, encrypted: Postgres
) -> None:
    settings = {**encrypted.environ(), "PGSSLROOTCERT": "", "TAILRACE_CONNECT_TIMEOUT_SECONDS": "1"}
    settlement = open_exports(**settings).handle(ask())
    assert isinstance(settlement, RetryLater)
    assert "certificate" in settlement.description
    assert settings["PGPASSWORD"] not in settlement.description
