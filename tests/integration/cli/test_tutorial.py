"""The tutorial's first part, line by line as a reader types it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import psycopg

ROOT = Path(__file__).parents[3]


def lines_of(page: Path) -> list[str]:
    """The block of commands that begins with the tutorial's table."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if "bannerclicked.sql" in block]
    return [line for line in str(block).splitlines() if line]


def test_the_commands_of_the_tutorial_export_a_day_and_find_it_intact(
    environ: dict[str, str], admin: psycopg.Connection
) -> None:
    dsn = f"{admin.info.dsn} password={admin.info.password}"
    env = {**environ, "LOCAL_ADMIN_DSN": dsn, "TAILRACE_JOBS": str(ROOT / "jobs.toml")}
    shown = []
    for line in lines_of(ROOT / "docs" / "tutorial.md"):
        command = line.replace(".venv/bin", shlex.quote(str(Path(sys.executable).parent)))
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=ROOT, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        shown.append(done.stdout)
    assert "1 completed" in shown[-2]
    assert shown[-1] == "1 window, 1 intact\n"
