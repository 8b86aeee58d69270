"""One run's world: its queue and container, its workers behind their proxies, and what is known of them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.exceptions import ServiceBusError
from azure.storage.blob import BlobServiceClient, ContainerClient
from chaos.history import History
from chaos.load import JOBS, Ask
from chaos.proxy import Proxy
from chaos.servers import ROOT, Servers
from chaos.storage import Commit, StorageProxy
from support.bus import Bus

from contracts.message import body_of
from devstack.process import Launch, Process, start

FOREIGN = b"somebody else's\n"
_SETTINGS = {
    "TAILRACE_MAX_ATTEMPTS": "100",
    "TAILRACE_RETRY_BASE_SECONDS": "0.05",
    "TAILRACE_CONNECT_TIMEOUT_SECONDS": "2",
    "TAILRACE_LOCK_TIMEOUT_SECONDS": "30",
    "TAILRACE_DRAIN_SECONDS": "1",
    "TAILRACE_CONCURRENCY": "2",
    "TAILRACE_POOL_SIZE": "4",
    "TAILRACE_MAX_STREAMS": "2",
    "TAILRACE_TICK": "0 0 0 1 1 *",
}
_LONGEST_END_S = 60.0  # from SIGTERM to the end of a worker that drains for a second


class Worker:
    """One worker behind three proxies. A killed one is replaced by the next generation, behind the same proxies."""

    def __init__(self, name: str, world: "World", launch: Callable[["Worker"], Process]) -> None:
        self.name = name
        servers = world.servers
        self.postgres = Proxy(servers.loop, servers.postgres.port)
        self.broker = Proxy(servers.loop, servers.broker.port)
        self.storage = StorageProxy(servers.loop, servers.azurite.port, lambda commit: world.committed(self, commit))
        self.lock = Lock()  # held while the process is being replaced
        self.expected_to_end = False
        self.generation = 0
        self._launch = launch
        self.process = launch(self)

    @property
    def proxies(self) -> tuple[Proxy, ...]:
        """Those to PostgreSQL, storage and the broker."""
        return self.postgres, self.storage, self.broker

    def end(self, number: int) -> tuple[int | None, float, bool]:
        """Signals the process, waits for its end, and starts the next generation.

        Returns its status, its seconds, and whether it had become ready before.
        """
        with self.lock:
            self.expected_to_end = True
            was_ready = "worker ready" in self.process.output()
            began = time.monotonic()
            self.process.send_signal(number)
            try:
                status: int | None = self.process.wait(_LONGEST_END_S)
            except subprocess.TimeoutExpired:
                status = None
            seconds = time.monotonic() - began
            self.process.close()
            self.generation += 1
            self.process = self._launch(self)
            self.expected_to_end = False
            return status, seconds, was_ready

    @property
    def is_host(self) -> bool:
        """Whether it is a Functions host, which is another program, and not `tailrace work`."""
        return self.name == "host"

    def rss_mb(self) -> float | None:
        """Resident memory. None of an ended one. Of a Functions host, that of the app's process, which is its child."""
        try:
            tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
            pids = [int(pid) for task in tasks for pid in task.read_text().split()] or [self.process.pid]
            found = [re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in pids]
        except OSError:
            return None
        return sum(int(one[1]) for one in found if one) / 1024 if found[0] else None


