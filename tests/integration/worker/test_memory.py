"""The memory of an export does not depend on the size of the data."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = Path(__file__).with_name("peak.py")
MB = 1 << 20


@pytest.mark.parametrize(
    ("output", "rows", "limits"),
    [
        ({"compression": "none"}, 60_000, (16 * MB, 200 * MB)),
        ({"compression": "gzip"}, 60_000, (16 * MB, 200 * MB)),
        # Two row groups are in memory at once; pyarrow itself takes 35 MB.
        ({"format": "parquet"}, 200_000, (24 * MB, 190 * MB)),
    ],
    ids=str,
)
def test_ten_times_the_rows_take_no_more_memory(
    admin: psycopg.Connection,
    environ: dict[str, str],
    tmp_path: Path,
    output: dict[str, str],
    rows: int,
    limits: tuple[int, int],
) -> None:
    """The smaller one fills all buffers already; the hundreds of MB of the larger one would be seen, were they kept."""
    more, most = limits
    for name, count in (("small", rows), ("large", 10 * rows)):
        admin.execute(
            f"create view {name} as select n, repeat(md5(n::text), 10) as v from generate_series(1, {count}) n"
        )
    small, large = exported(environ, tmp_path, output, "small", "large")
    assert large[0] - small[0] < more
    assert large[0] < most


@pytest.mark.parametrize(("output", "times"), [({"compression": "gzip"}, 3), ({"format": "parquet"}, 5)], ids=str)
def test_a_large_row_takes_a_few_times_its_size_and_leaves_nothing_behind(
    admin: psycopg.Connection, environ: dict[str, str], tmp_path: Path, output: dict[str, str], times: int
) -> None:
    size = 160 * MB
    admin.execute("create view small as select 1 as id, 'x' as v")
    admin.execute(f"create view large as select 1 as id, repeat('some words ', {size // 11}) as v")
    small, large = exported(environ, tmp_path, output, "small", "large")
    assert large[0] - small[0] < times * size
    assert large[1] - small[1] < 24 * MB


def exported(environ: dict[str, str], directory: Path, output: dict[str, str], *tables: str) -> list[tuple[int, int]]:
    """The most memory, and that which is left, after each of some exports in one process, in bytes."""
    jobs = directory / "jobs.toml"
    jobs.write_text('[[job]]\nname = "j"\nquery = "select 1"\nblob = "q/{run}"\n')
    done = subprocess.run(
        [sys.executable, str(SCRIPT), json.dumps(output), *tables],
        env={**os.environ, **environ, "TAILRACE_JOBS": str(jobs), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.rsplit(maxsplit=2) for line in done.stdout.splitlines()]
    assert [settled for settled, *_ in lines] == ["Complete(outcome='exported')"] * len(tables)
    return [(int(peak), int(left)) for _, peak, left in lines]
