"""The answers of HTTP, and the messages on the queue after them."""

import json
from datetime import UTC, datetime

from azure.storage.blob import ContainerClient
from support.bus import Bus, body_of

from contracts.request import parse_request
from producer.submit import submit_over_http
from settings import Settings

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=UTC)


def test_a_window_asked_for_is_answered_with_the_request_on_the_queue(settings: Settings, bus: Bus) -> None:
    answer = submit_over_http(b'{"job": "clicks", "window_start": "2026-01-31"}', settings, NOW)
    (message,) = bus.messages()
    assert answer.status == 202
    reply = json.loads(answer.body)
    assert reply.pop("status") == "sent"
    assert parse_request(json.dumps(reply).encode()) == parse_request(body_of(message))
    assert reply["blob"] == "clicks/2026/01/31.csv.gz"
    assert str(message.message_id).startswith(reply["request_id"])


def test_the_same_window_asked_for_again_is_under_way_until_its_blob_is_there(
    settings: Settings, bus: Bus, container: ContainerClient
) -> None:
    body = b'{"job": "numbers", "window_start": "5000"}'
    first, second = (submit_over_http(body, settings, NOW) for _ in range(2))
    assert (first.status, second.status) == (202, 200)
    reply = json.loads(second.body)
    assert reply["status"] == "under-way"
    assert len(bus.messages()) == 1
    container.upload_blob(reply["blob"], b"", metadata={"request_id": reply["request_id"]})
    third = submit_over_http(body, settings, NOW)
    assert (third.status, json.loads(third.body)["status"]) == (200, "already-there")


def test_a_foreign_blob_in_its_place_is_a_conflict(settings: Settings, container: ContainerClient) -> None:
    container.upload_blob("clicks/2026/01/31.csv.gz", b"")
    answer = submit_over_http(b'{"job": "clicks", "window_start": "2026-01-31"}', settings, NOW)
    assert (answer.status, json.loads(answer.body)["status"]) == (409, "foreign-blob")


def test_a_job_without_windows_is_asked_for_by_name(settings: Settings, bus: Bus) -> None:
    answer = submit_over_http(b'{"job": "asked"}', settings, NOW)
    assert (answer.status, json.loads(answer.body)["run"]) == (202, "2026-02-01T12:30:00Z")
    assert json.loads(answer.body)["source"] == {"kind": "query", "name": "asked"}


def test_a_broken_deployment_is_not_the_callers_mistake(settings: Settings, environ: dict[str, str]) -> None:
    body = b'{"job": "clicks", "window_start": "2026-01-31"}'
    answer = submit_over_http(body, settings.model_copy(update={"queue": "nowhere"}), NOW)
    assert answer.status == 503
    assert "TAILRACE_QUEUE" in json.loads(answer.body)["advice"]
    settings.jobs.write_text("[[job]]\n")
    answer = submit_over_http(body, settings, NOW)
    assert answer.status == 503
    assert "job number 1" in json.loads(answer.body)["error"]
