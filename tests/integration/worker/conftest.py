"""Exports against real servers, without a queue."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest
from azure.storage.blob import ContainerClient

from contracts.receipt import Receipt
from contracts.request import ExportRequest
from contracts.settlement import Settlement
from settings import Settings
from worker.delivery import Delivery, handle_message
from worker.export import Exporter
from worker.open import open_exporter

collect_ignore = ["settling_app"]  # its modules are imported by the worker library only
NO_JOBS = '[[job]]\nname = "none"\nquery = "select 1"\nblob = "none/{run}"\n'


@dataclass(frozen=True)
class Exports:
    """Does what a message asks for, and looks at what came of it."""

    exporter: Exporter
    container: ContainerClient
    cancelled: Event = field(default_factory=Event)

    def handle(self, request: ExportRequest, attempt: int = 1) -> Settlement:
        delivery = Delivery(request.to_body(), str(request.request_id), 1, attempt)
        return handle_message(delivery, self.exporter, self.cancelled)

    def csv(self, name: str = "x/1.csv.gz") -> bytes:
        return gzip.decompress(self.container.download_blob(name).readall())

    def receipt(self, name: str = "x/1.csv.gz") -> Receipt:
        receipt = Receipt.from_metadata(self.container.get_blob_client(name).get_blob_properties().metadata)
        assert receipt is not None
        return receipt

    def names(self) -> list[str]:
        """All blobs, those of which only blocks are there included."""
        return [blob.name for blob in self.container.list_blobs(include=["uncommittedblobs"])]


type OpenExports = Callable[..., Exports]


@pytest.fixture
def open_exports(environ: dict[str, str], container: ContainerClient, tmp_path: Path) -> Iterator[OpenExports]:
    """Opens an exporter with settings of its own; `jobs` is the text of jobs.toml."""
    with ExitStack() as opened:

        def begin(*, jobs: str = NO_JOBS, **settings: str) -> Exports:
            file = tmp_path / "jobs.toml"
            file.write_text(jobs)
            quick = {"TAILRACE_CONNECT_TIMEOUT_SECONDS": "5", "TAILRACE_JOBS": str(file)}
            read = Settings.from_env({**environ, **quick, **settings})
            return Exports(opened.enter_context(open_exporter(read)), container)

        yield begin


@pytest.fixture
def exports(open_exports: OpenExports) -> Exports:
    return open_exports()
