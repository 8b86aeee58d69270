"""A real host process on the app in ./app, and what its functions recorded."""

import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from local.process import Launch, Process, start

collect_ignore = ["app"]  # its modules are imported by the worker library only
APP = Path(__file__).with_name("app")
ROOT = Path(__file__).resolve().parents[3]
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
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return Answer(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

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
        values = {"RECORD": str(self.folder / "record"), "TICK": "0 0 0 1 1 *", "QUEUE": "work", **(settings or {})}
        file = self.folder / f"settings-{len(self.running)}.json"
        file.write_text(json.dumps({"IsEncrypted": False, "Values": values}))
        given = ["--app", str(app), "--settings", str(file), "--port", "0", *options]
        return [sys.executable, "-m", "local.functions_host", *given]

    def start(self, *options: str, environ: dict[str, str] | None = None, **more: Any) -> Host:
        argv = self.command(*options, **more)
        log = Launch(self.folder / f"host-{len(self.running)}.log")
        process = start(argv, ready=READY, env={**os.environ, **(environ or {})}, cwd=ROOT, launch=log)
        self.running.append(process)
        assert process.match
        return Host(process, process.match[1], self.folder / "record")

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
