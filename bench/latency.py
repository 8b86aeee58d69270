"""`python -m bench.latency [--rows 1000000] [--rounds 1] [--only TEXT]`: exports over a slow link.

The worker is at the other end of a network with a delay (bench.network): on the way to PostgreSQL, to storage, or to
both. First are exports of 300 rows by one process, and the round trips that they make. Then each round exports the
table at each delay once, in a new process with a new storage; beside them are psql's COPY, which only reads, and an
upload of bytes from memory, which only writes. Printed is the shortest time over the rounds, and what it is of the
shortest one without delay, over the same network. It needs Linux and root.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.data import Table, events, load
from bench.job import Job
from bench.measure import measured
from bench.network import WORKER, Network, network, why_not
from bench.rounds import environ
from bench.servers import BlobStore, Database
from bench.tables import as_text
from emulators.certificate import Certificate, create_certificate

# The header and the lines of a table.
type Text = tuple[list[str], list[list[str]]]
DELAYS_MS = (0, 5, 20, 50)
SMALL_ROWS = 300
_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table: what is run, which ways are delayed, whether both servers take TLS only, and settings."""

    name: str
    link: str
    argv: tuple[str, ...]
    is_encrypted: bool = False
    env: dict[str, str] = field(default_factory=dict)


def _ours(form: str, link: str, *, is_encrypted: bool = False, **env: str) -> Case:
    argv = (sys.executable, "-m", "bench.child", f"Tailrace, {form}, as it decides")
    settings = [f"{name}={value}" for name, value in env.items()]
    return Case(", ".join([form, *(["TLS"] if is_encrypted else []), *settings]), link, argv, is_encrypted, env)


