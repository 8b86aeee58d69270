"""Exports through PgBouncer, which gives each transaction any of its server connections."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support.asking import ask
from support.exports import OpenExports

from devstack.postgres import free_port
from devstack.process import Launch, start
from worker.message.settlement import Complete

CONFIGURATION = """\
[databases]
* = host={PGHOST} port={PGPORT} user={PGUSER} password={PGPASSWORD}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
"""


@pytest.fixture
def pooler_port(environ: dict[str, str], tmp_path: Path) -> Iterator[str]:
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no PgBouncer is installed")
    port = free_port()
    file = tmp_path / "pgbouncer.ini"
    file.write_text(CONFIGURATION.format(**environ, port=port))
    account = ["-u", "nobody"] if os.getuid() == 0 else []  # which it takes when it has read its file
    with start([program, *account, str(file)], ready=re.compile("process up"), launch=Launch(tmp_path / "log")):
        yield str(port)


def test_no_statement_is_prepared(open_exports: OpenExports) -> None:
    """The next transaction may run where it was not prepared, or where its name is another client's statement."""
    source = open_exports().worker.exporter.source
    with source.connection("t") as connection:
        for _ in range(9):
            connection.execute("select %s::int", [1])
        assert connection.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_many_exports_in_streams_need_nothing_that_an_earlier_transaction_left(
    open_exports: OpenExports, admin: psycopg.Connection, pooler_port: str
) -> None:
    admin.execute("create table t as select i, repeat('x', 100) as filler from generate_series(1, 5000) i")
    workers = [open_exports(PGPORT=pooler_port, TAILRACE_POOL_SIZE="3", TAILRACE_MAX_STREAMS="3") for _ in range(2)]
    for number in range(18):
        asked, exports = ask(streams=3, blob=f"x/{number}"), workers[number % 2]
        assert exports.handle(asked) == Complete("exported")
        receipt = exports.receipt(asked.blob)
        assert receipt.rows == 5000
        assert len(receipt.parts) > 1
