import base64
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.command import run_tailrace

from devstack.azurite import PROGRAM, node
from devstack.postgres import Postgres
from devstack.process import Launch, start
from emulators.certificate import create_certificate
from emulators.entra import Identity, TokenEndpoint

ROLE = "Id-Exporter"


@pytest.fixture(scope="session")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server over TLS with a role named as the identity is."""
    with Postgres.start(tmp_path_factory.mktemp("entra"), tls=True) as postgres:
        with psycopg.connect(**postgres.parameters("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("create role {} login").format(sql.Identifier(ROLE)))
            admin.execute("create table t (id int)")
            admin.execute(sql.SQL("grant select on t to {}").format(sql.Identifier(ROLE)))
        yield postgres


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Azurite as it takes tokens: over TLS, whose authority is trusted by these settings."""
    folder = tmp_path_factory.mktemp("storage")
    certificate = create_certificate(folder)
    key = base64.b64encode(b"key").decode()
    options = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck"]
    options += ["--disableTelemetry", "--silent", "--oauth", "basic"]
    options += ["--cert", str(certificate.certificate), "--key", str(certificate.key)]
    environ = {**os.environ, "AZURITE_ACCOUNTS": f"acc:{key}", "NODE_OPTIONS": ""}
    launch = Launch(folder / "azurite.log", name="Azurite")
    ready = re.compile(r"listens on https://127\.0\.0\.1:(\d+)")
    with start([node(), str(PROGRAM), *options], ready=ready, env=environ, cwd=folder, launch=launch) as azurite:
        assert azurite.match is not None
        yield {
            "ExportStorage": "",
            "ExportStorage__serviceUri": f"https://127.0.0.1:{azurite.match[1]}/acc",
            "SSL_CERT_FILE": str(certificate.authority),
            "REQUESTS_CA_BUNDLE": str(certificate.authority),
            "CURL_CA_BUNDLE": "",
        }


@pytest.fixture
def endpoint(encrypted: Postgres) -> Iterator[TokenEndpoint]:
    """Gives tokens; the last one it gave is the role's password, as if the server knew when tokens end."""
    with psycopg.connect(**encrypted.parameters("postgres"), autocommit=True) as admin:

        def issued(token: str) -> None:
            alter = sql.SQL("alter role {} password {}").format(sql.Identifier(ROLE), sql.Literal(token))
            admin.execute(alter)

        with TokenEndpoint(Identity(name=ROLE, issued=issued)) as running:
            yield running


@pytest.fixture
def settings(encrypted: Postgres, tmp_path: Path) -> dict[str, str]:
    """Logs in to the server by the identity, with the roots of the system; the others by connection strings."""
    jobs = tmp_path / "jobs.toml"
    jobs.write_text('[[job]]\nname = "a"\nschema = "public"\ntable = "t"\nblob = "{run}"\n')
    return {
        "ServiceBusConnection": "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=a;SharedAccessKey=never-shown;"
        "UseDevelopmentEmulator=true;",
        "ExportStorage": "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=bmV2ZXItc2hvd24=;"
        "BlobEndpoint=http://127.0.0.1:1/a",
        "PGHOST": "localhost",
        "PGPORT": str(encrypted.port),
        "PGDATABASE": "tailrace",
        "PGUSER": ROLE,
        "PGSSLMODE": "verify-full",
        "TAILRACE_CREDENTIAL": "managed-identity",
        "TAILRACE_JOBS": str(jobs),
        "SSL_CERT_FILE": str(encrypted.authority),
    }


class Doctor:
    """What the command said."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.said = done.stdout + done.stderr
        self.findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]

    def of(self, check: str) -> list[dict[str, Any]]:
        return [finding for finding in self.findings if finding["check"] == check]


@pytest.fixture
def doctor(settings: dict[str, str]) -> Callable[..., Doctor]:
    """Runs `tailrace doctor --json` with these settings and further environment."""

    def run(**environ: str) -> Doctor:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("AZURE_", "IDENTITY_", "MSI_", "PG"))}
        return Doctor(run_tailrace(("doctor", "--json"), {**clean, **settings, **environ}, own=True))

    return run
