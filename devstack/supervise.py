"""Run one command and end it when its parent goes; started by devstack.process, never by hand.

`python -I -S supervise.py CHANNEL STOP_SIGNAL GRACE_S ACCOUNT LITTER COMMAND [ARGUMENT …]`
CHANNEL: the number of an inherited socket; the command's pid goes out on it, a byte or the end of file means stop.
ACCOUNT: a system user to run as, or empty. LITTER: lines of paths to remove if the parent went without a word.

Neither alternative holds alone: a parent-death signal fires when the *thread* that started the child ends, and an exit
handler never runs in a parent that was killed. So the parent watches nothing, this process watches the parent, and the
kernel's parent-death signal covers this process (on Linux). It imports little: it is started for every server.
"""

import ctypes
import os
import select
import shutil
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
STOPPING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def main(arguments: list[str]) -> int:
    """Run the command. Returns its exit status, 128 + signal if one ended it."""
    channel, stop_signal, grace_s, account, litter, *argv = arguments
    watch = _Watch(int(channel))
    child = _spawn(argv, account)
    os.write(watch.channel, f"{child}\n".encode())
    status = watch.until_ended(child, None)
    if status is None:
        os.kill(child, int(stop_signal))
        status = watch.until_ended(child, time.monotonic() + float(grace_s))
    _kill_group(child)
    if status is None:
        _, status = os.waitpid(child, 0)
    if watch.parent_is_gone:
        _remove(litter.splitlines())
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


class _Watch:
    """Wakes on a signal, on the channel's end of file, and once a second to see whether the parent is still there."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        os.set_inheritable(channel, False)
        self._parent = os.getppid()
        self.parent_is_gone = False
        self._wake, wake_end = os.pipe()
        os.set_blocking(wake_end, False)
        signal.set_wakeup_fd(wake_end)
        for number in (*STOPPING, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def until_ended(self, child: int, deadline: float | None) -> int | None:
        """The child's wait status, or None: at the deadline, or without one as soon as the child should be stopped."""
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                return status
            if deadline is None and self._should_stop():
                return None
            if deadline is not None and not self._sleep_until(deadline):
                return None

    def _should_stop(self) -> bool:
        ready, _, _ = select.select([self.channel, self._wake], [], [], 1.0)
        signals = set(os.read(self._wake, 512)) if self._wake in ready else set()
        said = os.read(self.channel, 1) if self.channel in ready else None
        # A fork of the parent may hold the channel open after the parent's death.
        self.parent_is_gone = said == b"" or os.getppid() != self._parent
        return self.parent_is_gone or bool(said) or bool(signals & STOPPING)

    def _sleep_until(self, deadline: float) -> bool:
        left = deadline - time.monotonic()
        if left > 0 and select.select([self._wake], [], [], left)[0]:
            os.read(self._wake, 512)
        return left > 0


def _spawn(argv: list[str], account: str) -> int:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    child = os.fork()
    if child:
        return child
    try:
        # Its own session: a terminal's Ctrl-C reaches the parent only, which then stops its servers in order.
        os.setsid()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if account:
            _become(account)
        if prctl:  # after the change of user, which would clear it
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execvp(argv[0], argv)  # noqa: S606
    except OSError as error:
        os.write(2, f"cannot run {argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _become(account: str) -> None:
    import pwd

    entry = pwd.getpwnam(account)
    os.setgroups([entry.pw_gid])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def _kill_group(child: int) -> None:
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left in it; macOS says so with a permission error


def _remove(paths: list[str]) -> None:
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - pathlib costs half of the start
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.exists(path):  # noqa: PTH110
            os.unlink(path)  # noqa: PTH108


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
