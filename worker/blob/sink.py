"""Edge: one block blob, made visible by one conditional commit."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from connections.storage import container_client, error_code, storage_errors
from contracts.receipt import Receipt
from settings import Settings
from telemetry.waits import waiting_for
from worker.blob.blocks import PartUpload, Staging
from worker.blob.buffers import MAX_BLOCKS, MAX_STAGERS
from worker.blob.pace import Pace

_CHANGED = {"BlobAlreadyExists", "ConditionNotMet", "InvalidBlockList", "InvalidBlobOrBlock"}


class BlobChangedError(Exception):
    """Another writer committed this blob first; nothing of ours is visible."""


@dataclass(frozen=True, slots=True)
class Found:
    """A blob that is there: its entity tag, and its receipt if Tailrace wrote it."""

    etag: str
    receipt: Receipt | None


class Sink:
    """The container that exports are written to; safe for threads."""

    def __init__(self, settings: Settings) -> None:
        self._pace = Pace()
        connections = settings.concurrency * (MAX_STAGERS + 1)
        self.container = container_client(settings, connections, self._pace.opened)
        self._stagers = ThreadPoolExecutor(settings.concurrency * MAX_STAGERS, thread_name_prefix="stage")

    def close(self) -> None:
        """Ends the staging threads."""
        self._stagers.shutdown(wait=True, cancel_futures=True)

    def find(self, name: str) -> Found | None:
        """The blob of this name, or None."""
        from azure.core.exceptions import ResourceNotFoundError

        with storage_errors("look-up", self._subject(name)), waiting_for("storage: look-up"):
            try:
                properties = self.container.get_blob_client(name).get_blob_properties()
            except ResourceNotFoundError as error:
                # HEAD has no body: only a header says that it is the container that is missing.
                if error_code(error) == "ContainerNotFound":
                    raise
                return None
        return Found(properties.etag, Receipt.from_metadata(properties.metadata or {}))

    @contextmanager
    def upload(self, name: str, replacing: Found | None) -> Iterator["Upload"]:
        """An upload that only `commit` makes visible; leaving waits until no thread works for it."""
        blob, subject = self.container.get_blob_client(name), self._subject(name)
        upload = Upload(Staging(blob, subject, self._stagers, self._pace), replacing)
        try:
            yield upload
        finally:
            upload.drain()

    def _subject(self, name: str) -> str:
        return f"{self.container.container_name}/{name}"


class Upload:
    """The blob of one attempt: parts that are written side by side and committed in order."""

    def __init__(self, staging: Staging, replacing: Found | None) -> None:
        self._staging = staging
        self._replacing = replacing
        # Ids of one blob are of one length, and no other attempt's: two writers never touch each other's blocks.
        self._attempt = uuid4().hex[:24]
        # Each thread adds its own keys; read by the thread that commits, once all have ended.
        self._parts: dict[int, PartUpload] = {}

    def part(self, index: int) -> "PartUpload":
        """The part of this number. One thread at a time writes a part; several write several parts."""
        part = self._parts[index] = PartUpload(self._staging, f"{self._attempt}-{index:04d}", is_alone=index == 0)
        return part

    def commit(self, receipt: Receipt, content_type: str) -> None:
        """Makes the whole blob visible with its receipt, in one request that succeeds or changes nothing.

        Raises BlobChangedError if another writer was first.
        """
        parts = [part for _, part in sorted(self._parts.items())]
        blob = self._staging.blob
        options = self._options(receipt, content_type)
        if not any(part.block_ids for part in parts):
            # Put Blob is atomic too, takes the same conditions, and is one request instead of two. Only the first part
            # gets here without a block, so that `data` is smaller than one.
            data = b"".join(part.rest for part in parts)
            with self._committing():
                blob.upload_blob(data, length=len(data), overwrite=self._replacing is not None, **options)
            return
        for part in parts:
            part.stage_rest()
        for part in parts:
            part.wait()
        block_ids = [block_id for part in parts for block_id in part.block_ids]
        if len(block_ids) > MAX_BLOCKS:
            raise self._staging.too_large()
        from azure.storage.blob import BlobBlock

        with self._committing():
            blob.commit_block_list([BlobBlock(block_id) for block_id in block_ids], **options)

    @contextmanager
    def _committing(self) -> Iterator[None]:
        with storage_errors("commit", self._staging.subject), _changes_noticed(), waiting_for("storage: commit"):
            yield

    def drain(self) -> None:
        """Waits until no thread works for this upload."""
        for part in self._parts.values():
            part.drain()

    def _options(self, receipt: Receipt, content_type: str) -> dict[str, Any]:
        from azure.core import MatchConditions
        from azure.storage.blob import ContentSettings

        condition: dict[str, Any] = (
            {"match_condition": MatchConditions.IfMissing}
            if self._replacing is None
            else {"etag": self._replacing.etag, "match_condition": MatchConditions.IfNotModified}
        )
        settings = ContentSettings(content_type=content_type)
        return {"metadata": receipt.to_metadata(), "content_settings": settings, **condition}


@contextmanager
def _changes_noticed() -> Iterator[None]:
    from azure.core.exceptions import HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        if (code := error_code(error)) in _CHANGED:
            raise BlobChangedError(code) from error
        raise
