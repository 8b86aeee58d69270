"""`tailrace work`: the container worker."""

import os
import sys
from typing import Annotated

import typer

from cli.signals import at_first_signal
from settings import Settings
from telemetry.events import log_to_stderr


def work(
    *,
    json_logs: Annotated[
        bool | None, typer.Option("--json-logs/--text-logs", help="JSON lines by default, text on a terminal.")
    ] = None,
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="End once the queue is empty, as a job does.")
    ] = False,
) -> None:
    """Work the queue until stopped, then finish what is running.

    SIGTERM and Ctrl-C stop it. TAILRACE_CONCURRENCY exports run at once; when it is stopped they have
    TAILRACE_DRAIN_SECONDS to finish, and what is still running then goes back to the queue. A second
    signal ends the worker at once. Settings come from the environment, see docs/settings.md.
    """
    # A container's first process ignores signals that it has no handler for.
    with at_first_signal(lambda: sys.exit(0)):
        settings = Settings.from_env(os.environ)
        log_to_stderr(as_json=not sys.stderr.isatty() if json_logs is None else json_logs)
        from worker.assemble import open_worker
        from worker.container import Consumer

        with open_worker(settings) as worker:
            consumer = Consumer(settings, worker, until_empty=until_empty)
            with at_first_signal(consumer.stop):
                consumer.run()
