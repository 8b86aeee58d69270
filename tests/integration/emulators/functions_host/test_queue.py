import datetime as dt
import uuid
from pathlib import Path
from typing import Any


def test_a_message_reaches_its_function_as_the_real_host_passes_it(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "succeed"}, message_id="m-1", correlation_id="c-1", application_properties={"tries": 2})
    (seen,) = host.wait_for_records("work")
    assert (seen["message_id"], seen["correlation_id"], seen["attempt"]) == ("m-1", "c-1", 1)
    assert seen["properties"] == {"tries": 2}
    assert uuid.UUID(seen["lock_token"])
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(seen["enqueued"]).replace(tzinfo=dt.UTC)
    assert dt.timedelta() <= age < dt.timedelta(minutes=1)
    assert seen["locked_until"] is None  # the extension does not send it
    assert {"DeliveryCount", "UserProperties", "MessageActions", "ExpiresAtUtc"} <= set(seen["metadata"])
    assert not {"Subject", "SessionId", "TimeToLive", "State"} & set(seen["metadata"])


def test_a_message_is_completed_when_its_function_succeeds(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "succeed"})
    queue.wait_until_empty(host)
    assert len(host.records("work")) == 1
    assert queue.dead_letters() == []


def test_a_failed_message_is_delivered_again_at_once_with_a_higher_count(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "fail_first"})
    assert [seen["attempt"] for seen in host.wait_for_records("work", 2)] == [1, 2]
    queue.wait_until_empty(host)
    assert "the first attempt fails" in host.wait_for_log("function.failed")


def test_the_keys_of_a_text_body_are_laid_over_the_messages_own(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "note", settings=queue.settings)
    queue.send({"messageId": "mine", "deliveryCount": 7, "LOCKTOKEN": "none"}, message_id="m-1")
    (seen,) = host.wait_for_records("note")
    assert (seen["message_id"], seen["attempt"], seen["lock_token"]) == ("mine", 7, "none")
    queue.wait_until_empty(host)


def test_the_keys_of_a_binary_body_are_not(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "succeed", "messageId": "mine", "deliveryCount": 7}, message_id="m-1")
    (seen,) = host.wait_for_records("work")
    assert (seen["message_id"], seen["attempt"]) == ("m-1", 1)


def test_a_lock_is_renewed_while_the_function_runs(hosts: Any, queue: Any, tmp_path: Path) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "wait", "for": str(tmp_path / "go")}, message_id="m-1")
    while host.process.output().count("lock.renewed message_id=m-1") < 3:  # one renewal every 1.5 s, a lock lasts 3 s
        host.wait_for_records("work")
    (tmp_path / "go").touch()
    queue.wait_until_empty(host)
    assert [seen["attempt"] for seen in host.records("work")] == [1]


def test_a_lock_lapses_at_the_longest_renewal_and_the_message_runs_twice(
    hosts: Any, queue: Any, tmp_path: Path
) -> None:
    host = hosts.start(
        "--only", "work", settings=queue.settings, app=hosts.app_with(maxAutoLockRenewalDuration="00:00:01")
    )
    queue.send({"do": "wait", "for": str(tmp_path / "go")})
    assert [seen["attempt"] for seen in host.wait_for_records("work", 2)] == [1, 2]
    (tmp_path / "go").touch()
    assert "the message is delivered again" in host.wait_for_log("lock.lost")
    queue.wait_until_empty(host)


def test_no_more_than_max_concurrent_calls_run_at_once(hosts: Any, queue: Any, tmp_path: Path) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    for _ in range(3):
        queue.send({"do": "wait", "for": str(tmp_path / "go")})
    host.wait_for_records("work", 2)
    (tmp_path / "go").touch()
    host.wait_for_records("waited", 3)
    order = [seen["function"] for seen in host.records() if seen["function"] in {"work", "waited"}]
    assert order[:3] == ["work", "work", "waited"]


def test_a_message_is_left_under_its_lock_without_auto_complete(hosts: Any, queue: Any) -> None:
    app = hosts.app_with(autoCompleteMessages=False)
    host = hosts.start("--only", "work", settings=queue.settings, app=app)
    queue.send({"do": "succeed"})
    host.wait_for_log("function.succeeded")
    queue.end_locks()
    assert [seen["attempt"] for seen in host.wait_for_records("work", 2)] == [1, 2]


def test_more_calls_than_threads_are_warned_of(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings={**queue.settings, "PYTHON_THREADPOOL_THREAD_COUNT": "1"})
    assert "maxConcurrentCalls=2 threads=1" in host.wait_for_log("worker.threads")
