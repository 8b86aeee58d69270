"""The worker process as the host sees it: started, called, killed when a function overruns, and replaced."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from emulators.functions_host.app_settings import HostError
from emulators.functions_host.journal import event
from emulators.functions_host.pending import Pending
from emulators.functions_host.wire import Invocation, Loaded, LoadFailed, Outcome

START_TIMEOUT_S = 60.0
STARTS_BEFORE_GIVING_UP = 3
_ROOT = Path(__file__).resolve().parents[2]
_BOOT = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from emulators.functions_host.worker_main import main; main(sys.argv[1:])"
)


@dataclass(frozen=True)
class WorkerPlan:
    """What to start: the app's directory, its environment, the port of the Settlement service, the time per call."""

    app: Path
    environ: Mapping[str, str]
    settlement_port: int
    function_timeout_s: float | None


class Worker:
    """The one worker process of this host; a new one takes the place of one that ended."""

    def __init__(self, plan: WorkerPlan, on_failure: Callable[[], None]) -> None:
        self.ready = threading.Event()
        self._plan = plan
        self._on_failure = on_failure
        self._closing = threading.Event()
        self._loaded: Future[Loaded] = Future()
        self._pending = Pending()
        self._sending = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        # One thread for the host's whole life: Linux kills the worker when the thread that started it ends.
        self._keeper = threading.Thread(target=self._keep_one_running, daemon=True, name="worker")

    def start(self) -> Loaded:
        """Start the process and wait until it has loaded the app. Raises HostError when it cannot."""
        self._keeper.start()
        return self._loaded.result()

    def invoke(self, name: str, call: Invocation, **details: object) -> Future[Outcome]:
        """Send one invocation; its future always gets an outcome, even if the process dies.

        name: the function, for the log; details: more fields for the line that says it started.
        """
        self._wait_until_ready()
        event("info", "function.started", function=name, invocation=call.id, **details)
        outcome = self._pending.add(name, call.id)
        try:
            with self._sending:
                assert self._connection is not None
                self._connection.send(call)
        except OSError:
            self._pending.finish(Outcome(call.id, error="The worker process ended.", worker_lost=True))
        else:
            self._limit(name, call.id, outcome)
        return outcome

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait for the running invocations, at most so long; return whether none is left."""
        return self._pending.wait_until_empty(timeout_s)

    def close(self) -> None:
        """Kill the process at once, running functions included, and every process it started."""
        self._closing.set()
        self._kill()
        self._keeper.join()

    def _wait_until_ready(self) -> None:
        while not self.ready.wait(0.5) and not self._closing.is_set():
            pass

    def _limit(self, name: str, invocation_id: str, outcome: Future[Outcome]) -> None:
        if self._plan.function_timeout_s is None:
            return
        timer = threading.Timer(self._plan.function_timeout_s, self._overrun, (name, invocation_id))
        timer.daemon = True
        outcome.add_done_callback(lambda _: timer.cancel())
        timer.start()

    def _overrun(self, name: str, invocation_id: str) -> None:
        """Do what Azure does at a function timeout: this call fails, and the worker with all its calls is replaced."""
        if not self.ready.is_set():
            return  # another call's timeout is replacing the worker: this call ends with it
        error = f"Timeout value of {self._plan.function_timeout_s:g} s was exceeded by function {name}."
        # Ready before outcomes are handed over: the message comes back at once and must find the new worker.
        if self._pending.finish(Outcome(invocation_id, error=error), before_telling=self.ready.clear):
            event("error", "function.timeout", function=name, invocation=invocation_id, next="replacing the worker")
            self._kill()

    def _kill(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _keep_one_running(self) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                self._run_one()
                failures = 0
            except HostError as error:
                failures += 1
                if not self._loaded.done():
                    self._loaded.set_exception(error)
                    return
                event("error", "worker.start_failed", error=error)
                if failures == STARTS_BEFORE_GIVING_UP:
                    self._on_failure()
                    return
                self._closing.wait(2 ** (failures - 1))

    def _run_one(self) -> None:
        """Start one process and stay with it to its end."""
        began = time.monotonic()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                process = self._process = self._spawn(theirs.fileno())
            if self._closing.is_set():  # close() may have looked before there was this process
                self._kill()
            connection = self._connection = Connection(os.dup(ours.fileno()))
            reader = threading.Thread(target=self._read, args=(connection,), daemon=True, name="outcomes")
            try:
                self._receive_loaded(connection, process, began)
                reader.start()
                process.wait()
            finally:
                self.ready.clear()
                ours.shutdown(socket.SHUT_RDWR)  # ends reader and senders, also where a child of the app has a copy
                self._bury(process)
        reader.join()
        with self._sending:
            connection.close()

    def _spawn(self, descriptor: int) -> subprocess.Popen[bytes]:
        plan = self._plan
        arguments = [str(_ROOT), str(descriptor), str(plan.app), str(plan.settlement_port)]
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT, *arguments],
            cwd=plan.app,
            env=dict(plan.environ),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # stdout is the host's, for its one ready line
            pass_fds=[descriptor],
            process_group=0,  # a terminal's Ctrl-C reaches the host alone, which then ends the worker
        )

    def _receive_loaded(self, connection: Connection, process: subprocess.Popen[bytes], began: float) -> None:
        if not connection.poll(START_TIMEOUT_S):
            raise HostError(f"The app did not load within {START_TIMEOUT_S:g} s.")
        try:
            answer = connection.recv()
        except (EOFError, OSError):
            answer = LoadFailed(f"The worker process ended with status {process.wait()} while it loaded the app.", "")
        if isinstance(answer, LoadFailed):
            event("error", "app.not_loaded", error=answer.error, trace=answer.trace or None)
            raise HostError(
                f"The app in {self._plan.app} cannot be loaded{answer.place(self._plan.app)}: {answer.error}"
            )
        duration = round((time.monotonic() - began) * 1000)
        event("info", "worker.ready", pid=process.pid, library=answer.library, duration_ms=duration)
        if not self._loaded.done():
            self._loaded.set_result(answer)
        self.ready.set()

    def _read(self, connection: Connection) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._pending.finish(connection.recv())

    def _bury(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        if not self._closing.is_set():
            event("warning", "worker.ended", pid=process.pid, status=status, next="starting another")
        self._pending.fail_all(f"The worker process ended with status {status}.")
