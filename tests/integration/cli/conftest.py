import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from local.process import Launch, Process, start

ROOT = Path(__file__).parents[3]
JOBS = """
[[job]]
name = "clicks"
schema = "public"
table = "clicks"
blob = "{job}/{window_start:%Y/%m/%d}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"

[[job]]
name = "countries"
schema = "public"
table = "countries"
blob = "{job}/{run}.csv.gz"
"""


@pytest.fixture
def configured(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of the command, with a jobs.toml of its own."""
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(JOBS)
    return {**environ, "TAILRACE_JOBS": str(jobs)}


@pytest.fixture
def clicks(admin: psycopg.Connection) -> None:
    admin.execute(
        "create table clicks as select timestamptz '2026-01-01 12:00Z' + n * interval '1 day' as at"
        " from generate_series(0, 9) n"
    )
    admin.execute("grant select on clicks to exporter")


@pytest.fixture
def worker(configured: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts `tailrace work`, and returns once it works the queue."""
    with ExitStack() as running:

        def begin(*options: str, **settings: str) -> Process:
            argv = [sys.executable, "-m", "cli", "work", *options]
            launch = Launch(log=tmp_path / "worker.log", name="tailrace work")
            environ = {**configured, **settings}
            ready = re.compile("worker ready")
            return running.enter_context(start(argv, env=environ, ready=ready, cwd=ROOT, launch=launch))

        yield begin
