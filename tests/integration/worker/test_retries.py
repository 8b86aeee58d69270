"""Clones of messages over a link that may be gone by the next one."""

import gc
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from time import monotonic
from uuid import uuid4

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import MessageLockLostError
from support.bus import Bus
from support.relay import Relay

from emulators.service_bus.emulator import Emulator
from settings import Settings
from worker.message.delivery import Delivery
from worker.message.retry import RetryQueue
from worker.message.settle import settle
from worker.message.settlement import RetryLater
from worker.slot import ReceiverSettler

RETRY = RetryLater(timedelta(hours=1), "LockTimeout", "t is locked")


@pytest.fixture
def bus(environ: dict[str, str], queue: str) -> Iterator[Bus]:
    opened = Bus(environ["ServiceBusConnection"], queue)
    yield opened
    opened.close()


def delivery(number: int) -> Delivery:
    return Delivery(b"{}", str(uuid4()), number, 1)


def test_many_clones_take_one_connection(environ: dict[str, str], bus: Bus) -> None:
    with closing(RetryQueue(Settings.from_env(environ))) as retries:
        retries.schedule(delivery(0), RETRY)
        began = monotonic()
        for number in range(1, 41):
            retries.schedule(delivery(number), RETRY)
        assert monotonic() - began < 10, "connecting alone takes half a second"
    assert len(bus.messages()) == 41


# The SDK leaves the socket of a connection that broke to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("was_idle", [False, True])
def test_a_link_that_is_gone_is_replaced_and_the_clone_arrives_once(
    environ: dict[str, str], bus: Bus, monkeypatch: pytest.MonkeyPatch, *, was_idle: bool
) -> None:
    (port,) = re.findall(r"sb://127\.0\.0\.1:(\d+)", environ["ServiceBusConnection"])
    with Relay(int(port)) as first, Relay(int(port)) as second:
        addresses = [
            re.sub(r":\d+;", f":{one.port};", environ["ServiceBusConnection"], count=1) for one in (first, second)
        ]
        retries = RetryQueue(Settings.from_env({**environ, "ServiceBusConnection": addresses[0]}))
        with closing(retries):
            retries.schedule(delivery(1), RETRY)
            first.close()
            monkeypatch.setattr(
                retries, "_settings", Settings.from_env({**environ, "ServiceBusConnection": addresses[1]})
            )
            if was_idle:
                monkeypatch.setattr("worker.message.retry._IDLE_SECONDS", 0.0)
            retries.schedule(delivery(2), RETRY)
    assert len(bus.messages()) == 2
    del retries
    gc.collect()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        running.add_queue("exports", RequiresDuplicateDetection=True)
        yield running


@contextmanager
def settler_of_a_message(environ: dict[str, str], emulator: Emulator) -> Iterator[tuple[ReceiverSettler, Relay]]:
    """A message `m` that was received through a relay; a new connection does not need it."""
    address = emulator.connection_string
    settings = Settings.from_env(environ | {"ServiceBusConnection": address, "TAILRACE_QUEUE": "exports"})
    with closing(RetryQueue(settings)) as retries, Relay(emulator.port) as relay:
        through = re.sub(r":\d+;", f":{relay.port};", address, count=1)
        with ServiceBusClient.from_connection_string(through, retry_total=0) as client:
            with client.get_queue_receiver("exports") as receiver:
                client.get_queue_sender("exports").send_messages(ServiceBusMessage(b"{}", message_id="m"))
                (message,) = receiver.receive_messages(max_message_count=1, max_wait_time=30)
                yield ReceiverSettler(receiver, message, delivery(1), retries, settings), relay


def test_a_message_that_went_back_to_the_queue_gets_no_clone_beside_it(
    environ: dict[str, str], emulator: Emulator
) -> None:
    """Both would be delivered, and a request that cannot succeed would be two dead letters."""
    with settler_of_a_message(environ, emulator) as (settler, _):
        assert emulator.expire_locks("exports") == 1
        with pytest.raises(MessageLockLostError):
            settle(settler, RETRY)
    with closing(Bus(emulator.connection_string, "exports")) as bus:
        assert [one.message_id for one in bus.messages()] == ["m"]


# The SDK leaves the socket of a connection that broke to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_message_whose_connection_ended_is_completed_over_another_once_its_clone_is_scheduled(
    environ: dict[str, str], emulator: Emulator
) -> None:
    with settler_of_a_message(environ, emulator) as (settler, relay):
        relay.close()
        settle(settler, RETRY)
        assert settler.failure is not None
    with closing(Bus(emulator.connection_string, "exports")) as bus:
        (clone,) = bus.messages()
        assert str(clone.message_id).endswith("#2.1")
    gc.collect()
