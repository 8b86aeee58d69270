"""`tailrace work`: the container worker."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal

from cli.progress import Speed, status_line
from cli.signals import at_first_signal
from cli.terminal import say
from settings import Settings
from telemetry.events import log_to_stderr
from worker.progress import progress

if TYPE_CHECKING:
    from worker.container import Consumer


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

    Text logs have one line for each export; a terminal shows below them how far the worker has come. With --until-empty
    the exit status is 1 if a message was dead-lettered, and totals are printed.

    Example: tailrace work --until-empty
    """
    # The first process of a container ignores signals without a handler.
    with at_first_signal(lambda: sys.exit(0)):
        settings = Settings.from_env(os.environ)
        as_json = not sys.stderr.isatty() if json_logs is None else json_logs
        from worker.assemble import open_worker
        from worker.container import Consumer

        log_to_stderr(as_json=as_json)
        with open_worker(settings) as worker:
            consumer = Consumer(settings, worker, until_empty=until_empty)
            with at_first_signal(consumer.stop), nullcontext() if as_json else _live(consumer):
                totals = consumer.run()
        if until_empty:
            say(_summary(totals))
            raise typer.Exit(1 if totals["dead_lettered"] else 0)


@contextmanager
def _live(consumer: "Consumer") -> Iterator[None]:
    """On a terminal, one line below the logs that says how far the worker has come."""
    speed = Speed()

    def line() -> str:
        now = progress()
        moved = f"{now.rows:,} rows, {decimal(int(speed.of(now.bytes, time.monotonic())))}/s"
        return f"{now.running} running, {moved}; {_summary(consumer.totals())}"

    with status_line(line):
        # Again, since a terminal's last line has taken stderr over.
        log_to_stderr(as_json=False)
        yield


def _summary(totals: Counter[str]) -> str:
    """One line with the counts of all messages.

    >>> _summary(Counter(completed=3, dead_lettered=1))
    '3 completed, 0 retried later, 1 dead-lettered, 0 given back'
    """
    words = {"completed": "completed", "retried": "retried later", "dead_lettered": "dead-lettered"}
    return ", ".join(f"{totals[key]} {word}" for key, word in {**words, "abandoned": "given back"}.items())
