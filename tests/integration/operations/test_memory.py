"""A restore holds pieces of a blob, whatever its size."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from azure.storage.blob import ContainerClient

from producer.ask import requests_between
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import run_export

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("restoring.py")
JOBS = """
[[job]]
name = "wide"
schema = "public"
table = "wide"
blob = "wide/{window_start}.csv.gz"
[job.window]
column = "id"
type = "integer"
size = 1000000
"""
# Of the large window 310 MB of CSV; of the small one 10 kB.
LARGE, SMALL = 310_000, 10
TABLE = f"""
    create view wide as
    select i::bigint as id, repeat(md5(i::text), 31) as word from generate_series(0, {LARGE - 1}) as i
    union all select 1000000 + i, repeat(md5(i::text), 31) from generate_series(0, {SMALL - 1}) as i;
    grant select on wide to exporter;
    create unlogged table again (like wide)"""
# A few pieces of some hundred kB, and what the allocator makes of them; measured are 5 MB.
GROWTH_MB = 24


@pytest.fixture
def peak_mb(
    environ: dict[str, str], container: ContainerClient, admin: psycopg.Connection, tmp_path: Path
) -> Callable[[int, int], float]:
    """Restores the windows that begin in a range, and returns the most memory that the command had, in MB."""
    assert container.exists()
    file = tmp_path / "jobs.toml"
    file.write_text(JOBS)
    admin.execute(TABLE)
    configured = {**environ, "TAILRACE_JOBS": str(file)}
    with open_exporter(Settings.from_env(configured)) as exporter:
        for request in requests_between(exporter.jobs["wide"], "0", "2000000", datetime.now(UTC)):
            run_export(request, exporter, Cancellation())

    def restore(since: int, until: int) -> float:
        server = f"{admin.info.dsn} password={admin.info.password}"
        argv = [sys.executable, str(SCRIPT), "restore", "wide", "--into", "again", "--server", server]
        argv += ["--from", str(since), "--to", str(until)]
        env = {**configured, "PYTHONPATH": str(ROOT)}
        printed = subprocess.run(argv, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout
        return int(printed.splitlines()[-1]) / 1e6

    return restore


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux counts the most memory of a process")
def test_memory_of_a_restore_does_not_grow_with_the_window(
    peak_mb: Callable[[int, int], float], admin: psycopg.Connection
) -> None:
    small, large = peak_mb(1_000_000, 2_000_000), peak_mb(0, 1_000_000)
    assert admin.execute("select count(*), sum(length(word)) / 992 from again").fetchone() == (LARGE + SMALL,) * 2
    assert large - small < GROWTH_MB, f"{large:.0f} MB, and of a small window {small:.0f} MB"
