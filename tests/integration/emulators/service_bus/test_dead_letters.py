"""What ends in a dead-letter queue, why, and how it is got out of there."""

import datetime as dt

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import ServiceBusError
from support.broker import buried, peeked, receive, send, until


def test_a_dead_lettered_message_has_its_reason_and_is_received_from_the_dead_letter_queue(
    client: ServiceBusClient, queue: str
):
    send(client, queue, "bad", "good")
    with client.get_queue_receiver(queue) as receiver:
        (bad,) = receive(receiver, 1)
        receiver.dead_letter_message(bad, reason="Broken", error_description="no table of that name")
    (message,) = buried(client, queue, 1)
    assert (str(message), message.message_id) == ("bad", "bad")
    assert message.dead_letter_reason == "Broken"
    assert message.dead_letter_error_description == "no table of that name"
    assert message.dead_letter_source is None, "Azure names a source only where dead letters are forwarded"
    assert peeked(client, queue) == ["good"]


def test_a_reason_replaces_one_that_the_sender_had_set(client: ServiceBusClient, queue: str):
    properties = {"DeadLetterReason": "old", "kept": 1}
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(ServiceBusMessage("x", application_properties=properties))
        (message,) = receive(receiver, 1)
        assert message.application_properties == {b"DeadLetterReason": b"old", b"kept": 1}
        receiver.dead_letter_message(message, reason="new")
    (message,) = buried(client, queue, 1)
    assert message.application_properties == {b"kept": 1, b"DeadLetterReason": b"new"}


def test_nothing_is_dead_lettered_from_a_dead_letter_queue(client: ServiceBusClient, brief_queue: str):
    send(client, brief_queue, "a")
    with client.get_queue_receiver(brief_queue) as receiver:
        receiver.dead_letter_message(receive(receiver, 1)[0], reason="first")
    with client.get_queue_receiver(brief_queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        (message,) = receive(receiver, 1)
        with pytest.raises(ServiceBusError, match="is a dead-letter queue"):
            receiver.dead_letter_message(message, reason="second")
    (message,) = buried(client, brief_queue, 1)
    assert message.dead_letter_reason == "first"


def test_a_message_abandoned_too_often_is_dead_lettered(client: ServiceBusClient, queue: str):
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        for count in range(10):
            (message,) = receive(receiver, 1)
            assert message.delivery_count == count
            receiver.abandon_message(message)
    (message,) = buried(client, queue, 1)
    assert message.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert message.delivery_count == 10


def test_a_message_whose_locks_lapse_too_often_is_dead_lettered(client: ServiceBusClient, brief_queue: str):
    send(client, brief_queue, "a")
    with client.get_queue_receiver(brief_queue) as receiver:
        assert [message.delivery_count for message in receive(receiver, 3)] == [0, 1, 2]
        (message,) = buried(client, brief_queue, 1)
        assert message.dead_letter_reason == "MaxDeliveryCountExceeded"
        assert receiver.peek_messages(10, sequence_number=1) == []


def test_a_message_that_outlives_its_time_is_dropped_or_dead_lettered(
    client: ServiceBusClient, queue: str, burying_queue: str
):
    for name in (queue, burying_queue):
        with client.get_queue_sender(name) as sender:
            sender.send_messages(ServiceBusMessage("old", time_to_live=dt.timedelta(seconds=1)))
            sender.send_messages(ServiceBusMessage("young", time_to_live=dt.timedelta(minutes=10)))
    until(lambda: peeked(client, queue) == ["young"])
    (message,) = buried(client, burying_queue, 1)
    assert (str(message), message.dead_letter_reason) == ("old", "TTLExpiredException")
    assert peeked(client, f"{queue}/$DeadLetterQueue") == []
