"""One name, one blob: whole or not there, never another request's, and by one commit only."""

import tracemalloc
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.asking import RUN, ask
from support.exports import NO_JOBS, Exports, OpenExports
from support.gate import Gate

from contracts.receipt import Read, Receipt
from settings import Settings
from worker.assemble import open_worker
from worker.cancellation import Cancellation
from worker.message.delivery import Delivery, handle_message
from worker.message.settlement import Complete, DeadLetter, RetryLater, Settlement

NAME = "x/1.csv.gz"


@pytest.fixture(autouse=True)
def table(admin: psycopg.Connection) -> None:
    admin.execute("create table t as select n as id from generate_series(1, 9) as n")


def etag(exports: Exports) -> str:
    return str(exports.container.get_blob_client(NAME).get_blob_properties().etag)


def put(exports: Exports, **metadata: str) -> None:
    exports.container.upload_blob(NAME, b"mine", metadata=metadata, overwrite=True)


def test_a_request_that_is_done_is_not_done_again(exports: Exports, admin: psycopg.Connection) -> None:
    request = ask()
    assert exports.handle(request) == Complete("exported")
    before = etag(exports)
    admin.execute("drop table t")
    assert exports.handle(request) == Complete("already-there")
    assert etag(exports) == before


@pytest.mark.parametrize("metadata", [{}, {"request_id": "x"}, {"rows": "1", "job": "j"}])
def test_a_foreign_blob_is_left_alone(exports: Exports, metadata: dict[str, str]) -> None:
    put(exports, **metadata)
    settlement = exports.handle(ask())
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "BlobExists"
    assert "written by something other than Tailrace; remove it, or set if_exists" in settlement.description
    assert exports.container.download_blob(NAME).readall() == b"mine"


def test_a_blob_of_another_request_is_left_alone_and_its_owner_is_named(exports: Exports) -> None:
    owner = ask(job="owner")
    exports.handle(owner)
    settlement = exports.handle(ask())
    assert isinstance(settlement, DeadLetter)
    assert f"written by request {owner.request_id} of job owner" in settlement.description
    assert exports.receipt().request_id == owner.request_id


def test_a_job_that_replaces_replaces_whatever_is_there(exports: Exports) -> None:
    put(exports)
    first, second = (ask(if_exists="replace", revision=number) for number in (1, 2))
    for request in (first, second):
        assert exports.handle(request) == Complete("exported")
        assert exports.receipt().request_id == request.request_id


@pytest.mark.parametrize(
    "older",
    [{"revision": 1}, {"revision": 2, "run": RUN - timedelta(days=1)}, {"revision": 1, "run": RUN + timedelta(1)}],
)
def test_what_an_older_request_would_write_over_a_newer_one_is_superseded(
    exports: Exports, older: dict[str, Any]
) -> None:
    newer = ask(if_exists="replace", revision=2)
    exports.handle(newer)
    assert exports.handle(ask(if_exists="replace", **older)) == Complete("superseded")
    assert exports.receipt().request_id == newer.request_id


def test_two_attempts_of_one_request_at_once_commit_once_and_are_both_done(
    exports: Exports, admin: psycopg.Connection
) -> None:
    """As after a lost lock: the first attempt still runs when the second one has begun."""
    gate, request = Gate(admin, 60_000), ask("gated")
    with gate.closed(), ThreadPoolExecutor() as threads:
        both = [threads.submit(exports.handle, request) for _ in range(2)]
        gate.wait_for(2)
        gate.open()
        settled = [one.result(60) for one in both]
    assert sorted(str(one) for one in settled) == sorted(map(str, [Complete("exported"), Complete("already-there")]))
    assert exports.receipt().rows == gate.rows
    assert len(exports.csv().splitlines()) == gate.rows + 1


def test_of_two_requests_at_once_the_first_to_commit_has_the_name(exports: Exports, admin: psycopg.Connection) -> None:
    gate, requests = Gate(admin, 10), [ask("gated"), ask("gated")]
    with gate.closed(), ThreadPoolExecutor() as threads:
        both = [threads.submit(exports.handle, request) for request in requests]
        gate.wait_for(2)
        gate.open()
        settled = [one.result(60) for one in both]
    assert [type(one) for one in sorted(settled, key=str)] == [Complete, DeadLetter]
    winner = requests[settled.index(Complete("exported"))]
    assert exports.receipt().request_id == winner.request_id


def while_exporting(exports: Exports, admin: psycopg.Connection, act: Any, **asked: Any) -> object:
    """The result of an export during which `act` runs."""
    gate = Gate(admin, 10)
    with gate.closed(), ThreadPoolExecutor() as threads:
        exporting = threads.submit(exports.handle, ask("gated", **asked))
        gate.wait_for()
        act()
        gate.open()
        return exporting.result(60)


def test_a_newer_blob_that_came_meanwhile_stays(exports: Exports, admin: psycopg.Connection) -> None:
    exports.handle(ask(if_exists="replace"))
    newer = ask(if_exists="replace", revision=3)
    settled = while_exporting(exports, admin, lambda: exports.handle(newer), if_exists="replace", revision=2)
    assert settled == Complete("superseded")
    assert exports.receipt().request_id == newer.request_id


def test_an_older_blob_that_came_meanwhile_is_replaced_by_the_next_attempt(
    exports: Exports, admin: psycopg.Connection
) -> None:
    exports.handle(ask(if_exists="replace"))
    older = ask(if_exists="replace", revision=2)
    settled = while_exporting(exports, admin, lambda: exports.handle(older), if_exists="replace", revision=3)
    assert isinstance(settled, RetryLater)
    assert "another writer changed blob" in settled.description
    assert exports.receipt().request_id == older.request_id


