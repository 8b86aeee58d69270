"""The broker as a command: how it starts, what it says, and how it ends."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from support.amqp import Client, ConnectionClosedError, encoded

from devstack.process import start
from emulators.service_bus.__main__ import main
from emulators.service_bus.emulator import Emulator

COMMAND = [sys.executable, "-m", "emulators.service_bus"]
READY = re.compile(r"^Service Bus broker listening on 127\.0\.0\.1:(\d+)$")


Refused = Callable[..., tuple[int, str]]


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Refused:
    """How a broker that cannot start ends, and the one line it says."""

    def run(*arguments: str) -> tuple[int, str]:
        status = main(arguments)
        said = capfd.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1, said.err
        return status, said.err.strip()

    return run


def config(tmp_path: Path, *queues: dict, **namespace: object) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"UserConfig": {"Namespaces": [{"Name": "n", "Queues": queues, **namespace}]}}))
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_the_default_queue_and_reports_its_end_to_its_clients(number: int):
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
def test_a_port_that_is_none_is_said(capfd: pytest.CaptureFixture[str], port: str):
    with pytest.raises(SystemExit, match="2"):
        main([f"--port={port}"])
    assert f"argument --port: '{port}' is no port" in capfd.readouterr().err


def test_a_port_in_use_is_said_in_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60, check=False)
    said = f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", said)


@pytest.mark.parametrize("host", ["::1", "::"])
def test_it_listens_on_ipv6(host: str):
    with Emulator(["orders"], host=host) as bus:
        with Client(bus.port, host="::1") as raw:
            raw.sender("orders").send(encoded(b"x"))
        with urllib.request.urlopen(f"http://[::1]:{bus.admin_port}/$emulator/queues/orders") as answer:
            assert json.load(answer)["active"] == 1


@pytest.mark.parametrize("host", ["::", "0.0.0.0", "localhost"])
def test_the_connection_string_of_any_host_is_one_that_the_sdk_reaches(host: str):
    with Emulator(["orders"], host=host) as bus:
        assert "sb://localhost:" in bus.connection_string
        with ServiceBusClient.from_connection_string(bus.connection_string, retry_total=0) as client:
            with client.get_queue_sender("orders") as sender:
                sender.send_messages(ServiceBusMessage("x"))
        assert bus.counts("orders").active == 1


def test_a_host_that_is_not_this_machine_is_said_in_one_line(refused: Refused):
    assert refused("--host", "203.0.113.1")[1].startswith("cannot listen on 203.0.113.1:5672: Cannot assign")
    assert refused("--host", "nowhere.invalid")[1].startswith("cannot listen on nowhere.invalid:5672: ")


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
    refused: Refused, tmp_path: Path, queues: list[dict], namespace: dict, problem: str
):
    path = config(tmp_path, *queues, **namespace)
    status, line = refused("--config", path)
    assert status == 2
    assert line.startswith(f"{path}: UserConfig.Namespaces.0")
    assert problem in line


def test_a_missing_or_broken_file_is_said_in_one_line(refused: Refused, tmp_path: Path):
    assert refused("--config", "/nonexistent.json") == (
        2,
        "/nonexistent.json: cannot be read: No such file or directory",
    )
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert refused("--config", str(broken))[1].startswith(f"{broken}: the file: Invalid JSON")
