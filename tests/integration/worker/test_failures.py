"""Failures of the database: a reason with advice, and no blob."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from support.asking import ask, window
from support.exports import Exports, OpenExports
from support.gate import Gate

from worker.message.settlement import Abandon, Complete, DeadLetter, RetryLater


@pytest.mark.parametrize(
    ("asked", "reason", "expected"),
    [
        ({"table": "missing"}, "TableMissing", 'relation "public.missing" does not exist (SQLSTATE 42P01); create it'),
        ({"schema": "missing"}, "SchemaMissing", 'schema "missing" does not exist (SQLSTATE 3F000); create it'),
        ({"columns": ["id", "gone"]}, "ColumnMissing", 'column "gone" does not exist'),
        ({"columns": ["ID"]}, "ColumnMissing", 'column "ID" does not exist'),
        ({"window": window("integer", "gone", 0, 1)}, "ColumnMissing", 'column "gone" does not exist'),
        ({"window": window("integer", "name", 0, 1)}, "StatementRefused", "operator does not exist: text >= integer"),
        ({"window": window("date", "id", "2026-01-01", "2026-01-02")}, "StatementRefused", "operator does not exist"),
        ({"table": "secret"}, "PrivilegeMissing", "permission denied for table secret (SQLSTATE 42501); `tailrace gr"),
        ({"schema": "closed"}, "PrivilegeMissing", "permission denied for schema closed"),
        ({"table": "failing"}, "QueryFails", "division by zero (SQLSTATE 22012)"),
        ({"table": "t_id"}, "StatementRefused", '"t_id"'),
        ({"table": "numbers"}, "PrivilegeMissing", "permission denied"),
    ],
)
def test_what_a_person_must_fix_is_dead_lettered_at_once(
    exports: Exports, admin: psycopg.Connection, asked: dict[str, Any], reason: str, expected: str
) -> None:
    admin.execute("create table t (id int, name text); create index t_id on t (id); create table secret ()")
    admin.execute("create schema closed; create table closed.t (); create sequence numbers")
    admin.execute("create view failing as select 1 / (id - 1) as x from generate_series(1, 1) as id")
    admin.execute("revoke all on secret from exporter; revoke all on schema closed from exporter")
    settlement = exports.handle(ask(**asked))
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == reason
    assert expected in settlement.description
    subject = f"{asked.get('schema', 'public')}.{asked.get('table', 't')}"
    assert settlement.description.startswith(f"export of {subject} was refused: ")
    assert exports.names() == []


def test_an_error_after_many_rows_leaves_no_blob(exports: Exports, admin: psycopg.Connection) -> None:
    """By then blocks have been staged; none of them is ever visible."""
    admin.execute("""create table t as select n as id, md5(n::text) || md5((-n)::text) as a, md5((n * 7)::text) as b
        from generate_series(1, 150000) as n""")
    admin.execute("create view late as select *, 1 / (150000 - id) as x from t")
    settlement = exports.handle(ask("late"))
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "QueryFails"
    assert list(exports.container.list_blobs()) == []


def test_the_connection_of_a_failed_export_serves_the_next_one(
    open_exports: OpenExports, admin: psycopg.Connection
) -> None:
    admin.execute("create table t as select 1 as id")
    admin.execute("create view failing as select 1 / (100000 - n) as x from generate_series(1, 100001) as n")
    exports = open_exports(TAILRACE_POOL_SIZE="1")
    for number in range(3):
        assert isinstance(exports.handle(ask("failing")), DeadLetter)
        assert exports.handle(ask(blob=str(number))) == Complete("exported")
    backends = (
        "select count(*) from pg_stat_activity where application_name = 'tailrace' and datname = current_database()"
    )
    assert admin.execute(backends).fetchone() == (1,)


def test_a_statement_that_takes_too_long_is_tried_again(open_exports: OpenExports, admin: psycopg.Connection) -> None:
    gate = Gate(admin, 10)
    exports = open_exports(TAILRACE_STATEMENT_TIMEOUT_SECONDS="0.3")
    with gate.closed():
        settlement = exports.handle(ask("gated"))
    assert isinstance(settlement, RetryLater)
    assert settlement.reason == "StatementTimeout"
    assert "canceling statement due to statement timeout (SQLSTATE 57014)" in settlement.description


def test_a_table_that_stays_locked_is_tried_again(open_exports: OpenExports, admin: psycopg.Connection) -> None:
    admin.execute("create table t as select 1 as id")
    exports = open_exports(TAILRACE_LOCK_TIMEOUT_SECONDS="0.2")
    with admin.transaction():
        admin.execute("lock table t in access exclusive mode")
        settlement = exports.handle(ask())
    assert isinstance(settlement, RetryLater)
    assert settlement.reason == "LockTimeout"
    assert exports.handle(ask(), attempt=2) == Complete("exported")
    assert exports.receipt().attempts == 2


def test_a_backend_that_is_ended_in_the_middle_leaves_nothing_and_is_tried_again(
    exports: Exports, admin: psycopg.Connection
) -> None:
    gate = Gate(admin, 60_000)
    with gate.closed(), ThreadPoolExecutor() as threads:
        exporting = threads.submit(exports.handle, ask("gated"))
        (pid,) = gate.wait_for()
        admin.execute("select pg_terminate_backend(%s)", [pid])
        settlement = exporting.result(30)
    assert isinstance(settlement, RetryLater)
    assert timedelta(seconds=15) <= settlement.delay < timedelta(seconds=19)
    assert settlement.reason == "SourceUnavailable"
    assert settlement.description.startswith("export of public.gated failed: terminating connection")
    assert list(exports.container.list_blobs()) == []
    assert exports.handle(ask("gated")) == Complete("exported")


def test_idle_connections_that_the_server_closed_are_replaced(exports: Exports, admin: psycopg.Connection) -> None:
    admin.execute("create table t as select 1 as id")
    exports.handle(ask(blob="1"))
    admin.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where application_name = 'tailrace' and datname = current_database()"
    )
    assert exports.handle(ask(blob="2")) == Complete("exported")


def test_an_interrupted_export_is_given_back_and_its_copy_ends(exports: Exports, admin: psycopg.Connection) -> None:
    gate = Gate(admin, 60_000)
    with gate.closed(), ThreadPoolExecutor() as threads:
        exporting = threads.submit(exports.handle, ask("gated"))
        gate.wait_for()
        exports.cancelled.set()
        assert exporting.result(30) == Abandon("ExportInterrupted")
        assert gate.waiting() == []
    assert list(exports.container.list_blobs()) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"PGPASSWORD": "S3cret-guess"}, 'password authentication failed for user "exporter"'),
        ({"PGUSER": "nobody"}, 'password authentication failed for user "nobody"'),
        ({"PGDATABASE": "nowhere"}, 'database "nowhere" does not exist'),
    ],
)
def test_a_refused_login_names_role_and_server_and_no_password(
    open_exports: OpenExports, settings: dict[str, str], expected: str, environ: dict[str, str]
) -> None:
    exports = open_exports(TAILRACE_CONNECT_TIMEOUT_SECONDS="0.5", **settings)
    settlement = exports.handle(ask())
    assert isinstance(settlement, RetryLater)
    assert settlement.reason == "LoginRefused"
    user, port = settings.get("PGUSER", "exporter"), environ["PGPORT"]
    assert settlement.description.startswith(f"no connection to {user}@127.0.0.1:{port}/")
    assert expected in settlement.description
    assert "S3cret" not in settlement.description
    assert environ["PGPASSWORD"] not in settlement.description


def test_an_unreachable_server_is_reported_with_its_address(open_exports: OpenExports) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening, so connections are refused
        port = str(taken.getsockname()[1])
        settlement = open_exports(TAILRACE_CONNECT_TIMEOUT_SECONDS="0.5", PGPORT=port).handle(ask())
    assert isinstance(settlement, RetryLater)
    assert settlement.reason == "SourceUnavailable"
    assert f"127.0.0.1:{port}" in settlement.description
    assert "Connection refused" in settlement.description


def test_a_silent_server_does_not_hold_an_export_forever(open_exports: OpenExports) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        settlement = open_exports(TAILRACE_CONNECT_TIMEOUT_SECONDS="0.5", PGPORT=port).handle(ask())
    assert isinstance(settlement, RetryLater)
    assert settlement.reason == "SourceUnavailable"


def test_a_name_that_does_not_resolve_is_reported(open_exports: OpenExports) -> None:
    settlement = open_exports(
        TAILRACE_CONNECT_TIMEOUT_SECONDS="0.5", PGHOST="nowhere.invalid", PGSSLMODE="disable"
    ).handle(ask())
    assert isinstance(settlement, RetryLater)
    assert "nowhere.invalid" in settlement.description


def test_an_encrypted_connection_to_a_server_without_encryption_is_refused(open_exports: OpenExports) -> None:
    settlement = open_exports(TAILRACE_CONNECT_TIMEOUT_SECONDS="0.5", PGSSLMODE="require").handle(ask())
    assert isinstance(settlement, RetryLater)
    assert "SSL" in settlement.description


def test_more_exports_than_connections_say_which_setting_to_raise(
    open_exports: OpenExports, admin: psycopg.Connection
) -> None:
    gate = Gate(admin, 10)
    exports = open_exports(TAILRACE_POOL_SIZE="1", TAILRACE_CONNECT_TIMEOUT_SECONDS="0.5")
    with gate.closed(), ThreadPoolExecutor() as threads:
        first = threads.submit(exports.handle, ask("gated"))
        gate.wait_for()
        settlement = exports.handle(ask(blob="2"))
        gate.open()
        assert first.result(30) == Complete("exported")
    assert isinstance(settlement, RetryLater)
    assert settlement.reason == "PoolExhausted"
    assert "TAILRACE_POOL_SIZE" in settlement.description


def test_a_database_that_takes_no_connections_for_a_moment_is_tried_again(
    open_exports: OpenExports, admin: psycopg.Connection, database: str
) -> None:
    """And the first export after that moment has its connection, however long it took."""
    admin.execute("create table t as select 1 as id")
    exports = open_exports(TAILRACE_CONNECT_TIMEOUT_SECONDS="0.5")
    with psycopg.connect(admin.info.dsn, password=admin.info.password, dbname="postgres", autocommit=True) as server:
        server.execute(f"alter database {database} allow_connections false")
        settlement = [exports.handle(ask()) for _ in range(3)][-1]
        server.execute(f"alter database {database} allow_connections true")
    assert isinstance(settlement, RetryLater)
    assert re.search("not currently accepting connections", settlement.description)
    assert exports.handle(ask(), attempt=2) == Complete("exported")


def test_the_last_attempt_is_dead_lettered_with_the_last_reason(open_exports: OpenExports) -> None:
    exports = open_exports(TAILRACE_CONNECT_TIMEOUT_SECONDS="0.5", PGDATABASE="nowhere", TAILRACE_MAX_ATTEMPTS="3")
    assert isinstance(exports.handle(ask(), attempt=2), RetryLater)
    settlement = exports.handle(ask(), attempt=3)
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "LoginRefused"
    assert settlement.description.endswith("; gave up after 3 attempts")


def test_without_a_token_the_identity_is_to_blame_and_not_the_pool(open_exports: OpenExports) -> None:
    exports = open_exports(
        TAILRACE_CONNECT_TIMEOUT_SECONDS="0.5",
        PGPASSWORD="",
        TAILRACE_PG_AUTH="entra",
        TAILRACE_CREDENTIAL="service-principal",
    )
    settlement = exports.handle(ask())
    assert isinstance(settlement, RetryLater)
    assert settlement.reason == "IdentityUnavailable"
    assert "no Entra token for PostgreSQL" in settlement.description


def test_a_job_that_was_taken_out_of_jobs_toml_is_exported_no_more(
    open_exports: OpenExports, admin: psycopg.Connection
) -> None:
    admin.execute("create table t as select 1 as id")
    exports = open_exports()
    settled = exports.handle(ask(job="former"))
    assert isinstance(settled, DeadLetter)
    assert settled.reason == "JobMissing"
    assert "job 'former' is not in jobs.toml of this worker" in settled.description
    assert exports.names() == []
