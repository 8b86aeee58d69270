"""Children are ready when handed over, are ended in order, and die with their parent."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from devstack.process import Launch, ProcessError, start

PYTHON = sys.executable
READY = re.compile(r"ready (\d+)")
SLEEPER = "import os, time; print('starting'); print('ready', os.getpid()); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"
PARENT = f"""
import pathlib, re, sys, time
from devstack.process import Launch, start
launch = Launch(litter=pathlib.Path(sys.argv[1]))
child = start([sys.executable, "-c", {SLEEPER!r}], ready=re.compile("ready"), launch=launch)
print("child", child.pid)
print(child._supervisor.pid, flush=True)
time.sleep(600)
"""


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Not so for a zombie: it has ended, and when it is reaped is up to its new parent."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def test_a_started_child_has_printed_its_ready_line_and_ends_at_close():
    with start([PYTHON, "-c", SLEEPER], ready=READY) as child:
        assert child.match is not None
        assert int(child.match[1]) == child.pid
        assert child.returncode is None
        log = child.log
    assert child.returncode == 128 + signal.SIGTERM
    assert not log.exists()
    wait_until_gone(child.pid)


def test_a_child_that_ends_before_it_is_ready_is_reported_with_its_last_words(tmp_path: Path):
    launch = Launch(log=tmp_path / "log", name="the press")
    launch.log.write_text("yesterday\n")
    with pytest.raises(ProcessError, match=r"^the press ended with status 3\n  no disk left$"):
        start([PYTHON, "-c", "print('no disk left'); raise SystemExit(3)"], ready=READY, launch=launch)


def test_a_silent_child_is_reported_and_ended():
    with pytest.raises(ProcessError, match=r"did not say /ready .* in 2 s\n  starting") as caught:
        start(
            ["sh", "-c", "echo starting $$; exec sleep 600"],
            ready=READY,
            timeout_s=2,
        )
    wait_until_gone(int(str(caught.value).split()[-1]))


def test_a_command_that_does_not_exist_is_named():
    with pytest.raises(ProcessError, match=r"cannot run no-such-server: (No such file|Permission)"):
        start(["no-such-server"], ready=READY)


def test_a_child_that_ignores_the_polite_signal_is_killed_after_its_grace():
    with start([PYTHON, "-c", DEAF], ready=READY, launch=Launch(grace_s=0.2)) as child:
        pass
    assert child.returncode == 128 + signal.SIGKILL


def test_children_of_the_child_are_ended_with_it():
    script = "import subprocess, time; p = subprocess.Popen(['sleep', '600']); print('ready', p.pid); time.sleep(600)"
    with start([PYTHON, "-c", script], ready=READY) as child:
        assert child.match is not None
    wait_until_gone(int(child.match[1]))


def test_a_child_outlives_the_thread_that_started_it():
    """A bare parent-death signal would fire here."""
    children = []
    thread = threading.Thread(target=lambda: children.append(start([PYTHON, "-c", SLEEPER], ready=READY)))
    thread.start()
    thread.join()
    with children[0] as child, pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_child_and_its_litter_go_with_a_parent_that_had_no_time_to_clean_up(number: int, tmp_path: Path):
    litter = tmp_path / "litter"
    (litter / "data").mkdir(parents=True)
    with subprocess.Popen([PYTHON, "-c", PARENT, str(litter)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline().split()[1])
        assert is_running(child)
        supervisor = int(parent.stdout.readline())
        parent.send_signal(number)
    wait_until_gone(child)
    wait_until_gone(supervisor)
    assert not litter.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_a_child_dies_with_a_supervisor_that_was_killed():
    with start([PYTHON, "-c", SLEEPER], ready=READY) as child:
        os.kill(child._supervisor.pid, signal.SIGKILL)
        wait_until_gone(child.pid)


def test_later_lines_are_awaited_in_order_and_go_to_the_named_log(tmp_path: Path):
    log = tmp_path / "child.log"
    script = "import time\nfor n in range(3): print('ready', n)\ntime.sleep(600)"
    with start([PYTHON, "-c", script], ready=READY, launch=Launch(log=log)) as child:
        assert child.match is not None
        found = [child.match[1], child.wait_for(READY)[1], child.wait_for(READY)[1]]
        assert found == ["0", "1", "2"]
        with pytest.raises(ProcessError, match="did not say"):
            child.wait_for(READY, timeout_s=0.1)
    assert log.read_text().splitlines() == ["ready 0", "ready 1", "ready 2"]


def test_a_crashed_child_shows_its_signal():
    with start([PYTHON, "-c", SLEEPER], ready=READY) as child:
        child.send_signal(signal.SIGKILL)
        assert child.wait(10) == 128 + signal.SIGKILL
