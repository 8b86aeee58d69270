"""A real host process on the app in ./app, and what its functions recorded."""

import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusSubQueue

from devstack.process import Launch, Process, start
from emulators.service_bus.emulator import Emulator

collect_ignore = ["app", "apps"]  # its modules are imported by the worker library only
APP = Path(__file__).with_name("app")
ROOT = Path(__file__).resolve().parents[4]
READY = re.compile(r"^Functions host listening on (http://127\.0\.0\.1:\d+)$")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Host:
    process: Process
    url: str
    record: Path

    def request(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read())

    def records(self, function: str = "") -> list[dict[str, Any]]:
        text = self.record.read_text() if self.record.exists() else ""
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if function in {"", line["function"]}]

    def wait_for_records(self, function: str, count: int = 1, timeout_s: float = 30) -> list[dict[str, Any]]:
        until(lambda: len(self.records(function)) >= count, f"{count} records of {function}", timeout_s, self)
        return self.records(function)

    def wait_for_log(self, text: str, timeout_s: float = 30) -> str:
        until(lambda: text in self.process.output(), f"{text!r} in the log", timeout_s, self)
        return next(line for line in self.process.output().splitlines() if text in line)


def until(condition: Callable[[], object], what: str, timeout_s: float, host: Host) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline or host.process.returncode is not None:
            pytest.fail(f"waited for {what}; the host said:\n{host.process.output()}")
        time.sleep(0.02)


@dataclass
class Hosts:
    """Starts hosts in a folder and closes them all."""

    folder: Path
    running: list[Process] = field(default_factory=list)

    def command(self, *options: str, settings: dict[str, str] | None = None, app: Path = APP) -> list[str]:
        """Write the settings file and give the command line."""
        values = {
            "RECORD": str(self.folder / "record"),
            "TICK": "0 0 0 1 1 *",
            "QUEUE": "work",
            "NOTES": "notes",
            **(settings or {}),
        }
        file = self.folder / f"settings-{len(self.running)}.json"
        file.write_text(json.dumps({"IsEncrypted": False, "Values": values}))
        given = ["--app", str(app), "--settings", str(file), "--port", "0", *options]
        return [sys.executable, "-m", "emulators.functions_host", *given]

    def start(self, *options: str, environ: dict[str, str] | None = None, **more: Any) -> Host:
        argv = self.command(*options, **more)
        log = Launch(self.folder / f"host-{len(self.running)}.log")
        process = start(argv, ready=READY, env={**os.environ, **(environ or {})}, cwd=ROOT, launch=log)
        self.running.append(process)
        assert process.match
        return Host(process, process.match[1], self.folder / "record")

    def ended(self, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a host that ends by itself."""
        argv = self.command(*options, **more)
        return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def app_with(self, **options: object) -> Path:
        """Copy the app, with other options in its host.json: functionTimeout, or those of the Service Bus extension."""
        app = self.folder / "app"
        shutil.copytree(APP, app)
        document = json.loads((app / "host.json").read_text())
        document.update({key: options.pop(key) for key in ("functionTimeout",) if key in options})
        document["extensions"]["serviceBus"].update(options)
        (app / "host.json").write_text(json.dumps(document))
        return app

    def close(self) -> None:
        for process in self.running:
            process.close()


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Hosts of one test."""
    hosts = Hosts(tmp_path)
    yield hosts
    hosts.close()


@pytest.fixture(scope="module")
def web_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for the tests of a module that need no queue."""
    hosts = Hosts(tmp_path_factory.mktemp("host"))
    yield hosts.start("--only", "echo,process,log,fail,end_process,tick,at_start")
    hosts.close()


@dataclass(frozen=True)
class Queue:
    """A queue of the broker, seen from outside the host."""

    connection_string: str
    name: str
    bus: Emulator | None = None

    def end_locks(self) -> None:
        """End the locks of the queue, as if their time were over."""
        assert self.bus is not None
        assert self.bus.expire_locks(self.name) > 0

    @property
    def settings(self) -> dict[str, str]:
        return {"ServiceBusConnection": self.connection_string, "QUEUE": self.name, "NOTES": self.name}

    def send(self, body: object, **properties: Any) -> None:
        with self._client() as client, client.get_queue_sender(self.name) as sender:
            sender.send_messages(ServiceBusMessage(json.dumps(body), **properties))

    def left(self) -> list[str]:
        """What is in the queue, running messages included."""
        with self._client() as client, client.get_queue_receiver(self.name) as receiver:
            return [str(message) for message in receiver.peek_messages(100)]

    def dead_letters(self) -> list[tuple[str, str | None, str | None]]:
        sub_queue = ServiceBusSubQueue.DEAD_LETTER
        with self._client() as client, client.get_queue_receiver(self.name, sub_queue=sub_queue) as receiver:
            found = receiver.peek_messages(100)
            return [(str(one), one.dead_letter_reason, one.dead_letter_error_description) for one in found]

    def wait_for(self, count: int, host: Host) -> list[str]:
        until(lambda: len(self.left()) >= count, f"{count} messages in {self.name}", 30, host)
        return self.left()

    def wait_until_empty(self, host: Host) -> None:
        until(lambda: not self.left(), f"{self.name} to be empty", 30, host)

    def _client(self) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(self.connection_string)


@pytest.fixture(scope="session")
def queues() -> Iterator[Iterator[Queue]]:
    """Fresh queues with a lock of three seconds, all on one broker."""
    with Emulator() as bus:
        names = (bus.add_queue(f"queue-{number}", LockDuration="PT3S") for number in count())
        yield (Queue(bus.connection_string, name, bus) for name in names)


@pytest.fixture
def queue(queues: Iterator[Queue]) -> Queue:
    return next(queues)
