"""However a run of the tests ends, its servers end with it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devstack.process import Process, start

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def processes() -> dict[int, tuple[int, str]]:
    """Parent and command by pid, without zombies: those have ended."""
    listing = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(maxsplit=3) for line in listing.splitlines()]
    return {int(pid): (int(parent), args) for pid, parent, state, args in rows if not state.startswith("Z")}


def descendants(ancestor: int) -> dict[int, str]:
    table, found = processes(), {ancestor}
    while new := {pid for pid, (parent, _) in table.items() if parent in found} - found:
        found |= new
    return {pid: table[pid][1] for pid in found - {ancestor}}


def wait_until_gone(servers: dict[int, str]) -> None:
    deadline = time.monotonic() + 30
    while left := {(pid, args) for pid, (_, args) in processes().items()} & set(servers.items()):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.05)


@pytest.fixture
def endless_run(tmp_path: Path):
    options = ["-p", "pytest_timeout", "-s", f"--basetemp={tmp_path / 'run'}"]
    command = [sys.executable, "-m", "pytest", *options, str(HERE / "endless.py")]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # plugins take longer to load than servers to start
    with start(command, ready=re.compile("running"), timeout_s=60, cwd=ROOT, env=environ) as run:
        yield run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_a_run_that_is_ended_by(number: int, endless_run: Process):
    servers = descendants(endless_run.pid)
    assert sum("postgres" in args for args in servers.values()) > 1
    assert any("azurite" in args for args in servers.values())
    assert any("emulators.service_bus" in args for args in servers.values())
    data = {Path(found[1]) for args in servers.values() if (found := re.search(r"postgres -D (\S+)", args))}
    assert [folder.is_dir() for folder in data] == [True]
    endless_run.send_signal(number)
    endless_run.wait(30)
    wait_until_gone(servers)
    assert [folder.parent.exists() for folder in data] == [False]
