"""Names, ports and certificates that lead nowhere."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.command import run_tailrace

from devstack.postgres import Postgres, free_port


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with Postgres.start(tmp_path_factory.mktemp("encrypted"), tls=True) as postgres:
        with psycopg.connect(**postgres.parameters("postgres"), autocommit=True) as admin:
            admin.execute("create table clicks (at timestamptz not null)")
        yield postgres


def test_an_unknown_host_is_distinguished_from_a_closed_port(doctor: Callable[..., Any]) -> None:
    failure = doctor(PGHOST="db.invalid", PGSSLMODE="").failure("network PostgreSQL")
    assert failure.says.startswith("no address for db.invalid")
    assert "private DNS zone" in failure.advice
    closed = doctor(PGPORT=str(free_port()))
    assert "no server listens on the port" in closed.failure("network PostgreSQL").says
    assert closed.of("network Storage", "ok")


def test_a_socket_that_is_not_there_is_reported(doctor: Callable[..., Any], tmp_path: Path) -> None:
    assert "there is no socket" in doctor(PGHOST=str(tmp_path)).failure("network PostgreSQL").says


def test_a_server_without_tls_is_reported_if_tls_is_required(doctor: Callable[..., Any]) -> None:
    failure = doctor(PGSSLMODE="verify-full").failure("network PostgreSQL")
    assert "the server offers no TLS" in failure.says


def test_an_unknown_authority_is_reported_and_the_advice_fixes_it(
    doctor: Callable[..., Any], encrypted: Postgres
) -> None:
    settings = {**encrypted.environ(), "PGSSLROOTCERT": ""}
    failure = doctor(**settings).failure("network PostgreSQL")
    assert "the certificate cannot be verified: unable to get local issuer certificate" in failure.says
    assert failure.advice.startswith("set PGSSLROOTCERT")
    report = doctor(**settings | {"PGSSLROOTCERT": str(encrypted.authority)})
    assert "certificate verified" in report.of("network PostgreSQL", "ok")[0].says
    assert "failed" not in report.verdicts


def test_a_storage_account_behind_a_closed_port_does_not_hide_the_rest(doctor: Callable[..., Any]) -> None:
    account = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ=="
    report = doctor(ExportStorage=f"{account};BlobEndpoint=http://127.0.0.1:{free_port()}/a")
    assert "no server listens" in report.failure("network Storage").says
    assert report.skipped == {"storage container", "storage blobs"}


def test_servers_that_say_nothing_do_not_keep_the_doctor_waiting(
    environ: dict[str, str], silent_port: str, tmp_path: Path
) -> None:
    (tmp_path / "jobs.toml").write_text('[[job]]\nname = "a"\nschema = "s"\ntable = "t"\nblob = "{run}"\n')
    account = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ=="
    silent = {
        "PGPORT": silent_port,
        "ServiceBusConnection": f"Endpoint=sb://127.0.0.1:{silent_port};SharedAccessKeyName=a;SharedAccessKey=a;"
        "UseDevelopmentEmulator=true;",
        "ExportStorage": f"{account};BlobEndpoint=http://127.0.0.1:{silent_port}/a",
        "TAILRACE_JOBS": str(tmp_path / "jobs.toml"),
    }
    began = time.monotonic()
    done = run_tailrace(("doctor", "--json"), {**os.environ, **environ, **silent}, own=True)
    assert time.monotonic() - began < 35
    late = {f["check"] for f in json.loads(done.stdout)["findings"] if f["verdict"] == "failed"}
    assert (done.returncode, late) == (1, {"postgres login", "queue", "storage container"})
