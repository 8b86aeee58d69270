"""Edge: which blobs exist."""

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

from connections.storage import container_client, listed, tag_of
from producer.facts import Present
from producer.prefixes import prefixes_of
from settings import Settings

_PARALLEL = 8


class BlobIndex:
    """Looks names up in the export container; safe for threads."""

    def __init__(self, settings: Settings) -> None:
        self._container = container_client(settings, connections=_PARALLEL)

    def present(self, groups: Iterable[Collection[str]]) -> dict[str, Present]:
        """The blobs that exist, by name. A group holds the names of one job, which are built alike.

        Lists by prefixes of the names, 5,000 blobs a round trip and several prefixes at once.
        """
        wanted = [(prefix, set(names)) for group in groups for prefix, names in prefixes_of(group)]
        found: dict[str, Present] = {}
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="list") as threads:
            try:
                for part in threads.map(self._listed, wanted):
                    found.update(part)
            finally:
                # If storage is frozen, each of many prefixes would be waited for.
                threads.shutdown(cancel_futures=True)
        return found

    def _listed(self, wanted: tuple[str, set[str]]) -> dict[str, Present]:
        prefix, names = wanted
        blobs = listed(self._container, prefix)
        return {blob.name: Present.of(blob.metadata, tag_of(blob.etag)) for blob in blobs if blob.name in names}
