"""Runs one process and measures it and its descendants from outside: wall time, CPU, memory."""

import ctypes
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import IO, Self

_SAMPLE_S = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


class ContenderError(RuntimeError):
    """A process failed or took too long; the message ends with its last lines."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The resources that one process and its descendants used.

    wall_s: from start to end, the interpreter's start included. cpu_s: user and system, of all that were waited for.
    rss_mb: the highest sum, over the process tree, of each process's own peak; main_rss_mb: the process alone.
    """

    wall_s: float
    cpu_s: float
    rss_mb: float
    main_rss_mb: float
    stdout: str


def measured(argv: Sequence[str], env: Mapping[str, str], *, timeout_s: float, is_quiet: bool = False) -> Measured:
    """Runs a program to its end. is_quiet: discards its standard output. Raises ContenderError."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = _started(argv, env, subprocess.DEVNULL if is_quiet else out, err)
        peak = PeakMemory(process.pid)
        try:
            status, usage = _waited(process.pid, began + timeout_s)
            wall = time.perf_counter() - began
        finally:
            peak.stop()
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise ContenderError(f"status {process.returncode}: {_last_lines(err)}")
        out.seek(0)
        cpu = usage.ru_utime + usage.ru_stime
        return Measured(wall, cpu, peak.total_kb / 1024, peak.main_kb / 1024, out.read().decode())


def _started(
    argv: Sequence[str], env: Mapping[str, str], stdout: int | IO[bytes], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509  # no other thread of ours is at work between two runs
    )


class PeakMemory:
    """Samples VmHWM of a process and its descendants in a thread: ru_maxrss of a child is at least its parent's."""

    def __init__(self, pid: int) -> None:
        self.total_kb = self.main_kb = 0
        self._pid = pid
        self._stop = Event()
        self._thread = Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            sizes = {pid: _peak_kb(pid) for pid in tree(self._pid) if not _is_still_its_parent(pid)}
            self.total_kb = max(self.total_kb, sum(sizes.values()))
            self.main_kb = max(self.main_kb, sizes.get(self._pid, 0))


class ServersCpu:
    """The CPU that servers and their children use during a block; read `seconds` after it."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._children = self._tree()
        self._before = cpu_seconds(*self._pids)
        return self

    def __exit__(self, *_: object) -> None:
        # The parent counts a backend's time once the backend has ended, which happens at about this moment.
        deadline = time.monotonic() + 1
        while not self._tree() <= self._children and time.monotonic() < deadline:
            time.sleep(0.01)
        self.seconds = cpu_seconds(*self._pids) - self._before

    def _tree(self) -> set[int]:
        return {child for pid in self._pids for child in tree(pid)}


def tree(pid: int) -> Iterator[int]:
    """A process and its living descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text().split():
                yield from tree(int(child))


def cpu_seconds(*pids: int) -> float:
    """CPU seconds so far of the processes and their descendants, ended ones included."""
    return sum(_cpu_ticks(one) for pid in pids for one in tree(pid)) / _TICKS


def _cpu_ticks(pid: int) -> int:
    with suppress(OSError):
        # The name in brackets may hold spaces; utime, stime, cutime, cstime are fields 14 to 17.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))
    return 0


def _peak_kb(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def _is_still_its_parent(pid: int) -> bool:
    """Whether a fork has not yet executed its program; until then its memory is its parent's."""
    with suppress(OSError):
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        return Path(f"/proc/{pid}/cmdline").read_bytes() == Path(f"/proc/{parent}/cmdline").read_bytes()
    return True


def _waited(pid: int, deadline: float) -> tuple[int, resource.struct_rusage]:
    while time.perf_counter() < deadline:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, usage
        time.sleep(0.002)
    os.killpg(pid, signal.SIGKILL)
    os.wait4(pid, 0)
    raise ContenderError("it took too long and was killed")


def _last_lines(file: IO[bytes]) -> str:
    file.seek(0)
    return " | ".join(file.read().decode(errors="replace").strip().splitlines()[-3:])


def _die_with_parent() -> None:
    if prctl := getattr(ctypes.CDLL(None), "prctl", None):
        prctl(_DEATH_SIGNAL, signal.SIGKILL)
