import re
import socket
from pathlib import Path
from uuid import UUID

import pytest
from support.collector import Collector
from support.telemetry_processes import events, submit, working


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_every_attempt_of_a_request_is_in_the_trace_of_its_sending(
    watched: dict[str, str], collector: Collector, tmp_path: Path
) -> None:
    """An unreachable server: one retry, then the request is dead-lettered."""
    request_id = submit(watched, tmp_path)
    away = {"PGPORT": str(unused_port()), "TAILRACE_CONNECT_TIMEOUT_SECONDS": "0.5", "TAILRACE_MAX_ATTEMPTS": "2"}
    with working({**watched, **away}, tmp_path) as worker:
        worker.wait_for(re.compile("DeadLetter"))
        collector.wait_for(lambda: len(collector.named("process")) == 2, "the second attempt")
    (sending,) = collector.named("send")
    first, second = collector.named("process")
    assert {first.trace_id, second.trace_id} == {sending.trace_id}
    assert [first.attributes["outcome"], second.attributes["outcome"]] == ["retry", "dead-letter"]
    assert [first.attributes["attempt"], second.attributes["attempt"]] == [1, 2]
    assert {first.attributes["request_id"], second.attributes["request_id"]} == {request_id}
    assert first.failed == second.failed == first.attributes["reason"] == "SourceUnavailable"
    failures = [line for line in events(worker.output()) if line["event"] == "export failed"]
    assert [(line["request_id"], line["job"], line["attempt"]) for line in failures] == (
        [(request_id, "clicks", 1), (request_id, "clicks", 2)]
    )
    values = {name: (attributes, value) for name, attributes, value in collector.points}
    one_failure = ({"job": "clicks", "reason": "SourceUnavailable"}, 1)
    assert values["tailrace.retries"] == values["tailrace.dead_letters"] == one_failure
    assert "tailrace.exports" not in values


@pytest.mark.usefixtures("clicks")
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "{}"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", f"InstrumentationKey={UUID(int=1)};IngestionEndpoint={{}}/"),
    ],
)
def test_an_unreachable_destination_delays_no_export_and_no_workers_end(
    plain: dict[str, str], tmp_path: Path, variable: str, value: str
) -> None:
    submit(plain, tmp_path)
    away = f"http://127.0.0.1:{unused_port()}"
    with working({**plain, variable: value.format(away)}, tmp_path) as worker:
        worker.wait_for(re.compile("export done"))
    assert [line["event"] for line in events(worker.output()) if line["level"] == "info"][-1] == "worker stopped"
    assert "Traceback" not in worker.output()
