"""A broker that falls silent: every call of the queue gives up in bounded time."""

import re
from collections.abc import Callable, Iterator

import pytest
from support.asking import ask
from support.relay import Relay

from contracts.errors import QueueUnavailable
from producer.queue import ExportQueue
from settings import Settings

CALLS: list[Callable[[ExportQueue], object]] = [
    lambda queue: queue.send([ask()]),
    lambda queue: queue.waiting_by_backfill(),
]


@pytest.fixture
def relay(environ: dict[str, str]) -> Iterator[Relay]:
    (port,) = re.findall(r"sb://127\.0\.0\.1:(\d+)", environ["ServiceBusConnection"])
    with Relay(int(port)) as relay:
        yield relay


@pytest.fixture
def settings(environ: dict[str, str], relay: Relay) -> Settings:
    address = re.sub(r":\d+;", f":{relay.port};", environ["ServiceBusConnection"], count=1)
    return Settings.from_env({**environ, "ServiceBusConnection": address})


# The SDK leaves the socket of a connection that broke to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("was_open", [False, True])
@pytest.mark.parametrize("call", CALLS, ids=["send", "look"])
def test_a_call_to_a_broker_that_says_nothing_gives_up(
    settings: Settings,
    relay: Relay,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[ExportQueue], object],
    *,
    was_open: bool,
) -> None:
    monkeypatch.setattr("connections.service_bus._LONGEST_SECONDS", 1.0)
    queue = ExportQueue(settings)
    if was_open:
        call(queue)
    relay.fall_silent(new_ones=True)
    with pytest.raises(QueueUnavailable, match="did not answer within 1 s"):
        call(queue)
