"""What senders are promised."""

import datetime as dt

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusMessageBatch, ServiceBusMessageState
from azure.servicebus.exceptions import (
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
)
from support.broker import bodies, receive


def soon(seconds: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)


def filled(batch: ServiceBusMessageBatch, body: str) -> int:
    """How many messages went into a batch until it was full."""
    count = 0
    try:
        while True:
            batch.add_message(ServiceBusMessage(body, message_id=f"a message id of some length {count}"))
            count += 1
    except MessageSizeExceededError:
        return count


def test_a_message_comes_back_as_it_was_sent(client: ServiceBusClient, queue: str):
    sent_at = dt.datetime.now(dt.UTC)
    message = ServiceBusMessage(
        b"\x00body",
        message_id="id-1",
        content_type="application/json",
        correlation_id="correlation",
        subject="subject",
        to="to",
        reply_to="reply-to",
        application_properties={"text": "x", "number": 7, "flag": True, "none": None},
        time_to_live=dt.timedelta(minutes=5),
        partition_key="key",
    )
    client.get_queue_sender(queue).send_messages(message)
    with client.get_queue_receiver(queue) as receiver:
        (got,) = receive(receiver, 1)
        assert b"".join(got.body) == b"\x00body"
        assert (got.message_id, got.content_type, got.correlation_id) == ("id-1", "application/json", "correlation")
        assert (got.subject, got.to, got.reply_to, got.partition_key) == ("subject", "to", "reply-to", "key")
        assert got.application_properties == {b"text": b"x", b"number": 7, b"flag": True, b"none": None}
        assert got.time_to_live == dt.timedelta(minutes=5)
        assert (got.delivery_count, got.sequence_number, got.enqueued_sequence_number) == (0, 1, 0)
        assert abs((got.enqueued_time_utc - sent_at).total_seconds()) < 10
        assert 50 < (got.locked_until_utc - got.enqueued_time_utc).total_seconds() < 70


def test_a_message_without_a_body_is_taken(client: ServiceBusClient, queue: str):
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(ServiceBusMessage(""))
        sender.send_messages(ServiceBusMessage(None))
        first, second = receive(receiver, 2)
        assert str(first) == ""
        assert (second.body_type.name, second.sequence_number) == ("VALUE", 2)


def test_messages_come_in_the_order_in_which_they_were_sent(client: ServiceBusClient, queue: str):
    sent = [f"message {n}" for n in range(30)]
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        for body in sent[:10]:
            sender.send_messages(ServiceBusMessage(body))
        sender.send_messages([ServiceBusMessage(body) for body in sent[10:]])
        assert bodies(receive(receiver, 30)) == sent


def test_a_batch_filled_to_its_limit_is_taken_whole(client: ServiceBusClient, queue: str):
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        batch = sender.create_message_batch()
        assert batch.max_size_in_bytes == 256 * 1024
        count = filled(batch, "x" * 500)
        assert count > 400
        sender.send_messages(batch)
        (last,) = receiver.peek_messages(max_message_count=10, sequence_number=count)
        assert last.message_id == f"a message id of some length {count - 1}"


def test_many_batches_pass_over_one_link(client: ServiceBusClient, queue: str):
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        total = 0
        for _ in range(6):
            batch = sender.create_message_batch()
            total += filled(batch, "x" * 9000)
            sender.send_messages(batch)
        (last,) = receiver.peek_messages(max_message_count=10, sequence_number=total)
        assert last.sequence_number == total


def test_a_message_of_many_frames_comes_back_whole(client: ServiceBusClient, queue: str):
    body = bytes(range(256)) * 1000
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(ServiceBusMessage(body))
        (got,) = receive(receiver, 1)
        assert b"".join(got.body) == body


@pytest.mark.parametrize("size", [258 * 1024, 5 * 1024 * 1024])
def test_a_message_over_the_limit_is_refused_and_the_link_goes_on(client: ServiceBusClient, queue: str, size: int):
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        with pytest.raises(MessageSizeExceededError, match="the limit is 262144"):
            sender.send_messages(ServiceBusMessage(b"x" * size))
        sender.send_messages(ServiceBusMessage("small"))
        assert bodies(receive(receiver, 1)) == ["small"]


