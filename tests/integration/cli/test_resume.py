"""Messages that a pause put off are back at once when it ends, each once, whatever kills the command."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusMessageState
from azure.storage.blob import ContainerClient
from support.dead_letters import Bus
from support.waiting import until
from typer.testing import Result

from contracts.job import ExportJob
from contracts.jobs_file import parse_jobs
from contracts.message import Lineage, attempt_of, lineage_of, properties, retry_id, stem, why_of
from contracts.request import ExportRequest
from devstack.process import Process
from operations.resuming import sent_again
from producer.ask import requests_between
from producer.encoded import batches

ROOT = Path(__file__).parents[3]
type Tailrace = Callable[..., Result]
NOW = datetime(2026, 11, 1, tzinfo=UTC)
BACKFILL = Lineage("1f", heals=2, backfill="b-1", asked_at=NOW)
PUT_OFF = "JobPaused: job 'minutes' is paused"
WINDOW = {"column": "at", "type": "timestamptz", "every": "15 minutes"}
TABLE = {"name": "minutes", "schema": "public", "table": "minutes", "blob": "{window_start}", "window": WINDOW}
MINUTES: ExportJob = parse_jobs({"job": [TABLE]})["minutes"]


def put_off(request: ExportRequest, number: int, *, job: str = "minutes", why: str = PUT_OFF) -> ServiceBusMessage:
    """As a worker schedules the clone of a message."""
    carried = properties(job, {}, attempt=3, lineage=BACKFILL, why=why)
    return ServiceBusMessage(
        request.to_body(),
        message_id=retry_id(str(request.request_id), 3, number),
        content_type="application/json",
        application_properties=carried,
    )


@pytest.fixture
def schedule(configured: dict[str, str]) -> Iterator[Callable[[list[ServiceBusMessage], timedelta], None]]:
    """Puts messages on the queue that are due after some time."""
    with ServiceBusClient.from_connection_string(configured["ServiceBusConnection"]) as client:
        with client.get_queue_sender(configured["TAILRACE_QUEUE"]) as sender:

            def act(messages: list[ServiceBusMessage], delay: timedelta) -> None:
                for first in range(0, len(messages), 200):
                    sender.schedule_messages(messages[first : first + 200], datetime.now(UTC) + delay)

            yield act


def requests(count: int) -> list[ExportRequest]:
    until_ = datetime(2026, 1, 1, tzinfo=UTC) + count * timedelta(minutes=15)
    return list(requests_between(MINUTES, "2026-01-01", until_.isoformat(), NOW))


def scheduled(bus: Bus) -> int:
    return sum(message.state == ServiceBusMessageState.SCHEDULED for message in bus.queued())


@pytest.mark.usefixtures("clicks")
def test_a_worker_exports_what_it_had_put_off_as_soon_as_the_job_is_resumed(
    tailrace: Tailrace, starting: Callable[..., Process], bus: Bus, container: ContainerClient
) -> None:
    """The worker still remembers the pause when the message is there again, and looks once more."""
    tailrace("submit", "clicks", "--window", "2026-01-03")
    tailrace("pause", "clicks")
    worker = starting("work", "--json-logs", ready="worker ready")
    worker.wait_for(re.compile("export put off"))
    until(lambda: scheduled(bus) == 1 == len(bus.queued()), "the message to be put off")
    resumed = tailrace("resume", "clicks")
    assert resumed.stdout.splitlines()[1] == "1 message that had been put off came back to the queue"
    worker.wait_for(re.compile("export done"), 20)
    until(lambda: not bus.queued(), "the queue to be empty")
    assert len(list(container.list_blobs(name_starts_with="clicks/"))) == 1
    again = json.loads(tailrace("resume", "clicks", "--json").stdout)
    assert again == {"job": "clicks", "paused": False, "was_paused": False, "brought_back": 0}


def test_only_what_a_pause_of_this_job_put_off_comes_back_and_stays_as_it_was(
    tailrace: Tailrace, bus: Bus, schedule: Callable[..., None]
) -> None:
    mine, failed, other, soon = requests(4)
    later = timedelta(minutes=5)
    schedule([put_off(mine, 1)], later)
    schedule([put_off(failed, 2, why="LockTimeout: t is locked"), put_off(other, 3, job="clicks")], later)
    schedule([put_off(soon, 4)], timedelta(seconds=1))
    assert tailrace("resume", "minutes").stdout.splitlines()[1].startswith("1 message that had")
    (back,) = [one for one in bus.queued() if str(one.message_id).startswith(str(mine.request_id))]
    assert (back.state, back.scheduled_enqueue_time_utc) == (ServiceBusMessageState.ACTIVE, None)
    assert (b"".join(back.body), back.content_type) == (mine.to_body(), "application/json")
    carried = back.application_properties
    assert (attempt_of(carried, 0), why_of(carried), lineage_of(carried)) == (3, None, BACKFILL)
    assert scheduled(bus) + sum(one.state == ServiceBusMessageState.ACTIVE for one in bus.queued()) == 4


def ids_of_active(bus: Bus) -> list[str]:
    found = bus.queued()
    assert {message.state for message in found} == {ServiceBusMessageState.ACTIVE}
    return sorted(stem(str(message.message_id)) for message in found)


# The command as it is, with a thousand moments to be killed at instead of a few.
IN_SMALL_PIECES = """
import sys
from cli.main import app
from operations import resuming
resuming._PIECE = 3
app(["resume", "minutes"])
"""


def test_each_message_comes_back_once_through_a_kill(
    tailrace: Tailrace, bus: Bus, schedule: Callable[..., None], configured: dict[str, str]
) -> None:
    wanted = requests(1500)
    schedule([put_off(request, number) for number, request in enumerate(wanted)], timedelta(hours=1))
    with subprocess.Popen([sys.executable, "-c", IN_SMALL_PIECES], env=configured, cwd=ROOT) as command:
        until(lambda: bus.first().sequence_number != 1, "the first messages to be back")
        command.kill()
    assert 0 < scheduled(bus) < 1500, "the command was killed too early or too late"
    tailrace("resume", "minutes")
    assert ids_of_active(bus) == sorted(str(one.request_id) for one in wanted)


def test_a_kill_between_sending_and_cancelling_leaves_no_message_twice_after_the_next_try(
    tailrace: Tailrace, bus: Bus, schedule: Callable[..., None], configured: dict[str, str]
) -> None:
    (request,) = requests(1)
    schedule([put_off(request, 1)], timedelta(hours=1))
    (waiting,) = bus.queued()
    with ServiceBusClient.from_connection_string(configured["ServiceBusConnection"]) as client:
        with client.get_queue_sender(configured["TAILRACE_QUEUE"]) as sender:
            for batch in batches(sender, [sent_again(waiting)]):
                sender.send_messages(batch)
    assert len(bus.queued()) == 2
    tailrace("resume", "minutes")
    assert ids_of_active(bus) == [str(request.request_id)]


def test_without_the_queue_the_job_goes_on_and_the_wait_is_said(tailrace: Tailrace) -> None:
    tailrace("pause", "clicks")
    bus = "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=n;SharedAccessKey=k;UseDevelopmentEmulator=true;"
    result = tailrace("resume", "clicks", ServiceBusConnection=bus)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1)
    assert result.stdout.startswith("job 'clicks' goes on; it was paused by ")
    assert re.match(
        r"messages that were put off come back by themselves, within some six minutes: bring back on queue",
        result.stderr,
    )
    assert tailrace("pause", "--list").stdout == "no job is paused\n"
