"""Idle links, dropped connections, locks that end now, and settlements that go wrong."""

import gc
import time

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import MessageLockLostError
from support.amqp import Client, ConnectionClosedError, LinkDetachedError, encoded
from support.broker import bodies, receive, send, until

from emulators.service_bus.amqp.states import Accepted, Rejected
from emulators.service_bus.emulator import Emulator, Fault


@pytest.fixture
def queue(bus: Emulator) -> str:
    return bus.add_queue("orders", LockDuration="PT30S")


@pytest.mark.parametrize("sends", [True, False])
def test_a_link_that_carries_nothing_is_detached(bus: Emulator, queue: str, *, sends: bool):
    with Client(bus.port) as raw:
        if sends:
            raw.sender(queue).send(encoded(b"x"))
        else:
            raw.receiver(queue)
        started = time.monotonic()
        with pytest.raises(LinkDetachedError, match=r"amqp:link:detach-forced.*idle for 1000 ms"):
            raw.wait(lambda: False, timeout_s=10)
        assert time.monotonic() - started >= 0.9


def test_a_link_that_is_used_is_not_idle(bus: Emulator, queue: str):
    with Client(bus.port) as raw:
        sender = raw.sender(queue)
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            sender.send(encoded(b"x"))


def test_the_sdk_sends_and_receives_again_after_its_links_were_idle(
    bus: Emulator, bus_client: ServiceBusClient, queue: str
):
    with bus_client.get_queue_sender(queue) as sender, bus_client.get_queue_receiver(queue) as receiver:
        sender.send_messages(ServiceBusMessage("a"))
        receiver.complete_message(receive(receiver, 1)[0])
        assert bus.detach_links(queue) == 2
        sender.send_messages(ServiceBusMessage("b"))
        assert bodies(receive(receiver, 1)) == ["b"]


# The SDK leaves the socket of a connection that was dropped to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_sdk_connects_again_after_its_connection_was_dropped(
    bus: Emulator, bus_client: ServiceBusClient, queue: str
):
    with bus_client.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage("a"))
        assert bus.drop_connections() == 1
        sender.send_messages(ServiceBusMessage("b"))
    assert bus.counts(queue).active >= 2
    gc.collect()


def test_a_dropped_connection_ends_without_a_word(bus: Emulator, queue: str):
    with Client(bus.port) as raw:
        raw.receiver(queue)
        bus.drop_connections()
        with pytest.raises((ConnectionClosedError, ConnectionError)) as ended:
            raw.wait(lambda: False)
        assert ended.value.args[:1] in ((None,), (104,))


def test_a_lock_that_is_ended_now_is_lost_and_the_delivery_counts(
    bus: Emulator, bus_client: ServiceBusClient, queue: str
):
    send(bus_client, queue, "x")
    with bus_client.get_queue_receiver(queue) as receiver:
        (message,) = receive(receiver, 1)
        assert bus.expire_locks(queue) == 1
        with pytest.raises(MessageLockLostError):
            receiver.complete_message(message)
        assert receive(receiver, 1)[0].delivery_count == 1


def test_a_refused_settlement_has_no_effect(bus: Emulator, queue: str):
    with Client(bus.port) as raw:
        raw.sender(queue).send(encoded(b"x"))
        receiver = raw.receiver(queue)
        receiver.receive()
        bus.fail_settlements(queue, Fault.REFUSE)
        refused = receiver.settle(receiver.deliveries[0])
        assert isinstance(refused, Rejected)
        assert refused.reason is not None
        assert refused.reason.condition == "amqp:internal-error"
        assert bus.counts(queue).locked == 1


def test_the_sdk_settles_by_request_if_its_link_refuses(bus: Emulator, bus_client: ServiceBusClient, queue: str):
    send(bus_client, queue, "x")
    bus.fail_settlements(queue, Fault.REFUSE)
    with bus_client.get_queue_receiver(queue) as receiver:
        receiver.complete_message(receive(receiver, 1)[0])
    assert bus.counts(queue).total == 0


def test_a_delayed_settlement_is_answered_late(bus: Emulator, queue: str):
    with Client(bus.port) as raw:
        raw.sender(queue).send(encoded(b"x"))
        receiver = raw.receiver(queue)
        receiver.receive()
        bus.fail_settlements(queue, Fault.DELAY, delay_ms=500)
        started = time.monotonic()
        assert receiver.settle(receiver.deliveries[0]) == Accepted()
        assert time.monotonic() - started >= 0.5
    assert bus.counts(queue).total == 0


@pytest.mark.parametrize(("fault", "left"), [(Fault.LOSE, 1), (Fault.LOSE_ANSWER, 0)])
def test_a_lost_settlement_is_never_answered(bus: Emulator, queue: str, fault: Fault, left: int):
    with Client(bus.port) as raw:
        raw.sender(queue).send(encoded(b"x"))
        receiver = raw.receiver(queue, credit=2)
        receiver.receive()
        bus.fail_settlements(queue, fault)
        (delivery,) = receiver.deliveries
        receiver.link.update(delivery, Accepted())
        raw.sender(queue).send(encoded(b"later"))
        assert receiver.receive().body == b"later"
        assert not delivery.settled
        until(lambda: bus.counts(queue).locked == 1 + left)


def test_faults_are_cleared(bus: Emulator, queue: str):
    bus.fail_settlements(queue, Fault.REFUSE, times=5)
    with Client(bus.port) as raw:
        sender, receiver = raw.sender(queue), raw.receiver(queue, credit=2)
        for _ in range(2):
            sender.send(encoded(b"x"))
            receiver.receive()
        assert isinstance(receiver.settle(receiver.deliveries[0]), Rejected)
        bus.clear_faults()
        assert receiver.settle(receiver.deliveries[1]) == Accepted()
