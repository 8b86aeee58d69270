"""An export waits until its window is closed, and its receipt records the proof."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support.asking import ask, window
from support.exports import Exports, OpenExports

from contracts.message import attempt_of, waits_since_of, why_of
from contracts.request import ExportRequest
from worker.message.delivery import Delivery, handle_message
from worker.message.settlement import Complete, DeadLetter, RetryLater, Settlement


@pytest.fixture
def t(admin: psycopg.Connection) -> psycopg.Connection:
    admin.execute("create table t (at timestamptz not null default now(), n int)")
    admin.execute("insert into t values (now() - interval '1 hour', 1)")
    return admin


def request_now(admin: psycopg.Connection, **closing: object) -> ExportRequest:
    """A window that ends on the server's clock some seconds ago, while nothing has begun since."""
    row = admin.execute("select clock_timestamp()").fetchone()
    assert row is not None
    end = row[0].astimezone(UTC)
    spans = window("timestamptz", "at", (end - timedelta(days=1)).isoformat(), end.isoformat())
    return ask(window=spans, run=end, closing=closing)


def handled(exports: Exports, request: ExportRequest, waits_since: datetime | None = None) -> Settlement:
    delivery = Delivery(request.to_body(), str(request.request_id), 1, 1, waits_since=waits_since)
    return handle_message(delivery, exports.worker, exports.cancelled)


@pytest.fixture
def seeing(open_exports: OpenExports, admin: psycopg.Connection) -> Exports:
    """Exports by a role that sees all transactions."""
    admin.execute("grant pg_read_all_stats to exporter")
    return open_exports()


@pytest.fixture(autouse=True)
def restored(admin: psycopg.Connection) -> object:
    yield
    admin.execute("revoke pg_read_all_stats from exporter")


def test_a_row_that_commits_after_the_end_of_its_window_is_in_its_blob(seeing: Exports, t: psycopg.Connection) -> None:
    """The transaction has not written yet when the export is asked for: no lock shows it."""
    with psycopg.connect(t.info.dsn, password=t.info.password, autocommit=True) as late:
        late.execute("begin")
        late.execute("select now()")
        request = request_now(t)
        first = handled(seeing, request)
        assert isinstance(first, RetryLater)
        assert (first.reason, first.costs_attempt) == ("WindowOpen", False)
        assert f"pid {late.info.backend_pid} of user postgres, open since" in first.description
        assert "last statement: select now()" in first.description
        late.execute("insert into t (n) values (2)")
        late.execute("commit")
    assert handled(seeing, request) == Complete("exported")
    assert {row["n"] for row in csv.DictReader(io.StringIO(seeing.csv().decode()))} == {"1", "2"}
    closed = seeing.receipt().closed
    assert closed is not None
    assert (closed.by, closed.is_proven, closed.open) == ("transactions", True, None)


def test_after_the_longest_wait_the_window_is_exported_and_said_not_to_be_proven(
    seeing: Exports, t: psycopg.Connection
) -> None:
    with psycopg.connect(t.info.dsn, password=t.info.password) as late:
        late.execute("select now()")
        request = request_now(t, wait_seconds=60)
        assert isinstance(handled(seeing, request, datetime.now(UTC) - timedelta(seconds=30)), RetryLater)
        assert handled(seeing, request, datetime.now(UTC) - timedelta(seconds=61)) == Complete("exported")
        closed = seeing.receipt().closed
        assert closed is not None
        assert not closed.is_proven
        assert closed.open is not None
        assert closed.open.startswith(f"pid {late.info.backend_pid} of user postgres")


def test_a_job_may_leave_a_window_out_that_does_not_close(seeing: Exports, t: psycopg.Connection) -> None:
    with psycopg.connect(t.info.dsn, password=t.info.password) as late:
        late.execute("select now()")
        request = request_now(t, wait_seconds=0, otherwise="leave")
        settled = handled(seeing, request)
        assert isinstance(settled, DeadLetter)
        assert settled.reason == "WindowOpen"
        assert seeing.names() == []


def test_without_the_right_to_see_transactions_those_that_have_written_are_waited_for(
    open_exports: OpenExports, t: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.source.closing._WRITERS_SECONDS", 0.2)
    exports = open_exports()
    with psycopg.connect(t.info.dsn, password=t.info.password) as late:
        late.execute("insert into t (n) values (2)")
        request = request_now(t)
        first = handled(exports, request)
        assert isinstance(first, RetryLater)
        assert f"pid {late.info.backend_pid}" in first.description
        late.commit()
        assert handled(exports, request) == Complete("exported")
    closed = exports.receipt().closed
    assert closed is not None
    assert (closed.by, closed.is_proven) == ("writers", True)
    assert exports.receipt().rows == 2


def test_a_proof_that_the_role_has_no_right_to_is_refused_with_what_grants_it(
    open_exports: OpenExports, t: psycopg.Connection
) -> None:
    settled = handled(open_exports(), request_now(t, by="transactions"))
    assert isinstance(settled, DeadLetter)
    assert settled.reason == "PrivilegeMissing"
    assert "tailrace grants --prove-closed" in settled.description


def test_a_delay_alone_waits_for_no_transaction_and_proves_nothing(seeing: Exports, t: psycopg.Connection) -> None:
    with psycopg.connect(t.info.dsn, password=t.info.password) as late:
        late.execute("select now()")
        assert handled(seeing, request_now(t, by="delay")) == Complete("exported")
    closed = seeing.receipt().closed
    assert closed is not None
    assert (closed.by, closed.is_proven) == ("delay", False)


def test_a_retry_that_waits_carries_since_when_and_the_same_attempt(environ: dict[str, str], seeing: Exports) -> None:
    from azure.servicebus import ServiceBusClient

    from settings import Settings
    from worker.message.retry import RetryQueue

    began = datetime.now(UTC) - timedelta(minutes=5)
    retry = RetryLater(timedelta(hours=1), "WindowOpen", "it waits for pid 7")
    retries = RetryQueue(Settings.from_env(environ))
    for number, since in enumerate((None, began)):
        retries.schedule(Delivery(b"{}", "id", number, 2, waits_since=since), replace(retry, costs_attempt=False))
    retries.schedule(Delivery(b"{}", "id", 2, 2, waits_since=began), retry)
    with ServiceBusClient.from_connection_string(environ["ServiceBusConnection"]) as client:
        with client.get_queue_receiver(environ["TAILRACE_QUEUE"]) as receiver:
            found = receiver.peek_messages(10)
    first, second, third = (waits_since_of(message.application_properties) for message in found)
    assert first is not None
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=1)
    assert (second, third) == (began, None)
    assert [attempt_of(message.application_properties, 0) for message in found] == [2, 2, 3]
    assert {why_of(message.application_properties) for message in found} == {"WindowOpen: it waits for pid 7"}
