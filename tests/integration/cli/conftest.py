import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from azure.servicebus import ServiceBusClient
from support.dead_letters import Bus
from typer.testing import CliRunner, Result

from cli.main import app
from devstack.process import Launch, Process, start

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
name = "minutes"
schema = "public"
table = "minutes"
blob = "{job}/{window_start:%Y/%m/%d/%H%M}.csv.gz"
[job.window]
column = "at"
type = "timestamptz"
every = "15 minutes"

[[job]]
name = "countries"
schema = "public"
table = "countries"
blob = "{job}/{run}.csv.gz"
"""


@pytest.fixture
def configured(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of the command, with these tests' jobs.toml."""
    jobs = tmp_path / "jobs.toml"
    jobs.write_text(JOBS)
    return {**environ, "TAILRACE_JOBS": str(jobs)}


@pytest.fixture
def tailrace(configured: dict[str, str]) -> Callable[..., Result]:
    """Runs the command to its end."""

    def run(*arguments: str, **environ: str) -> Result:
        return CliRunner().invoke(app, arguments, env={**configured, **environ})

    return run


@pytest.fixture
def starting(configured: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts the command as a process, and returns once it has said what matches `ready`."""
    with ExitStack() as running:

        def begin(*arguments: str, ready: str | None, **environ: str) -> Process:
            launch = Launch(log=tmp_path / "command.log", name="tailrace")
            pattern = None if ready is None else re.compile(ready)
            argv = [sys.executable, "-m", "cli", *arguments]
            env = {**configured, **environ}
            return running.enter_context(start(argv, env=env, ready=pattern, cwd=ROOT, launch=launch))

        yield begin


@pytest.fixture
def bus(configured: dict[str, str]) -> Iterator[Bus]:
    """The test's queue, as the SDK shows it."""
    with ServiceBusClient.from_connection_string(configured["ServiceBusConnection"]) as client:
        yield Bus(client, configured["TAILRACE_QUEUE"])


@pytest.fixture
def clicks(admin: psycopg.Connection) -> None:
    """A table of ten days with a row each, from 1 January 2026."""
    admin.execute("""
        create table clicks as
        select timestamptz '2026-01-01 12:00Z' + n * interval '1 day' as at from generate_series(0, 9) n;
        grant select on clicks to exporter""")
