"""The fixtures that the emulator has for other projects' tests, in a pytest of their own."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

pytest_plugins = ["emulators.service_bus.fixtures"]
NAMES = []

@pytest.mark.parametrize("turn", [1, 2])
def test_a_queue_of_its_own(service_bus, service_bus_queue, turn):
    queue = service_bus_queue(LockDuration="PT5S")
    NAMES.append(queue)
    assert len(set(NAMES)) == turn
    with ServiceBusClient.from_connection_string(service_bus.connection_string) as client:
        with client.get_queue_sender(queue) as sender:
            sender.send_messages(ServiceBusMessage("x"))
    assert service_bus.counts(queue).active == 1
    assert [found.name for found in service_bus.queues()] == [queue]
"""


def test_each_test_gets_a_queue_of_its_own_that_goes_with_it(tmp_path: Path):
    (tmp_path / "test_it.py").write_text(TESTS)
    without_plugins = {"PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4]), **without_plugins}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
