import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from azure.storage.blob import ContainerClient
from support.dead_letters import Bus, message, request
from typer.testing import Result

from contracts.request import parse_request
from producer import schedule

type Tailrace = Callable[..., Result]
SUBMIT = ("submit", "clicks", "--window", "2026-01-03")
JANUARY = ("backfill", "clicks", "--from", "2026-01-01", "--to", "2026-02-01")


def put(container: ContainerClient, name: str, request_id: object = None) -> None:
    container.upload_blob(name, b"", metadata={"request_id": str(request_id)} if request_id else None)


def said(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    return [line for line in lines if not re.fullmatch("backfill b-[0-9a-f]{8}", line)]


def test_submit_sends_one_request_and_says_its_id_and_its_blob(tailrace: Tailrace, bus: Bus) -> None:
    shown = said(tailrace(*SUBMIT))
    assert shown[:2] == [f"request {request().request_id}", "blob clicks/2026/01/03.csv.gz"]
    assert shown[2].startswith(f"sent to queue '{bus.queue}'")
    (queued,) = bus.queued()
    assert str(queued.message_id).startswith(f"{request().request_id}#")
    assert str(queued) == request().to_body().decode()


def test_submit_of_a_job_without_windows_asks_for_a_run_now(tailrace: Tailrace, bus: Bus) -> None:
    said(tailrace("submit", "countries"))
    (queued,) = bus.queued()
    sent = parse_request(str(queued).encode())
    assert (sent.window, sent.blob) == (None, f"countries/{sent.run:%Y%m%dT%H%M%S}.csv.gz")
    assert timedelta(0) <= datetime.now(UTC) - sent.run < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("owner", "what"),
    [
        (request().request_id, "its blob exists"),
        (None, "another blob has this name, written for something else"),
        (uuid4(), "another blob has this name, written for something else"),
    ],
    ids=["its own", "foreign", "of another request"],
)
def test_submit_sends_nothing_if_the_blob_exists_unless_forced(
    tailrace: Tailrace, bus: Bus, container: ContainerClient, owner: object, what: str
) -> None:
    put(container, "clicks/2026/01/03.csv.gz", owner)
    last = said(tailrace(*SUBMIT))[-1]
    assert last.startswith(what)
    assert last.endswith("; nothing was sent")
    assert bus.queued() == []
    assert said(tailrace(*SUBMIT, "--force"))[2].startswith("sent to queue")
    assert len(bus.queued()) == 1


def test_backfill_sends_the_windows_that_have_no_blob(tailrace: Tailrace, bus: Bus, container: ContainerClient) -> None:
    put(container, "clicks/2026/01/03.csv.gz", request("2026-01-03").request_id)
    put(container, "clicks/2026/01/31.csv.gz")
    assert said(tailrace(*JANUARY)) == ["windows 31", "there 1", "foreign 1", "sent 29"]
    names = [parse_request(str(queued).encode()).blob for queued in bus.queued()]
    assert names == [f"clicks/2026/01/{day:02}.csv.gz" for day in range(1, 31) if day != 3]


def test_backfill_of_all_replaces_the_blobs_that_are_there_and_no_foreign_ones(
    tailrace: Tailrace, bus: Bus, container: ContainerClient
) -> None:
    put(container, "clicks/2026/01/03.csv.gz", request("2026-01-03").request_id)
    put(container, "clicks/2026/01/04.csv.gz")
    assert said(tailrace(*JANUARY, "--only", "all")) == ["windows 31", "there 1", "foreign 1", "sent 30"]
    sent = {one.blob: one for one in (parse_request(str(queued).encode()) for queued in bus.queued())}
    etag = container.get_blob_client("clicks/2026/01/03.csv.gz").get_blob_properties().etag
    assert sent["clicks/2026/01/03.csv.gz"].replaces == etag.strip('"')
    assert [one.blob for one in sent.values() if one.replaces] == ["clicks/2026/01/03.csv.gz"]


def test_a_dry_run_shows_the_first_and_last_windows_and_sends_nothing(
    tailrace: Tailrace, bus: Bus, container: ContainerClient
) -> None:
    put(container, "clicks/2026/01/01.csv.gz")
    assert said(tailrace(*JANUARY, "--dry-run")) == [
        "windows 31",
        "there 0",
        "foreign 1",
        "to send 30",
        "2026-01-02T00:00:00Z → clicks/2026/01/02.csv.gz",
        "2026-01-03T00:00:00Z → clicks/2026/01/03.csv.gz",
        "2026-01-04T00:00:00Z → clicks/2026/01/04.csv.gz",
        "… 24 more",
        "2026-01-29T00:00:00Z → clicks/2026/01/29.csv.gz",
        "2026-01-30T00:00:00Z → clicks/2026/01/30.csv.gz",
        "2026-01-31T00:00:00Z → clicks/2026/01/31.csv.gz",
    ]
    assert bus.queued() == []


