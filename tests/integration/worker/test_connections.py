"""The pool's connections: every export has one, and the others make large exports faster."""

import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.asking import ask
from support.exports import NO_JOBS, OpenExports

from contracts.errors import IdentityUnavailable, SourceUnavailable
from contracts.jobs_file import parse_jobs
from settings import Settings
from worker.blob.sink import Sink
from worker.cancellation import Cancellation
from worker.export import Exporter, run_export
from worker.message.settlement import Complete
from worker.source.pool import Source
from worker.source.readers import readers_of
from worker.source.snapshot import Snapshot
from worker.source.split import Limits


@contextmanager
def opened(source: Source) -> Iterator[Snapshot]:
    with source.connection("t") as connection, source.snapshot(connection, sql.SQL("SELECT 1")) as snapshot:
        yield snapshot


def test_a_large_export_leaves_every_other_export_a_connection(
    open_exports: OpenExports, admin: psycopg.Connection
) -> None:
    admin.execute("create table t as select 1 as id")
    exports = open_exports(
        TAILRACE_POOL_SIZE="4", TAILRACE_CONCURRENCY="2", TAILRACE_MAX_STREAMS="8", TAILRACE_CONNECT_TIMEOUT_SECONDS="2"
    )
    source = exports.worker.exporter.source
    with opened(source) as snapshot, ExitStack() as readers:
        found = [readers.enter_context(one) for one in readers_of(source, snapshot, snapshot.export()(), 8, "t")]
        assert sum(connection is not None for connection in found) == 3
        assert exports.handle(ask()) == Complete("exported")


def test_a_stream_that_is_done_gives_its_connection_to_other_exports(open_exports: OpenExports) -> None:
    exports = open_exports(TAILRACE_POOL_SIZE="4", TAILRACE_CONCURRENCY="2")
    source = exports.worker.exporter.source
    with opened(source) as snapshot:
        for reader in readers_of(source, snapshot, snapshot.export()(), 3, "t")[1:]:
            with reader as connection:
                assert connection is not None
                connection.execute("SELECT 1")
        with opened(source) as other, ExitStack() as readers:
            others = readers_of(source, other, other.export()(), 3, "t")
            assert all(readers.enter_context(one) for one in others)


@pytest.fixture
def first_token_only(environ: dict[str, str]) -> Any:
    """The password for one connection; then there is none."""
    passwords = [environ["PGPASSWORD"]]

    def password() -> str:
        if not passwords:
            raise IdentityUnavailable("no Entra token for PostgreSQL: the endpoint is away")
        return passwords.pop()

    return password


def test_an_export_whose_further_streams_get_no_token_is_read_by_one(
    environ: dict[str, str], admin: psycopg.Connection, container: Any, first_token_only: Any, tmp_path: Path
) -> None:
    admin.execute("create table many as select i, repeat(md5(i::text), 5) as filler from generate_series(1, 20000) i")
    settings = Settings.from_env({**environ, "TAILRACE_MAX_STREAMS": "2", "TAILRACE_CONNECT_TIMEOUT_SECONDS": "1"})
    request = ask("many", streams=2)
    with Source(settings, first_token_only) as source:
        receipt = run_export(
            request, Exporter(source, Sink(settings), parse_jobs(tomllib.loads(NO_JOBS)), Limits(2, 2)), Cancellation()
        ).receipt
    assert receipt.rows == 20000


@pytest.mark.parametrize(("size", "is_pooled"), [(15 << 20, True), (17 << 20, False)])
def test_a_connection_that_received_a_large_row_is_not_used_again(
    open_exports: OpenExports, admin: psycopg.Connection, size: int, is_pooled: bool
) -> None:
    """libpq's buffer would stay as large as that row."""
    admin.execute(f"create view t as select repeat('x', {size}) as v")
    exports = open_exports(TAILRACE_POOL_SIZE="1", TAILRACE_CONCURRENCY="1")
    source = exports.worker.exporter.source

    def backend() -> int:
        with source.connection("t") as connection:
            return connection.info.backend_pid

    before = backend()
    assert exports.handle(ask()) == Complete("exported")
    assert (backend() == before) is is_pooled


def test_an_export_gets_the_connection_begun_for_it(environ: dict[str, str], admin: psycopg.Connection) -> None:
    with Source(Settings.from_env(environ), lambda: environ["PGPASSWORD"]) as source:
        for _ in range(3):
            source.ahead()
        with source.connection("t") as connection:
            sessions = admin.execute(
                "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            ).fetchall()
            assert sessions == [(connection.info.backend_pid,)]


def test_a_connection_that_cannot_be_begun_fails_whoever_asks_for_it(environ: dict[str, str]) -> None:
    settings = Settings.from_env({**environ, "PGPORT": "1", "TAILRACE_CONNECT_TIMEOUT_SECONDS": "1"})
    with Source(settings, lambda: environ["PGPASSWORD"]) as source:
        source.ahead()
        with pytest.raises(SourceUnavailable), source.connection("t"):
            pass