def test_a_scheduled_message_comes_at_its_time_and_not_before(client: ServiceBusClient, queue: str):
    due = soon(1.2)
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        first, second = sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], due)
        sender.send_messages(ServiceBusMessage("now"))
        now, *later = receive(receiver, 3)
        assert dt.datetime.now(dt.UTC) >= due
        assert bodies([now, *later]) == ["now", "a", "b"]
        assert all(message.enqueued_time_utc >= due.replace(microsecond=0) for message in later)
        assert later[0].scheduled_enqueue_time_utc is not None
        states = [(message.state, message.enqueued_sequence_number) for message in (now, *later)]
        assert states == [(ServiceBusMessageState.ACTIVE, 0), *[(ServiceBusMessageState.SCHEDULED, 0)] * 2]
        assert [m.sequence_number for m in later] > [first, second], "a new number when it arrives, as in Azure"


def test_a_message_may_carry_its_own_scheduled_time(client: ServiceBusClient, queue: str):
    due = soon(3)
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([
            ServiceBusMessage("later", scheduled_enqueue_time_utc=due),
            ServiceBusMessage("past", scheduled_enqueue_time_utc=soon(-60)),
        ])  # fmt: skip
        assert bodies(receive(receiver, 2)) == ["past", "later"]
        assert dt.datetime.now(dt.UTC) >= due


def test_a_cancelled_message_never_comes(client: ServiceBusClient, queue: str):
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        kept, dropped = sender.schedule_messages([ServiceBusMessage("kept"), ServiceBusMessage("dropped")], soon(1))
        sender.cancel_scheduled_messages(dropped)
        assert bodies(receiver.peek_messages(10, sequence_number=1)) == ["kept"]
        assert bodies(receive(receiver, 1)) == ["kept"]
        with pytest.raises(MessageNotFoundError, match=f"holds no scheduled message {kept}"):
            sender.cancel_scheduled_messages(kept)


def test_a_repeated_message_id_is_dropped_wherever_the_first_one_is(client: ServiceBusClient, detecting_queue: str):
    def message(message_id: str, body: str = "again") -> ServiceBusMessage:
        return ServiceBusMessage(body, message_id=message_id)

    with client.get_queue_sender(detecting_queue) as sender, client.get_queue_receiver(detecting_queue) as receiver:
        sender.send_messages([message("completed", "1"), message("locked", "2"), message("locked")])
        completed, _locked = receive(receiver, 2)
        receiver.complete_message(completed)
        sender.schedule_messages(message("scheduled", "3"), soon(600))
        for message_id in ("completed", "locked", "scheduled"):
            sender.send_messages(message(message_id))
            sender.schedule_messages(message(message_id), soon(600))
        sender.send_messages([message(message_id) for message_id in ("completed", "locked", "new", "new")])
        assert [m.message_id for m in receiver.peek_messages(20, sequence_number=1)] == ["locked", "scheduled", "new"]


def test_without_duplicate_detection_a_message_id_may_repeat(client: ServiceBusClient, queue: str):
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([ServiceBusMessage("x", message_id="same") for _ in range(2)])
        assert len(receive(receiver, 2)) == 2


@pytest.mark.parametrize("name", ["missing", "plain-1/$Transfer/$DeadLetterQueue"])
def test_an_unknown_queue_is_reported_as_not_found(client: ServiceBusClient, name: str):
    with pytest.raises(MessagingEntityNotFoundError, match="could not be found") as error:
        client.get_queue_sender(name).send_messages(ServiceBusMessage("x"))
    assert name in str(error.value)
    with pytest.raises(MessagingEntityNotFoundError):
        client.get_queue_receiver(name).receive_messages(max_wait_time=10)


def test_a_topic_is_reported_as_not_found_with_the_reason(client: ServiceBusClient):
    with pytest.raises(MessagingEntityNotFoundError, match="There are no topics here"):
        client.get_topic_sender("topic").send_messages(ServiceBusMessage("x"))


def test_a_subscription_is_refused_as_not_implemented(client: ServiceBusClient):
    receiver = client.get_subscription_receiver("topic", "subscription")
    with pytest.raises(ServiceBusError, match="this broker offers queues only") as error:
        receiver.receive_messages(max_wait_time=10)
    assert "amqp:not-implemented" in str(error.value)
    dead_letters = client.get_subscription_receiver("topic", "subscription", sub_queue="deadletter")
    with pytest.raises(ServiceBusError, match="this broker offers queues only"):
        dead_letters.receive_messages(max_wait_time=10)


def test_nobody_sends_to_a_dead_letter_queue(client: ServiceBusClient, queue: str):
    with pytest.raises(ServiceBusError, match="Nobody sends to"):
        client.get_queue_sender(f"{queue}/$DeadLetterQueue").send_messages(ServiceBusMessage("x"))


def test_a_queue_is_found_in_any_case(client: ServiceBusClient, queue: str):
    client.get_queue_sender(queue.upper()).send_messages(ServiceBusMessage("x"))
    assert bodies(receive(client.get_queue_receiver(queue), 1)) == ["x"]
