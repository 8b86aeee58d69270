"""Edge: small JSON blobs beside the exports, for what no blob, queue or server can say: pauses, audits, manifests.

They are named `_tailrace/<kind>/<name>.json`; no job's blobs may begin so.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from connections.storage import container_client, error_code, listed, storage_errors
from contracts.blob_name import RECORDS
from contracts.errors import SinkRejected, TailraceError
from contracts.model import Model, describe
from settings import Settings
from telemetry.waits import waiting_for

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

_PARALLEL = 8


class RecordChanged(TailraceError):  # noqa: N818  # as SinkRejected
    """Another process wrote the record since it was read; read it again."""


@dataclass(frozen=True, slots=True)
class Record[M: Model]:
    """A record as it was read, the ETag by which a write finds it unchanged, and the SHA-256 of its bytes."""

    name: str
    value: M
    etag: str
    sha256: str


def bytes_of(value: Model) -> bytes:
    """A record as it is written."""
    return value.model_dump_json(indent=1).encode()


class Records[M: Model]:
    """The records of one kind, such as `pauses`; safe for threads."""

    def __init__(
        self, settings: Settings, kind: str, model: type[M], container: "ContainerClient | None" = None
    ) -> None:
        """`container` is a client that others use, too; without it, the records have their own."""
        self._container = container or container_client(settings, connections=_PARALLEL)
        self._prefix = f"{RECORDS}{kind}/"
        self._model = model

    def get(self, name: str) -> Record[M] | None:
        """The record of this name, or None. Raises SinkRejected if it is no such record."""
        from azure.core.exceptions import ResourceNotFoundError

        with storage_errors("look-up", self._path(name)), waiting_for("storage: a look at records"):
            try:
                found = self._container.get_blob_client(self._path(name)).download_blob()
                text, etag = found.readall(), str(found.properties.etag)
            except ResourceNotFoundError as error:
                if error_code(error) == "BlobNotFound":
                    return None
                raise
        return Record(name, self._parsed(name, text), etag, sha256(text).hexdigest())

    def names(self, begin: str = "") -> list[str]:
        """The names of all records of the kind that begin so; 5,000 a round trip."""
        with storage_errors("listing", self._prefix), waiting_for("storage: a look at records"):
            listed = self._container.list_blob_names(name_starts_with=self._prefix + begin)
            return [name.removeprefix(self._prefix).removesuffix(".json") for name in listed]

    def all(self) -> Iterator[Record[M]]:
        """All records of the kind, by name; one that is removed meanwhile is left out."""
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="records") as threads:
            yield from filter(None, threads.map(self.get, self.names()))

    def heads(self) -> dict[str, Mapping[str, str]]:
        """What `put` was given as the head of each record, by name; nothing is downloaded, 5,000 a round trip."""
        found = listed(self._container, self._prefix)
        return {blob.name.removeprefix(self._prefix).removesuffix(".json"): blob.metadata for blob in found}

    def put(
        self,
        name: str,
        value: M,
        *,
        over: Record[M] | None = None,
        is_new: bool = False,
        head: Mapping[str, str] | None = None,
    ) -> None:
        """Writes a record: over the one that was read, as a new one, or, with neither, whatever is there.

        `head` is what a listing shows of it. Raises RecordChanged if the condition does not hold any more.
        """
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError
        from azure.storage.blob import ContentSettings

        condition: dict[str, Any] = (
            {"etag": over.etag, "match_condition": MatchConditions.IfNotModified} if over else {}
        )
        body, settings = bytes_of(value), ContentSettings(content_type="application/json")
        client = self._container.get_blob_client(self._path(name))
        try:
            with storage_errors("write", self._path(name)):
                client.upload_blob(
                    body, overwrite=not is_new, content_settings=settings, metadata=dict(head or {}), **condition
                )
        except TailraceError as error:
            if not isinstance(error.__cause__, ResourceExistsError | ResourceModifiedError):
                raise
            raise RecordChanged(f"record {self._path(name)!r} was written by somebody else meanwhile") from None

    def remove(self, name: str) -> bool:
        """Removes a record; False if there was none."""
        from azure.core.exceptions import ResourceNotFoundError

        with storage_errors("removal", self._path(name)):
            try:
                self._container.delete_blob(self._path(name))
            except ResourceNotFoundError:
                return False
        return True

    def _path(self, name: str) -> str:
        return f"{self._prefix}{name}.json"

    def _parsed(self, name: str, text: bytes) -> M:
        try:
            return self._model.model_validate_json(text)
        except ValidationError as error:
            says = f"blob {self._path(name)!r} is no record of this version: {describe(error)}"
            raise SinkRejected(says, advice="remove it, or use the version that wrote it") from None
