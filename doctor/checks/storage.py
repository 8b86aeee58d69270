"""Checks the container: tries what an export does on one blob, and deletes it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

from connections.storage import container_client, storage_errors
from contracts.errors import TailraceError
from doctor.finding import Check, Finding, failed, failed_by, ok, warning
from doctor.site import Site

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient, ContainerClient, ContainerProperties

FOLDER = ".tailrace-probe"
_CREATE = "az storage container create --auth-mode login --account-name ACCOUNT --name {0}; or set TAILRACE_CONTAINER"


def container_is_there(site: Site) -> Iterator[Finding]:
    """The properties of the container that exports depend on."""
    name = site.settings.container
    subject = f"container {name}"
    with container_client(site.settings, connections=1) as container:
        try:
            with storage_errors("a look", subject):
                properties = container.get_container_properties()
        except TailraceError as error:
            found = failed_by(subject, error)
            is_missing = error.reason == "ContainerNotFound"
            yield failed(subject, "there is no such container", _CREATE.format(name)) if is_missing else found
            return
        yield ok(subject, "it is there")
        if properties.public_access:
            advice = f"az storage container set-permission --account-name ACCOUNT --name {name} --public-access off"
            yield warning(subject, "anyone on the internet can read the exports", advice)
        if is_immutable(properties):
            yield warning(subject, "blobs cannot be changed: jobs with if_exists = 'replace' will be refused", None)
        yield _hierarchy(container)


def _hierarchy(container: "ContainerClient") -> Finding:
    from azure.core.exceptions import AzureError

    try:
        account = container.get_account_information()
    except AzureError:
        return ok("storage account", "whether it has a hierarchical namespace cannot be seen with these rights")
    if account.get("is_hns_enabled"):
        return ok("storage account", "hierarchical namespace: no blob may have the name of a folder of another")
    return ok("storage account", f"{account.get('account_kind')}, {account.get('sku_name')}, flat namespace")


def is_immutable(properties: "ContainerProperties") -> bool:
    """Whether a policy may prevent deleting a blob."""
    return bool(
        properties.has_immutability_policy
        or properties.has_legal_hold
        or properties.immutable_storage_with_versioning_enabled
    )


def blobs_can_be_written(site: Site) -> Iterator[Finding]:
    """Tries what an export does, on a new blob."""
    with container_client(site.settings, connections=1) as container:
        with storage_errors("a look", site.settings.container):
            may_stay = is_immutable(container.get_container_properties())
        yield from probed(container.get_blob_client(f"{FOLDER}/{uuid4()}"), leave_no_blob=may_stay)


def probed(blob: "BlobClient", *, leave_no_blob: bool) -> Iterator[Finding]:
    """Stages a block, commits it twice on the condition that no blob exists, and deletes the blob.

    leave_no_blob: only stages the block, which is invisible and dropped by Azure after a week; for containers in
    which the blob could not be deleted.
    """
    subject = f"blob {blob.blob_name}"
    try:
        with storage_errors("staging a block", subject):
            blob.stage_block("probe", b"tailrace doctor")
        if leave_no_blob:
            yield ok(subject, "a block can be staged; nothing more was tried, as no blob could be deleted again")
            return
        with storage_errors("a commit", subject):
            _commit(blob, ["probe"])
    except TailraceError as error:
        yield failed_by(subject, error)
        return
    try:
        yield _second_commit(blob, subject)
    finally:
        left = _deleted(blob, subject)
    if left is not None:
        yield left


def _second_commit(blob: "BlobClient", subject: str) -> Finding:
    from azure.core.exceptions import AzureError, ResourceExistsError, ResourceModifiedError

    try:
        _commit(blob, [])
    except (ResourceExistsError, ResourceModifiedError):
        return ok(subject, "it was written once, a second commit was refused, as it must be, and it was deleted")
    except AzureError as error:
        return failed(subject, f"a second commit failed otherwise than by its condition: {type(error).__name__}")
    says = "a commit on the condition that there is no blob overwrote one: exports could overwrite each other"
    return failed(subject, says, "use Azure Blob Storage or Azurite; this server does not keep its conditions")


def _commit(blob: "BlobClient", blocks: list[str]) -> None:
    from azure.core import MatchConditions
    from azure.storage.blob import BlobBlock

    blob.commit_block_list([BlobBlock(block) for block in blocks], match_condition=MatchConditions.IfMissing)


def _deleted(blob: "BlobClient", subject: str) -> Finding | None:
    from azure.core.exceptions import AzureError

    try:
        blob.delete_blob()
    except AzureError as error:
        code = str(getattr(error, "error_code", None) or type(error).__name__)
        return warning(
            subject, f"it could be written, but not deleted ({code}): it is still there", "delete it by hand"
        )
    return None


CHECKS = (
    Check("storage container", container_is_there, needs=("network Storage", "identity")),
    Check("storage blobs", blobs_can_be_written, needs=("storage container",)),
)