def test_a_blob_that_was_to_be_replaced_and_is_gone_is_tried_again(exports: Exports, admin: psycopg.Connection) -> None:
    put(exports)
    remove = exports.container.delete_blob
    assert isinstance(while_exporting(exports, admin, lambda: remove(NAME), if_exists="replace"), RetryLater)
    assert exports.names() == []


@pytest.mark.parametrize("length", [36, 10])
def test_blocks_that_others_have_staged_under_the_name_are_not_in_the_blob(
    exports: Exports, admin: psycopg.Connection, length: int
) -> None:
    """Always 36 characters: Azure stores a killed worker's for a week, and refuses other lengths beside them."""
    admin.execute("""create table wide as select n, md5(n::text) || md5((-n)::text) as a, md5((n * 7)::text) as b
        from generate_series(1, 100000) as n""")
    exports.container.get_blob_client(NAME).stage_block(length * "0", b"x")
    settled = exports.handle(ask("wide", output={"compression": "none"}))
    if length == 36:
        assert settled == Complete("exported")
        assert exports.container.download_blob(NAME).readall().count(b"\n") == 100_001
    else:
        assert isinstance(settled, DeadLetter)
        assert settled.reason == "InvalidBlobOrBlock"


def test_a_leased_blob_is_not_replaced(exports: Exports) -> None:
    put(exports)
    exports.container.get_blob_client(NAME).acquire_lease(60)
    settlement = exports.handle(ask(if_exists="replace"))
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "LeaseIdMissing"
    assert "a blob of this name is leased" in settlement.description


@pytest.mark.parametrize(
    "name",
    ["a b/ü 漢🚀.csv", "?query#fragment", "50%25/100%", "a+b&c=d", "'quoted'/\"double\"", "~/.hidden", "a:b*c|d"],
)
def test_a_name_means_itself_whatever_a_url_would_make_of_it(exports: Exports, name: str) -> None:
    assert exports.handle(ask(blob=name)) == Complete("exported")
    assert exports.names() == [name]
    assert exports.handle(ask(blob=name)) != Complete("exported")


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
def test_a_container_that_is_not_there_says_what_to_do(
    open_exports: OpenExports, admin: psycopg.Connection, moment: str
) -> None:
    name = f"gone-{uuid4().hex}"
    exports = open_exports(TAILRACE_CONTAINER=name)
    if moment == "before":
        settlement: object = exports.handle(ask())
    else:
        with ContainerClient.from_container_url(
            exports.container.url.replace(exports.container.container_name, name), exports.container.credential
        ) as container:
            container.create_container()
            settlement = while_exporting(exports, admin, container.delete_container)
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "ContainerNotFound"
    says = "there is no such container (ContainerNotFound); create it, or set TAILRACE_CONTAINER"
    assert f"of '{name}/{NAME}' was refused: {says}" in settlement.description


def test_a_wrong_account_key_is_reported_without_the_key(open_exports: OpenExports, environ: dict[str, str]) -> None:
    parts = dict(part.split("=", 1) for part in environ["ExportStorage"].rstrip(";").split(";"))
    parts["AccountKey"] = "UzNjcmV0S2V5"
    settlement = open_exports(ExportStorage=";".join(f"{key}={value}" for key, value in parts.items())).handle(ask())
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason in {"AuthenticationFailed", "AuthorizationFailure"}
    assert "UzNjcmV0S2V5" not in settlement.description


@pytest.fixture(scope="module", autouse=True)
def unreachable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Settlement]]:
    """An export to storage that is not there, under way while the other tests run: it takes eight seconds."""
    jobs = tmp_path_factory.mktemp("jobs") / "jobs.toml"
    jobs.write_text(NO_JOBS)
    key = "AccountName=a;AccountKey=UzNjcmV0S2V5"
    environ = {
        "ServiceBusConnection": "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=n;SharedAccessKey=k;",
        "ExportStorage": f"DefaultEndpointsProtocol=http;{key};BlobEndpoint=http://127.0.0.1:9/a;",
        "PGHOST": "127.0.0.1",
        "PGDATABASE": "none",
        "PGUSER": "none",
        "PGPASSWORD": "none",
        "TAILRACE_JOBS": str(jobs),
    }
    delivery = Delivery(ask().to_body(), "id", 1, 1)
    with open_worker(Settings.from_env(environ)) as worker, ThreadPoolExecutor() as threads:
        yield threads.submit(handle_message, delivery, worker, Cancellation())


def test_storage_that_cannot_be_reached_is_tried_again_and_the_database_is_left_alone(
    unreachable: Future[Settlement],
) -> None:
    settlement = unreachable.result(60)
    assert isinstance(settlement, RetryLater)
    assert settlement.reason == "SinkUnavailable"
    assert "127.0.0.1" in settlement.description
    assert "UzNjcmV0S2V5" not in settlement.description


def test_parts_that_are_smaller_than_a_block_give_their_buffers_back(exports: Exports) -> None:
    """Before the commit, and whatever their number: 32 of them would take 128 MiB, and as much again to be joined."""
    parts = [bytes([number]) * (1 << 20) for number in range(32)]
    tracemalloc.start()
    try:
        with exports.worker.exporter.sink.upload("parts", None) as upload:
            lines = []
            for number, data in enumerate(parts):
                part = upload.part(number)
                part.write(data)
                lines.append(part.finished(1, 1, None))
            upload.commit(Receipt.of(ask(blob="parts"), Read(tuple(lines), "1"), (RUN, RUN)), "text/csv")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 48 << 20
    assert exports.container.download_blob("parts").readall() == b"".join(parts)
