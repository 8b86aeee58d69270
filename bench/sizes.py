"""The size of the CSV, before and after zlib level 6, gzip's default."""

import subprocess
import time
import zlib
from typing import Any

from bench.contender import B0
from bench.data import Table
from bench.job import Job
from bench.registry import load_contenders
from bench.rounds import environ
from bench.servers import Database

_CHUNK = 1 << 20


def sizes(table: Table, database: Database) -> tuple[float, dict[str, Any]]:
    """MB of CSV, and a run of zlib at level 6 over it: wall_s, out_mb."""
    command = load_contenders()[B0].command
    assert command is not None
    job = Job.without_blob(table.qualified, table.rows)
    packer, size, packed = zlib.compressobj(6, wbits=16 + zlib.MAX_WBITS), 0, 0
    began = time.perf_counter()
    with subprocess.Popen(command(job), env=environ(database, table, ""), stdout=subprocess.PIPE) as psql:
        assert psql.stdout is not None
        while data := psql.stdout.read(_CHUNK):
            size += len(data)
            packed += len(packer.compress(data))
    assert psql.returncode == 0
    packed += len(packer.flush())
    return size / 1e6, {"wall_s": time.perf_counter() - began, "out_mb": packed / 1e6}


def csv_mb(table: Table, database: Database) -> float:
    """MB of CSV."""
    job = Job.without_blob(table.qualified, table.rows)
    with database.admin.cursor() as cursor, cursor.copy(job.copy.encode()) as copy:
        return sum(map(len, copy)) / 1e6
