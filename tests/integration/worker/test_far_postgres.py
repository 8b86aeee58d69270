"""The farther PostgreSQL is, the more streams read a table: on a network with a delay between two namespaces."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from azure.storage.blob import BlobServiceClient
from psycopg import sql
from support.asking import ask
from support.exports import NO_JOBS

from bench.network import WORKER, Network, network, why_not
from contracts.receipt import Receipt
from devstack.azurite import Azurite
from devstack.postgres import Postgres
from settings import Settings
from worker.assemble import open_exporter
from worker.cancellation import Cancellation
from worker.export import run_export
from worker.source import split

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

BUS = "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=none;SharedAccessKey=none;"
ROWS = 60_000


class Far:
    """The network, PostgreSQL with a table, and a storage at its other end; the test's thread is there, too."""

    def __init__(self, line: Network, postgres: Postgres, azurite: Azurite, jobs: Path) -> None:
        self._line = line
        self._postgres = postgres
        storage = {"ExportStorage": azurite.connection_string, "ServiceBusConnection": BUS}
        self._environ = {**postgres.environ(), **storage, "TAILRACE_JOBS": str(jobs)}

    def exported(self, delay_ms: float, **environ: str) -> tuple[Receipt, dict[str, Any]]:
        """The receipt of an export of the table by a new worker, and what PostgreSQL was asked for it."""
        settings = Settings.from_env({**self._environ, **environ})
        self._line.delay({self._postgres.port: delay_ms})
        with self._line.at_the_worker(), open_exporter(settings) as exporter:
            done = run_export(ask("many", blob=f"{delay_ms}-{len(environ)}.csv.gz"), exporter, Cancellation())
        return done.receipt, self._line.delay({})[self._postgres.port]


@contextmanager
def started(folder: Path) -> Iterator[Far]:
    with network() as line, Postgres.start(folder) as postgres, Azurite.start(folder) as azurite:
        with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
            service.create_container("exports")
        with psycopg.connect(**postgres.parameters("postgres"), autocommit=True) as admin:
            made = "create table many as select i, repeat(md5(i::text), 9) as t from generate_series(1, {}) as i"
            admin.execute(sql.SQL(made).format(sql.Literal(ROWS)))
            admin.execute("analyze many")
            (rules,) = admin.execute("show hba_file").fetchone() or ("",)
            with Path(rules).open("a", encoding="utf-8") as file:
                file.write(f"host all all {WORKER}/32 scram-sha-256\n")
            admin.execute("select pg_reload_conf()")
        jobs = folder / "jobs.toml"
        jobs.write_text(NO_JOBS, encoding="utf-8")
        yield Far(line, postgres, azurite, jobs)


def test_streams_follow_the_distance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Or the table would have to be large.
    monkeypatch.setattr(split, "FAR_PART_BYTES", 2 << 20)
    caplog.set_level(logging.INFO)
    with started(tmp_path) as far:
        for delay_ms, environ, connections in (
            (0, {}, 1),
            (40, {"TAILRACE_POOL_SIZE": "8"}, 4),
            (40, {}, 3),  # the pool has four places, and one is another export's
            (40, {"TAILRACE_POOL_SIZE": "8", "TAILRACE_MAX_STREAMS": "1"}, 1),
        ):
            receipt, asked = far.exported(delay_ms, **environ)
            assert (receipt.rows, asked["connections"]) == (ROWS, connections)
            # Three to log in, BEGIN and COMMIT for each; the questions of the first one; a COPY for each part.
            assert len(asked["heads"]) <= connections * 5 + 1 + len(receipt.parts)
    chosen = [record.getMessage() for record in caplog.records if "streams chosen" in record.getMessage()]
    assert [line.split(" bytes=")[0] for line in chosen] == [
        "streams chosen streams=4 by=distance",
        "streams chosen streams=3 by=distance",
    ]
    assert all("carrying=4" in line for line in chosen)
