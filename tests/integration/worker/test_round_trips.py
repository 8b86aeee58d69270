"""What a small export asks of storage and PostgreSQL: each round trip carries something."""

import http.client
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from support.asking import RUN, ask, window
from support.exports import Exports

from worker.message.settlement import Complete

IDS = window("integer", "id", 0, 10)


@pytest.fixture(autouse=True)
def table(admin: psycopg.Connection) -> None:
    admin.execute("create table t as select generate_series(0, 99) as id")


@pytest.fixture
def asked_of_storage(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of HTTP requests to come."""
    methods: list[str] = []
    put = http.client.HTTPConnection.putrequest

    def noted(self: Any, method: str, *rest: Any, **options: Any) -> None:
        methods.append(method)
        put(self, method, *rest, **options)

    monkeypatch.setattr(http.client.HTTPConnection, "putrequest", noted)
    return methods


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One for each time that a connection to PostgreSQL waits for an answer."""
    waited: list[None] = []
    wait = psycopg.Connection.wait

    def noted(self: Any, *rest: Any, **options: Any) -> Any:
        waited.append(None)
        return wait(self, *rest, **options)

    monkeypatch.setattr(psycopg.Connection, "wait", noted)
    return waited


def exported(exports: Exports, number: int, **more: Any) -> None:
    assert exports.handle(ask(blob=f"x/{number}.csv.gz", **more)) == Complete("exported")


@pytest.mark.parametrize(("more", "most"), [({}, 2), ({"window": IDS}, 4)], ids=["whole", "window"])
def test_a_small_export_is_one_request_to_storage_and_few_round_trips_to_postgresql(
    exports: Exports, asked_of_storage: list[str], waits: list[None], more: dict[str, Any], most: int
) -> None:
    exported(exports, 1, **more)
    asked_of_storage.clear()
    # An export that is slowed down for a second asks whether its connection lives, which is one more.
    counts = []
    for number in range(2, 7):
        waits.clear()
        exported(exports, number, **more)
        counts.append(len(waits))
    assert min(counts) == most
    assert asked_of_storage == ["PUT"] * 5


def test_the_first_export_asks_for_its_types_too_and_not_whether_its_new_connection_lives(
    exports: Exports, waits: list[None]
) -> None:
    exported(exports, 1)
    assert len(waits) <= 3


def test_a_redelivery_of_what_is_done_is_one_request_to_storage_and_none_to_postgresql(
    exports: Exports, asked_of_storage: list[str], waits: list[None]
) -> None:
    request = ask()
    assert exports.handle(request) == Complete("exported")
    asked_of_storage.clear()
    waits.clear()
    assert exports.handle(request, attempt=2) == Complete("already-there")
    assert (asked_of_storage, waits) == (["HEAD"], [])


@pytest.mark.parametrize(
    "view",
    [
        "select n, repeat('x', 1000)::char(1000) as x from generate_series(1, 9000) as n",
        "select count(*) from generate_series(1, 3000000)",
    ],
    ids=["many bytes", "much work"],
)
def test_a_large_export_that_is_done_is_noticed_before_its_rows_are_read(
    exports: Exports, admin: psycopg.Connection, asked_of_storage: list[str], view: str
) -> None:
    admin.execute(f"create view large as {view}")  # type: ignore[arg-type]
    try:
        request = ask("large")
        assert exports.handle(request) == Complete("exported")
        asked_of_storage.clear()
        assert exports.handle(request) == Complete("already-there")
        assert set(asked_of_storage) == {"HEAD"}
    finally:
        admin.execute("drop view large")


def test_a_small_export_that_is_done_is_found_by_its_commit(exports: Exports) -> None:
    request = ask()
    assert exports.handle(request) == Complete("exported")
    etag = exports.container.get_blob_client(request.blob).get_blob_properties().etag
    assert exports.handle(request) == Complete("already-there")
    assert exports.container.get_blob_client(request.blob).get_blob_properties().etag == etag


def test_an_older_run_is_superseded_on_its_first_attempt_too(exports: Exports) -> None:
    assert exports.handle(ask(if_exists="replace")) == Complete("exported")
    older = ask(if_exists="replace", run=RUN - timedelta(days=1))
    assert exports.handle(older) == Complete("superseded")


def test_the_transaction_of_an_export_has_ended_when_its_connection_is_back(
    exports: Exports, admin: psycopg.Connection
) -> None:
    exported(exports, 1)
    states = admin.execute("select distinct state from pg_stat_activity where usename = 'exporter'").fetchall()
    assert states == [("idle",)]


def test_a_session_that_the_server_ended_between_two_exports_costs_no_attempt(
    exports: Exports, admin: psycopg.Connection
) -> None:
    exported(exports, 1)
    ended = admin.execute(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = 'exporter'"
    ).fetchall()
    assert ended == [(True,)]
    exported(exports, 2)
