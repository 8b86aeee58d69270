"""PostgreSQL and Azurite of the embedded stack: what they allow, and that they come and go cleanly."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from azure.core.exceptions import ServiceRequestError
from azure.storage.blob import BlobServiceClient

from devstack.azurite import Azurite
from devstack.postgres import Postgres
from emulators.certificate import create_certificate


def test_the_exporter_reads_what_the_administrator_makes_and_writes_nothing(admin, stack, database):
    admin.execute("create table orders as select 1 as id")
    admin.execute("create schema sales create table invoices (id int)")
    with psycopg.connect(**stack.postgres.parameters(database=database), autocommit=True) as exporter:
        assert exporter.execute("select count(*) from orders, sales.invoices").fetchone() == (0,)
        for statement in ("insert into orders values (2)", "create table mine (id int)", "create role other"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                exporter.execute(statement)


@pytest.mark.parametrize("host", ["127.0.0.1", "the socket"])
def test_nobody_connects_without_the_password(stack, host: str):
    address = host if host == "127.0.0.1" else str(stack.postgres.socket_folder)
    parameters = stack.postgres.parameters() | {"host": address}
    psycopg.connect(**parameters).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**parameters | {"password": "guess"})


def test_the_environment_variables_are_enough_for_libpq(stack):
    script = "import psycopg; print(psycopg.connect().execute('select current_user, current_database()').fetchone())"
    environ = os.environ | stack.postgres.environ()
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "('exporter', 'tailrace')\n"


def test_a_stopped_server_resumes_with_its_data_on_the_same_port(tmp_path: Path):
    with Postgres.start(tmp_path, settings={"work_mem": "1MB"}) as postgres:
        with psycopg.connect(postgres.dsn("postgres")) as connection:
            connection.execute("create table kept as select current_setting('work_mem') as work_mem")
        postgres.stop()
        with pytest.raises(psycopg.OperationalError, match="Connection refused"):
            psycopg.connect(postgres.dsn())
        postgres.resume()
        with psycopg.connect(postgres.dsn()) as connection:
            assert connection.execute("select work_mem from kept").fetchone() == ("1MB",)
        home = postgres.socket_folder
    assert not home.exists()


def test_with_tls_only_a_client_that_checks_the_right_authority_is_served(tmp_path: Path):
    with Postgres.start(tmp_path, tls=True) as postgres:
        parameters = postgres.parameters()
        with psycopg.connect(**parameters) as connection:
            row = connection.execute("select length(repeat('x', 5000000))").fetchone()
            assert (parameters["sslmode"], row) == ("verify-full", (5000000,))
        with pytest.raises(psycopg.OperationalError, match="takes encrypted connections only"):
            psycopg.connect(**parameters | {"sslmode": "disable"})
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            psycopg.connect(**parameters | {"sslrootcert": "system"})


def test_with_tls_a_whole_table_comes_through_unchanged(tmp_path: Path):
    query = "copy (select n, encode(sha256(n::text::bytea), 'hex') from generate_series(1, 100000) n) to stdout"
    with Postgres.start(tmp_path, tls=True) as postgres, psycopg.connect(**postgres.parameters()) as connection:
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            data = b"".join(copy)
    assert data == b"".join(b"%d\t%s\n" % (n, sha256(b"%d" % n).hexdigest().encode()) for n in range(1, 100001))


@pytest.mark.parametrize("persistence", ["memory", "disk"])
def test_azurite_stores_a_blob_where_it_is_configured_to(tmp_path: Path, persistence):
    with Azurite.start(tmp_path, persistence=persistence) as azurite:
        with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
            with service.create_container("exports") as container:
                container.upload_blob("greeting", b"hello")
                assert container.download_blob("greeting").readall() == b"hello"
    on_disk = [path.read_bytes() for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    assert any(b"hello" in content for content in on_disk) == (persistence == "disk")


def test_azurite_takes_encrypted_connections_by_a_certificate(tmp_path: Path):
    made = create_certificate(tmp_path)
    with Azurite.start(tmp_path, certificate=made) as azurite:
        assert azurite.service_uri.startswith("https://")
        told = {"connection_verify": str(made.authority), "retry_total": 0}
        with BlobServiceClient.from_connection_string(azurite.connection_string, **told) as service:
            assert service.create_container("exports").exists()
        with BlobServiceClient.from_connection_string(azurite.connection_string, retry_total=0) as stranger:
            with pytest.raises(ServiceRequestError, match="certificate verify failed"):
                stranger.get_container_client("exports").exists()


def test_every_test_gets_a_queue_a_database_and_a_container_of_its_own(stack, environ):
    assert environ["TAILRACE_QUEUE"] != stack.unused_queue() != stack.unused_queue()
    assert environ["PGDATABASE"].startswith("test_")
    assert environ["TAILRACE_CONTAINER"].startswith("test-")
