"""One export, from `tailrace submit` to the end of `tailrace work`, with all its telemetry."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from azure.storage.blob import BlobServiceClient
from support.collector import Collector
from support.telemetry_processes import SECRET_ROW, create_clicks, events, settings_in, submit, working

from devstack.stack import Stack


@dataclass(frozen=True)
class Done:
    request_id: str
    collector: Collector
    metrics_before_the_drain: int
    log: str


@pytest.fixture(scope="module")
def environ(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with psycopg.connect(**stack.postgres.parameters("postgres"), autocommit=True) as server:
        server.execute("create database telemetry")
        with psycopg.connect(**stack.postgres.parameters("postgres", "telemetry"), autocommit=True) as admin:
            create_clicks(admin)
        with BlobServiceClient.from_connection_string(stack.azurite.connection_string) as service:
            service.create_container("telemetry")
            yield settings_in(
                tmp_path_factory.mktemp("telemetry"),
                stack.environ(database="telemetry", queue=stack.unused_queue(), container="telemetry"),
            )
            service.delete_container("telemetry")
        server.execute("drop database telemetry with (force)")


@pytest.fixture(scope="module")
def done(environ: dict[str, str]) -> Iterator[Done]:
    directory = Path(environ["TAILRACE_JOBS"]).parent
    with Collector() as collector:
        watched = {**environ, **collector.environ}
        request_id = submit(watched, directory)
        with working(watched, directory) as worker:
            worker.wait_for(re.compile("export done"))
            metrics = len(collector.points)
        yield Done(request_id, collector, metrics, worker.output())


def test_one_trace_holds_the_sending_and_the_export(done: Done) -> None:
    (sending,), (process,), (export,) = map(done.collector.named, ("send", "process", "export"))
    assert {span.trace_id for span in done.collector.spans} == {sending.trace_id}
    assert [sending.kind, process.kind] == ["SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER"]
    assert (process.parent_id, export.parent_id) == (sending.span_id, process.span_id)
    assert [[span.parent_id for span in done.collector.named(name)] for name in ("read", "commit")] == (
        [[export.span_id]] * 2
    )


def test_spans_say_whose_they_are_and_what_came_of_it(done: Done) -> None:
    (process,), (export,) = map(done.collector.named, ("process", "export"))
    whose = {"request_id": done.request_id, "job": "clicks", "attempt": 1, "outcome": "exported"}
    assert whose.items() <= process.attributes.items()
    assert {**whose, "rows": 10, "parts": 1}.items() <= export.attributes.items()
    assert 0 < export.attributes["bytes"] < export.attributes["csv_bytes"]
    assert [span.failed for span in done.collector.spans] == [None] * len(done.collector.spans)


def test_metrics_that_wait_are_sent_when_a_worker_drains(done: Done) -> None:
    (size,) = (span.attributes["bytes"] for span in done.collector.named("export"))
    assert done.metrics_before_the_drain == 0
    values = {name: (attributes, value) for name, attributes, value in done.collector.points}
    assert len(values) == len(done.collector.points)
    assert 0 < values.pop("tailrace.seconds")[1] < 30
    assert 0 < values.pop("tailrace.queue_age_seconds")[1] < 60
    assert values == {
        "tailrace.exports": ({"job": "clicks", "outcome": "exported"}, 1),
        "tailrace.rows": ({"job": "clicks"}, 10),
        "tailrace.bytes": ({"job": "clicks"}, size),
    }


def test_every_line_of_a_delivery_says_whose_it_is(done: Done) -> None:
    of_the_worker = {"worker ready", "worker draining", "worker stopped"}
    lines = [line for line in events(done.log) if line["event"] not in of_the_worker]
    assert [line["event"] for line in lines] == ["export started", "export done"]
    (process,) = done.collector.named("process")
    whose = {"request_id": done.request_id, "job": "clicks", "attempt": 1, "trace_id": process.trace_id}
    assert all(whose.items() <= line.items() for line in lines)


def test_neither_spans_nor_metrics_nor_logs_hold_a_secret_or_a_row(done: Done, environ: dict[str, str]) -> None:
    said = done.collector.received + done.log.encode()
    secrets = [environ["PGPASSWORD"], SECRET_ROW, "SharedAccessKey", "AccountKey"]
    assert done.request_id.encode() in said
    assert [secret for secret in secrets if secret.encode() in said] == []
