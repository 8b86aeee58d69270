"""Pure: the addresses of the servers, from the settings."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from settings import Settings

_AMQP, _AMQPS = 5672, 5671
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of one server; `tls` says how its connections are encrypted, None if they are not."""

    name: str
    host: str
    port: int
    tls: Literal["direct", "postgres"] | None
    verified: bool = True


def endpoints(settings: Settings) -> list[Endpoint]:
    """The endpoints of all servers, without those that a connection string does not name."""
    found = [postgres_endpoint(settings), service_bus_endpoint(settings), storage_endpoint(settings)]
    return [endpoint for endpoint in found if endpoint is not None]


def postgres_endpoint(settings: Settings) -> Endpoint:
    """PostgreSQL's endpoint; a host that begins with a slash is the folder of a socket."""
    mode = settings.postgres_sslmode
    tls: Literal["postgres"] | None = None if mode in {"disable", "allow", "prefer"} else "postgres"
    return Endpoint(
        "PostgreSQL", settings.pg_host, settings.pg_port, tls, verified=mode in {"verify-ca", "verify-full"}
    )


def service_bus_endpoint(settings: Settings) -> Endpoint | None:
    """The endpoint of the Service Bus namespace."""
    if settings.service_bus_namespace is not None:
        return Endpoint("Service Bus", settings.service_bus_namespace, _AMQPS, "direct")
    assert settings.service_bus_connection_string is not None
    parts = connection_parts(settings.service_bus_connection_string.get_secret_value())
    address = urlsplit(parts.get("endpoint", ""))
    if not address.hostname:
        return None
    if parts.get("usedevelopmentemulator", "").lower() == "true":
        return Endpoint("Service Bus", address.hostname, address.port or _AMQP, None)
    return Endpoint("Service Bus", address.hostname, address.port or _AMQPS, "direct")


def storage_endpoint(settings: Settings) -> Endpoint | None:
    """The endpoint of the blob service."""
    address = urlsplit(settings.storage_url or _blob_url(settings))
    if not address.hostname or address.scheme not in _PORTS:
        return None
    port = address.port or _PORTS[address.scheme]
    return Endpoint("Storage", address.hostname, port, "direct" if address.scheme == "https" else None)


def _blob_url(settings: Settings) -> str:
    assert settings.storage_connection_string is not None
    parts = connection_parts(settings.storage_connection_string.get_secret_value())
    if parts.get("blobendpoint"):
        return parts["blobendpoint"]
    if "accountname" not in parts:
        return ""
    suffix = parts.get("endpointsuffix", "core.windows.net")
    return f"{parts.get('defaultendpointsprotocol', 'https')}://{parts['accountname']}.blob.{suffix}"


def connection_parts(connection_string: str) -> dict[str, str]:
    """The parts of a connection string by their names in lower case.

    >>> connection_parts("Endpoint=sb://a.b/;SharedAccessKey=x=")
    {'endpoint': 'sb://a.b/', 'sharedaccesskey': 'x='}
    """
    pairs = (part.partition("=") for part in connection_string.split(";") if "=" in part)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
