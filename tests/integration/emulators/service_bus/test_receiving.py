"""What receivers are promised: one of them at a time, again after a failure, and never silently nothing."""

import datetime as dt
import threading
from collections import Counter

import pytest
from azure.servicebus import (
    AutoLockRenewer,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceiveMode,
)
from azure.servicebus.exceptions import MessageLockLostError, MessageNotFoundError, ServiceBusError
from support.broker import Broker, bodies, buried, peeked, receive, send, until


def test_a_completed_message_is_gone(client: ServiceBusClient, queue: str):
    send(client, queue, "a", "b")
    with client.get_queue_receiver(queue) as receiver:
        for message in receive(receiver, 2):
            receiver.complete_message(message)
        assert receiver.peek_messages(10, sequence_number=1) == []
        send(client, queue, "c")
        assert bodies(receive(receiver, 1)) == ["c"]


def test_a_locked_message_is_seen_by_no_other_receiver(client: ServiceBusClient, queue: str):
    send(client, queue, "a", "b")
    with client.get_queue_receiver(queue) as one, client.get_queue_receiver(queue) as other:
        (first,) = receive(one, 1)
        assert bodies(receive(other, 1)) == ["b"]
        one.abandon_message(first)
        assert bodies(receive(other, 1)) == ["a"]


def test_an_abandoned_message_comes_again_at_once_in_its_place_with_a_higher_count(
    client: ServiceBusClient, queue: str
):
    send(client, queue, "a", "b")
    with client.get_queue_receiver(queue) as receiver:
        (first,) = receive(receiver, 1)
        receiver.abandon_message(first)
        again, other = receive(receiver, 2)
        assert bodies([again, other]) == ["a", "b"]
        assert (again.delivery_count, other.delivery_count) == (1, 0)
        assert again.sequence_number == first.sequence_number
        assert again.lock_token != first.lock_token


def test_a_lost_lock_is_delivered_again_with_a_higher_count(client: ServiceBusClient, brief_queue: str):
    send(client, brief_queue, "a")
    with client.get_queue_receiver(brief_queue) as one, client.get_queue_receiver(brief_queue) as other:
        (lost,) = receive(one, 1)
        (again,) = receive(other, 1)
        assert (again.message_id, again.delivery_count) == ("a", 1)
        with pytest.raises(MessageLockLostError):
            one.complete_message(lost)
        other.complete_message(again)
        assert other.peek_messages(10, sequence_number=1) == []


def test_a_renewed_lock_outlives_its_first_end(client: ServiceBusClient, brief_queue: str):
    send(client, brief_queue, "a", "b")
    with client.get_queue_receiver(brief_queue) as receiver, client.get_queue_receiver(brief_queue) as other:
        kept, lost = receive(receiver, 2)
        first_end = kept.locked_until_utc
        until(lambda: receiver.renew_message_lock(kept) > first_end)
        assert kept.locked_until_utc > first_end
        until(lambda: receiver.renew_message_lock(kept) and lost._lock_expired)
        assert bodies(receive(other, 1)) == ["b"], "the one not renewed is free again"
        receiver.complete_message(kept)
        with pytest.raises(MessageLockLostError):
            receiver.renew_message_lock(lost)


def test_a_renewal_of_a_lock_that_is_gone_is_refused_by_the_broker(client: ServiceBusClient, queue: str):
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        (message,) = receive(receiver, 1)
        receiver.complete_message(message)
        message._settled = False  # as a second process with the same message would see it
        with pytest.raises(MessageLockLostError, match="lapsed or was given back"):
            receiver.renew_message_lock(message)
        with pytest.raises(MessageLockLostError, match="lapsed or was given back"):
            receiver.complete_message(message)


def test_the_lock_renewer_of_the_sdk_keeps_a_message_for_longer_than_its_lock(
    client: ServiceBusClient, brief_queue: str
):
    send(client, brief_queue, "a")
    with (
        client.get_queue_receiver(brief_queue) as receiver,
        client.get_queue_receiver(brief_queue) as other,
        AutoLockRenewer(max_workers=1) as renewer,
    ):
        (message,) = receive(receiver, 1)
        renewer.register(receiver, message, max_lock_renewal_duration=30)
        assert other.receive_messages(max_wait_time=2.5) == []
        renewer.close()  # the SDK cannot renew and settle on one receiver at the same time
        receiver.complete_message(message)
        assert receiver.peek_messages(10, sequence_number=1) == []


def test_peek_sees_messages_in_every_state_and_locks_none(client: ServiceBusClient, queue: str):
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    send(client, queue, "locked", "deferred", "active")
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.schedule_messages(ServiceBusMessage("scheduled"), later)
        _locked, deferred = receive(receiver, 2)
        receiver.defer_message(deferred)
        messages = receiver.peek_messages(10, sequence_number=1)
        assert bodies(messages) == ["locked", "deferred", "active", "scheduled"]
        assert [message.state.name for message in messages] == ["ACTIVE", "DEFERRED", "ACTIVE", "SCHEDULED"]
        assert bodies(receive(receiver, 1)) == ["active"]


