"""What is read of a listing is what the SDK reads of it."""

import pytest
from azure.storage.blob import ContainerClient

from connections.storage import Listed, listed, tag_of
from contracts.errors import SinkRejected

NAMES = ["a/1.csv.gz", "a/2 ä&<b>.csv", "a/%20+x", "a/3/", "b/1"]


def by_sdk(container: ContainerClient, prefix: str) -> list[Listed]:
    found = container.list_blobs(name_starts_with=prefix, include=["metadata"])
    return [Listed(one.name, tag_of(one.etag), one.size, one.metadata or {}) for one in found]


def test_a_listing_has_what_the_sdk_finds_in_it(container: ContainerClient) -> None:
    for number, name in enumerate(NAMES):
        metadata = {"rows": str(number), "window": '{"start": "<&>", "x": ""}', "Mixed_Case": "y"} if number else None
        container.upload_blob(name, b"x" * number, metadata=metadata)
    for prefix in ("", "a/", "b", "nothing"):
        found = [one._replace(etag=tag_of(one.etag)) for one in listed(container, prefix)]
        assert found == by_sdk(container, prefix)
    assert [one.name for one in listed(container, "")] == sorted(NAMES)


def test_a_listing_of_several_pages_is_whole(container: ContainerClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        container.upload_blob(f"x/{number}", b"")
    pages = container.list_blob_names

    def in_small_pages(**options: object) -> object:
        return pages(**options, results_per_page=3)

    monkeypatch.setattr(container, "list_blob_names", in_small_pages)
    assert [one.name for one in listed(container, "x/")] == [f"x/{number}" for number in range(7)]


def test_a_container_that_is_not_there_is_named(container: ContainerClient) -> None:
    missing = container._get_blob_service_client().get_container_client("nowhere")
    with pytest.raises(SinkRejected, match="'nowhere/x' was refused: there is no such container"):
        list(listed(missing, "x"))
