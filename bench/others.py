"""Other measurements than large tables: many small exports, enqueueing, the start of the app."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from bench.data import events, index, load
from bench.measure import measured
from bench.queue_work import Windows, enqueue_run, work_run
from bench.rounds import Say, environ
from bench.servers import BlobStore, Database
from bench.summary import Entry, entry, middle

EXPORTS, ROWS_OF_EACH = 1_000, 300
ENQUEUED = 10_000


def others(database: Database, rounds: int, say: Say) -> Iterator[Entry]:
    """An entry for each, with `per_s`, and for the start of the app the `sdks` that it imports."""
    small = replace(events(EXPORTS * ROWS_OF_EACH), name="small")
    load(database.admin, small)
    index(database.admin, small, "event_id")
    runs: dict[str, Callable[[], dict[str, Any]]] = {
        f"{EXPORTS} exports of {ROWS_OF_EACH} rows, 2 workers": partial(
            work_run, Windows(small, "event_id", ROWS_OF_EACH, EXPORTS), database, 2
        ),
        f"enqueue {ENQUEUED:,} requests": partial(enqueue_run, Windows(small, "event_id", 1, ENQUEUED), database),
        "import and index function_app": partial(cold_start_run, database),
    }
    for name, run in runs.items():
        say(name)
        done = [run() for _ in range(rounds)]
        yield entry(name, done, group="others", per_s=middle(done, "per_s"), sdks=done[0].get("sdks"))


def cold_start_run(database: Database) -> dict[str, Any]:
    """One start in a new process. SDKs that the library imports before the app are not counted for the app."""
    with BlobStore.started(database.directory) as store:
        env = environ(database, events(0), "") | store.environ()
        settings = {"TAILRACE_TICK": "0 * * * * *", "TAILRACE_QUEUE": "exports"}
        # The host's command line, from which the binding for dead-lettering reads its address.
        argv = [sys.executable, "-m", "bench.cold_start", "--host", "127.0.0.1", "--port", "9"]
        seen = measured([*argv, "--functions-grpc-max-message-length", "4194304"], env | settings, timeout_s=60)
    figures: dict[str, Any] = json.loads(seen.stdout.splitlines()[-1])
    cpu = figures.pop("cpu_s")
    return figures | {"process_s": seen.wall_s, "cpu_s": cpu, "rss_mb": seen.rss_mb, "main_rss_mb": seen.main_rss_mb}
