"""Clones of messages over a link that may be gone by the next one."""

import gc
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from time import monotonic
from uuid import uuid4

import pytest
from support.bus import Bus
from support.relay import Relay

from settings import Settings
from worker.message.delivery import Delivery
from worker.message.retry import RetryQueue
from worker.message.settlement import RetryLater

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
