"""How much memory an export takes does not depend on how much there is to export."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("peak.py")
MB = 1 << 20


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_ten_times_the_rows_take_no_more_memory(
    admin: psycopg.Connection, environ: dict[str, str], tmp_path: Path, compression: str
) -> None:
    """The smaller one fills all buffers already; 190 MB would be seen, were they kept."""
    for name, rows in (("small", 60_000), ("large", 600_000)):
        admin.execute(
            f"create view {name} as select n, repeat(md5(n::text), 10) as v from generate_series(1, {rows}) n"
        )
    jobs = tmp_path / "jobs.toml"
    jobs.write_text('[[job]]\nname = "q"\nquery = "select 1"\nblob = "q/{run}"\n')
    done = subprocess.run(
        [sys.executable, str(SCRIPT), compression, "small", "large"],
        env={**os.environ, **environ, "TAILRACE_JOBS": str(jobs), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    (small, large) = (line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
    assert small[0] == large[0] == "Complete(outcome='exported')"
    assert int(large[1]) - int(small[1]) < 16 * MB
    assert int(large[1]) < 200 * MB
