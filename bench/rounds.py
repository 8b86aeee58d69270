"""Contenders in turns: a round runs B0, then all others once, each in a new process with a new blob store."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from bench.contender import B0, Contender
from bench.data import Table
from bench.job import Job
from bench.measure import ContenderError, Measured, ServersCpu, measured
from bench.servers import BlobStore, Database
from bench.verify import rows_in

ROOT = Path(__file__).parents[1]
PEERS_PYTHON = ROOT / ".local" / "bench-venv" / "bin" / "python"
_TIMEOUT_S = 900
# Only these variables are passed on, so that the caller's environment changes no contender.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One run. wall_s: the export's own; process_s: with start and end of its process. rss_mb: of the whole tree.

    servers_cpu_s: the CPU of PostgreSQL and Azurite meanwhile. ratio_b0: wall_s over that of B0 in the same round.
    """

    round: int
    wall_s: float
    process_s: float
    cpu_s: float
    servers_cpu_s: float
    rss_mb: float
    main_rss_mb: float
    out_mb: float | None
    ratio_b0: float | None = None


def interpreter(python: str) -> str:
    return sys.executable if python == "app" else str(PEERS_PYTHON)


def missing() -> dict[str, str]:
    """The contenders that cannot run here, with the reasons."""
    found: dict[str, str] = {}
    for python in ("app", "peers"):
        argv = [interpreter(python), "-m", "bench.child", "--missing", python]
        asked = subprocess.run(argv, cwd=ROOT, capture_output=True, check=True, text=True)
        found |= json.loads(asked.stdout)
    return found


def run_rounds(
    contenders: Sequence[Contender], table: Table, database: Database, *, rounds: int, deadline: float, say: Say
) -> Iterator[tuple[str, Run | Exception]]:
    """Yields each run, or the reason for its failure, with the contender's name.

    Begins nothing after `deadline` (of time.monotonic) once a round is done. The order of the contenders moves by one
    from round to round. One that fails is left out from then on.
    """
    baseline, others = contenders[0], list(contenders[1:])
    assert baseline.name == B0
    run_once(baseline, table, database, 0)  # the first of all reads the table into the page cache
    for number in range(1, rounds + 1):
        b0 = run_once(baseline, table, database, number)
        yield B0, _with_ratio(b0, b0)
        shift = (number - 1) % max(1, len(others))
        for contender in others[shift:] + others[:shift]:
            if number > 1 and time.monotonic() > deadline:
                say("the time is up")
                return
            say(f"round {number}: {contender.name}")
            try:
                yield contender.name, _with_ratio(run_once(contender, table, database, number), b0)
            except (ContenderError, EOFError) as error:
                say(f"  left out: {error}")
                yield contender.name, error
                others = [one for one in others if one is not contender]


def run_once(contender: Contender, table: Table, database: Database, number: int) -> Run:
    """Raises ContenderError if it fails or leaves rows out; the first round counts the rows."""
    if contender.command is not None:
        return _run_command(contender, table, database, number)
    with BlobStore.started(database.directory) as store:
        env = environ(database, table, f"{uuid4().hex}{contender.suffix}") | store.environ()
        argv = [interpreter(contender.python), "-m", "bench.child", contender.name]
        with ServersCpu(database.postgres.process.pid, store.azurite.process.pid) as servers:
            seen = measured(argv, env, timeout_s=_TIMEOUT_S)
        blob, scale = env["BENCH_BLOB"], 1 / contender.share
        rows = rows_in(store.container, blob) if number <= 1 else None
        if rows is not None and rows != table.rows:
            raise ContenderError(f"it exported {rows:,} rows of {table.rows:,}")
        out_mb = store.container.get_blob_client(blob).get_blob_properties().size / 1e6
    figures = json.loads(seen.stdout.splitlines()[-1])
    cpu = seen.cpu_s - figures["cpu_before_s"]
    return _run(number, seen, (figures["wall_s"] * scale, cpu * scale, servers.seconds * scale, out_mb * scale))


def environ(database: Database, table: Table, blob: str) -> dict[str, str]:
    """The environment of a contender's process; PYTHONPATH is the project's folder."""
    inherited = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    task = {"BENCH_TABLE": table.qualified, "BENCH_ROWS": str(table.rows), "BENCH_BLOB": blob, "PYTHONPATH": str(ROOT)}
    return inherited | task | database.environ()


def _run_command(contender: Contender, table: Table, database: Database, number: int) -> Run:
    assert contender.command is not None
    env = environ(database, table, "")
    os.environ["BENCH_PSQL"] = env["BENCH_PSQL"]
    with ServersCpu(database.postgres.process.pid) as servers:
        seen = measured(
            contender.command(Job.without_blob(table.qualified, table.rows)), env, timeout_s=_TIMEOUT_S, is_quiet=True
        )
    return _run(number, seen, (seen.wall_s, seen.cpu_s, servers.seconds, None))


def _run(number: int, seen: Measured, figures: tuple[float, float, float, float | None]) -> Run:
    wall, cpu, servers, out_mb = figures
    return Run(number, wall, seen.wall_s, cpu, servers, seen.rss_mb, seen.main_rss_mb, out_mb)


def _with_ratio(run: Run, b0: Run) -> Run:
    return Run(**asdict(run) | {"ratio_b0": run.wall_s / b0.wall_s})
