import json
import re
import signal
import sys
from collections.abc import Callable

import psycopg
import pytest
from azure.storage.blob import ContainerClient
from support.dead_letters import Bus, message, request
from support.terminal import in_terminal
from support.waiting import until
from typer.testing import Result

from contracts.message import lineage_of, stem
from contracts.request import parse_request
from devstack.process import Process

type Tailrace = Callable[..., Result]
type Starting = Callable[..., Process]
TEN = ("backfill", "clicks", "--from", "2026-01-01", "--to", "2026-01-11")
WORK = ("work", "--until-empty", "--text-logs")


def said(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


def sent(tailrace: Tailrace, *arguments: str) -> str:
    """The id of a backfill that sends something."""
    return str(json.loads(tailrace(*arguments, "--json").stdout)["backfill"])


def standing(tailrace: Tailrace, backfill: str) -> tuple[str, int, int, int]:
    """State, done, waiting and dead."""
    shown = [json.loads(line) for line in tailrace("backfills", "--json").stdout.splitlines()]
    (one,) = [one for one in shown if one["backfill"] == backfill]
    return one["state"], one["done"], one["waiting"], one["dead"]


def blobs(container: ContainerClient) -> list[str]:
    return [blob.name for blob in container.list_blobs(name_starts_with="clicks/")]


def days(bus: Bus) -> list[str]:
    return [parse_request(str(queued).encode()).blob.removeprefix("clicks/2026/01/")[:2] for queued in bus.queued()]


@pytest.mark.usefixtures("clicks")
def test_a_backfill_is_listed_with_how_far_it_has_come(tailrace: Tailrace, starting: Starting, bus: Bus) -> None:
    assert said(tailrace("backfills")) == ["there are no backfills"]
    backfill = sent(tailrace, *TEN)
    assert standing(tailrace, backfill) == ("waiting", 0, 10, 0)
    assert {lineage_of(queued.application_properties).backfill for queued in bus.queued()} == {backfill}
    bus.bury_queued(1)
    assert standing(tailrace, backfill) == ("waiting", 0, 9, 1)
    assert starting(*WORK, ready="worker ready").wait(60) == 0
    assert standing(tailrace, backfill) == ("done", 9, 0, 1)
    lines = said(tailrace("backfills"))
    assert lines[:3] == [
        f"{backfill} done",
        "job clicks, missing from 2026-01-01 to 2026-01-11",
        "done 9 of 10, 1 dead",
    ]
    again = tailrace(*TEN, "--only", "failed", "--json")
    assert json.loads(again.stdout)["sent"] == 1


@pytest.mark.usefixtures("clicks")
def test_a_cancelled_backfill_leaves_the_queue_without_an_export_and_nothing_else_does(
    tailrace: Tailrace, starting: Starting, bus: Bus, container: ContainerClient
) -> None:
    said(tailrace("submit", "clicks", "--window", "2026-01-05"))
    mistaken = sent(tailrace, *TEN)
    assert said(tailrace("cancel", mistaken, "--dry-run")) == [f"9 messages of {mistaken} would be cancelled"]
    assert standing(tailrace, mistaken) == ("waiting", 0, 9, 0)
    assert said(tailrace("cancel", mistaken)) == [
        f"9 messages of {mistaken} cancelled; workers complete them without an export"
    ]
    assert said(tailrace("cancel", mistaken))[0].startswith(f"{mistaken} was cancelled already by ")
    assert standing(tailrace, mistaken) == ("cancelled", 0, 9, 0)
    # What is cancelled is not alive: its window can be asked for at once.
    wanted = sent(tailrace, "backfill", "clicks", "--from", "2026-01-04", "--to", "2026-01-07")
    assert standing(tailrace, wanted) == ("waiting", 0, 2, 0)
    worker = starting(*WORK, ready="worker ready")
    assert worker.wait(60) == 0
    assert len(re.findall("export cancelled", worker.output())) == 9
    assert blobs(container) == [f"clicks/2026/01/0{day}.csv.gz" for day in (4, 5, 6)]
    assert bus.buried() == []


@pytest.mark.usefixtures("clicks")
def test_a_range_of_a_job_is_cancelled_and_what_is_asked_for_later_is_not(
    tailrace: Tailrace, starting: Starting, container: ContainerClient
) -> None:
    said(tailrace(*TEN))
    cancel = ("cancel", "clicks", "--from", "2026-01-03", "--to", "2026-01-11")
    assert said(tailrace(*cancel)) == ["8 messages of clicks cancelled; workers complete them without an export"]
    said(tailrace("submit", "clicks", "--window", "2026-01-08"))
    assert starting(*WORK, ready="worker ready").wait(60) == 0
    assert blobs(container) == [f"clicks/2026/01/0{day}.csv.gz" for day in (1, 2, 8)]


@pytest.mark.usefixtures("clicks")
def test_a_fed_backfill_lets_fresh_windows_overtake_and_ends_when_all_is_exported(
    tailrace: Tailrace, starting: Starting, bus: Bus, container: ContainerClient
) -> None:
    feeding = starting(*TEN, "--newest-first", "--in-flight", "2", "--wait", "--json", ready=None)
    until(lambda: len(bus.queued()) == 2, "the first two messages")
    said(tailrace("submit", "clicks", "--window", "2026-01-01"))
    assert days(bus) == ["10", "09", "01"]
    worker = starting("work", "--text-logs", ready="worker ready")
    most = until(lambda: feeding.returncode is not None and [len(bus.queued())], "the end of the backfill", 90)
    assert (feeding.returncode, most) == (0, [0]), feeding.output()
    worker.close()
    shown = json.loads(next(line for line in feeding.output().splitlines() if line.startswith('{"backfill"')))
    assert (shown["windows"], shown["sent"], shown["exported"], shown["failed"]) == (10, 10, 10, 0)
    assert len(blobs(container)) == 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_fed_backfill_that_is_broken_off_goes_on_when_it_is_run_again(
    tailrace: Tailrace, starting: Starting, bus: Bus, number: signal.Signals
) -> None:
    feeding = starting(*TEN, "--in-flight", "3", ready=None)
    until(lambda: len(bus.queued()) == 3, "the first three messages")
    feeding.send_signal(number)
    assert feeding.wait(20) == (130 if number == signal.SIGINT else 128 + number), feeding.output()
    if number == signal.SIGINT:
        assert re.search(
            r"sent +3\ninterrupted; run it again: what is on the queue is not sent twice", feeding.output()
        )
    assert said(tailrace(*TEN))[1:] == ["windows 10", "there 0", "on the queue 3", "sent 7"]
    assert sorted(days(bus)) == [f"{day:02}" for day in range(1, 11)]


def test_a_backfill_that_is_cancelled_while_it_is_fed_ends_and_says_so(
    tailrace: Tailrace, starting: Starting, bus: Bus
) -> None:
    feeding = starting(*TEN, "--in-flight", "3", ready=None)
    until(lambda: len(bus.queued()) == 3, "the first three messages")
    (shown,) = (json.loads(line) for line in tailrace("backfills", "--json").stdout.splitlines())
    assert shown["state"] == "sending"
    said(tailrace("cancel", shown["backfill"]))
    assert feeding.wait(30) == 1
    assert f"error: backfill {shown['backfill']} was cancelled after 3 requests were sent" in feeding.output()


def test_a_backfill_that_waits_ends_with_1_if_something_is_dead(tailrace: Tailrace, starting: Starting) -> None:
    waiting = starting(*TEN, "--wait", ready=None)
    starting("work", "--text-logs", ready="worker ready")
    assert waiting.wait(60) == 1, waiting.output()
    assert re.search(r"exported +0\n +failed +10\n", waiting.output()), waiting.output()
    assert "see why by `tailrace dlq list`" in waiting.output()


@pytest.mark.usefixtures("clicks")
def test_a_backfill_of_all_exports_again_over_the_blobs_that_are_there(
    tailrace: Tailrace, starting: Starting, container: ContainerClient, admin: psycopg.Connection
) -> None:
    said(tailrace(*TEN))
    assert starting(*WORK, ready="worker ready").wait(60) == 0
    before = {blob.name: blob.etag for blob in container.list_blobs(name_starts_with="clicks/")}
    admin.execute("insert into clicks select at + interval '1 minute' from clicks")
    said(tailrace(*TEN, "--only", "all"))
    assert starting(*WORK, ready="worker ready").wait(60) == 0
    found = {blob.name: blob for blob in container.list_blobs(name_starts_with="clicks/", include=["metadata"])}
    assert all(found[name].etag != etag for name, etag in before.items())
    assert {blob.metadata["rows"] for blob in found.values()} == {"2"}


def test_a_replayed_dead_letter_of_a_cancelled_backfill_is_exported(tailrace: Tailrace, bus: Bus) -> None:
    backfill = sent(tailrace, *TEN)
    bus.bury_queued(10)
    said(tailrace("cancel", backfill))
    said(tailrace("dlq", "replay", "--all", "--as-sent"))
    assert {lineage_of(queued.application_properties).backfill for queued in bus.queued()} == {None}
    assert said(tailrace("cancel", backfill, "--dry-run")) == [f"0 messages of {backfill} would be cancelled"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("cancel", "click"), "there is no backfill and no job 'click'; `tailrace backfills` and `tailrace jobs` list"),
        (("cancel", "b-1", "--from", "2026-01-01"), "a backfill is cancelled as a whole; name the job"),
        (("cancel", "clicks", "--from", "soon"), "'soon' is no day or time; write 2026-01-31"),
        (("cancel", "countries", "--from", "2026-01-01"), "job 'countries' has no windows"),
    ],
)
def test_what_cannot_be_cancelled_is_a_clear_line(tailrace: Tailrace, arguments: tuple[str, ...], line: str) -> None:
    result = tailrace(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {line}")
    assert len(result.stderr.splitlines()) == 1


def test_messages_of_others_are_not_received_by_a_cancel(tailrace: Tailrace, bus: Bus) -> None:
    bus._sender.send_messages([message(request("2026-01-02", job="other")), message(request("2026-01-03"))])
    assert said(tailrace("cancel", "clicks")) == [
        "1 message of clicks cancelled; workers complete them without an export"
    ]
    assert [queued.delivery_count for queued in bus.queued()] == [0, 0]


@pytest.mark.usefixtures("clicks")
def test_a_terminal_shows_bars_for_sending_and_for_exporting(starting: Starting, configured: dict[str, str]) -> None:
    starting("work", "--text-logs", ready="worker ready")
    shown = in_terminal(
        [sys.executable, "-m", "cli", *TEN, "--in-flight", "5", "--wait"], {**configured, "TERM": "xterm"}
    )
    assert "sending" in shown
    assert "exporting" in shown
    assert "10/10" in shown
    assert re.search(r"sent +10\r\n +exported +10\r\n +failed +0\r\n", shown), shown


def test_two_backfills_at_once_send_each_window_once(starting: Starting, bus: Bus) -> None:
    """Either the second one is refused while the first one sends, or it finds what the first one has sent."""
    hundred = ("backfill", "clicks", "--from", "2025-01-01", "--to", "2025-04-11")
    commands = [starting(*hundred, ready=None) for _ in range(3)]
    ended = [command.wait(60) for command in commands]
    assert 0 in ended
    assert set(ended) <= {0, 2}
    names = [stem(str(queued.message_id)) for queued in bus.queued()]
    assert len(names) == len(set(names)) == 100


@pytest.mark.usefixtures("bus")
def test_a_second_backfill_is_refused_while_one_is_fed_and_not_once_that_is_killed(
    tailrace: Tailrace, starting: Starting
) -> None:
    feeding = starting(*TEN, "--in-flight", "1", ready=None)
    shown = until(lambda: tailrace("backfills", "--json").stdout, "the backfill to be sent")
    first = json.loads(shown)["backfill"]
    refused = tailrace(*TEN)
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)
    assert refused.stderr.startswith(f"error: backfill {first} of job 'clicks' is being sent by ")
    assert refused.stderr.endswith(f"wait until it is sent, or end it: tailrace cancel {first}\n")
    feeding.send_signal(signal.SIGKILL)
    feeding.wait(20)
    assert tailrace(*TEN).exit_code == 0
