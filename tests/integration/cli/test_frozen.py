"""Servers that take connections and then say nothing, as frozen ones do."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[3]
SUBMIT = ("submit", "clicks", "--window", "2026-01-03")
BACKFILL = ("backfill", "clicks", "--from", "2026-01-01", "--to", "2026-02-01")
RANGE = ("--from", "2026-01-03", "--to", "2026-01-04")


class Ended(NamedTuple):
    status: int
    lines: list[str]
    seconds: float


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of what listens, takes bytes, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def ended(environ: dict[str, str], *arguments: str) -> Ended:
    """How a command ended, and after how many seconds."""
    argv, began = [sys.executable, "-m", "cli", *arguments], time.monotonic()
    with subprocess.Popen(
        ["timeout", "200", *argv], cwd=ROOT, env=os.environ | environ, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stderr is not None
        lines = list(command.stderr)
    return Ended(command.returncode, lines, time.monotonic() - began)


@pytest.mark.timeout(300)
def test_every_command_says_after_five_seconds_what_it_waits_for_and_gives_up_in_bounded_time(
    configured: dict[str, str], silent: int
) -> None:
    address = re.sub(r"(BlobEndpoint=http://127\.0\.0\.1):\d+", rf"\1:{silent}", configured["ExportStorage"])
    storage, postgres = {"ExportStorage": address}, {"PGPORT": str(silent)}
    queue = {"ServiceBusConnection": re.sub(r":\d+;", f":{silent};", configured["ServiceBusConnection"], count=1)}
    name = f"queue {configured['TAILRACE_QUEUE']}"
    commands: list[tuple[dict[str, str], str, tuple[str, ...]]] = [
        (storage, "storage: listing", SUBMIT),
        (storage, "storage: a look at records", BACKFILL),
        (storage, "storage: a look at records", ("verify", "clicks", *RANGE)),
        (queue, f"{name}: connecting", SUBMIT),
        (queue, f"{name}: connecting", (*BACKFILL, "--only", "all")),
        (queue, f"{name}: a look", ("dlq", "list")),
        (queue, f"{name}: a look", ("dlq", "replay", "--all")),
        (postgres, "a connection to PostgreSQL", ("grants", "--audit")),
    ]
    with ThreadPoolExecutor(len(commands)) as threads:
        running = [threads.submit(ended, configured | change, *argv) for change, _, argv in commands]
        results = [future.result() for future in running]
    for (_, what, argv), result in zip(commands, results, strict=True):
        assert f'still waiting on="{what}"' in result.lines[0], (argv, result)
        assert float(result.lines[0].rpartition("seconds=")[2]) < 10, (argv, result)
        assert result.lines[-1].startswith("error: "), (argv, result)
        assert result.status == 1
        assert result.seconds < 150, (argv, result)