CASES = (
    Case("psql COPY, discarded", "PostgreSQL", ()),
    Case("upload, 200 MB/s", "storage", (sys.executable, "-m", "bench.upload")),
    *(_ours(form, link) for form in ("csv.gz", "csv") for link in ("PostgreSQL", "storage", "both")),
    _ours("csv.gz", "both", TAILRACE_POOL_SIZE="8"),
    _ours("csv.zst", "both"),
    # From here on both servers take encrypted connections only.
    *(_ours(form, "both", is_encrypted=True) for form in ("csv.gz", "csv")),
    _ours("csv.gz", "both", is_encrypted=True, TAILRACE_POOL_SIZE="8"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One run. connections: to storage."""

    wall_s: float
    rss_mb: float
    connections: int


@dataclass(frozen=True, slots=True)
class Bench:
    """The network, the server at its other end, and the tables on it."""

    line: Network
    database: Database
    table: Table
    certificate: Certificate

    @classmethod
    @contextmanager
    def started(cls, rows: int) -> Iterator["Bench"]:
        with network() as line, Database.started(over_socket=False) as database:
            table = events(rows)
            for one in (table, events(SMALL_ROWS)):
                load(database.admin, one)
            _admit_worker(database)
            yield cls(line, database, table, create_certificate(database.directory))

    def encrypt(self) -> None:
        """PostgreSQL takes encrypted connections only from now on, if it did not before."""
        if self.database.postgres.authority is None:
            self.database.postgres.encrypt(self.certificate)

    def delay(self, link: str, ms: float, store: BlobStore) -> dict[int, dict[str, Any]]:
        """Delays a way from now on; returns what was asked before, as Network.delay does."""
        ports = {"PostgreSQL": self.database.postgres.port, "storage": store.azurite.port}
        return self.line.delay({port: ms for name, port in ports.items() if link in {name, "both"}})

    def run(self, case: Case, ms: float) -> Seen:
        with BlobStore.started(self.database.directory, self.certificate if case.is_encrypted else None) as store:
            env = environ(self.database, self.table, uuid4().hex) | store.environ() | case.env
            argv = case.argv or (env["BENCH_PSQL"], "--no-psqlrc", "--quiet", "--command", self._copy)
            self.delay(case.link, ms, store)
            with self.line.at_the_worker():
                child = measured(argv, env, timeout_s=_TIMEOUT_S, is_quiet=not case.argv)
            asked = self.line.delay({})
        wall = json.loads(child.stdout.splitlines()[-1])["wall_s"] if case.argv else child.wall_s
        return Seen(wall, child.rss_mb, asked.get(store.azurite.port, {"connections": 0})["connections"])

    @property
    def _copy(self) -> str:
        return Job.without_blob(self.table.qualified, self.table.rows).copy


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="", metavar="TEXT", help="lines with TEXT in them, such as 'csv, both'")
    asked = parser.parse_args()
    if reason := why_not():
        say(f"latency: not run, since {reason}")
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cases = [case for case in CASES if asked.only in f"{case.name}, {case.link}"]
    with Bench.started(asked.rows) as bench:
        small, trips = small_exports(bench)
        print(as_text(*small), as_text(*trips), sep="\n\n")
        print(as_text(*exports(bench, cases, asked.rounds)))


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def exports(bench: Bench, cases: Sequence[Case], rounds: int) -> Text:
    """The table of all cases, a line each: seconds, and memory, at each delay."""
    rows = []
    for case in cases:
        if case.is_encrypted:
            bench.encrypt()
        found: dict[int, list[Seen]] = {ms: [] for ms in DELAYS_MS}
        for number in range(rounds):
            for ms in DELAYS_MS:
                found[ms].append(bench.run(case, ms))
                say(f"round {number + 1}: {case.name}, {case.link}, {ms} ms: {found[ms][-1]}")
        rows.append([case.name, case.link, *cells(found)])
    header = ["export", "delay to"]
    for ms in DELAYS_MS:
        header += [f"{ms} ms: s", *(["of 0 ms"] if ms else []), "MB", "connections"]
    return header, rows


def cells(found: Mapping[int, Sequence[Seen]]) -> Iterator[str]:
    """Of the shortest export at each delay."""
    shortest = {ms: min(seen, key=lambda one: one.wall_s) for ms, seen in found.items()}
    for ms, seen in shortest.items():
        yield f"{seen.wall_s:.2f}"
        if ms:
            yield f"{seen.wall_s / shortest[0].wall_s:.2f}"
        yield f"{seen.rss_mb:.0f}"
        yield str(seen.connections)


def small_exports(bench: Bench) -> tuple[Text, Text]:
    """The table of times of a process's first and later exports of few rows, and that of their round trips."""
    from settings import Settings
    from worker.assemble import open_worker

    times, trips = [], []
    with BlobStore.started(bench.database.directory) as store:
        env = environ(bench.database, events(SMALL_ROWS), "") | store.environ()
        for ms in DELAYS_MS:
            with bench.line.at_the_worker(), open_worker(Settings.from_env(env)) as worker:
                bench.delay("both", ms, store)
                first = _export(worker, env)
                asked = {"first": bench.delay("both", ms, store)}
                later = min(_export(worker, env) for _ in range(3))
                bench.delay("both", ms, store)
                _export(worker, env)
                asked["later"] = bench.line.delay({})
            times.append([f"{ms} ms", f"{first * 1000:.0f}", f"{later * 1000:.0f}"])
        servers = {bench.database.postgres.port: "PostgreSQL", store.azurite.port: "storage"}
    for which, traffic in asked.items():
        for port, name in servers.items():
            trips += [[which, name, f"{traffic[port]['connections']} new connections"]]
            trips += [[which, name, head[:80]] for head in traffic[port]["heads"]]
    return (["delay", "first export, ms", "later one, ms"], times), (["export", "server", "round trip"], trips)


def _export(worker: Any, env: Mapping[str, str]) -> float:
    """Seconds of one export on the path of a message."""
    from bench.contenders.ours import _request
    from worker.cancellation import Cancellation
    from worker.message.delivery import Delivery, handle_message
    from worker.message.settlement import Complete

    schema, table = env["BENCH_TABLE"].split(".")
    job = Job(schema, table, SMALL_ROWS, "", "", "")
    body = _request(next(iter(worker.exporter.jobs)), job, f"{uuid4().hex}.csv.gz", None, {}).to_body()
    began = time.perf_counter()
    settlement = handle_message(Delivery(body, str(uuid4()), 1, 1), worker, Cancellation())
    assert isinstance(settlement, Complete), settlement
    return time.perf_counter() - began


def _admit_worker(database: Database) -> None:
    """The server lets the worker's address in, as it does its own."""
    (rules,) = database.admin.execute("SHOW hba_file").fetchone() or ("",)
    with Path(rules).open("a", encoding="utf-8") as file:
        file.write(f"host all all {WORKER}/32 scram-sha-256\n")
    database.admin.execute("SELECT pg_reload_conf()")


if __name__ == "__main__":
    main()
