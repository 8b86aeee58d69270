"""A window is closed once no transaction that began before its end is open: shown over schedules of transactions."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.versions import since

from devstack.postgres import Postgres
from worker.source.closed import open_transactions, open_writers, rights_of

SCHEDULES = 2_000
SETUP = """
    CREATE TABLE t (at timestamptz NOT NULL DEFAULT now(), who text);
    CREATE ROLE app LOGIN PASSWORD 'app';
    CREATE ROLE analyst LOGIN PASSWORD 'analyst';
    GRANT SELECT, INSERT ON t TO app;
    GRANT SELECT ON t TO analyst;
    GRANT pg_read_all_stats TO exporter"""
WRITERS, READERS = 3, 1
# What a session may do next; each is skipped if it makes no sense there.
ACTS = ("begin", "insert", "savepoint", "back", "commit", "abort", "prepare", "finish prepared", "read")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, WRITERS + READERS - 1), st.sampled_from(ACTS)),
        st.just((-1, "window ends")),
        st.just((-1, "ask")),
    ),
    min_size=4,
    max_size=24,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    folder = tmp_path_factory.mktemp("closed")
    with Postgres.start(folder, settings={"max_prepared_transactions": "20", "max_connections": "30"}) as postgres:
        with psycopg.connect(**postgres.parameters("postgres"), autocommit=True) as admin:
            admin.execute(SETUP)
        yield postgres


def connect(server: Postgres, user: str) -> psycopg.Connection[Any]:
    parameters = {**server.parameters("postgres"), "user": user, "password": user}
    if user in {"postgres", "exporter"}:
        parameters = server.parameters(user)
    return psycopg.connect(**parameters, autocommit=True)


@dataclass
class Sessions:
    """Sessions that write, one that only reads, and the exporter; `missed` counts rows that a window lost."""

    writers: list[psycopg.Connection[Any]]
    exporter: psycopg.Connection[Any]
    prepared: list[str] = field(default_factory=list)
    count: int = 0
    proven: int = 0
    missed_by_delay: int = 0

    def act(self, index: int, what: str) -> None:
        session = self.writers[index]
        in_transaction = session.info.transaction_status.name == "INTRANS"
        is_reader = index >= WRITERS
        if what == "begin" and not in_transaction:
            session.execute("BEGIN")
        elif what == "insert" and not is_reader:
            session.execute("INSERT INTO t (who) VALUES (%s)", (str(index),))
        elif what == "read":
            session.execute("SELECT count(*) FROM t")
        elif in_transaction:
            self.end_or_nest(session, what, is_reader=is_reader)
        elif what == "finish prepared" and self.prepared and not is_reader:
            session.execute(f"COMMIT PREPARED '{self.prepared.pop()}'")

    def end_or_nest(self, session: psycopg.Connection[Any], what: str, *, is_reader: bool) -> None:
        match what:
            case "savepoint":
                session.execute("SAVEPOINT s" if is_reader else "SAVEPOINT s; INSERT INTO t (who) VALUES ('nested')")
            case "back":
                session.execute("SAVEPOINT s; ROLLBACK TO s")
            case "commit" | "abort":
                session.execute("COMMIT" if what == "commit" else "ROLLBACK")
            case "prepare" if not is_reader:
                self.count += 1
                self.prepared.append(f"p{self.count}")
                session.execute(f"PREPARE TRANSACTION '{self.prepared[-1]}'")
            case _:
                pass

    def rows_before(self, end: datetime) -> int:
        row = self.exporter.execute("SELECT count(*) FROM t WHERE at < %s", (end,)).fetchone()
        assert row is not None
        return int(row[0])

    def end_all(self) -> None:
        for session in self.writers:
            if session.info.transaction_status.name == "INTRANS":
                session.execute("COMMIT")
        while self.prepared:
            self.writers[0].execute(f"COMMIT PREPARED '{self.prepared.pop()}'")


@pytest.fixture
def sessions(server: Postgres) -> Iterator[Sessions]:
    opened = [*(connect(server, "app") for _ in range(WRITERS)), *(connect(server, "analyst") for _ in range(READERS))]
    with connect(server, "exporter") as exporter:
        yield Sessions(opened, exporter)
    for session in opened:
        session.close()


def test_no_row_is_missed_once_every_transaction_that_began_before_the_end_has_ended(
    sessions: Sessions, capsys: pytest.CaptureFixture[str]
) -> None:
    """Interleaved, nested, prepared and aborted transactions. A count at the window's end misses some rows."""

    @settings(max_examples=SCHEDULES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def run(steps: list[tuple[int, str]]) -> None:
        end: datetime | None = None
        proven: int | None = None
        by_delay = 0
        for index, what in [*steps, (-1, "window ends"), (-1, "ask")]:
            if index >= 0:
                sessions.act(index, what)
            elif what == "window ends" and end is None:
                end = rights_of(sessions.exporter).now
                by_delay = sessions.rows_before(end)
            elif what == "ask" and end and proven is None and not open_transactions(sessions.exporter, end):
                proven = sessions.rows_before(end)
        assert end is not None
        sessions.end_all()
        complete = sessions.rows_before(end)
        if proven is not None:
            sessions.proven += 1
            assert proven == complete
        sessions.missed_by_delay += complete > by_delay

    run()
    proven = f"{sessions.proven} of {SCHEDULES} schedules proven closed"
    with capsys.disabled():
        sys.stdout.write(f"\n{proven}; without proof {sessions.missed_by_delay} miss rows\n")
    assert sessions.proven > SCHEDULES / 20
    assert sessions.missed_by_delay > 0


def test_a_session_that_may_only_read_never_blocks(sessions: Sessions) -> None:
    reader, writer = sessions.writers[WRITERS], sessions.writers[0]
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM t")
    assert open_transactions(sessions.exporter, rights_of(sessions.exporter).now) == []
    writer.execute("BEGIN")
    writer.execute("SELECT 1")
    blockers = open_transactions(sessions.exporter, rights_of(sessions.exporter).now)
    assert [(blocker.pid, blocker.user) for blocker in blockers] == [(writer.info.backend_pid, "app")]
    assert "of user app, open since" in str(blockers[0])


@since(16)
def test_a_reader_that_may_become_a_writer_or_call_one_blocks(server: Postgres, sessions: Sessions) -> None:
    with connect(server, "postgres") as admin:
        admin.execute("GRANT app TO analyst WITH INHERIT FALSE")
        sessions.writers[WRITERS].execute("BEGIN")
        now = rights_of(sessions.exporter).now
        assert [blocker.user for blocker in open_transactions(sessions.exporter, now)] == ["analyst"]
        admin.execute("REVOKE app FROM analyst")
        assert open_transactions(sessions.exporter, now) == []
        body = "'INSERT INTO t DEFAULT VALUES'"
        admin.execute(f"CREATE FUNCTION add() RETURNS void SECURITY DEFINER LANGUAGE sql AS {body}")
        try:
            assert [blocker.user for blocker in open_transactions(sessions.exporter, now)] == ["analyst"]
        finally:
            admin.execute("DROP FUNCTION add()")


def test_without_the_right_to_see_transactions_those_that_have_written_are_seen(
    server: Postgres, sessions: Sessions
) -> None:
    writer = sessions.writers[0]
    with connect(server, "postgres") as admin:
        admin.execute("REVOKE pg_read_all_stats FROM exporter")
        try:
            assert rights_of(sessions.exporter).strongest == "writers"
            writer.execute("BEGIN")
            assert open_writers(sessions.exporter, "t") == {}
            writer.execute("INSERT INTO t DEFAULT VALUES")
            (blocker,) = open_writers(sessions.exporter, "public.t").values()
            assert (blocker.pid, blocker.statement) == (writer.info.backend_pid, "<insufficient privilege>")
            assert open_writers(sessions.exporter, "pg_class") == {}
            writer.execute("COMMIT")
            assert open_writers(sessions.exporter, "t") == {}
        finally:
            admin.execute("GRANT pg_read_all_stats TO exporter")
