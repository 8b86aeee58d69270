r"""Child processes that are ready when they are handed over and that never outlive their parent.

with start([sys.executable, "-m", "emulators.service_bus"], ready=re.compile(r"listening on (\S+)")) as broker:
    address = broker.match[1]
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

SUPERVISOR = Path(__file__).with_name("supervise.py")
POLL_S = 0.01


class ProcessError(RuntimeError):
    """A child ended, or stayed silent, where a line of output was awaited; the message ends with its last lines."""


@dataclass(frozen=True, slots=True)
class Launch:
    """Options of a child, beyond its command.

    log: its standard output and error are appended here; a temporary file, gone at close, if None.
    account: the system user to run as, for which the caller must be root.
    litter: a folder to remove if this process dies without closing the child.
    name: what messages call it, the program's name if empty.
    stop_signal: what asks it to end; after `grace_s` seconds it and its process group are killed.
    """

    log: Path | None = None
    account: str = ""
    litter: Path | None = None
    name: str = ""
    stop_signal: int = signal.SIGTERM
    grace_s: float = 10.0

    def options(self) -> list[str]:
        """Return how the supervisor ends the child and as whom it runs it, as arguments."""
        return [str(int(self.stop_signal)), str(self.grace_s), self.account]


class Process:
    """A running child. Close it, best by `with`; it also ends when this process does, however that happens."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None, launch: Launch) -> None:
        self.name = launch.name or Path(argv[0]).name
        self.match: re.Match[str] | None = None
        self._grace_s = launch.grace_s
        self._temporary = launch.log is None
        self.log = launch.log or _temporary_log()
        self._channel, theirs = socket.socketpair()
        litter = [str(path) for path in (launch.litter, self.log if self._temporary else None) if path]
        options = [str(theirs.fileno()), *launch.options(), "\n".join(litter)]
        with self.log.open("ab") as log, theirs:
            self._start = self._seen = log.tell()
            self._supervisor = _supervise([*options, *argv], env, cwd, log, theirs)
        said = self._channel.recv(32)
        if not said:
            self.close()
            raise ProcessError(f"{self.name} could not be supervised{self._last_lines()}")
        self.pid = int(said)

    @property
    def returncode(self) -> int | None:
        """The exit status, 128 + signal if one ended it, None while it runs."""
        return self._supervisor.poll()

    def wait(self, timeout_s: float) -> int:
        """The exit status, once it has ended by itself. Raises subprocess.TimeoutExpired."""
        return self._supervisor.wait(timeout_s)

    def send_signal(self, number: int) -> None:
        """Signal the child itself, for instance SIGKILL to see what a crash leaves behind."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def output(self) -> str:
        """Everything that it has printed so far."""
        return self.log.read_bytes()[self._start :].decode(errors="replace") if self.log.exists() else ""

    def wait_for(self, pattern: re.Pattern[str], timeout_s: float = 30) -> re.Match[str]:
        """The next match in a line of output after the last one found. Raises ProcessError when none comes."""
        deadline = time.monotonic() + timeout_s
        while True:
            ended = self.returncode  # read before the log, so that its last lines are seen
            if match := self._next_match(pattern):
                return match
            if ended is not None:
                raise ProcessError(f"{self.name} ended with status {ended}{self._last_lines()}")
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"{self.name} did not say /{pattern.pattern}/ in {timeout_s:g} s{self._last_lines()}"
                )
            time.sleep(POLL_S)

    def close(self) -> None:
        """Ask it to end, kill it after its grace, and return when it is gone. Harmless when done twice."""
        if self._channel.fileno() != -1:
            with contextlib.suppress(OSError):
                self._channel.send(b".")
            self._channel.close()
        try:
            self._supervisor.wait(self._grace_s + 10)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        if self._temporary:
            self.log.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next_match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        with self.log.open("rb") as log:
            log.seek(self._seen)
            for line in log:
                if not line.endswith(b"\n"):
                    return None
                self._seen += len(line)
                if match := pattern.search(line.decode(errors="replace").rstrip()):
                    return match
        return None

    def _last_lines(self) -> str:
        lines = self.output().splitlines()[-15:]
        return "".join(f"\n  {line}" for line in lines) or " and printed nothing"


def start(
    argv: Sequence[str],
    *,
    ready: re.Pattern[str] | None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 30,
    cwd: Path | None = None,
    launch: Launch = Launch(),
) -> Process:
    """A child that runs and, unless `ready` is None, has printed a line in which `ready` is found: see its `match`.

    env: the child's whole environment, this process's own if None. timeout_s: how long it may take to become ready.
    Raises ProcessError, with the child's last lines, if it ends or stays silent; nothing is left running then.
    """
    process = Process(argv, env, cwd, launch)
    if ready is None:
        return process
    try:
        process.match = process.wait_for(ready, timeout_s)
    except BaseException:
        process.close()
        raise
    return process


def _temporary_log() -> Path:
    handle, name = tempfile.mkstemp(prefix="tailrace-", suffix=".log")
    os.close(handle)
    return Path(name)


def _supervise(
    arguments: list[str], env: Mapping[str, str] | None, cwd: Path | None, log: BinaryIO, channel: socket.socket
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(SUPERVISOR), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env={"PYTHONUNBUFFERED": "1", **(os.environ if env is None else env)},
        cwd=cwd,
        pass_fds=[channel.fileno()],
        start_new_session=True,
    )
