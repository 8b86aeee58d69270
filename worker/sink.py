"""Edge: one block blob, staged in blocks and made visible by one conditional commit."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from connections.storage import container_client, storage_errors
from contracts.errors import SinkRejected
from contracts.receipt import Receipt
from settings import Settings
from worker.buffers import BLOCK_BYTES, MAX_BLOCKS, STAGERS

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

# Not text/csv with Content-Encoding gzip: HTTP clients would unpack a file that is named .gz.
_CONTENT_TYPE = "application/gzip"
_CHANGED = {"BlobAlreadyExists", "ConditionNotMet", "InvalidBlockList", "InvalidBlobOrBlock"}


class BlobChangedError(Exception):
    """Another writer committed this blob first; nothing of ours is visible."""


@dataclass(frozen=True, slots=True)
class Found:
    """A blob that is there: its entity tag, and its receipt where Tailrace wrote it."""

    etag: str
    receipt: Receipt | None


class Sink:
    """The container that exports are written to; safe for threads."""

    def __init__(self, settings: Settings) -> None:
        self._container = container_client(settings, connections=settings.concurrency * (STAGERS + 1))
        self._stagers = ThreadPoolExecutor(settings.concurrency * STAGERS, thread_name_prefix="stage")

    def close(self) -> None:
        """Ends the staging threads."""
        self._stagers.shutdown(wait=True, cancel_futures=True)

    def find(self, name: str) -> Found | None:
        """The blob of this name, or None."""
        from azure.core.exceptions import ResourceNotFoundError

        with storage_errors("look-up", self._subject(name)):
            try:
                properties = self._container.get_blob_client(name).get_blob_properties()
            except ResourceNotFoundError as error:
                # HEAD has no body: the container's own absence is told apart by the header alone.
                if str(getattr(error, "error_code", "")).endswith("ContainerNotFound"):
                    raise
                return None
        return Found(properties.etag, Receipt.from_metadata(properties.metadata or {}))

    @contextmanager
    def upload(self, name: str, replacing: Found | None) -> Iterator["Upload"]:
        """An upload that only `commit` makes visible; leaving waits until no thread works for it any more."""
        upload = Upload(self._container.get_blob_client(name), self._subject(name), self._stagers, replacing)
        try:
            yield upload
        finally:
            upload.settle()

    def _subject(self, name: str) -> str:
        return f"{self._container.container_name}/{name}"


class Upload:
    """The blocks of one attempt at one blob. Not safe for threads; at most STAGERS blocks are under way."""

    def __init__(self, blob: "BlobClient", subject: str, stagers: ThreadPoolExecutor, replacing: Found | None) -> None:
        self._blob = blob
        self._subject = subject
        self._stagers = stagers
        self._replacing = replacing
        # Ids of one blob are of one length, and no other attempt's: two writers never touch each other's blocks.
        self._attempt = uuid4().hex[:24]
        self._pending = bytearray()
        self._block_ids: list[str] = []
        self._under_way: set[Future[None]] = set()
        self._digest = sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        """Hex digest of all bytes written."""
        return self._digest.hexdigest()

    def write(self, data: bytes) -> None:
        """Takes bytes of the blob; waits where STAGERS blocks are under way already."""
        self._digest.update(data)
        self.bytes += len(data)
        self._pending += data
        while len(self._pending) >= BLOCK_BYTES:
            block = bytes(memoryview(self._pending)[:BLOCK_BYTES])
            del self._pending[:BLOCK_BYTES]
            self._stage(block)

    def commit(self, receipt: Receipt) -> None:
        """Makes the whole blob visible with its receipt, in one request that succeeds or changes nothing.

        Raises BlobChangedError where another writer was first.
        """
        self._wait_for(len(self._under_way))
        with storage_errors("commit", self._subject), _changes_told():
            if not self._block_ids:
                self._put_blob(receipt)
            else:
                if self._pending:
                    self._stage(bytes(self._pending))
                    self._pending.clear()
                    self._wait_for(len(self._under_way))
                self._put_block_list(receipt)

    def settle(self) -> None:
        """Waits until no thread works for this upload any more."""
        wait(self._under_way)
        self._under_way.clear()

    def _stage(self, block: bytes) -> None:
        if len(self._block_ids) == MAX_BLOCKS:
            raise SinkRejected(
                f"upload of {self._subject!r} was stopped: a blob holds at most {MAX_BLOCKS:,} blocks of "
                f"{BLOCK_BYTES:,} bytes; export it by smaller windows",
                reason="BlobTooLarge",
            )
        block_id = f"{self._attempt}-{len(self._block_ids):06d}"
        self._block_ids.append(block_id)
        self._wait_for(len(self._under_way) - STAGERS + 1)
        self._under_way.add(self._stagers.submit(self._stage_block, block_id, block))

    def _stage_block(self, block_id: str, block: bytes) -> None:
        with storage_errors("upload", self._subject):
            self._blob.stage_block(block_id, block, length=len(block))

    def _wait_for(self, count: int) -> None:
        """Waits until `count` of the blocks under way are done, and raises what one of them raised."""
        while count > 0 and self._under_way:
            done, self._under_way = wait(self._under_way, return_when=FIRST_COMPLETED)
            count -= len(done)
            for future in done:
                future.result()

    def _put_blob(self, receipt: Receipt) -> None:
        # Less than one block: Put Blob is atomic too, takes the same conditions, and is one request instead of two.
        self._blob.upload_blob(bytes(self._pending), length=len(self._pending), **self._options(receipt))

    def _put_block_list(self, receipt: Receipt) -> None:
        from azure.storage.blob import BlobBlock

        self._blob.commit_block_list([BlobBlock(block_id) for block_id in self._block_ids], **self._options(receipt))

    def _options(self, receipt: Receipt) -> dict[str, Any]:
        from azure.core import MatchConditions
        from azure.storage.blob import ContentSettings

        condition: dict[str, Any] = (
            {"match_condition": MatchConditions.IfMissing}
            if self._replacing is None
            else {"etag": self._replacing.etag, "match_condition": MatchConditions.IfNotModified, "overwrite": True}
        )
        settings = ContentSettings(content_type=_CONTENT_TYPE)
        return {"metadata": receipt.to_metadata(), "content_settings": settings, **condition}


@contextmanager
def _changes_told() -> Iterator[None]:
    from azure.core.exceptions import HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        code = str(getattr(error, "error_code", "")).removeprefix("StorageErrorCode.")
        if code in _CHANGED:
            raise BlobChangedError(code) from error
        raise