class World:
    """A run: `asks` are sent to its queue, `workers` work it, `commits` are what their proxies saw."""

    def __init__(self, servers: Servers, directory: Path, history: History, plant: str | None) -> None:
        self.servers, self.history, self.plant = servers, history, plant
        self.queue = f"chaos-{servers.used}"
        self.directory = directory / self.queue
        self.directory.mkdir(parents=True)
        # Held by who uses the bus while a run goes on: the thread that sends, and a restart of the broker.
        self.sending = Lock()
        self._bus = self._connected()
        service = BlobServiceClient.from_connection_string(servers.azurite.connection_string)
        self.container: ContainerClient = service.create_container(self.queue)
        servers.used += 1
        self.workers: list[Worker] = []
        self.asks: list[Ask] = []
        # Appended by the proxies' thread; read by all.
        self.commits: list[tuple[str, Commit]] = []
        # Findings that faults make while they act, such as a worker that did not end.
        self.noticed: list[tuple[str, str]] = []
        self.memory: dict[str, list[float]] = {}
        self.readers: list[dict[str, int]] = []  # samples: how many sessions read for each request
        self._jobs = self.directory / "jobs.toml"
        self._jobs.write_text(JOBS)

    def committed(self, worker: Worker, commit: Commit) -> None:
        """A proxy saw the answer to a commit."""
        self.commits.append((worker.name, commit))
        self.history.write("commit", worker=worker.name, blob=commit.blob, status=commit.status)

    def send(self, ask: Ask) -> None:
        """Puts one message on the queue."""
        if ask.foreign is not None:
            self.container.upload_blob(ask.foreign, FOREIGN)
        self.asks.append(ask)
        self.history.write("ask", kind=ask.kind, message_id=ask.message_id, fate=type(ask.fate).__name__)
        message = ServiceBusMessage(ask.body, message_id=ask.message_id, content_type="application/json")
        with self.sending:
            self._persistently(lambda bus: bus.send(message))

    @contextmanager
    def broker_restarts(self) -> Iterator[None]:
        """The broker is gone for the block, and comes back with what it had just before.

        The emulator stores nothing, so its messages are read before and sent again: what is settled in between comes
        a second time, as from a broker that fails over to a copy. Dead letters are delivered again.
        """
        broker = self.servers.broker
        with self.sending, broker.lock:
            held = self._persistently(lambda bus: [*bus.messages(), *bus.dead_letters()])
            with broker.down():
                yield
            for one in {message.message_id: message for message in held}.values():
                self._persistently(lambda bus, one=one: bus.send(_again(one)))  # type: ignore[misc]

    def messages(self) -> list[ServiceBusReceivedMessage]:
        """All messages of the queue: waiting, locked or scheduled."""
        return self._persistently(Bus.messages)

    def dead_letters(self) -> list[ServiceBusReceivedMessage]:
        """All dead letters."""
        return self._persistently(Bus.dead_letters)

    def close(self) -> None:
        """Closes the connection to the queue."""
        self._bus.close()

    def _connected(self) -> Bus:
        return Bus(self.servers.broker.connection_string(), self.queue)

    def _persistently[T](self, action: Callable[[Bus], T]) -> T:
        """Faults of the broker strike this connection, too. Sending twice sends one message: the queue drops copies."""
        for _ in range(9):
            try:
                return action(self._bus)
            except (ServiceBusError, ValueError):
                self._bus = self._connected()
        return action(self._bus)

    def add_workers(self, count: int, **settings: str) -> None:
        """`tailrace work` processes, in parallel."""
        for number in range(count):
            self.workers.append(Worker(f"w{number}", self, lambda worker: self._work(worker, settings)))
        for worker in self.workers:
            worker.process.wait_for(re.compile("worker ready"), 60)

    def add_functions_host(self) -> None:
        """The function app in a Functions host, which faults reach by its connections only."""
        self.workers.append(Worker("host", self, self._host))

    @property
    def has_host(self) -> bool:
        """Whether a Functions host takes part."""
        return any(worker.is_host for worker in self.workers)

    def environ(self, worker: Worker) -> dict[str, str]:
        """The settings of a worker: all servers through its proxies."""
        servers = self.servers
        storage = servers.azurite.connection_string.replace(f":{servers.azurite.port}/", f":{worker.storage.port}/")
        return {
            **servers.postgres.environ(),
            **_SETTINGS,
            "PGPORT": str(worker.postgres.port),
            "ExportStorage": storage,
            "ServiceBusConnection": servers.broker.connection_string(worker.broker.port),
            "TAILRACE_QUEUE": self.queue,
            "TAILRACE_CONTAINER": self.queue,
            "TAILRACE_JOBS": str(self._jobs),
        }

    def _work(self, worker: Worker, settings: Mapping[str, str]) -> Process:
        planted = {"TAILRACE_CHAOS_PLANT": self.plant} if self.plant else {}
        program = [str(ROOT / "tests" / "chaos" / "worker.py")] if self.plant else ["-m", "cli"]
        env = {**_inherited(), **self.environ(worker), **settings, **planted}
        launch = Launch(self.directory / f"{worker.name}-{worker.generation}.log", stop_signal=signal.SIGKILL)
        return start([sys.executable, *program, "work", "--text-logs"], ready=None, env=env, cwd=ROOT, launch=launch)

    def _host(self, worker: Worker) -> Process:
        file = self.directory / "settings.json"
        file.write_text(json.dumps({"IsEncrypted": False, "Values": self.environ(worker)}))
        given = ["--app", str(ROOT), "--settings", str(file), "--port", "0", "--only", "export"]
        launch = Launch(self.directory / "host.log", stop_signal=signal.SIGKILL)
        argv = [sys.executable, "-m", "emulators.functions_host", *given]
        ready = re.compile(r"Functions host listening on (\S+)")
        return start(argv, ready=ready, env=_inherited(), timeout_s=60, cwd=ROOT, launch=launch)

    def heal(self) -> None:
        """Ends all faults that last."""
        for worker in self.workers:
            for proxy in worker.proxies:
                proxy.heal()
        self.servers.broker.control("DELETE", "settlement-faults")

    def last_line_of(self, worker: Worker) -> str:
        """What a worker logged last."""
        return (worker.process.output().strip().splitlines() or ["nothing"])[-1]


def _again(message: ServiceBusReceivedMessage) -> ServiceBusMessage:
    """A message as it was sent; a dead letter without its reason."""
    carried = dict(message.application_properties or {})
    for name in ("DeadLetterReason", "DeadLetterErrorDescription"):
        carried.pop(name, None)
        carried.pop(name.encode(), None)
    return ServiceBusMessage(
        body_of(message.body),
        message_id=message.message_id,
        content_type=message.content_type,
        application_properties=carried,
        scheduled_enqueue_time_utc=message.scheduled_enqueue_time_utc,
    )


def _inherited() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("TAILRACE_", "PG"))}


@contextmanager
def open_world(servers: Servers, directory: Path, history: History, plant: str | None = None) -> Iterator[World]:
    """A new queue and container; ends all workers."""
    world = World(servers, directory, history, plant)
    with ExitStack() as closing:
        closing.callback(world.close)
        try:
            yield world
        finally:
            for worker in world.workers:
                worker.process.close()
                for proxy in worker.proxies:
                    proxy.close()
