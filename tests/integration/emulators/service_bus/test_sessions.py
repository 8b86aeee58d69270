"""Sessions, through the SDK."""

import datetime as dt

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)
from support.broker import bodies, receive, until


def send(client: ServiceBusClient, queue: str, *sessions: str) -> None:
    """One message for each name, whose body is its place."""
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([ServiceBusMessage(f"{n}", session_id=session) for n, session in enumerate(sessions)])


def test_a_session_gets_its_own_messages_in_order(client: ServiceBusClient, session_queue: str):
    send(client, session_queue, "a", "b", "a", "b", "a")
    for session, texts in (("b", ["1", "3"]), ("a", ["0", "2", "4"])):
        with client.get_queue_receiver(session_queue, session_id=session) as receiver:
            messages = receive(receiver, len(texts))
            assert (bodies(messages), {message.session_id for message in messages}) == (texts, {session})
            for message in messages:
                receiver.complete_message(message)
            assert receiver.peek_messages(10, sequence_number=1) == []


def test_the_next_session_is_the_one_whose_message_waits_longest(client: ServiceBusClient, session_queue: str):
    send(client, session_queue, "b", "a", "b")
    with client.get_queue_receiver(session_queue, session_id=NEXT_AVAILABLE_SESSION) as first:
        assert first.session.session_id == "b"
        with client.get_queue_receiver(session_queue, session_id=NEXT_AVAILABLE_SESSION) as second:
            assert second.session.session_id == "a"


def test_a_receiver_waits_for_the_next_session_and_gives_up_in_time(client: ServiceBusClient, session_queue: str):
    next_session = {"session_id": NEXT_AVAILABLE_SESSION, "max_wait_time": 1}
    with pytest.raises(OperationTimeoutError), client.get_queue_receiver(session_queue, **next_session):
        pass
    with client.get_queue_sender(session_queue) as sender:
        later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
        sender.schedule_messages(ServiceBusMessage("late", session_id="s"), later)
    with client.get_queue_receiver(session_queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=20) as receiver:
        assert bodies(receive(receiver, 1)) == ["late"]


def test_a_session_has_one_holder_at_a_time(client: ServiceBusClient, session_queue: str):
    with client.get_queue_receiver(session_queue, session_id="a"):
        with pytest.raises(SessionCannotBeLockedError), client.get_queue_receiver(session_queue, session_id="a"):
            pass
    with client.get_queue_receiver(session_queue, session_id="a") as again:
        assert again.session.session_id == "a"


def test_a_receiver_that_closes_gives_its_session_back_and_no_delivery_counts(
    client: ServiceBusClient, session_queue: str
):
    send(client, session_queue, "a")
    for _ in range(2):
        with client.get_queue_receiver(session_queue, session_id="a") as receiver:
            (message,) = receive(receiver, 1)
            assert message.delivery_count == 0


def test_a_session_that_is_not_renewed_is_lost_with_its_messages(client: ServiceBusClient, brief_session_queue: str):
    send(client, brief_session_queue, "a")
    with client.get_queue_receiver(brief_session_queue, session_id="a") as receiver:
        (message,) = receive(receiver, 1)
        until(lambda: dt.datetime.now(dt.UTC) > receiver.session.locked_until_utc)
        with pytest.raises((SessionLockLostError, ServiceBusError)):
            receiver.complete_message(message)
    with client.get_queue_receiver(brief_session_queue, session_id="a") as receiver:
        (again,) = receive(receiver, 1)
        assert (str(again), again.delivery_count) == ("0", 1)


def test_a_renewed_session_outlives_its_first_end(client: ServiceBusClient, brief_session_queue: str):
    send(client, brief_session_queue, "a")
    with client.get_queue_receiver(brief_session_queue, session_id="a") as receiver:
        (message,) = receive(receiver, 1)
        first_end = receiver.session.locked_until_utc
        until(lambda: receiver.session.renew_lock() > first_end + dt.timedelta(seconds=1))
        receiver.complete_message(message)
        assert receiver.peek_messages(10, sequence_number=1) == []


def test_a_session_has_a_state_that_outlives_its_holder(client: ServiceBusClient, session_queue: str):
    with client.get_queue_receiver(session_queue, session_id="a") as receiver:
        assert receiver.session.get_state() is None
        receiver.session.set_state(b"half done")
    with client.get_queue_receiver(session_queue, session_id="a") as receiver:
        assert bytes(receiver.session.get_state()) == b"half done"
        receiver.session.set_state(None)
        assert receiver.session.get_state() is None


def test_a_deferred_message_stays_in_its_session(client: ServiceBusClient, session_queue: str):
    send(client, session_queue, "a", "a")
    with client.get_queue_receiver(session_queue, session_id="a") as receiver:
        first, second = receive(receiver, 2)
        receiver.defer_message(first)
        receiver.abandon_message(second)
        (again,) = receive(receiver, 1)
        assert (str(again), again.delivery_count) == ("1", 1)
        (deferred,) = receiver.receive_deferred_messages(first.sequence_number)
        assert str(deferred) == "0"
        receiver.complete_message(deferred)


def test_the_sessions_of_a_queue_are_listed(client: ServiceBusClient, session_queue: str):
    send(client, session_queue, "b", "a", "b")
    assert list(client.list_queue_sessions(session_queue)) == ["a", "b"]


def test_a_message_without_a_session_and_a_receiver_without_one_are_refused(
    client: ServiceBusClient, session_queue: str
):
    with client.get_queue_sender(session_queue) as sender:
        with pytest.raises(ServiceBusError, match="requires sessions"):
            sender.send_messages(ServiceBusMessage("x"))
    with pytest.raises(ServiceBusError, match="requires sessions"):
        client.get_queue_receiver(session_queue).receive_messages(max_wait_time=5)


def test_a_batch_with_a_message_that_is_refused_leaves_none_of_its_messages(
    client: ServiceBusClient, session_queue: str
):
    batch = [ServiceBusMessage("good", session_id="a"), ServiceBusMessage("bad")]
    with client.get_queue_sender(session_queue) as sender:
        with pytest.raises(ServiceBusError, match="requires sessions"):
            sender.send_messages(batch)
        with pytest.raises(ServiceBusError, match="requires sessions"):
            sender.schedule_messages(batch, dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    assert list(client.list_queue_sessions(session_queue)) == []
