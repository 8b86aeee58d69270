import json
import re
import signal
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.storage.blob import ContainerClient
from support.dead_letters import Bus, message, request
from support.waiting import until
from typer.testing import Result

from contracts.message import attempt_of
from contracts.request import TableSource, parse_request
from devstack.process import Process

AT_ONCE = 20  # dead letters that a replay holds

type Tailrace = Callable[..., Result]


def listed(tailrace: Tailrace) -> list[dict[str, object]]:
    result = tailrace("dlq", "list", "--each", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def days(count: int) -> list[str]:
    return [str(date(2024, 1, 1) + timedelta(days=number)) for number in range(count)]


def test_a_dead_letter_is_listed_with_what_it_asked_for_and_why_it_failed_and_stays(
    tailrace: Tailrace, bus: Bus
) -> None:
    bus.bury(message(request(), attempt=3), description="there is no table clicks; gave up")
    (shown,) = listed(tailrace)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", str(shown.pop("enqueued")))
    assert shown == {
        "sequence_number": bus.buried()[0].sequence_number,
        "reason": "TableMissing",
        "description": "there is no table clicks; gave up",
        "job": "clicks",
        "blob": "clicks/2026/01/03.csv.gz",
        "body": None,
        "attempt": 3,
        "message_id": f"{request().request_id}#3.1",
        "stale": None,
    }
    lines = tailrace("dlq", "list", "--each").stdout.splitlines()
    assert lines[0] == f"{shown['sequence_number']}  TableMissing"
    assert "    description  there is no table clicks; gave up" in lines
    assert len(bus.buried()) == 1


def test_what_is_no_request_is_listed_by_its_first_bytes_and_cannot_reach_the_terminal(
    tailrace: Tailrace, bus: Bus
) -> None:
    bus.bury(ServiceBusMessage(b"\x1b[2J\xff{", message_id="odd"), reason="Invalid\x1b[31m", description="a\nb\x07")
    bus.bury(AmqpAnnotatedMessage(value_body="plain"), reason="InvalidRequest")
    shown = tailrace("dlq", "list", "--each").stdout
    assert "Invalid\\x1b[31m" in shown
    assert "body         6 bytes, b'\\x1b[2J\\xff{'" in shown
    assert "a\\nb\\x07" in shown
    assert "body         5 bytes, b'plain'" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_more_dead_letters_than_the_limit_are_reported(tailrace: Tailrace, bus: Bus) -> None:
    bus.bury(*(message(request(day)) for day in days(4)))
    result = tailrace("dlq", "list", "--each", "--limit", "3")
    assert result.stdout.count("TableMissing") == 3
    assert result.stderr == "there are more than 3; see them with --limit\n"


def test_an_empty_dead_letter_queue_is_reported_as_empty(tailrace: Tailrace, bus: Bus) -> None:
    assert tailrace("dlq", "list", "--each").stdout == f"queue '{bus.queue}' has no dead letters\n"
    assert (
        tailrace("dlq", "replay", "--all").stdout
        == "no dead letter matches; `tailrace dlq list` shows those that there are\n"
    )
    for command in ("replay", "drop"):
        result = tailrace("dlq", command, "--job", "minute")
        assert (result.exit_code, result.stdout) == (
            0,
            "no dead letter matches; `tailrace dlq list` shows those that there are\n",
        )
        assert result.stderr == "there is no job 'minute' in jobs.toml; did you mean minutes?\n"
    assert listed(tailrace) == []


def test_a_replayed_dead_letter_is_a_first_attempt_that_duplicate_detection_lets_through(
    tailrace: Tailrace, bus: Bus
) -> None:
    bus.bury(message(request()))
    bus.bury(message(request("2026-01-04"), attempt=5))
    result = tailrace("dlq", "replay", "--all")
    assert (result.exit_code, result.stdout) == (0, "replayed 2 of 2 dead letters\n")
    assert bus.buried() == []
    first, second = bus.queued()
    assert str(first) == request().to_body().decode()
    assert str(first.message_id).startswith(f"{request().request_id}#replay-")
    assert str(second.message_id).startswith(f"{request('2026-01-04').request_id}#replay-")
    assert attempt_of(second.application_properties or {}, redeliveries=0) == 1
    assert first.application_properties.keys() == {b"job", b"job_version", b"asked_at"}


def test_a_request_that_fails_again_can_be_replayed_again(tailrace: Tailrace, bus: Bus) -> None:
    bus.bury(message(request()))
    for _ in range(2):
        assert tailrace("dlq", "replay", "--all").stdout == "replayed 1 of 1 dead letters\n"
        bus.bury_queued(1)
    assert len(bus.buried()) == 1


def test_dead_letters_that_were_not_chosen_stay_and_can_be_received_at_once(tailrace: Tailrace, bus: Bus) -> None:
    bus.bury(message(request("2026-01-01")), reason="BlobExists")
    bus.bury(message(request("2026-01-02", job="other")))
    bus.bury(message(request("2026-01-03")))
    result = tailrace("dlq", "replay", "--reason", "TableMissing", "--job", "clicks")
    assert result.stdout == "replayed 1 of 1 dead letters\n"
    assert [str(queued) for queued in bus.queued()] == [request("2026-01-03").to_body().decode()]
    reasons = [letter.dead_letter_reason for letter in bus.letters.receive_messages(2, max_wait_time=5)]
    assert reasons == ["BlobExists", "TableMissing"]


def test_only_the_given_sequence_numbers_are_replayed_and_an_unknown_one_stops_all(
    tailrace: Tailrace, bus: Bus
) -> None:
    bus.bury(*(message(request(day)) for day in days(3)))
    numbers = [str(letter.sequence_number) for letter in bus.buried()]
    refused = tailrace("dlq", "replay", numbers[0], "987654321")
    assert refused.exit_code == 2
    assert refused.stderr == "error: there is no dead letter 987654321; nothing was done\n"
    assert len(bus.buried()) == 3
    assert tailrace("dlq", "replay", numbers[2], numbers[0]).stdout == "replayed 2 of 2 dead letters\n"
    assert [str(letter.sequence_number) for letter in bus.buried()] == [numbers[1]]


def test_a_dead_letter_that_another_process_holds_is_reported_and_left(tailrace: Tailrace, bus: Bus) -> None:
    bus.bury(*(message(request(day)) for day in days(2)))
    assert len(bus.letters.receive_messages(1, max_wait_time=20)) == 1
    result = tailrace("dlq", "replay", "--all")
    assert (result.exit_code, result.stdout) == (1, "replayed 1 of 2 dead letters\n")
    assert result.stderr.startswith("error: 1 of the dead letters could not be received: another process holds")
    assert len(bus.buried()) == 1


def test_a_replay_that_is_killed_loses_nothing_and_can_be_run_again(
    tailrace: Tailrace, starting: Callable[..., Process], bus: Bus
) -> None:
    wanted = {str(request(day).request_id) for day in days(400)}
    bus.bury(*(message(request(day)) for day in days(400)))
    running = starting("dlq", "replay", "--all", ready=None)
    until(bus.queued, "the first replayed message")
    running.send_signal(signal.SIGKILL)
    running.wait(20)
    left = bus.buried()
    assert left, "the replay was over before it could be killed"
    assert {base_id(one.message_id) for one in [*left, *bus.queued()]} == wanted
    tailrace("dlq", "replay", "--all")
    assert len(bus.buried()) <= AT_ONCE, "only what the killed one had locked can be left"
    assert {base_id(one.message_id) for one in [*bus.buried(), *bus.queued()]} == wanted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replay_says_how_far_it_came_and_holds_nothing_back(
    tailrace: Tailrace, starting: Callable[..., Process], bus: Bus, number: signal.Signals
) -> None:
    bus.bury(*(message(request(day)) for day in days(400)))
    running = starting("dlq", "replay", "--all", ready=None)
    until(bus.queued, "the first replayed message")
    running.send_signal(number)
    assert running.wait(20) == 130, running.output()
    said = re.fullmatch(r"replayed (\d+) of 400 dead letters\n", running.output())
    assert said, running.output()
    left = 400 - int(said[1])
    assert 0 < left < 400
    again = tailrace("dlq", "replay", "--all")
    assert re.fullmatch(r"replayed (\d+) of \1 dead letters\n", again.stdout), again.output
    assert len({base_id(one.message_id) for one in bus.queued()}) == 400


def base_id(message_id: str | None) -> str:
    """The request id, which every copy of a message keeps."""
    return str(message_id).partition("#")[0]


@pytest.mark.parametrize("arguments", [("list",), ("replay", "--all")], ids=" ".join)
def test_a_queue_that_is_not_there_is_a_wrong_setting(tailrace: Tailrace, arguments: tuple[str, ...]) -> None:
    result = tailrace("dlq", *arguments, TAILRACE_QUEUE="nowhere")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "failed: there is no such queue in this namespace; create it, or set TAILRACE_QUEUE" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_request_whose_table_was_missing_is_exported_once_the_table_is_there_and_it_is_replayed(
    tailrace: Tailrace,
    starting: Callable[..., Process],
    bus: Bus,
    admin: psycopg.Connection,
    container: ContainerClient,
) -> None:
    assert tailrace("submit", "clicks", "--window", "2026-01-03").exit_code == 0
    starting("work", "--text-logs", ready="worker ready")
    until(bus.buried, "the dead letter")
    assert [letter["reason"] for letter in listed(tailrace)] == ["TableMissing"]
    admin.execute("create table clicks (at timestamptz); grant select on clicks to exporter")
    assert tailrace("dlq", "replay", "--reason", "TableMissing").stdout == "replayed 1 of 1 dead letters\n"
    until(lambda: [blob.name for blob in container.list_blobs()] == ["clicks/2026/01/03.csv.gz"], "the export")
    assert bus.buried() == []


def test_a_replay_asks_for_what_jobs_toml_says_today(tailrace: Tailrace, bus: Bus, configured: dict[str, str]) -> None:
    """Correcting a column and replaying must not fail again by the stored request."""
    bus.bury(message(request()), reason="ColumnMissing")
    jobs = Path(configured["TAILRACE_JOBS"])
    jobs.write_text(jobs.read_text().replace('table = "clicks"\n', 'table = "clicks"\ncolumns = ["id"]\n', 1))
    assert tailrace("dlq", "replay", "--all").exit_code == 0
    (queued,) = bus.queued()
    sent = parse_request(str(queued).encode())
    assert isinstance(sent.source, TableSource)
    assert sent.source.columns == ("id",)
    assert (sent.request_id, sent.window) == (request().request_id, request().window)


def test_a_replay_as_sent_sends_the_stored_request(tailrace: Tailrace, bus: Bus, configured: dict[str, str]) -> None:
    bus.bury(message(request()))
    jobs = Path(configured["TAILRACE_JOBS"])
    jobs.write_text(jobs.read_text().replace('table = "clicks"\n', 'table = "clicks"\ncolumns = ["id"]\n', 1))
    assert tailrace("dlq", "replay", "--all", "--as-sent").exit_code == 0
    (queued,) = bus.queued()
    assert str(queued).encode() == request().to_body()


def test_a_dead_letter_whose_job_is_gone_stays_and_is_reported(tailrace: Tailrace, bus: Bus) -> None:
    bus.bury(message(request(job="former")))
    result = tailrace("dlq", "replay", "--all")
    assert "was not replayed: job 'former' is gone from jobs.toml; `dlq drop` deletes it" in result.stderr
    assert (len(bus.buried()), bus.queued()) == (1, [])


def test_dead_letters_whose_blob_is_there_are_stale_and_dropped(
    tailrace: Tailrace, bus: Bus, container: ContainerClient
) -> None:
    bus.bury(message(request("2026-01-03")), message(request("2026-01-04")))
    done = request("2026-01-03")
    container.upload_blob(done.blob, b"", metadata={"request_id": str(done.request_id)})
    assert [letter["stale"] for letter in listed(tailrace)] == [True, None]
    assert tailrace("dlq", "drop", "--stale").stdout == "dropped 1 of 1 dead letters\n"
    assert [letter["blob"] for letter in listed(tailrace)] == [request("2026-01-04").blob]
    assert bus.queued() == []


def test_dead_letters_are_listed_by_reason_and_job_with_counts(
    tailrace: Tailrace, bus: Bus, container: ContainerClient
) -> None:
    bus.bury(*(message(request(day)) for day in days(3)), reason="TableMissing", description="it is gone")
    bus.bury(message(request("2025-01-01")), reason="PrivilegeMissing")
    container.upload_blob(request(days(3)[0]).blob, b"", metadata={"request_id": str(request(days(3)[0]).request_id)})
    groups = [json.loads(line) for line in tailrace("dlq", "list", "--json").stdout.splitlines()]
    counted = [(group["reason"], group["job"], group["letters"], group["stale"]) for group in groups]
    assert counted == [("TableMissing", "clicks", 3, 1), ("PrivilegeMissing", "clicks", 1, 0)]
    assert tailrace("dlq", "list").stdout.split()[:6] == ["reason", "job", "letters", "stale", "oldest", "description"]
    few = tailrace("dlq", "list", "--reason", "PrivilegeMissing", "--each").stdout
    assert few.splitlines()[0].endswith("PrivilegeMissing")
    assert tailrace("dlq", "list", "--job", "nothing").stdout == f"queue '{bus.queue}' has no such dead letters\n"


def test_dead_letters_are_listed_though_storage_cannot_say_which_are_stale(tailrace: Tailrace, bus: Bus) -> None:
    bus.bury(message(request()), reason="ContainerNotFound")
    for options in ((), ("--each",)):
        listed_ = tailrace("dlq", "list", *options, TAILRACE_CONTAINER="gone")
        assert (listed_.exit_code, "ContainerNotFound" in listed_.stdout) == (0, True)
        assert "stale was not counted: listing of 'gone/" in listed_.stderr


def test_one_dead_letter_is_shown_with_its_body(tailrace: Tailrace, bus: Bus) -> None:
    bus.bury(message(request()))
    number = bus.buried()[0].sequence_number
    shown = tailrace("dlq", "show", str(number)).stdout
    assert '"job":"clicks"' in shown.replace(" ", "").replace("\n", "")
    assert "there is no dead letter 4711" in tailrace("dlq", "show", "4711").stderr
