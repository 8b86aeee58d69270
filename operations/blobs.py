"""Edge: the blobs of a job, and the bytes of one, read in order and decoded."""

import io
from collections.abc import Buffer, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, cast, override

from connections.storage import container_client, listed, storage_errors, tag_of
from contracts.errors import SinkUnavailable, TailraceError
from contracts.receipt import Receipt
from producer.prefixes import prefixes_of
from settings import Settings
from telemetry.waits import waiting_for

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

# One request to the storage; each stream holds one range, and a second while it arrives.
_RANGE_BYTES = 512 << 10
_BUFFER_BYTES = 256 << 10


@dataclass(frozen=True)
class Blob:
    """A blob as it was listed."""

    name: str
    etag: str
    size: int
    metadata: Mapping[str, str] = field(hash=False)

    @cached_property
    def receipt(self) -> Receipt | None:
        """None if Tailrace did not write the blob. Read when it is first asked for: it costs more than the listing."""
        return Receipt.from_metadata(self.metadata)


class BlobReplaced(SinkUnavailable):
    """A blob is not the one any more that was listed."""


class Blobs:
    """The export container, for reading; safe for threads."""

    def __init__(self, settings: Settings, connections: int = 4) -> None:
        self._container: ContainerClient = container_client(settings, connections)

    def named(self, names: Collection[str]) -> dict[str, Blob]:
        """Those of the names, all of one job, that are there; lists little else. 5,000 blobs a round trip."""
        groups = [(prefix, set(wanted)) for prefix, wanted in prefixes_of(names)]
        return {blob.name: blob for prefix, wanted in groups for blob in self.under(prefix) if blob.name in wanted}

    def under(self, prefix: str) -> Iterator[Blob]:
        """All blobs whose names begin with `prefix`, by name."""
        for blob in listed(self._container, prefix):
            yield Blob(blob.name, tag_of(blob.etag), blob.size, blob.metadata)

    def find(self, name: str) -> Blob | None:
        """The blob of this name, or None."""
        return self.named([name]).get(name)

    def url(self, name: str) -> str:
        """The address of a blob, without anything that gives access to it."""
        return self._container.get_blob_client(name).url.partition("?")[0]

    def blocks(self, name: str) -> list[int]:
        """The sizes of the committed blocks; none of a blob that was put in one piece."""
        with storage_errors("look-up", self._subject(name)), waiting_for("storage: look-up"):
            committed, _ = self._container.get_blob_client(name).get_block_list("committed")
        return [int(block.size) for block in committed]

    def read(self, blob: Blob) -> Iterator[bytes]:
        """The bytes of a blob, in ranges of 512 KiB. Raises BlobReplaced, SinkRejected, SinkUnavailable."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

        client = self._container.get_blob_client(blob.name)
        condition: dict[str, Any] = {"etag": f'"{blob.etag}"', "match_condition": MatchConditions.IfNotModified}
        for offset in range(0, blob.size, _RANGE_BYTES):
            length = min(_RANGE_BYTES, blob.size - offset)
            try:
                with storage_errors("download", self._subject(blob.name)), waiting_for("storage: download"):
                    data = client.download_blob(offset=offset, length=length, **condition).readall()
            except TailraceError as error:
                if not isinstance(error.__cause__, ResourceModifiedError | ResourceNotFoundError):
                    raise
                says = f"{blob.name} was removed or replaced while it was read"
                raise BlobReplaced(says, advice="run it again; `tailrace verify` names what is missing") from None
            yield data

    def _subject(self, name: str) -> str:
        return f"{self._container.container_name}/{name}"


class Stream(io.RawIOBase):
    """Pieces of bytes as a file that can be read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer, /) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        taken = min(len(target), len(self._rest))
        target[:taken] = self._rest[:taken]
        self._rest = self._rest[taken:]
        return taken


def decoded(pieces: Iterator[bytes], compression: str) -> IO[bytes]:
    """What was compressed, as a file. Reading damaged data raises EOFError, OSError, IsalError or ZstdError.

    >>> import gzip
    >>> decoded(iter([gzip.compress(b"a,b\\n")[:9], gzip.compress(b"a,b\\n")[9:]]), "gzip").read()
    b'a,b\\n'
    """
    raw = io.BufferedReader(Stream(pieces), _BUFFER_BYTES)
    if compression == "gzip":
        from isal import igzip

        return cast("IO[bytes]", igzip.GzipFile(fileobj=raw, mode="rb"))  # type: ignore[no-untyped-call]
    if compression == "zstd":
        from zstandard import ZstdDecompressor

        return io.BufferedReader(ZstdDecompressor().stream_reader(raw, read_across_frames=True), _BUFFER_BYTES)
    return raw
