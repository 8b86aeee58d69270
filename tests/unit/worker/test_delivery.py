"""Messages that are settled before any server is needed, and how attempts are counted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.message import attempt_of, retry_id
from contracts.reasons import is_permanent
from settings import Settings
from worker.assemble import open_worker
from worker.cancellation import Cancellation
from worker.message.delivery import Delivery, Worker, handle_message
from worker.message.settlement import DeadLetter, RetryLater, Settlement

NOWHERE = {
    "ServiceBusConnection": "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=n;SharedAccessKey=k;",
    "ExportStorage": "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;",
    "PGHOST": "127.0.0.1",
    "PGPORT": "9",
    "PGDATABASE": "d",
    "PGUSER": "u",
    "PGPASSWORD": "p",
}


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """A worker without servers."""
    jobs = tmp_path / "jobs.toml"
    jobs.write_text('[[job]]\nname = "a"\nschema = "s"\ntable = "t"\nblob = "x/{run}"\n')
    with open_worker(Settings.from_env({**NOWHERE, "TAILRACE_JOBS": str(jobs)})) as opened:
        yield opened


def settled(worker: Worker, body: bytes, attempt: int = 1) -> Settlement:
    return handle_message(Delivery(body, "id", 1, attempt), worker, Cancellation())


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "InvalidRequest"),
        (b"hello", "InvalidRequest"),
        (b"\x00\xff", "InvalidRequest"),
        (b"{}", "InvalidRequest"),
        (b'{"version": 2}', "UnknownVersion"),
        (b'{"version": 1}', "InvalidRequest"),
        (b"[" * 150 * 1024, "InvalidRequest"),
        (b"[" * 200 * 1024, "MessageTooLarge"),
    ],
)
def test_a_message_that_is_no_request_is_dead_lettered_at_the_first_attempt(
    worker: Worker, body: bytes, reason: str
) -> None:
    settlement = settled(worker, body)
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == reason
    assert settlement.description


def test_a_query_that_this_worker_does_not_know_says_what_to_deploy(worker: Worker) -> None:
    body = (
        b'{"version": 1, "request_id": "5b3c1e0e-98c5-4c68-9a3c-1d1df0a0ff3b", "job": "a", "blob": "b", '
        b'"source": {"kind": "query", "name": "a"}, "run": "2026-01-01T00:00:00Z"}'
    )
    settlement = settled(worker, body)
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "QueryMissing"
    assert "'a'" in settlement.description
    assert "deploy the jobs.toml that the producer has" in settlement.description


def test_a_message_of_a_disabled_job_waits_for_a_corrected_file_and_is_then_given_up_with_the_problem(
    tmp_path: Path,
) -> None:
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(
        '[[job]]\nname = "good"\nschema = "s"\ntable = "t"\nblob = "x/{run}"\n'
        '[[job]]\nname = "bad"\nschema = "s"\nblob = "y/{run}"\n'
    )
    body = (
        b'{"version": 1, "request_id": "5b3c1e0e-98c5-4c68-9a3c-1d1df0a0ff3b", "job": "bad", "blob": "y", '
        b'"source": {"kind": "table", "schema_name": "s", "table": "t"}, "run": "2026-01-01T00:00:00Z"}'
    )
    with open_worker(Settings.from_env({**NOWHERE, "TAILRACE_JOBS": str(jobs)})) as worker:
        first, last = settled(worker, body), settled(worker, body, attempt=worker.retry.max_attempts)
    assert isinstance(first, RetryLater)
    assert first.costs_attempt
    assert isinstance(last, DeadLetter)
    assert last.reason == "JobDisabled"
    assert "job 'bad': table: missing" in last.description
    assert not is_permanent(last.reason)


@pytest.mark.parametrize(
    ("properties", "redeliveries", "attempt"),
    [
        ({}, 0, 1),
        ({}, 4, 5),
        ({b"attempt": 2}, 0, 2),
        ({"attempt": 2}, 3, 5),
        ({"attempt": 0}, 0, 1),
        ({"attempt": -7}, 0, 1),
        ({"attempt": "3"}, 0, 1),
        ({"attempt": 2.5}, 0, 1),
        ({"attempt": None}, 0, 1),
        ({b"\xff": 1, b"attempt": 2}, 0, 2),
    ],
)
def test_attempts_count_clones_and_redeliveries(properties: dict[Any, object], redeliveries: int, attempt: int) -> None:
    """Whatever another sender has put into the properties."""
    assert attempt_of(properties, redeliveries) == attempt


def _next_id(delivery: Delivery) -> str:
    return retry_id(delivery.message_id, delivery.attempt + 1, delivery.sequence_number)


def test_no_two_clones_of_one_request_share_an_id_but_those_of_one_delivery() -> None:
    first = Delivery(b"", "5b3c1e0e-98c5-4c68-9a3c-1d1df0a0ff3b", 7, 1)
    second = Delivery(b"", _next_id(first), 8, 2)
    replayed = Delivery(b"", first.message_id, 9, 1)
    ids = [_next_id(one) for one in (first, second, replayed)]
    assert len({first.message_id, *ids}) == 4
    assert _next_id(first) == ids[0]


def test_an_id_of_any_length_leaves_room_for_the_clones() -> None:
    """Service Bus takes 128 characters."""
    assert len(retry_id("x" * 128, 100, 2**63 - 1)) <= 128
    assert retry_id("", 2, 5)
