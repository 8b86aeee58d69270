"""Pauses, backfills and cancels over HTTP, on real servers."""

import logging
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from support.days import day
from support.dead_letters import Bus
from support.http import Http
from support.waiting import until

from connections.records import Records
from connections.steering import CANCELS
from contracts.jobs_file import load_jobs
from contracts.message import properties, retry_id
from contracts.steering import Cancel
from operations.backfill import Wanted
from operations.backfilling import Backfilling
from producer.queue import ExportQueue
from settings import Settings


def test_a_paused_job_takes_no_backfill_until_it_is_resumed(http: Http, bus: Bus) -> None:
    status, done = http.post("/api/pause", {"job": "clicks", "why": "the table is being rebuilt"})
    assert (status, done["changed"], done["pause"]["why"]) == (200, True, "the table is being rebuilt")
    assert done["pause"]["by"] == "tester"
    assert http.post("/api/pause", {"job": "clicks"})[1]["changed"] is False
    assert [one["job"] for one in http.get("/api/pauses")[1]["jobs"]] == ["clicks"]
    order = {"job": "clicks", "windows": [{"since": day(4), "until": day(1)}]}
    status, refused = http.post("/api/backfills", order)
    assert (status, "was paused" in refused["error"]) == (400, True)
    assert len(bus.queued()) == 0
    assert http.post("/api/resume", {"job": "clicks"})[1]["changed"] is True
    assert http.post("/api/backfills", order)[1]["sent"] == 3


def test_what_a_pause_put_off_is_back_on_the_queue_once_its_job_is_resumed(
    http: Http, bus: Bus, settings: Settings
) -> None:
    http.post("/api/pause", {"job": "clicks"})
    assert settings.service_bus_connection_string is not None
    with (
        ServiceBusClient.from_connection_string(settings.service_bus_connection_string.get_secret_value()) as client,
        client.get_queue_sender(settings.queue) as sender,
    ):
        carried = properties("clicks", {}, attempt=1, why="JobPaused: job 'clicks' is paused")
        message = ServiceBusMessage(b"{}", message_id=retry_id("a", 1, 1), application_properties=carried)
        sender.schedule_messages(message, datetime.now(UTC) + timedelta(minutes=5))
    assert http.post("/api/resume", {"job": "clicks"})[1]["brought_back"] == 1
    assert [message.state.name for message in bus.queued()] == ["ACTIVE"]


def test_a_backfill_of_one_range_has_an_id_and_is_cancelled_by_it(
    http: Http, bus: Bus, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    _, done = http.post("/api/backfills", {"job": "clicks", "windows": [{"since": day(5), "until": day(1)}]})
    (standing,) = http.get("/api/backfills")[1]["backfills"]
    assert (standing["id"], standing["sent"], standing["waiting"], standing["state"]) == (done["id"], 4, 4, "waiting")
    assert http.post("/api/cancel", {"backfill": done["id"], "dry_run": True})[1] == {"covered": 4}
    assert http.get("/api/status")[1]["queue"]["live"] == 4
    with caplog.at_level(logging.INFO):
        assert http.post("/api/cancel", {"backfill": done["id"]})[1] == {"covered": 4}
    assert f"operator action action=cancel by=tester what={done['id']} covered=4" in caplog.text
    assert http.get("/api/backfills")[1]["backfills"][0]["state"] == "cancelled"
    (cancel,) = (record.value for record in Records(settings, CANCELS, Cancel).all())
    assert cancel.by == "tester"
    assert http.get("/api/status")[1]["queue"]["live"] == 0
    assert len(bus.queued()) == 4  # until a worker completes them


def test_a_backfill_that_was_sent_after_the_last_look_is_not_done(http: Http, settings: Settings) -> None:
    assert http.get("/api/backfills")[1] == {"backfills": []}
    wanted = Wanted(load_jobs(settings.jobs)["clicks"], day(5), day(1))
    with ExportQueue(settings) as queue:
        Backfilling(settings, wanted, datetime.now(UTC)).send(queue, lambda _: None, Event())
    assert sum(one["done"] for one in http.get("/api/backfills")[1]["backfills"]) == 0
    (standing,) = until(lambda: http.get("/api/backfills")[1]["backfills"], "the next look")
    assert (standing["state"], standing["sent"], standing["waiting"], standing["done"]) == ("waiting", 4, 4, 0)


def test_a_range_of_a_job_is_cancelled_and_the_rest_waits_on(http: Http, bus: Bus) -> None:
    http.post("/api/backfills", {"job": "clicks", "windows": [{"since": day(5), "until": day(1)}]})
    assert http.post("/api/cancel", {"job": "clicks", "since": day(3), "until": day(1)})[1] == {"covered": 2}
    assert http.get("/api/status")[1]["queue"]["live"] == 2
    assert len(bus.queued()) == 4


@pytest.mark.usefixtures("bus")
@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("pause", {"job": "none"}, "there is no job 'none'"),
        ("resume", {"job": "none"}, "there is no job 'none'"),
        ("cancel", {}, "the call names no single thing to cancel"),
        ("cancel", {"backfill": "b-00000000"}, "there is no backfill and no job 'b-00000000'"),
        ("cancel", {"job": "clicks", "since": "x"}, "'x' is no day or time"),
    ],
)
def test_an_order_that_means_nothing_says_what_to_write(http: Http, path: str, body: object, error: str) -> None:
    status, answer = http.post(f"/api/{path}", body)
    assert status == 400
    assert error in answer["error"]
