"""The real broker process once a session, the real SDK, and a queue of its own for every test."""

import itertools
import json
import re
import sys
from collections.abc import Iterator

import pytest
from azure.servicebus import ServiceBusClient
from support.broker import Broker

from devstack.process import start
from emulators.service_bus.emulator import Emulator

KINDS = {
    "plain": {},
    "detecting": {"RequiresDuplicateDetection": True, "DuplicateDetectionHistoryTimeWindow": "P1D"},
    "brief": {"LockDuration": "PT1S", "MaxDeliveryCount": 3},
    "burying": {"DeadLetteringOnMessageExpiration": True},
    "session": {"RequiresSession": True},
    "brief-session": {"RequiresSession": True, "LockDuration": "PT1S"},
}
EACH = 200
NUMBER = itertools.count()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    queues = [{"Name": f"{kind}-{n}", "Properties": rules} for kind, rules in KINDS.items() for n in range(EACH)]
    config = tmp_path_factory.mktemp("broker") / "config.json"
    config.write_text(json.dumps({"UserConfig": {"Namespaces": [{"Name": "tests", "Queues": queues}]}}))
    argv = [sys.executable, "-m", "emulators.service_bus", "--config", str(config), "--port", "0"]
    with start(argv, ready=re.compile(r"Service Bus broker listening on 127\.0\.0\.1:(\d+)$")) as process:
        assert process.match is not None
        yield Broker(process, int(process.match[1]))
        assert process.returncode is None, process.output()


@pytest.fixture
def client(broker: Broker) -> Iterator[ServiceBusClient]:
    with broker.client() as client:
        yield client


@pytest.fixture
def queue() -> str:
    """A queue with default settings and a lock of a minute."""
    return f"plain-{next(NUMBER)}"


@pytest.fixture
def detecting_queue() -> str:
    """A queue that drops duplicates."""
    return f"detecting-{next(NUMBER)}"


@pytest.fixture
def brief_queue() -> str:
    """A queue whose locks last one second and that allows three deliveries."""
    return f"brief-{next(NUMBER)}"


@pytest.fixture
def burying_queue() -> str:
    """A queue that dead-letters what expires."""
    return f"burying-{next(NUMBER)}"


@pytest.fixture
def session_queue() -> str:
    """A queue with sessions."""
    return f"session-{next(NUMBER)}"


@pytest.fixture
def brief_session_queue() -> str:
    """A queue with sessions that are held for one second."""
    return f"brief-session-{next(NUMBER)}"


@pytest.fixture
def bus() -> Iterator[Emulator]:
    """An emulator in this process, for what its controls do; links idle out after a second."""
    with Emulator(idle_links_ms=1000) as bus:
        yield bus


@pytest.fixture
def bus_client(bus: Emulator) -> Iterator[ServiceBusClient]:
    with ServiceBusClient.from_connection_string(bus.connection_string, retry_total=1) as client:
        yield client
