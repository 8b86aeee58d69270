"""The pool's connections: every export has one, and the others make large exports faster."""

import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.asking import ask
from support.exports import NO_JOBS, OpenExports

from connections.postgres.connector import Connector
from connections.postgres.tokens import password_source
from contracts.errors import IdentityUnavailable
from contracts.jobs_file import parse_jobs
from settings import Settings
from worker.blob.sink import Sink
from worker.cancellation import Cancellation
from worker.export import Exporter, run_export
from worker.message.settlement import Complete
from worker.source.kept import Kept
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
def connector(environ: dict[str, str]) -> Connector:
    settings = Settings.from_env(environ)
    return Connector(settings, password_source(settings))


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


class Counted:
    """Makes connections, and counts how many are being made at once."""

    def __init__(self, connect: Any, together: int) -> None:
        self._connect = connect
        self._together = Barrier(together)

    def __call__(self, seconds: float) -> psycopg.Connection[Any]:
        self._together.wait(30)
        return self._connect(seconds)


def test_further_streams_connect_side_by_side(connector: Connector) -> None:
    """Each waits until all of them are on their way: one after the other would never get there."""
    with Kept(Counted(connector.connect, 3)) as kept, ThreadPoolExecutor(3) as threads:
        taken = list(threads.map(kept.take, [15.0] * 3))
        assert len({one.info.backend_pid for one in taken}) == 3
        for one in taken:
            kept.put(one)


def test_the_next_export_waits_for_the_connection_that_was_begun_for_it(connector: Connector) -> None:
    made: list[float] = []

    def connect(seconds: float) -> psycopg.Connection[Any]:
        made.append(seconds)
        return connector.connect(seconds)

    with Kept(connect) as kept:
        for _ in range(3):
            kept.ahead(15)
        connection = kept.take(15)
        assert len(made) == 1
        kept.put(connection)
        kept.ahead(15)
        assert kept.take(15) is connection
        kept.put(connection)
    assert len(made) == 1


def test_a_connection_that_cannot_be_made_ahead_is_asked_for_again(connector: Connector) -> None:
    failures = [psycopg.OperationalError("the server starts")] * 2

    def connect(seconds: float) -> psycopg.Connection[Any]:
        if failures:
            raise failures.pop()
        return connector.connect(seconds)

    with Kept(connect) as kept:
        kept.ahead(15)
        with kept.take(15) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    assert not failures


def test_what_is_in_the_middle_of_something_is_closed_and_so_is_what_is_free_at_the_end(connector: Connector) -> None:
    with Kept(connector.connect) as kept:
        one, other, late = (kept.take(15) for _ in range(3))
        one.execute("begin")
        kept.put(one)
        assert one.closed
        kept.put(other)
        assert not other.closed
    kept.put(late)
    assert other.closed
    assert late.closed
