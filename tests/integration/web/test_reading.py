"""What the API shows, on real servers."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from azure.servicebus import ServiceBusClient
from azure.storage.blob import ContainerClient
from support.days import NOW, day
from support.dead_letters import Bus, message
from support.http import Http
from support.scene import plant

from contracts.jobs_file import load_jobs
from producer.ask import one_request
from settings import Settings


@pytest.fixture
def bus(configured: dict[str, str]) -> Iterator[Bus]:
    with ServiceBusClient.from_connection_string(configured["ServiceBusConnection"]) as client:
        yield Bus(client, configured["TAILRACE_QUEUE"])


def export(settings: Settings, container: ContainerClient, *windows: str, job: str = "clicks") -> None:
    for window in windows:
        plant(container, one_request(load_jobs(settings.jobs)[job], window, NOW))


def states(coverage: dict[str, Any]) -> list[str]:
    """Each window's state, unpacked."""
    return [coverage["states"][state] for state, _, count in coverage["ranges"] for _ in range(count)]


def test_each_window_of_a_job_is_there_with_its_state_and_reason(
    http: Http, settings: Settings, container: ContainerClient, bus: Bus
) -> None:
    export(settings, container, day(7), day(6), day(5), day(3))
    bus.bury(message(one_request(load_jobs(settings.jobs)["clicks"], day(4), NOW)), description="no such table")
    status, answer = http.get("/api/coverage?job=clicks")
    (found,) = answer["jobs"]
    assert status == 200
    assert states(found) == ["there"] * 3 + ["dead", "there", "missing", "missing", "not-due"]
    assert found["steps"] == [[86400, 7]]
    assert datetime.fromtimestamp(found["first"], UTC).date().isoformat() == day(7)
    assert found["reasons"] == ["TableMissing: no such table"]
    _, summary = http.get("/api/status")
    clicks = summary["jobs"][0]
    assert (clicks["counts"]["there"], clicks["proven"], clicks["well"]) == (4, 4, False)
    assert (clicks["grid"]["unit"], clicks["source"]) == ("day", "public.clicks")
    assert summary["queue"] == {"live": 0, "retrying": 0, "dead": 1}


def test_a_window_shows_its_receipt_and_its_blob_and_is_found_by_its_request(
    http: Http, settings: Settings, container: ContainerClient
) -> None:
    export(settings, container, day(2))
    status, shown = http.get(f"/api/exports?job=clicks&window={day(2)}")
    assert (status, shown["state"], shown["proven"]) == (200, "there", True)
    assert shown["receipt"]["rows"] > 0
    assert shown["blob"]["url"] == f"{container.url}/{shown['blob']['name'].replace('/', '%2F')}".replace("%2F", "/")
    assert http.get(f"/api/exports/{shown['request_id']}")[1]["window"] == day(2)


def test_dead_letters_are_grouped_by_reason_with_advice(http: Http, settings: Settings, bus: Bus) -> None:
    job = load_jobs(settings.jobs)["clicks"]
    bus.bury(message(one_request(job, day(2), NOW)), message(one_request(job, day(3), NOW)))
    bus.bury(message(one_request(job, day(4), NOW)), reason="SourceUnavailable", description="connection refused")
    status, found = http.get("/api/dead-letters")
    assert (status, found["count"]) == (200, 3)
    assert [(group["reason"], group["count"], group["permanent"]) for group in found["groups"]] == [
        ("TableMissing", 2, True), ("SourceUnavailable", 1, False),
    ]  # fmt: skip
    assert found["groups"][0]["advice"].startswith("create the table")
    assert found["groups"][0]["letters"][0]["window"] == day(2)


def test_a_hundred_thousand_windows_are_a_short_answer(http: Http) -> None:
    status, answer = http.get("/api/coverage?job=numbers&from=0&to=100000")
    assert (status, answer["jobs"][0]["windows"]) == (200, 100_000)
    assert answer["jobs"][0]["steps"] == [[1, 99_999]]
    assert len(answer["jobs"][0]["ranges"]) == 1


@pytest.mark.usefixtures("container")
def test_nothing_runs_and_without_a_server_a_note_says_why(http: Http, admin: psycopg.Connection) -> None:
    assert http.get("/api/running")[1]["exports"] == []
    database = admin.info.dbname
    with psycopg.connect(admin.info.dsn, dbname="postgres", password=admin.info.password, autocommit=True) as server:
        server.execute(f"alter database {database} with allow_connections false".encode())
        try:
            status, found = http.get("/api/running")
        finally:
            server.execute(f"alter database {database} with allow_connections true".encode())
    assert (status, found["exports"]) == (200, [])
    assert found["note"].startswith("no connection to exporter@")


@pytest.mark.usefixtures("container")
@pytest.mark.parametrize(
    ("path", "error", "advice"),
    [
        ("coverage?job=click", "there is no job 'click' in jobs.toml", "did you mean clicks?"),
        ("coverage?job=clicks&from=yesterday", "'yesterday' is no day or time; write 2026-01-31", None),
        ("coverage?from=2026-01-01", "a range needs a job", "name the job"),
        ("coverage?job=numbers&from=0&to=900000", "there are more than 500,000 windows from 0 on", "ask for a part"),
        ("exports?job=clicks&window=2020-13-01", "'2020-13-01' is no day or time", None),
        ("coverage?job=clicks&from=2026-01-02&to=2026-01-01", "the range is empty", None),
        ("coverage?jobs=clicks", "the query has an unknown 'jobs'", "this call knows from, job, to"),
        ("exports?job=clicks", "the query names no window", "write window=… with its start"),
        ("exports/5e0c3d5e-0000-0000-0000-000000000000", "belongs to no window of jobs.toml", "`tailrace show JOB"),
    ],
)
def test_a_wrong_question_is_400_with_what_to_write(http: Http, path: str, error: str, advice: str | None) -> None:
    status, answer = http.get(f"/api/{path}")
    assert status == 400
    assert error in answer["error"]
    assert (advice or "") in answer.get("advice", "")


def test_a_broken_deployment_is_503_with_what_to_set(http: Http, settings: Settings) -> None:
    settings.jobs.write_text("[[job]]\n")
    status, answer = http.get("/api/status")
    assert status == 503
    assert "job number 1" in answer["error"]
