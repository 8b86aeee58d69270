"""What the API does, on real servers."""

import logging

import pytest
from azure.storage.blob import ContainerClient
from support.days import NOW, day
from support.dead_letters import Bus, message
from support.http import Http
from support.scene import plant

from contracts.jobs_file import load_jobs
from producer.ask import one_request
from settings import Settings


def test_an_export_is_asked_for_by_body_or_by_what_people_type(http: Http, bus: Bus) -> None:
    status, answer = http.post("/api/exports", {"job": "clicks", "window_start": day(2)})
    assert (status, answer["status"]) == (202, "sent")
    assert http.post(f"/api/exports?job=clicks&date={day(2)}")[1]["status"] == "under-way"
    assert http.post(f"/api/exports?table=public.clicks&date={day(3)}")[0] == 202
    assert http.post("/api/exports?job=again")[0] == 202
    assert len(bus.queued()) == 3


@pytest.mark.usefixtures("bus")
@pytest.mark.parametrize(
    ("query", "error"),
    [
        (f"?table=clicks&date={day(2)}", "several jobs export 'clicks': clicks, again"),
        ("?table=nothing", "no job exports a table 'nothing'"),
        ("?job=clicks&table=clicks", "the query names no single job"),
        ("?job=clicks", "exports windows; say which by its start"),
        ("?job=clicks&date=31.01.2026", "is no day or time"),
        ("", 'the body must be {"job": …, "window_start": …}'),
    ],
)
def test_an_export_that_is_no_single_one_is_400(http: Http, query: str, error: str) -> None:
    status, answer = http.post(f"/api/exports{query}")
    assert status == 400
    assert error in answer["error"]


def test_a_backfill_sends_what_its_preview_said_and_says_who_asked(
    http: Http, bus: Bus, settings: Settings, container: ContainerClient, caplog: pytest.LogCaptureFixture
) -> None:
    plant(container, one_request(load_jobs(settings.jobs)["clicks"], day(4), NOW))
    order = {"job": "clicks", "windows": [{"since": day(5), "until": day(3)}, {"since": day(2), "until": day(1)}]}
    status, preview = http.post("/api/backfills", {**order, "dry_run": True})
    assert (status, preview["chosen"], preview["sent"], preview["found"]) == (200, 2, 0, {"send": 2, "there": 1})
    assert len(bus.queued()) == 0
    with caplog.at_level(logging.INFO):
        _, done = http.post("/api/backfills", order)
    assert (done["sent"], len(bus.queued())) == (2, 2)
    assert "operator action action=backfill by=tester job=clicks windows=3 sent=2" in caplog.text
    assert http.post("/api/backfills", order)[1]["sent"] == 0


def test_dead_letters_are_replayed_and_dropped_as_chosen(http: Http, bus: Bus, settings: Settings) -> None:
    job = load_jobs(settings.jobs)["clicks"]
    bus.bury(*(message(one_request(job, day(number), NOW)) for number in (2, 3, 4)))
    numbers = [letter.sequence_number for letter in bus.buried()]
    assert http.post("/api/replay", {"numbers": numbers[:1], "dry_run": True})[1]["left"] == 1
    _, done = http.post("/api/replay", {"numbers": numbers[:1]})
    assert (done["chosen"], done["done"], done["left"], len(bus.queued())) == (1, 1, 0, 1)
    _, done = http.post("/api/drop", {"reason": "TableMissing"})
    assert (done["done"], len(bus.buried())) == (2, 0)


@pytest.mark.usefixtures("bus")
@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("replay", {}, "the call chooses no dead letters"),
        ("drop", {"all": True, "job": "clicks"}, "`all` means every dead letter"),
        ("replay", {"numbers": [4711]}, "there are no dead letters 4711; nothing was done"),
        ("backfills", {"job": "clicks", "windows": []}, "body.windows: List should have at least 1 item"),
        ("backfills", {"job": "none", "windows": [{"since": "1", "until": "2"}]}, "there is no job 'none'"),
        ("backfills", b"{", "JSON decode error"),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why_and_does_nothing(
    http: Http, path: str, body: object, error: str
) -> None:
    status, answer = http.post(f"/api/{path}", body)
    assert status == 400
    assert error in answer["error"]
