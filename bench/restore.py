"""`python -m bench.restore [--rows 2000000] [--rounds 3]`: what a restore, an audit and a verification cost.

Four windows of one table are exported once. Each round then runs, one after the other: B0, which is psql's COPY of the
whole table to /dev/null; `zcat | psql \\copy` of the four files, from this machine's disk; `tailrace restore` of the
same blobs by one and by four streams; a deep audit; and `tailrace verify`. "per window" is the reading of all windows
by a process that runs already, one after the other. Printed are medians of wall time and of the processes' own CPU
time, and of Tailrace's commands the most memory.
"""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.data import Table, events, index, load
from bench.measure import Measured, measured
from bench.programs import find_psql
from bench.servers import BlobStore, Database

_WINDOWS, _TIMEOUT_S = 4, 1200.0
_BASE, _PER_WINDOW = "B0: psql COPY to /dev/null", "deep audit, per window"
_JOBS = """
[[job]]
name = "events"
schema = "bench"
table = "TABLE"
blob = "events/{window_start}.csv.gz"
streams = 1
[job.window]
column = "event_id"
type = "integer"
size = SIZE
"""


@dataclass(frozen=True)
class Bench:
    """The servers with four exported windows, and the files of these on disk."""

    database: Database
    environ: Mapping[str, str]
    table: Table
    files: list[Path]
    walls: dict[str, list[float]] = field(default_factory=dict)
    cpus: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, argv: list[str]) -> Measured:
        found = measured(argv, self.environ, timeout_s=_TIMEOUT_S)
        self.walls.setdefault(name, []).append(found.wall_s)
        self.cpus.setdefault(name, []).append(found.cpu_s)
        self.memory[name] = max(self.memory.get(name, 0.0), found.main_rss_mb)
        return found

    def tailrace(self, name: str, *arguments: str) -> None:
        self.run(name, [sys.executable, "-m", "cli", *arguments])

    @contextmanager
    def empty_target(self) -> Iterator[None]:
        """bench.again, a table like the source's; every row must be there at the end."""
        self.database.admin.execute("DROP TABLE IF EXISTS bench.again")
        self.database.admin.execute(f"CREATE TABLE bench.again (LIKE {self.table.qualified})")
        self.database.admin.execute("CHECKPOINT")
        yield
        (rows,) = self.database.admin.execute("SELECT count(*) FROM bench.again").fetchone() or (0,)
        if rows != self.table.rows:
            raise RuntimeError(f"{rows} rows of {self.table.rows} came back")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.restore", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with prepared(asked.rows) as bench:
        for _ in range(asked.rounds):
            one_round(bench)
        report(bench)


@contextmanager
def prepared(rows: int) -> Iterator[Bench]:
    with Database.started(over_socket=False) as database, BlobStore.started(database.directory) as store:
        table = events(rows // _WINDOWS * _WINDOWS)
        load(database.admin, table)
        index(database.admin, table, "event_id")
        jobs = database.directory / "jobs.toml"
        jobs.write_text(_JOBS.replace("TABLE", table.name).replace("SIZE", str(table.rows // _WINDOWS)))
        environ = {**os.environ, **database.environ(), **store.environ(), "TAILRACE_JOBS": str(jobs)}
        database.admin.execute(f"GRANT USAGE ON SCHEMA bench TO {environ['PGUSER']}")
        database.admin.execute(f"GRANT SELECT ON {table.qualified} TO {environ['PGUSER']}")
        export(environ, table)
        files = []
        for name in store.container.list_blob_names(name_starts_with="events/"):
            files.append(database.directory / Path(name).name)
            files[-1].write_bytes(store.container.download_blob(name).readall())
        yield Bench(database, environ, table, files)


def export(environ: Mapping[str, str], table: Table) -> None:
    from datetime import UTC, datetime

    from producer.ask import requests_between
    from settings import Settings
    from worker.assemble import open_exporter
    from worker.cancellation import Cancellation
    from worker.export import run_export

    with open_exporter(Settings.from_env(environ)) as exporter:
        for request in requests_between(exporter.jobs["events"], "0", str(table.rows), datetime.now(UTC)):
            run_export(request, exporter, Cancellation())


def one_round(bench: Bench) -> None:
    admin = bench.database.postgres.dsn("postgres")
    psql = [find_psql(), "--no-psqlrc", "--quiet"]
    copy_out = f"COPY {bench.table.qualified} TO STDOUT (FORMAT csv)"
    line = f"{shlex.join([*psql, '--command', copy_out, admin])} > /dev/null"
    base = ["sh", "-c", line]
    bench.run(_BASE, base)
    with bench.empty_target():
        copy_in = shlex.join([*psql, "--command", r"\copy bench.again FROM STDIN (FORMAT csv, HEADER)", admin])
        lines = " && ".join(f"zcat {shlex.quote(str(file))} | {copy_in}" for file in bench.files)
        bench.run(r"zcat | psql \copy, 1 stream", ["sh", "-c", lines])
    for streams in (1, 4):
        with bench.empty_target():
            arguments = ("restore", "events", "--into", "bench.again", "--server", admin, "--parallel", str(streams))
            bench.tailrace(f"tailrace restore, {streams} stream{'s' * (streams > 1)}", *arguments)
    bench.tailrace("tailrace audit (counts)", "audit", "events", "--from", "0")
    bench.tailrace("tailrace audit --deep", "audit", "events", "--from", "0", "--deep")
    bench.tailrace("tailrace verify", "verify", "events")
    bench.tailrace("tailrace --version (its start alone)", "--version")
    bench.run(_BASE, base)
    bench.walls.setdefault(_PER_WINDOW, []).append(read_again(bench))


def read_again(bench: Bench) -> float:
    """Seconds in which a process that runs already reads the rows of all windows again, one window after the other."""
    from datetime import UTC, datetime

    from operations.blobs import Blobs
    from operations.windows import windows_of
    from settings import Settings
    from worker.assemble import open_exporter
    from worker.cancellation import Cancellation
    from worker.reread import reread

    settings = Settings.from_env(bench.environ)
    with open_exporter(settings) as exporter, exporter.source.connection("the windows") as connection:
        job = exporter.jobs["events"]
        windows = list(windows_of(job, Blobs(settings), "0", None, datetime.now(UTC)))
        began = time.perf_counter()
        for window in windows:
            assert window.blob is not None
            receipt = window.blob.receipt
            assert receipt is not None
            found = reread(connection, exporter.source, window.request, receipt, exporter.jobs, Cancellation())
            if found.row_hash != receipt.row_hash:
                raise RuntimeError(f"window {window.start} differs")
        return time.perf_counter() - began


def report(bench: Bench) -> None:
    base = median(bench.walls[_BASE])
    megabytes = sum(file.stat().st_size for file in bench.files) / 1e6
    print(f"{bench.table.rows:,} rows in {_WINDOWS} windows, {megabytes:.0f} MB of gzip")
    print(f"{'':38}{'wall s':>8}{'/ B0':>7}{'CPU s':>7}{'MB':>6}")
    for name, walls in bench.walls.items():
        memory = f"{bench.memory[name]:6.0f}" if name.startswith("tailrace") else ""
        cpu = f"{median(bench.cpus[name]):7.2f}" if name in bench.cpus else f"{'-':>7}"
        print(f"{name:38}{median(walls):8.2f}{median(walls) / base:7.2f}{cpu}{memory}")


if __name__ == "__main__":
    main()
