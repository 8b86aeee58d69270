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


def test_every_command_that_is_printed_works_as_it_stands(tmp_path: Path) -> None:
    with start([sys.executable, "-m", "devstack.up", str(tmp_path)], ready=READY, timeout_s=60, cwd=ROOT) as up:
        first, *commands, host = [line for line in up.output().splitlines() if line.startswith("  ")]
        assert len(commands) == 4
        environ = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        for command in commands:
            argv = ["sh", "-euc", f"{first}\n{command}"]
            done = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (command, done)
        shell = ["sh", "-euc", f"{first}\nexec {host.strip()}"]
        start(shell, ready=re.compile("Functions host listening"), timeout_s=60, cwd=ROOT, env=environ).close()


def test_data_ports_and_passwords_are_there_at_the_next_start_if_they_are_to_last(tmp_path: Path) -> None:
    argv, seen = [sys.executable, "-m", "devstack.up", str(tmp_path), "--lasting"], []
    code = """
import os, sys, psycopg
from azure.storage.blob import ContainerClient
with psycopg.connect(os.environ["LOCAL_ADMIN_DSN"]) as connection:
    connection.execute("create table if not exists visits (at timestamptz default now())")
    connection.execute("insert into visits default values")
    print(connection.execute("select count(*) from visits").fetchone()[0])
with ContainerClient.from_connection_string(os.environ["ExportStorage"], "exports") as container:
    container.upload_blob(f"visit-{len(list(container.list_blobs()))}", b"x")
    print(len(list(container.list_blobs())))
"""
    for _ in range(2):
        with start(argv, ready=READY, timeout_s=60, cwd=ROOT) as up:
            environ = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
            shell = ["sh", "-euc", 'set -a; . "$2"/env; "$1" -c "$3"', "sh", sys.executable, str(tmp_path), code]
            counted = subprocess.run(shell, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
            seen.append((counted.split(), (tmp_path / "env").read_text()))
            up.send_signal(signal.SIGINT)
            assert up.wait(30) == 0
    (first, before), (second, after) = seen
    assert (first, second) == (["1", "1"], ["2", "2"])
    assert before == after
