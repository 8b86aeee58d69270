"""Fixtures for pytest: `pytest_plugins = ["emulators.service_bus.fixtures"]`."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from emulators.service_bus.emulator import Emulator


@pytest.fixture(scope="session")
def service_bus() -> Iterator[Emulator]:
    """A namespace for the session, without queues at first."""
    with Emulator() as bus:
        yield bus


@pytest.fixture(scope="session")
def _queue_names() -> Iterator[str]:
    return (f"queue-{number}" for number in count(1))


@pytest.fixture
def service_bus_queue(service_bus: Emulator, _queue_names: Iterator[str]) -> Iterator[Callable[..., str]]:
    """Makes a queue with properties as in Config.json and returns its name. The queue is deleted after the test.

    queue = service_bus_queue(LockDuration="PT5S")
    """
    made: list[str] = []

    def make(**properties: Any) -> str:
        made.append(service_bus.add_queue(next(_queue_names), **properties))
        return made[-1]

    yield make
    for name in reversed(made):
        service_bus.delete_queue(name)
