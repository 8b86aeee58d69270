"""Both kinds of worker: a request ends as a whole blob, as a later attempt, or as a dead letter."""

import json
from typing import Any
from uuid import UUID

import psycopg
import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage
from psycopg import sql
from support.asking import ask
from support.bus import Bus
from support.hosts import Begin, Blobs, Hosts
from support.waiting import until

from contracts.message import attempt_of


@pytest.fixture(autouse=True)
def small(admin: psycopg.Connection) -> None:
    admin.execute("create table small as select n as id from generate_series(1, 100) as n")


def odd_messages() -> list[AmqpAnnotatedMessage]:
    """As other clients send them: without an id, with a number for one, with anything in the properties."""
    odd: list[dict[str, Any]] = [
        {"properties": {"message_id": UUID(int=5)}},
        {"properties": {"message_id": 7}},
        {"application_properties": {"attempt": "many", "traceparent": "x", "delivery": 3.5}},
        {"properties": {"subject": "x" * 500, "correlation_id": "c"}},
        {},
    ]
    bodies = [ask("small", blob=f"odd/{number}").to_body() for number in range(len(odd))]
    return [AmqpAnnotatedMessage(data_body=body, **more) for body, more in zip(bodies, odd, strict=True)]


def test_what_can_be_exported_is_and_the_rest_is_dead_lettered_with_its_reason_at_once(
    begin: Begin, bus: Bus, blobs: Blobs
) -> None:
    good = [ask("small", blob=f"small/{number}") for number in range(4)]
    missing = ask("missing", blob="missing")
    body = json.loads(good[0].to_body())
    bus.send(good[0], ServiceBusMessage(b"not json", message_id="bad-1"), good[1], missing)
    bus.send(ServiceBusMessage(json.dumps({**body, "blob": "../up"}), message_id="bad-2"))
    bus.send(ServiceBusMessage(b"[" * 150_000, message_id="bad-3"), ServiceBusMessage(b"", message_id="bad-4"))
    bus.send(ServiceBusMessage(json.dumps({**body, "version": 7}), message_id="bad-5"), *good[2:])
    bus.send_raw(*odd_messages(), AmqpAnnotatedMessage(data_body=missing.to_body(), properties={"message_id": 8}))
    begin()
    dead = bus.wait_for_dead_letters(7)
    bus.wait_until_empty()
    assert {key: reason for key, (reason, _) in dead.items()} == {
        "bad-1": "InvalidRequest",
        "bad-2": "InvalidRequest",
        "bad-3": "InvalidRequest",
        "bad-4": "InvalidRequest",
        "bad-5": "UnknownVersion",
        str(missing.request_id): "TableMissing",
        "8": "TableMissing",
    }
    assert 'relation "public.missing" does not exist (SQLSTATE 42P01)' in dead[str(missing.request_id)][1]
    assert all(description for _, description in dead.values())
    assert {message.delivery_count for message in bus.dead_letters()} == {0}
    assert blobs.names() == [f"odd/{number}" for number in range(5)] + [request.blob for request in good]
    assert all(blobs.rows(request.blob) == 100 for request in good)
    assert [blobs.receipt(request.blob).request_id for request in good] == [request.request_id for request in good]


def test_a_body_that_was_sent_as_an_amqp_value_is_read_if_it_is_a_text(hosts: Hosts, bus: Bus, blobs: Blobs) -> None:
    """As clients for JMS do. (The Functions host gives such a message to no function.)"""
    plain = ask("small", blob="plain")
    bus.send_raw(AmqpAnnotatedMessage(value_body=plain.to_body().decode()))
    bus.send_raw(AmqpAnnotatedMessage(value_body={"a": [1, None]}))
    bus.send_raw(AmqpAnnotatedMessage(sequence_body=[[1, 2], ["x"]]))
    hosts.container()
    bus.wait_until_empty()
    assert [letter.dead_letter_reason for letter in bus.dead_letters()] == ["InvalidRequest"] * 2
    assert blobs.names() == ["plain"]


def test_a_database_that_was_away_is_asked_again_by_a_clone_with_the_next_attempt(
    begin: Begin, bus: Bus, blobs: Blobs, admin: psycopg.Connection, database: str
) -> None:
    request = ask("small")
    allow = sql.SQL("alter database {} allow_connections {}")
    with psycopg.connect(admin.info.dsn, password=admin.info.password, dbname="postgres", autocommit=True) as server:
        server.execute(allow.format(sql.Identifier(database), sql.Literal(False)))
        begin(TAILRACE_RETRY_BASE_SECONDS="1.5", TAILRACE_MAX_ATTEMPTS="9")
        bus.send(request)
        clone = until(lambda: [m for m in bus.messages() if m.message_id != str(request.request_id)], "a clone")[0]
        server.execute(allow.format(sql.Identifier(database), sql.Literal(True)))
    assert attempt_of(clone.application_properties or {}, 0) >= 2
    assert str(clone.message_id).startswith(f"{request.request_id}#")
    bus.wait_until_empty()
    assert blobs.receipt("x/1.csv.gz").request_id == request.request_id
    assert bus.dead_letters() == []


def test_after_the_last_attempt_the_reason_is_on_the_dead_letter(
    hosts: Hosts, bus: Bus, admin: psycopg.Connection
) -> None:
    request = ask("small")
    with admin.transaction():
        admin.execute("lock table small in access exclusive mode")
        hosts.container(TAILRACE_MAX_ATTEMPTS="3", TAILRACE_LOCK_TIMEOUT_SECONDS="0.1")
        bus.send(request)
        dead = bus.wait_for_dead_letters()
    ((message_id, (reason, description)),) = dead.items()
    assert message_id.startswith(f"{request.request_id}#3.")
    assert reason == "LockTimeout"
    assert description.startswith("export of public.small failed: canceling statement due to lock timeout")
    assert description.endswith("gave up after 3 attempts")
    assert bus.messages() == []
