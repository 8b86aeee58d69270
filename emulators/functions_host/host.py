"""The host: reads what the app needs, starts the worker and the triggers, and ends them in order."""

import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from emulators.functions_host.app import QUEUE, TIMER, Function, choose
from emulators.functions_host.app_settings import HostError, read_settings
from emulators.functions_host.calls import Calls
from emulators.functions_host.host_json import HostOptions, read_host_json
from emulators.functions_host.http_server import HttpServer, Site
from emulators.functions_host.journal import event, render_log
from emulators.functions_host.queue_trigger import QueueTrigger, source_of
from emulators.functions_host.settlement import Deliveries, serve
from emulators.functions_host.timer import TimerTrigger
from emulators.functions_host.wire import Loaded
from emulators.functions_host.worker import Worker, WorkerPlan

CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Arguments:
    """What the command line decides; no names in `only` means every function."""

    app: Path
    settings: Path | None
    port: int
    only: frozenset[str]
    drain_s: float
    settlement: bool


class Host:
    """One instance of the app, as Azure runs them: one worker process, its triggers, its HTTP endpoint."""

    def __init__(self, arguments: Arguments) -> None:
        self._arguments = arguments
        self._settings = read_settings(arguments.settings, os.environ)
        self._options: HostOptions = read_host_json(arguments.app / "host.json")
        self._stopping = threading.Event()
        self._gave_up = False
        self._deliveries = Deliveries()

    def run(self) -> int:
        """Run until a signal asks for the end; give the exit status."""
        render_log("sdk.log", logging.WARNING)
        http = HttpServer(self._arguments.port)
        calls = self._options.queue.max_concurrent_calls + 4
        _server, port = serve(self._deliveries if self._arguments.settlement else None, calls)
        worker = Worker(self._plan(port), self._give_up)
        queues: list[QueueTrigger] = []
        _end_by_signals(self._stopping)
        try:
            self._serve(http, worker, queues)
        except KeyboardInterrupt:
            event("info", "host.stopping", drain_s=self._arguments.drain_s)
        finally:
            self._stop(http, worker, queues)
        return 1 if self._gave_up else 0

    def _serve(self, http: HttpServer, worker: Worker, queues: list[QueueTrigger]) -> None:
        loaded = worker.start()
        functions = choose(loaded.functions, self._arguments.only, self._settings)
        calls = Calls(worker, functions, self._settings)
        timers = [TimerTrigger(one, calls, self._settings) for one in functions if one.kind == TIMER]
        queues += [self._queue_trigger(one, calls, loaded) for one in functions if one.kind == QUEUE]
        http.site = Site(functions, timers, calls, self._options.route_prefix)
        starts = [trigger.start for trigger in queues] + [timer.start for timer in timers]
        for start in starts:
            start(self._stopping)
        event("info", "host.ready", functions=",".join(function.name for function in functions))
        print(f"Functions host listening on http://127.0.0.1:{http.server_port}", flush=True)
        self._stopping.wait()

    def _plan(self, settlement_port: int) -> WorkerPlan:
        limit = self._options.function_timeout
        environ = {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
            **self._settings,
        }
        app = self._arguments.app.resolve()
        return WorkerPlan(app, environ, settlement_port, None if limit is None else limit.total_seconds())

    def _queue_trigger(self, function: Function, calls: Calls, loaded: Loaded) -> QueueTrigger:
        options = self._options.queue
        if options.max_concurrent_calls > loaded.threads:
            event(
                "warning",
                "worker.threads",
                maxConcurrentCalls=options.max_concurrent_calls,
                threads=loaded.threads,
                next="calls wait inside the worker while lock and timeout run; raise PYTHON_THREADPOOL_THREAD_COUNT",
            )
        return QueueTrigger(function, source_of(function, self._settings, options), calls, self._deliveries)

    def _give_up(self) -> None:
        self._gave_up = True
        self._stopping.set()

    def _stop(self, http: HttpServer, worker: Worker, queues: list[QueueTrigger]) -> None:
        """Take nothing new, give running functions their time, then kill the worker as Azure does."""
        self._stopping.set()
        http.shutdown()
        if self._arguments.drain_s:
            worker.wait_until_idle(self._arguments.drain_s)
            _join(queues)  # for the last settlements
        worker.close()
        _join(queues)


def _join(queues: list[QueueTrigger]) -> None:
    """Wait for the receivers to be closed, so that no message stays behind in one until its lock ends."""
    deadline = time.monotonic() + CLOSE_TIMEOUT_S
    for queue in queues:
        queue.join(deadline)


def _end_by_signals(stopping: threading.Event) -> None:
    """Raise KeyboardInterrupt in the main thread at the first SIGTERM or SIGINT; ignore any later one."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        stopping.set()
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def check_app(app: Path) -> None:
    """Raise HostError unless the directory holds a function app."""
    for name in ("function_app.py", "host.json"):
        if not (app / name).is_file():
            raise HostError(f"{app} holds no {name}, so it is no function app. Give its directory with --app.")
