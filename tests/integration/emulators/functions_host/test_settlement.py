from typing import Any


def test_a_function_dead_letters_its_message_with_a_reason(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "dead_letter"})
    queue.wait_until_empty(host)
    assert queue.dead_letters() == [('{"do": "dead_letter"}', "NoSuchTable", "the table orders is gone")]
    assert "how=deadletter" in host.wait_for_log("message.settled")


def test_a_function_abandons_its_message(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "settle", "how": "abandon"})
    assert [seen["attempt"] for seen in host.wait_for_records("work", 3)][:3] == [1, 2, 3]


def test_a_function_renews_completes_and_cannot_settle_again(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "settle", "how": "renew_message_lock,complete,deadletter"})
    (refused,) = host.wait_for_records("refused")
    assert [seen["how"] for seen in host.records("settled")] == ["renew_message_lock", "complete"]
    assert "deadletter" in refused["error"]
    queue.wait_until_empty(host)
    assert queue.dead_letters() == []


def test_a_deferred_message_is_not_completed(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "settle", "how": "defer"})
    host.wait_for_log("function.succeeded")
    assert queue.left() == ['{"do": "settle", "how": "defer"}']
    assert [seen["how"] for seen in host.records("settled")] == ["defer"]


def test_the_lock_token_of_a_function_that_has_ended_is_not_found(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", settings=queue.settings)
    queue.send({"do": "settle_an_earlier_one"})
    queue.wait_until_empty(host)
    queue.send({"do": "settle_an_earlier_one"})
    (refused,) = host.wait_for_records("refused")
    assert f"LockToken {host.records('work')[0]['lock_token']} not found." in refused["error"]


def test_without_the_settlement_service_an_app_reads_that_it_is_unimplemented(hosts: Any, queue: Any) -> None:
    host = hosts.start("--only", "work", "--no-settlement", settings=queue.settings)
    queue.send({"do": "settle", "how": "deadletter"})
    (refused,) = host.wait_for_records("refused")
    assert "Service is unimplemented." in refused["error"]
    queue.wait_until_empty(host)
    assert queue.dead_letters() == []
