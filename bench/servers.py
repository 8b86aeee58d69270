"""The servers: one PostgreSQL for all contenders, and a new blob store for each run."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from azure.storage.blob import BlobServiceClient, ContainerClient

from bench.programs import find_psql
from devstack.azurite import Azurite
from devstack.postgres import Postgres
from emulators.certificate import Certificate

CONTAINER = "exports"
_WARM_UP = bytes(8 << 20)
# No queue listens here: the settings need one, and a single export does not use it.
_NO_QUEUE = "Endpoint=sb://127.0.0.1:9;SharedAccessKeyName=none;SharedAccessKey=none;UseDevelopmentEmulator=true;"


@dataclass(frozen=True)
class Database:
    """The server with the tables; `over_socket` applies to all contenders, B0 too."""

    postgres: Postgres
    admin: psycopg.Connection[Any]
    directory: Path
    over_socket: bool

    @classmethod
    @contextmanager
    def started(cls, *, over_socket: bool) -> Iterator["Database"]:
        """In a temporary folder that goes with it."""
        with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as folder:
            with Postgres.start(Path(folder)) as postgres:
                with psycopg.connect(**postgres.parameters("postgres"), autocommit=True) as admin:  # type: ignore[arg-type]
                    yield cls(postgres, admin, Path(folder), over_socket)

    def environ(self) -> dict[str, str]:
        """libpq's variables."""
        host = {"PGHOST": str(self.postgres.socket_folder)} if self.over_socket else {}
        return self.postgres.environ() | host | {"BENCH_PSQL": find_psql()}


@dataclass(frozen=True)
class BlobStore:
    """An Azurite that holds its blobs in memory and has been warmed up."""

    azurite: Azurite
    container: ContainerClient
    # Of the certificate by which it takes encrypted connections only; None if it takes plain ones.
    authority: Path | None

    @classmethod
    @contextmanager
    def started(cls, directory: Path, certificate: Certificate | None = None) -> Iterator["BlobStore"]:
        """An empty store, stopped after the block: deleted blobs would occupy its memory for minutes."""
        authority = certificate.authority if certificate else None
        with Azurite.start(directory, certificate=certificate) as azurite:
            trust: dict[str, Any] = {"connection_verify": str(authority)} if authority else {}
            with BlobServiceClient.from_connection_string(azurite.connection_string, **trust) as service:
                container = service.create_container(CONTAINER)
                # Warms up Node's compiler, so that the first run does not pay for it.
                blob = container.get_blob_client("warm-up")
                for number in range(8):
                    blob.stage_block(f"{number:04d}", _WARM_UP)
                yield cls(azurite, container, authority)

    def environ(self) -> dict[str, str]:
        """Tailrace's settings."""
        return {
            "ExportStorage": self.azurite.connection_string,
            "TAILRACE_CONTAINER": CONTAINER,
            "ServiceBusConnection": _NO_QUEUE,
            **({"REQUESTS_CA_BUNDLE": str(self.authority)} if self.authority else {}),
        }
