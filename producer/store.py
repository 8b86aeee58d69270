"""Edge: which blobs are there already."""

import os
from collections.abc import Iterable
from uuid import UUID

from connections.storage import container_client, storage_errors
from settings import Settings


class BlobIndex:
    """Looks names up in the export container."""

    def __init__(self, settings: Settings) -> None:
        self._container = container_client(settings, connections=1)

    def present(self, names: Iterable[str]) -> dict[str, UUID | None]:
        """Those of the names that are there, with the request id on each; None where Tailrace did not write it.

        Lists only what begins with the names' common prefix, 5,000 blobs a round trip.
        """
        wanted = set(names)
        prefix = os.path.commonprefix(sorted(wanted))  # noqa: RUF071  # a prefix of names, not of paths
        found: dict[str, UUID | None] = {}
        with storage_errors("listing", f"{self._container.container_name}/{prefix}"):
            for blob in self._container.list_blobs(name_starts_with=prefix, include=["metadata"]):
                if blob.name in wanted:
                    found[blob.name] = _request_id(blob.metadata or {})
        return found


def _request_id(metadata: dict[str, str]) -> UUID | None:
    try:
        return UUID(metadata.get("request_id", ""))
    except ValueError:
        return None
