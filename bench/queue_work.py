"""Work through the queue: many small exports by two workers, large ones by several, and enqueueing itself."""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data import Table
from bench.measure import ContenderError, PeakMemory, cpu_seconds, measured
from bench.rounds import ROOT, environ
from bench.servers import BlobStore, Database
from devstack.broker import Broker
from devstack.process import Launch, Process, start

_JOBS = """
[[job]]
name = "windows"
schema = "{schema}"
table = "{table}"
blob = "windows/{{window_start}}.csv.gz"
[job.window]
column = "{column}"
type = "integer"
size = {size}
"""
_TIMEOUT_S = 600
# Exports of each worker before the measurement, which excludes its imports and connections: a worker runs for weeks.
_EMPTY_EXPORTS = 8


@dataclass(frozen=True, slots=True)
class Windows:
    """`count` windows of `size` rows on the integer `column` of a table, each one export."""

    table: Table
    column: str
    size: int
    count: int


@contextmanager
def surroundings(windows: Windows, database: Database) -> Iterator[dict[str, str]]:
    """The environment of producers and workers, with a new queue and blob store."""
    jobs = database.directory / "jobs.toml"
    schema, table = windows.table.qualified.split(".")
    jobs.write_text(_JOBS.format(schema=schema, table=table, column=windows.column, size=windows.size))
    with BlobStore.started(database.directory) as store, Broker.start(database.directory, ["exports"]) as broker:
        own = {
            "ServiceBusConnection": broker.connection_string,
            "TAILRACE_QUEUE": "exports",
            "TAILRACE_JOBS": str(jobs),
        }
        yield environ(database, windows.table, "") | store.environ() | own


def enqueue(windows: Windows, environment: dict[str, str], first: int = 0) -> dict[str, float]:
    """Sends the requests from the window `first` on in a new process; returns wall_s, sent, began_at.

    Windows below 0 have no rows.
    """
    last = windows.count if first == 0 else 0
    argv = [sys.executable, "-m", "bench.backfill", str(windows.size * first), str(windows.size * last)]
    seen = measured(argv, environment, timeout_s=_TIMEOUT_S)
    figures: dict[str, float] = json.loads(seen.stdout.splitlines()[-1])
    cpu = seen.cpu_s - figures.pop("cpu_before_s")
    return figures | {"process_s": seen.wall_s, "cpu_s": cpu, "rss_mb": seen.rss_mb, "main_rss_mb": seen.main_rss_mb}


def enqueue_run(windows: Windows, database: Database) -> dict[str, Any]:
    with surroundings(windows, database) as environment:
        done = enqueue(windows, environment)
    del done["began_at"]
    return done | {"per_s": done["sent"] / done["wall_s"]}


def work_run(windows: Windows, database: Database, workers: int) -> dict[str, Any]:
    """Measures from the first request sent to the last export done, with workers that are warmed up."""
    with surroundings(windows, database) as environment, ExitStack() as running:
        processes = [running.enter_context(_worker(environment, database.directory, n)) for n in range(workers)]
        peaks = [PeakMemory(process.pid) for process in processes]
        pids = [process.pid for process in processes]
        empty = _warmed_up(processes, windows, environment)
        cpu = cpu_seconds(*pids)
        sent = enqueue(windows, environment)
        lines = [line for line in _wait_for(processes, empty + windows.count) if line["rows"]]
        wall, cpu = time.time() - sent["began_at"], cpu_seconds(*pids) - cpu
        for peak in peaks:
            peak.stop()
    rows = sum(int(line["rows"]) for line in lines)
    if rows != windows.size * windows.count:
        raise ContenderError(f"{rows:,} rows were exported of {windows.size * windows.count:,}")
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "rss_mb": sum(peak.total_kb for peak in peaks) / 1024,
        "out_mb": sum(int(line["blob_bytes"]) for line in lines) / 1e6,
        "csv_mb": sum(int(line["csv_bytes"]) for line in lines) / 1e6,
        "per_s": windows.count / wall,
    }


def _warmed_up(processes: list[Process], windows: Windows, environment: dict[str, str]) -> int:
    """How many empty exports the workers have done."""
    empty = len(processes) * _EMPTY_EXPORTS
    enqueue(windows, environment, -empty)
    _wait_for(processes, empty)
    return empty


def _worker(environment: dict[str, str], directory: Path, number: int) -> Process:
    log = directory / f"worker-{number}.log"
    log.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "cli", "work", "--json-logs"]
    return start(argv, ready=re.compile("worker ready"), env=environment, cwd=ROOT, launch=Launch(log=log))


def _wait_for(processes: list[Process], count: int) -> list[dict[str, Any]]:
    """The workers' reports of `count` exports. Raises ContenderError if one fails or they take too long."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        # A line without its end is still being written.
        lines = [line for process in processes for line in process.output().rpartition("\n")[0].splitlines()]
        if failed := next((line for line in lines if "export failed" in line), None):
            raise ContenderError(failed)
        done = [line for line in lines if '"export done"' in line]
        if len(done) >= count:
            return [json.loads(line) for line in done]
        time.sleep(0.05)
    raise ContenderError(f"{len(done)} of {count} exports were done in {_TIMEOUT_S} s")
