"""What the API does, on real servers."""

import logging

import pytest
from azure.storage.blob import ContainerClient
from support.days import NOW, day
from support.dead_letters import Bus, message
from support.http import Http
from support.scene import plant

from contracts.jobs_file import load_jobs
from contracts.message import body_of
from contracts.request import parse_request
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
        ("?job=clicks&dte=2026-01-31", "the query has an unknown 'dte'"),
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
    assert "operator action action=backfill by=tester job=clicks only=missing windows=3 sent=2" in caplog.text
    assert http.post("/api/backfills", order)[1]["sent"] == 0
    (standing,) = http.get("/api/backfills")[1]["backfills"]
    assert (standing["by"], standing["since"], standing["until"]) == ("tester", day(5), day(1))


def test_what_is_there_is_exported_again_only_if_all_is_asked_for(
    http: Http, bus: Bus, settings: Settings, container: ContainerClient
) -> None:
    first = one_request(load_jobs(settings.jobs)["clicks"], day(4), NOW)
    plant(container, first)
    order = {"job": "clicks", "windows": [{"since": day(4), "until": day(3)}, {"since": day(4), "until": day(2)}]}
    assert http.post("/api/backfills", {**order, "dry_run": True})[1]["chosen"] == 1
    assert http.post("/api/backfills", {**order, "only": "failed"})[1]["sent"] == 0
    _, done = http.post("/api/backfills", {**order, "only": "all"})
    assert (done["sent"], done["first"], done["last"]) == (2, day(4), day(3))
    sent = [parse_request(body_of(one.body)) for one in bus.queued()]
    (again,) = [one for one in sent if one.request_id == first.request_id]
    assert again.replaces == container.get_blob_client(first.blob).get_blob_properties().etag.strip('"')


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
        ("replay", {"numbers": [4711]}, "there is no dead letter 4711; nothing was done"),
        ("backfills", {"job": "clicks", "windows": []}, "body.windows: List should have at least 1 item"),
        ("backfills", {"job": "none", "windows": [{"since": "1", "until": "2"}]}, "there is no job 'none'"),
        ("backfills", {"job": "clicks", "windows": [{"since": "2026-01-02", "until": "2026-01-01"}]}, "range is empty"),
        ("backfills", b"{", "the body is no JSON: Expecting property name"),
        ("backfills", [1], "the body must be a JSON object, sent as application/json"),
        ("exports?job=again", {"job": "again"}, "the call names an export in its query and has a body, too"),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why_and_does_nothing(
    http: Http, path: str, body: object, error: str
) -> None:
    status, answer = http.post(f"/api/{path}", body)
    assert status == 400
    assert error in answer["error"]
