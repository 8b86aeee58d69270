"""`tailrace work`: the container worker."""

import os
import sys
from collections import Counter
from typing import Annotated

import typer

from cli.signals import at_first_signal
from cli.terminal import say
from settings import Settings
from telemetry.events import log_to_stderr


def work(
    *,
    json_logs: Annotated[
        bool | None, typer.Option("--json-logs/--text-logs", help="JSON lines by default, text on a terminal.")
    ] = None,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End once the queue is empty.")] = False,
) -> None:
    """Work the queue until stopped, then finish what is running.

    TAILRACE_CONCURRENCY exports run at once. SIGTERM and Ctrl-C stop the worker: running exports have
    TAILRACE_DRAIN_SECONDS to finish, then they go back to the queue. A second signal ends it at once. Settings come
    from the environment, see docs/reference/settings.md.

    With --until-empty the exit status is 1 if a message was dead-lettered; totals are printed.
    """
    # The first process of a container ignores signals without a handler.
    with at_first_signal(lambda: sys.exit(0)):
        settings = Settings.from_env(os.environ)
        log_to_stderr(as_json=not sys.stderr.isatty() if json_logs is None else json_logs)
        from worker.assemble import open_worker
        from worker.container import Consumer

        with open_worker(settings) as worker:
            consumer = Consumer(settings, worker, until_empty=until_empty)
            with at_first_signal(consumer.stop):
                totals = consumer.run()
        if until_empty:
            say(_summary(totals))
            raise typer.Exit(1 if totals["dead_lettered"] else 0)


def _summary(totals: Counter[str]) -> str:
    """One line with the counts of all messages.

    >>> _summary(Counter(completed=3, dead_lettered=1))
    '3 completed, 0 retried later, 1 dead-lettered, 0 given back'
    """
    words = {"completed": "completed", "retried": "retried later", "dead_lettered": "dead-lettered"}
    return ", ".join(f"{totals[key]} {word}" for key, word in {**words, "abandoned": "given back"}.items())
