"""Clients of Service Bus, each in a process of its own, all driven alike: a line of JSON in, a line of JSON out."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devstack.azurite import node

HERE = Path(__file__).parent
OLD_SDK = Path(__file__).parents[3] / ".local" / "azure-servicebus-7.14.3"


class ClientError(Exception):
    """What the client's library raised."""


class CannotInstallError(Exception):
    """A client's library cannot be installed here."""


@dataclass(frozen=True)
class Client:
    """A way to drive a library: its name, and which operations it lacks."""

    name: str
    lacks: frozenset[str] = frozenset()

    def command(self) -> tuple[list[str], dict[str, str]]:
        """What to run, and with which environment variables. Raises CannotInstallError."""
        match self.name.split():
            case ["python", "7.14.3"]:
                return [sys.executable, str(HERE / "python_sync.py")], {"PYTHONPATH": str(old_sdk())}
            case ["python", kind]:
                return [sys.executable, str(HERE / f"python_{kind}.py")], {}
            case _:
                node_modules()
                return [node(), str(HERE / f"{self.name}.js")], {}


CLIENTS = (
    Client("python sync"),
    Client("python aio"),
    Client("python 7.14.3", frozenset({"answers to settlements"})),  # it sends them, and does not wait
    Client("sdk", frozenset({"version"})),
    Client("rhea", frozenset({"management", "sessions", "version"})),
)


@cache
def old_sdk() -> Path:
    """Where azure-servicebus 7.14.3 is, which finds everything else in the venv."""
    target = ["--target", str(OLD_SDK), "--no-deps", "--require-hashes", "-r", str(HERE / "requirements.txt")]
    if not (OLD_SDK / "azure").is_dir():
        _install([sys.executable, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *target])
    return OLD_SDK


@cache
def node_modules() -> None:
    """Has npm install what package-lock.json names."""
    if not (HERE / "node_modules" / ".package-lock.json").is_file():
        path = os.pathsep.join((str(Path(node()).parent), os.environ["PATH"]))
        _install(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], path)


def _install(command: list[str], path: str | None = None) -> None:
    environ = os.environ if path is None else {**os.environ, "PATH": path}
    try:
        subprocess.run(command, cwd=HERE, env=environ, check=True, capture_output=True, text=True, timeout=110)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise CannotInstallError(f"{command[0]} cannot install it: {said[-1] if said else error}") from error


class Driver:
    """A client that runs; every operation is a method: `driver.send(queue=…)`. Raises ClientError."""

    def __init__(self, client: Client, connection_string: str) -> None:
        argv, environ = client.command()
        self._process = subprocess.Popen(
            [*argv, connection_string], env=os.environ | environ, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        def operation(queue: str, **arguments: object) -> Any:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps([name, {"queue": queue, **arguments}]) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
            if "error" in answer:
                raise ClientError(answer["error"])
            return answer["result"]

        return operation

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
