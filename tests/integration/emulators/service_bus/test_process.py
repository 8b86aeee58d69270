"""The broker as a command: how it starts, what it says, and how it ends."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.amqp import Client, ConnectionClosedError, encoded

from devstack.process import start

COMMAND = [sys.executable, "-m", "emulators.service_bus"]
READY = re.compile(r"^Service Bus broker listening on 127\.0\.0\.1:(\d+)$")


def refused(*arguments: str) -> tuple[int, str]:
    """How a broker that cannot start ends, and the one line it says."""
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.returncode, ended.stderr.strip()


def config(tmp_path: Path, *queues: dict, **namespace: object) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"UserConfig": {"Namespaces": [{"Name": "n", "Queues": queues, **namespace}]}}))
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_the_default_queue_and_tells_its_clients_when_it_ends(number: int):
    with start([*COMMAND, "--port", "0"], ready=READY) as process:
        assert process.match is not None
        with Client(int(process.match[1])) as raw:
            raw.sender("exports").send(encoded(b"x"))
            assert raw.receiver("exports").receive().body == b"x"
            process.send_signal(number)
            with pytest.raises(ConnectionClosedError, match="shutting down"):
                raw.wait(lambda: False)
        assert process.wait(20) == 0
        assert len(process.output().splitlines()) == 1


@pytest.mark.parametrize("port", ["-1", "70000", "http"])
def test_a_port_that_is_none_is_said(port: str):
    ended = subprocess.run([*COMMAND, f"--port={port}"], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert f"argument --port: '{port}' is no port" in ended.stderr


def test_a_port_in_use_is_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, line = refused("--port", port)
    assert (status, line) == (1, f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port")


@pytest.mark.parametrize(
    ("queues", "namespace", "problem"),
    [
        ([{"Name": "a b"}], {}, "Queues.0.Name: String should match pattern"),
        ([{"Name": "a"}, {"Name": "A"}], {}, "the queue 'a' is given twice"),
        ([{"Name": "a", "Properties": {"LockDuration": "PT10M"}}], {}, "Properties.LockDuration: Input should be less"),
        (
            [{"Name": "a", "Properties": {"LockDuration": "soon"}}],
            {},
            "Properties.LockDuration: Input should be a valid",
        ),
        ([{"Name": "a", "Properties": {"Lock": 1}}], {}, "Properties.Lock: Extra inputs are not permitted"),
        ([{"Name": "a", "Properties": {"ForwardTo": "b"}}], {}, "the queue 'a' forwards to 'b', which is none"),
        ([], {"Topics": [{"Name": "t"}]}, "topics are not offered"),
    ],
)
def test_a_configuration_that_cannot_be_served_is_said_in_one_line(
    tmp_path: Path, queues: list[dict], namespace: dict, problem: str
):
    path = config(tmp_path, *queues, **namespace)
    status, line = refused("--config", path)
    assert status == 2
    assert line.startswith(f"{path}: UserConfig.Namespaces.0")
    assert problem in line


def test_a_missing_or_broken_file_is_said_in_one_line(tmp_path: Path):
    assert refused("--config", "/nonexistent.json") == (
        2,
        "/nonexistent.json: cannot be read: No such file or directory",
    )
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert refused("--config", str(broken))[1].startswith(f"{broken}: the file: Invalid JSON")
