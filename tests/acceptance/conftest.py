"""Whole processes against the embedded stack: workers of both kinds, and the queue between them and a producer."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient
from support.bus import Bus, closed_together
from support.hosts import LOCK_S, Begin, Blobs, Hosts

from devstack.broker import Broker

JOBS = """
[[job]]
name = "clicks"
schema = "public"
table = "clicks"
blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
catch_up = "3 days"

[[job]]
name = "j"
schema = "public"
table = "t"
blob = "j/{run}.csv.gz"

[[job]]
name = "missing"
schema = "public"
table = "missing"
blob = "{job}/{run:%Y%m%d}.csv.gz"
schedule = "0 0 0 * * *"
"""


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Iterator[str]]]:
    """A broker with short locks, and the names of unused queues."""
    names = [f"short-{number}" for number in range(60)]
    properties = {"LockDuration": f"PT{LOCK_S}S", "MaxDeliveryCount": 4}
    with Broker.start(tmp_path_factory.mktemp("broker"), names, properties) as running:
        yield running, iter(names)


@pytest.fixture(scope="session")
def buses() -> Iterator[list[Bus]]:
    with closed_together() as opened:
        yield opened


@pytest.fixture
def bus(broker: tuple[Broker, Iterator[str]], buses: list[Bus]) -> Bus:
    """A queue whose locks are short."""
    running, names = broker
    buses.append(Bus(running.connection_string, next(names)))
    return buses[-1]


@pytest.fixture
def blobs(container: ContainerClient) -> Blobs:
    return Blobs(container)


@pytest.fixture
def configured(environ: dict[str, str], bus: Bus, tmp_path: Path) -> dict[str, str]:
    """The settings of this test's workers: they try again soon, and have no patience with a server that is away."""
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(JOBS)
    return {
        **environ,
        "ServiceBusConnection": bus.connection_string,
        "TAILRACE_QUEUE": bus.queue,
        "TAILRACE_JOBS": str(jobs),
        "TAILRACE_TICK": "0 0 0 1 1 *",
        "TAILRACE_RETRY_BASE_SECONDS": "0.3",
        "TAILRACE_CONNECT_TIMEOUT_SECONDS": "1",
    }


@pytest.fixture
def hosts(configured: dict[str, str], tmp_path: Path) -> Iterator[Hosts]:
    with ExitStack() as running:
        yield Hosts(configured, tmp_path, running)


@pytest.fixture(params=["container", "functions"])
def begin(request: pytest.FixtureRequest, hosts: Hosts) -> Begin:
    """Starts a worker of the kind, with these settings."""
    return hosts.container if request.param == "container" else hosts.functions
