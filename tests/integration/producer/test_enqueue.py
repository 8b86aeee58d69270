"""Due requests on a real queue, beside a real container."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from azure.storage.blob import ContainerClient
from support.bus import Bus, body_of

from contracts.errors import ConfigurationError, QueueUnavailable, SinkRejected
from contracts.jobs_file import Jobs, load_jobs
from contracts.request import ExportRequest, TableSource, parse_request
from producer.enqueue import Enqueued, enqueue_due
from producer.facts import Present
from producer.queue import ExportQueue
from producer.schedule import due_requests
from producer.store import BlobIndex
from settings import Settings

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=UTC)


def tick(settings: Settings, now: datetime = NOW) -> Enqueued:
    with ExportQueue(settings) as queue:
        return enqueue_due(load_jobs(settings.jobs), BlobIndex(settings), queue, now)


def due(settings: Settings, job: str) -> list[ExportRequest]:
    jobs: Jobs = load_jobs(settings.jobs)
    return list(due_requests(jobs[job], NOW))


def request(**more: Any) -> ExportRequest:
    source = TableSource(schema_name="s", table="t", columns=more.pop("columns", None))
    return ExportRequest(request_id=uuid4(), job="j", source=source, blob="b", run=NOW, **more)


def test_a_tick_sends_one_message_for_each_due_export(settings: Settings, bus: Bus) -> None:
    assert tick(settings) == Enqueued(asked=6, present=0, sent=6)
    messages = bus.messages()
    sent = [parse_request(body_of(message)) for message in messages]
    assert sent == [*due(settings, "clicks"), *due(settings, "latest")]
    assert [message.message_id for message in messages] == [f"{one.request_id}#20260201T1230" for one in sent]
    assert {message.content_type for message in messages} == {"application/json"}
    properties = messages[0].application_properties or {}
    assert properties[b"job"] == b"clicks"


def test_a_tick_asks_for_nothing_that_is_on_the_queue_already(settings: Settings, bus: Bus) -> None:
    assert tick(settings).sent == 6
    for minute in range(1, 3):
        assert tick(settings, NOW + timedelta(minutes=minute)) == Enqueued(asked=6, present=0, sent=0, alive=6)
    assert len(bus.messages()) == 6


def test_the_same_tick_twice_sends_each_request_once(settings: Settings, bus: Bus) -> None:
    """Two producers that looked at the queue at the same moment."""
    requests = due(settings, "clicks")
    for _ in range(2):
        with ExportQueue(settings) as queue:
            queue.send(requests, NOW)
    assert len(bus.messages()) == len(requests)


def test_what_became_due_since_is_all_that_comes_on_top(settings: Settings, bus: Bus) -> None:
    tick(settings)
    tick(settings, NOW + timedelta(hours=1))
    tick(settings, NOW + timedelta(days=1))
    jobs = [parse_request(body_of(message)).job for message in bus.messages()]
    assert sorted(jobs) == ["clicks"] * 6 + ["latest"] * 3


def test_a_tick_shouts_about_a_disabled_job_and_asks_for_all_others(
    settings: Settings, bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    settings.jobs.write_text(settings.jobs.read_text() + '[[job]]\nname = "bad"\nschema = "s"\nblob = "b/{run}"\n')
    for minute in range(2):
        tick(settings, NOW + timedelta(minutes=minute))
    assert len(bus.messages()) == 6
    shouted = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(shouted) == 2
    assert all(line.startswith("job disabled job=bad ") and "table: missing" in line for line in shouted)


def put(container: ContainerClient, name: str, request_id: UUID | None = None) -> None:
    container.upload_blob(name, b"", metadata={"request_id": str(request_id)} if request_id else {})


def test_windows_that_have_a_blob_are_not_sent(settings: Settings, bus: Bus, container: ContainerClient) -> None:
    days = due(settings, "clicks")
    for request in days[1:4]:
        put(container, request.blob, request.request_id)
    put(container, "clicks/2026/01/31.csv.gz.old")
    put(container, days[4].blob + "/x")
    assert tick(settings) == Enqueued(asked=6, present=3, sent=3)
    names = [parse_request(body_of(message)).blob for message in bus.messages()]
    assert names == [days[0].blob, days[4].blob, "latest/countries.csv.gz"]


def test_a_blob_half_written_is_not_there_yet(settings: Settings, container: ContainerClient) -> None:
    (first, *_) = due(settings, "clicks")
    container.get_blob_client(first.blob).stage_block("a", b"x")
    assert tick(settings).present == 0


def test_a_job_that_replaces_is_sent_until_its_newest_run_is_there(
    settings: Settings, bus: Bus, container: ContainerClient
) -> None:
    (latest,) = due(settings, "latest")
    put(container, latest.blob, uuid4())
    assert tick(settings).present == 0
    container.delete_blob(latest.blob)
    put(container, latest.blob, latest.request_id)
    assert tick(settings).present == 1


def test_a_tick_with_nothing_due_touches_no_queue(settings: Settings, bus: Bus, container: ContainerClient) -> None:
    for request in due(settings, "clicks") + due(settings, "latest"):
        put(container, request.blob, request.request_id)
    nowhere = settings.model_copy(update={"queue": "nowhere"})
    assert tick(nowhere) == Enqueued(asked=6, present=6, sent=0)


def test_a_thousand_blobs_and_a_foreign_one_are_looked_up(settings: Settings, container: ContainerClient) -> None:
    put(container, "y/mine", UUID(int=7))
    put(container, "y/other")
    put(container, "y/unasked", UUID(int=8))
    put(container, "z/outside")
    names = [f"y/{number}" for number in range(6000)]
    found = BlobIndex(settings).present([[*names, "y/mine", "y/other"], ["z/outside"]])
    assert found == {"y/mine": Present(UUID(int=7)), "y/other": Present(), "z/outside": Present()}
    assert BlobIndex(settings).present([["y/mine"]]) == {"y/mine": Present(UUID(int=7))}


def test_more_than_one_batch_of_requests_arrives_whole_and_in_order(settings: Settings, bus: Bus) -> None:
    """Three megabytes; a batch holds one at most."""
    wide = tuple(f"column_{number:04}" for number in range(400))
    requests = [request(columns=wide) for _ in range(520)]
    assert sum(len(one.to_body()) for one in requests) >= 3_000_000
    with ExportQueue(settings) as queue:
        assert queue.send(requests) == 520
    assert [str(message.message_id)[:36] for message in bus.messages()] == [str(one.request_id) for one in requests]


def test_a_person_may_send_a_request_again_though_it_is_a_repeat(settings: Settings, bus: Bus) -> None:
    """Two clicks of a button are two messages then."""
    repeated = request()
    with ExportQueue(settings) as queue:
        for asked_at in (NOW, NOW, None, None):
            queue.send([repeated], asked_at)
    ids = [str(message.message_id) for message in bus.messages()]
    assert len(set(ids)) == len(ids) == 3
    assert all(one.partition("#")[0] == str(repeated.request_id) for one in ids)
    assert {body_of(message) for message in bus.messages()} == {repeated.to_body()}


def test_a_request_near_the_limit_of_a_body_is_sent(settings: Settings, bus: Bus) -> None:
    columns = tuple(f"{number:04}" + "x" * 59 for number in range(1600))
    with ExportQueue(settings) as queue:
        queue.send([request(), request(columns=columns), request()])
    assert len(bus.messages()) == 3
    assert max(len(body_of(message)) for message in bus.messages()) > 100_000


def test_a_queue_that_is_not_there_says_which_and_what_to_set(settings: Settings) -> None:
    missing = settings.model_copy(update={"queue": "nowhere"})
    with (
        ExportQueue(missing) as queue,
        pytest.raises(ConfigurationError, match="no such queue in this namespace") as raised,
    ):
        queue.send([request()])
    assert "'nowhere'" in str(raised.value)
    assert "TAILRACE_QUEUE" in str(raised.value.advice)


def test_a_container_that_is_not_there_stops_the_tick_before_anything_is_sent(settings: Settings, bus: Bus) -> None:
    with pytest.raises(SinkRejected, match="there is no such container"):
        tick(settings.model_copy(update={"container": "nowhere"}))
    assert bus.messages() == []


@pytest.fixture(scope="module", autouse=True)
def unreachable() -> Iterator[Future[int]]:
    """A request sent to a broker that is not there, under way while the other tests run: it takes eleven seconds."""
    address = "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=n;SharedAccessKey=S3cret;UseDevelopmentEmulator=true;"
    login = {"PGHOST": "127.0.0.1", "PGDATABASE": "none", "PGUSER": "none", "PGPASSWORD": "none"}
    settings = Settings.from_env({"ServiceBusConnection": address, "ExportStorage": "none", **login})
    with ExportQueue(settings) as queue, ThreadPoolExecutor() as threads:
        yield threads.submit(queue.send, [request()])


def test_an_unreachable_broker_is_reported_in_one_line_without_its_key(unreachable: Future[int]) -> None:
    with pytest.raises(QueueUnavailable, match="send on queue") as raised:
        unreachable.result(60)
    assert "\n" not in str(raised.value)
    assert "S3cret" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "Endpoint=", "x", "Endpoint=sb://127.0.0.1"])
def test_an_invalid_connection_string_is_reported_by_its_setting(environ: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigurationError, match="ServiceBusConnection"):
        ExportQueue(Settings.from_env({**environ, "ServiceBusConnection": text}))
