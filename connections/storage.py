"""The blob container's client, and what its errors mean."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from connections.causes import connection_refused, first_line
from connections.credential import credential_for
from contracts.errors import ConfigurationError, SinkRejected, SinkUnavailable
from settings import Settings
from telemetry.waits import waiting_for

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from azure.core.exceptions import AzureError
    from azure.storage.blob import ContainerClient

# The service's name of an error → (why, what to do next).
_REFUSED: dict[str, tuple[str, str | None]] = {
    "AuthorizationFailure": (
        "the account refuses this network, this identity or this key",
        "allow this network, and grant the role Storage Blob Data Contributor or check the key in ExportStorage",
    ),
    "AuthorizationPermissionMismatch": (
        "this identity lacks the role",
        "grant this identity the role Storage Blob Data Contributor on the container",
    ),
    "AuthorizationSourceIPMismatch": ("the account's network rules forbid this address", "allow this network"),
    "AuthenticationFailed": ("the key or token is not accepted", "check ExportStorage and this machine's clock"),
    "BlobImmutableDueToPolicy": ("an immutability policy protects the blob", None),
    "BlobImmutableDueToLegalHold": ("a legal hold protects the blob", None),
    "ContainerNotFound": ("there is no such container", "create it, or set TAILRACE_CONTAINER"),
    "InvalidAuthenticationInfo": ("the token or the connection string belongs to another account or tenant", None),
    "KeyBasedAuthenticationNotPermitted": (
        "the account takes no keys",
        "set ExportStorage__serviceUri and an identity",
    ),
    "BlobArchived": ("a blob of this name is archived", "rehydrate or remove it"),
    "LeaseIdMissing": ("a blob of this name is leased", "break the lease"),
    "InvalidBlobOrBlock": (
        "others have staged blocks of this name, which vanish after a week",
        "use another name",
    ),
    "InvalidBlobType": ("a blob of this name is no block blob", "remove it"),
    "InvalidResourceName": ("the account does not take this name", None),
    "PathConflict": ("the name is that of a folder, or a part of it is that of a file", "use another name"),
    "ResourceTypeMismatch": ("the name is that of a folder", "use another name"),
}
# Retries after 1, 3, 5, 9 and 17 s, or for 9 s in all without a connection. By default the SDK waits 15 s even after a
# lost connection and gives up after 80 s, while a snapshot stays open. Longer outages wait in the queue.
_RETRIES: dict[str, Any] = {
    "initial_backoff": 1,
    "increment_base": 2,
    "retry_total": 5,
    "retry_connect": 2,
    "random_jitter_range": 1,
    "retry_read": 2,
}
# Seconds. An account that accepts and does not answer is given up after a minute: three times 20 s; the default is
# 300 s. These are options of the transport, since a client with its own transport ignores the client's options.
_TIMEOUTS: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 20}


def container_client(
    settings: Settings, connections: int, opened: Callable[[float], None] | None = None
) -> "ContainerClient":
    """A client of the configured container, safe for threads; keeps `connections` sockets open.

    `opened` is called with the round trip of each new connection, in seconds, or 0 if it is not known.
    """
    import requests
    from azure.core.pipeline.transport import RequestsTransport
    from azure.storage.blob import BlobServiceClient

    session = requests.Session()
    adapter = requests.adapters.HTTPAdapter(pool_connections=2, pool_maxsize=connections)
    if opened is not None:
        from connections.round_trip import watch

        watch(adapter, opened)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    transport = RequestsTransport(session=session, session_owner=False, **_TIMEOUTS)
    if settings.storage_connection_string is not None:
        secret = settings.storage_connection_string.get_secret_value()
        try:
            service = BlobServiceClient.from_connection_string(secret, transport=transport, **_RETRIES)
        except ValueError as error:
            raise ConfigurationError(f"settings: ExportStorage is no connection string: {error}") from None
    else:
        assert settings.storage_url is not None
        credential = credential_for(settings)
        service = BlobServiceClient(settings.storage_url, credential, transport=transport, **_RETRIES)
    return service.get_container_client(settings.container)


def tag_of(etag: object) -> str:
    """An entity tag as receipts and requests hold it: some calls of the SDK give it with quotes.

    >>> tag_of('"0x8D"'), tag_of("0x8D")
    ('0x8D', '0x8D')
    """
    return str(etag).strip('"')


def error_code(error: Exception) -> str:
    """The service's name of an error, such as ConditionNotMet, or else the name of its class."""
    code = getattr(error, "error_code", None)
    # A member of the SDK's enumeration prints its name in Python, CONDITION_NOT_MET.
    return str(getattr(code, "value", code) or type(error).__name__)


class Listed(NamedTuple):
    """A blob as a listing shows it."""

    name: str
    etag: str
    size: int
    metadata: Mapping[str, str]


def listed(container: "ContainerClient", prefix: str) -> Iterator[Listed]:
    """All blobs whose names begin with `prefix`, by name, with their metadata; 5,000 a round trip.

    The SDK's objects take ten times the CPU of what is needed of them, so it lists names, and its answer, which it has
    parsed as XML, is read here. Raises SinkRejected or SinkUnavailable.
    """
    with storage_errors("listing", f"{container.container_name}/{prefix}"):
        pages: Any = container.list_blob_names(name_starts_with=prefix, include=["metadata"]).by_page()
        while True:
            with waiting_for("storage: listing"):
                if next(pages, None) is None:
                    return
            yield from map(_listed, pages._response.iterfind("Blobs/Blob"))  # noqa: SLF001


def _listed(blob: "Element") -> Listed:
    """A blob of a listing's XML. Names that XML cannot hold are written as in an address."""
    name, properties, metadata = blob.find("Name"), blob.find("Properties"), blob.find("Metadata")
    assert name is not None
    assert properties is not None
    text = name.text or ""
    return Listed(
        unquote(text) if name.get("Encoded") == "true" else text,
        properties.findtext("Etag") or "",
        int(properties.findtext("Content-Length") or 0),
        {} if metadata is None else {field.tag: field.text or "" for field in metadata},
    )


@contextmanager
def storage_errors(operation: str, subject: str) -> Iterator[None]:
    """Turns the SDK's errors into ours: SinkRejected if a person must act, else SinkUnavailable."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise _translated(error, operation, subject) from error


def _translated(error: "AzureError", operation: str, subject: str) -> SinkRejected | SinkUnavailable:
    code = error_code(error)
    if code == "AzureSigningError":  # the SDK itself finds that the key is none
        code = "AuthenticationFailed"
    if code in _REFUSED:
        why, advice = _REFUSED[code]
        return SinkRejected(f"{operation} of {subject!r} was refused: {why} ({code})", advice=advice, reason=code)
    if refused := connection_refused(error):
        advice = "check ExportStorage, and that this machine reaches the account"
        return SinkUnavailable(f"{operation} of {subject!r} failed: {refused}", advice=advice)
    return SinkUnavailable(f"{operation} of {subject!r} failed: {first_line(error)} ({code})")
