"""Whole processes against the embedded stack: workers of both kinds, and the queue between them and a producer."""

import gzip
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from acceptance.bus import Bus, closed_together
from azure.storage.blob import ContainerClient

from contracts.receipt import Receipt
from local.broker import Broker
from local.process import Launch, Process, start

ROOT = Path(__file__).parents[2]
LOCK_S = 5  # renewed at half of it, which a busy machine may be late for
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
name = "missing"
schema = "public"
table = "missing"
blob = "{job}/{run:%Y%m%d}.csv.gz"
schedule = "0 0 0 * * *"
"""


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Iterator[str]]]:
    """A broker with short locks, and the names of queues that nobody has used."""
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


@dataclass(frozen=True)
class Blobs:
    """The container, as those see it who read exports."""

    container: ContainerClient

    def names(self) -> list[str]:
        return sorted(blob.name for blob in self.container.list_blobs())

    def receipt(self, name: str) -> Receipt:
        receipt = Receipt.from_metadata(self.container.get_blob_client(name).get_blob_properties().metadata)
        assert receipt is not None
        return receipt

    def rows(self, name: str) -> int:
        """Rows in the file itself."""
        return gzip.decompress(self.container.download_blob(name).readall()).count(b"\n") - 1


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


class Hosts:
    """Starts workers of both kinds, and ends them all."""

    def __init__(self, configured: dict[str, str], directory: Path, running: ExitStack) -> None:
        self._configured = configured
        self._directory = directory
        self._running = running
        self._count = 0

    def container(self, **settings: str) -> Process:
        """`tailrace work`."""
        argv = [sys.executable, "-m", "cli", "work", "--text-logs"]
        return self._start(argv, "worker ready", {**self._configured, **settings})

    def functions(self, *options: str, **settings: str) -> Process:
        """The function app in Microsoft's worker library; `match` holds its address."""
        file = self._directory / f"settings-{self._count}.json"
        file.write_text(json.dumps({"IsEncrypted": False, "Values": {**self._configured, **settings}}))
        given = ["--app", str(ROOT), "--settings", str(file), "--port", "0", *(options or ("--only", "export"))]
        argv = [sys.executable, "-m", "local.functions_host", *given]
        return self._start(argv, r"Functions host listening on (\S+)", {})

    def _start(self, argv: list[str], ready: str, environ: dict[str, str]) -> Process:
        self._count += 1
        # Killed at the test's end: the tests of draining send their signals themselves.
        launch = Launch(self._directory / f"host-{self._count}.log", stop_signal=signal.SIGKILL)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("TAILRACE_", "PG"))}
        env = {**inherited, **environ}
        return self._running.enter_context(start(argv, ready=re.compile(ready), env=env, cwd=ROOT, launch=launch))


@pytest.fixture
def hosts(configured: dict[str, str], tmp_path: Path) -> Iterator[Hosts]:
    with ExitStack() as running:
        yield Hosts(configured, tmp_path, running)


type Begin = Callable[..., Process]


@pytest.fixture(params=["container", "functions"])
def begin(request: pytest.FixtureRequest, hosts: Hosts) -> Begin:
    """Starts a worker of the kind, with settings of its own."""
    return hosts.container if request.param == "container" else hosts.functions
