"""`make up` hands its stack to other programs, and leaves nothing when it ends."""

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.process import start

ROOT = Path(__file__).parents[3]
READY = re.compile("Ctrl-C ends everything")
USE = """
set -a; . "$2"/env; set +a
"$1" -c 'import psycopg; print(psycopg.connect().execute("select current_user").fetchone()[0])'
"$1" -c 'import os, psycopg; print(psycopg.connect(os.environ["LOCAL_ADMIN_DSN"]).execute("select user").fetchone()[0])'
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_its_settings_work_in_a_shell_and_go_with_it(number: int, tmp_path: Path):
    up_here = [sys.executable, "-m", "devstack.up", str(tmp_path)]
    files = [tmp_path / name for name in ("env", "local.settings.json")]
    with start(up_here, ready=READY, timeout_s=60, cwd=ROOT) as up:
        assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
        environ = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        shell = ["sh", "-euc", USE, "sh", sys.executable, str(tmp_path)]
        done = subprocess.run(shell, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
        assert done.stdout == "exporter\npostgres\n"
        assert "password" not in up.output()
        second = subprocess.run(up_here, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (second.returncode, second.stderr.count("\n")) == (2, 1)
        up.send_signal(number)
        assert up.wait(30) == 0
    assert not any(file.exists() for file in files)