def test_peek_goes_on_from_a_sequence_number(client: ServiceBusClient, queue: str):
    texts = [f"{n}" for n in range(600)]
    send(client, queue, *texts)
    with client.get_queue_receiver(queue) as receiver:
        seen: list[str] = []
        while messages := receiver.peek_messages(max_message_count=400):
            assert len(messages) <= 250
            seen += bodies(messages)
        assert seen == texts
        assert bodies(receiver.peek_messages(2, sequence_number=100)) == ["99", "100"]


def test_one_peek_returns_no_more_bytes_than_a_message_may_have(client: ServiceBusClient, queue: str):
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        for _ in range(3):
            sender.send_messages(ServiceBusMessage(b"x" * 200_000))
        assert len(receiver.peek_messages(3)) == 1


def test_a_deferred_message_is_received_by_its_number_only(client: ServiceBusClient, queue: str):
    send(client, queue, "a", "b", "c")
    with client.get_queue_receiver(queue) as receiver:
        for message in receive(receiver, 3):
            receiver.defer_message(message)
        assert receiver.receive_messages(max_wait_time=0.5) == []
        first, second = receiver.receive_deferred_messages([1, 2])
        assert bodies([first, second]) == ["a", "b"]
        with pytest.raises(MessageNotFoundError, match="holds no deferred message 1"):
            receiver.receive_deferred_messages(1)
        receiver.complete_message(first)
        receiver.abandon_message(second)
        (again,) = receiver.receive_deferred_messages(2)
        assert again.delivery_count == 1
        receiver.dead_letter_message(again, reason="deferred too long")
        (third,) = receiver.receive_deferred_messages(3)
        receiver.defer_message(third)
        assert bodies(receiver.peek_messages(10, sequence_number=1)) == ["c"]
    assert buried(client, queue, 1)[0].dead_letter_reason == "deferred too long"
    with client.get_queue_receiver(queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        assert bodies(receiver.receive_deferred_messages(3)) == ["c"]
        assert receiver.peek_messages(10, sequence_number=1) == []


def test_a_message_received_and_deleted_never_comes_back(client: ServiceBusClient, queue: str):
    send(client, queue, "a", "b")
    with client.get_queue_receiver(queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        assert bodies(receive(receiver, 1)) == ["a"]
    assert peeked(client, queue) in (["b"], [])


def test_what_a_closed_receiver_had_prefetched_is_free_at_once_and_not_counted(client: ServiceBusClient, queue: str):
    send(client, queue, *(f"{n}" for n in range(20)))
    with client.get_queue_receiver(queue, prefetch_count=15) as receiver:
        receiver.complete_message(receive(receiver, 1)[0])
    with client.get_queue_receiver(queue) as receiver:
        messages = receive(receiver, 19, timeout_s=5)
        assert bodies(messages) == [f"{n}" for n in range(1, 20)]
        assert {message.delivery_count for message in messages} == {0}


def test_messages_that_come_while_nobody_asks_are_not_held_by_an_idle_receiver(client: ServiceBusClient, queue: str):
    with client.get_queue_receiver(queue) as idle, client.get_queue_receiver(queue) as other:
        assert idle.receive_messages(max_message_count=5, max_wait_time=0.3) == []
        send(client, queue, "a")
        assert idle.client_identifier != other.client_identifier
        until(lambda: any(other.receive_messages(max_wait_time=0.5)))


def test_several_receivers_share_the_messages_and_none_is_done_twice(broker: Broker, queue: str):
    done: Counter[str] = Counter()

    def work() -> None:
        with broker.client() as client, client.get_queue_receiver(queue, max_wait_time=1) as receiver:
            for message in receiver:
                receiver.complete_message(message)
                done[str(message)] += 1

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    texts = [f"{n}" for n in range(200)]
    with broker.client() as client:
        send(client, queue, *texts)
        for worker in workers:
            worker.join()
        assert sorted(done) == sorted(texts)
        assert set(done.values()) == {1}
        assert peeked(client, queue) == []


def test_a_prefetching_receiver_works_through_a_queue(client: ServiceBusClient, queue: str):
    texts = [f"{n}" for n in range(100)]
    send(client, queue, *texts)
    with client.get_queue_receiver(queue, prefetch_count=20, max_wait_time=1) as receiver:
        seen = []
        for message in receiver:
            seen.append(str(message))
            receiver.complete_message(message)
        assert seen == texts
        assert receiver.peek_messages(10, sequence_number=1) == []


def test_a_session_is_refused_with_the_reason(client: ServiceBusClient, queue: str):
    with pytest.raises(ServiceBusError, match="has no sessions"):
        client.get_queue_receiver(queue, session_id="one").receive_messages(max_wait_time=10)