def test_a_second_backfill_while_nothing_is_exported_yet_sends_nothing_and_says_why(
    tailrace: Tailrace, bus: Bus
) -> None:
    assert said(tailrace(*JANUARY)) == ["windows 31", "there 0", "sent 31"]
    assert said(tailrace(*JANUARY)) == ["windows 31", "there 0", "on the queue 31", "sent 0"]
    assert len(bus.queued()) == 31


def test_dead_windows_are_counted_and_sent_only_if_forced(tailrace: Tailrace, bus: Bus) -> None:
    said(tailrace(*SUBMIT))
    bus.bury_queued(1)
    assert said(tailrace(*SUBMIT))[-1] == (
        "it is a dead letter; nothing was sent: correct its cause, then `tailrace dlq replay` (reason TableMissing)"
    )
    passed = tailrace(*JANUARY)
    assert said(passed) == ["windows 31", "there 0", "dead 1", "sent 30"]
    again = "backfill clicks --from 2026-01-01 --to 2026-02-01 --only failed"
    assert passed.stderr == (
        f"1 window is a dead letter: see why by `tailrace dlq list`, correct the cause, then `tailrace {again}`\n"
    )
    chosen = tailrace(*again.split(), "--dry-run")
    assert "to send 1" in said(chosen)
    assert chosen.stderr == ""
    assert said(tailrace(*JANUARY, "--force", "--dry-run"))[:4] == [
        "windows 31",
        "there 0",
        "on the queue 30",
        "dead 1",
    ]


def test_ten_thousand_windows_are_sent_without_a_line_for_each(tailrace: Tailrace, bus: Bus) -> None:
    shown = said(tailrace("backfill", "minutes", "--from", "2025-01-01", "--to", "2025-04-15T04:00"))
    assert shown == ["windows 10,000", "there 0", "sent 10,000"]
    assert len(bus.queued()) == 10_000


@pytest.mark.usefixtures("bus")
def test_a_dry_run_makes_no_requests(tailrace: Tailrace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making all of them takes two and a half times as long as the whole dry run does."""
    made: list[object] = []
    real = schedule.ExportRequest
    monkeypatch.setattr(schedule, "ExportRequest", lambda **fields: made.append(fields) or real(**fields))
    year = ("backfill", "minutes", "--from", "2025-01-01", "--to", "2026-01-01")
    assert said(tailrace(*year, "--dry-run"))[2] == "to send 35,040"
    assert made == []
    assert said(tailrace("backfill", "minutes", "--from", "2025-01-01", "--to", "2025-01-02"))[2] == "sent 96"
    assert len(made) == 96


@pytest.mark.parametrize("command", [JANUARY, SUBMIT], ids=["backfill", "submit"])
def test_a_container_that_is_not_there_is_a_failure_that_says_what_to_set(
    tailrace: Tailrace, command: tuple[str, ...]
) -> None:
    result = tailrace(*command, TAILRACE_CONTAINER="nowhere")
    assert result.exit_code == 1
    says = r"was refused: there is no such container \(ContainerNotFound\); create it, or set TAILRACE_CONTAINER"
    assert re.search(says, result.stderr)
    assert len(result.stderr.splitlines()) == 1


def test_what_makes_no_connection_to_postgresql_needs_none_of_its_settings(tailrace: Tailrace, bus: Bus) -> None:
    without = dict.fromkeys(("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD"), "")
    bus.bury(message(request("2026-01-31")))
    assert said(tailrace("dlq", "list", "--each", **without))[0].endswith("TableMissing")
    assert said(tailrace("dlq", "replay", "--all", **without)) == ["replayed 1 of 1 dead letters"]
    assert said(tailrace(*SUBMIT, **without))[-1].startswith("sent to queue")
    assert said(tailrace(*JANUARY, **without)) == ["windows 31", "there 0", "on the queue 2", "sent 29"]
    assert tailrace("verify", "clicks", "--from", "2026-01-01", "--to", "2026-01-02", **without).exit_code == 1
    refused = tailrace("work", "--until-empty", **without)
    assert (refused.exit_code, "PGHOST is missing" in refused.stderr) == (2, True)
