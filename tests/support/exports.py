"""Exports against real servers, without a queue: `Exports` handles messages."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, field

from azure.storage.blob import ContainerClient

from contracts.receipt import Receipt
from contracts.request import ExportRequest
from worker.cancellation import Cancellation
from worker.message.delivery import Delivery, Worker, handle_message
from worker.message.settlement import Settlement

# The jobs that requests of `ask` name; sources are the requests' own.
NO_JOBS = "".join(
    f'[[job]]\nname = "{name}"\nschema = "public"\ntable = "t"\nblob = "{name}/{{run}}"\n' for name in ("j", "owner")
)


@dataclass(frozen=True)
class Exports:
    """Handles messages, and looks at the results."""

    worker: Worker
    container: ContainerClient
    cancelled: Cancellation = field(default_factory=Cancellation)

    def handle(self, request: ExportRequest, attempt: int = 1) -> Settlement:
        delivery = Delivery(request.to_body(), str(request.request_id), 1, attempt)
        return handle_message(delivery, self.worker, self.cancelled)

    def csv(self, name: str = "x/1.csv.gz") -> bytes:
        return gzip.decompress(self.container.download_blob(name).readall())

    def receipt(self, name: str = "x/1.csv.gz") -> Receipt:
        receipt = Receipt.from_metadata(self.container.get_blob_client(name).get_blob_properties().metadata)
        assert receipt is not None
        return receipt

    def names(self) -> list[str]:
        """All blobs, including those that only have staged blocks."""
        return [blob.name for blob in self.container.list_blobs(include=["uncommittedblobs"])]


type OpenExports = Callable[..., Exports]
