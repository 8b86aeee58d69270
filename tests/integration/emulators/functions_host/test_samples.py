"""Apps of a kind that the host was not made for: rewritten after Microsoft's quickstarts, with their host.json."""

import json
from pathlib import Path
from typing import Any

APPS = Path(__file__).with_name("apps")


def test_the_http_quickstart_greets_by_query_and_by_body(hosts: Any) -> None:
    host = hosts.start(app=APPS / "hello")
    assert host.request("/api/HttpExample?name=Ann").body == b"Hello, Ann."
    assert host.request("/api/httpexample", "POST", b'{"name": "Ben"}').body == b"Hello, Ben."
    refused = host.request("/api/HttpExample")
    assert (refused.status, refused.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")


def settings_of(queues: Any) -> tuple[dict[str, str], list[Any]]:
    used = [next(queues) for _ in range(3)]
    names = {name: queue.name for name, queue in zip(("INBOX", "PRICED", "REMINDERS"), used, strict=True)}
    return {"Orders": used[0].connection_string, **names}, used


def test_messages_pass_through_output_bindings_from_a_request_and_from_a_message(hosts: Any, queues: Any) -> None:
    settings, (inbox, priced, _) = settings_of(queues)
    host = hosts.start("--only", "TakeOrder,PriceOrder", app=APPS / "orders", settings=settings)
    answer = host.request("/api/orders", "POST", b'{"id": 7, "pieces": 2}')
    assert (answer.status, answer.body) == (202, b"queued")
    assert [json.loads(body) for body in priced.wait_for(1, host)] == [{"id": 7, "price": 6}]
    inbox.wait_until_empty(host)
    assert "Pricing order 7, attempt 1" in host.wait_for_log("Pricing order")


def test_an_array_that_a_timer_sets_becomes_one_message_for_each_element(hosts: Any, queues: Any) -> None:
    settings, (_, _, reminders) = settings_of(queues)
    host = hosts.start("--only", "Remind", app=APPS / "orders", settings=settings)
    assert reminders.wait_for(2, host) == ['{\n  "of": "stock"\n}', "in time"]


def test_a_call_fails_whose_output_cannot_be_sent(hosts: Any, queues: Any) -> None:
    settings, (inbox, _, _) = settings_of(queues)
    settings["PRICED"] = "a-queue-that-is-not-there"
    host = hosts.start("--only", "TakeOrder,PriceOrder", app=APPS / "orders", settings=settings)
    host.request("/api/orders", "POST", b'{"id": 8, "pieces": 1}')
    assert "queue=a-queue-that-is-not-there" in host.wait_for_log("output.failed")
    host.wait_for_log("Pricing order 8, attempt 2")
    assert len(inbox.left()) == 1


def test_an_output_without_its_setting_is_refused_at_the_start(hosts: Any, queues: Any) -> None:
    settings, _ = settings_of(queues)
    del settings["PRICED"]
    process = hosts.ended("--only", "PriceOrder", app=APPS / "orders", settings=settings)
    assert process.returncode == 1
    assert 'An output binding of PriceOrder: "%PRICED%" names the setting PRICED' in process.stderr
