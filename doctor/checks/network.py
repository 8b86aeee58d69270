"""Checks the way to each server: its name, its port, its certificate."""

import ipaddress
import socket
import ssl
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from connections.postgres.roots import root_certificates
from doctor.endpoints import Endpoint, endpoints
from doctor.finding import Check, Finding, failed, ok, warning
from doctor.site import Site

_PATIENCE_S = 5.0
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def server_answers(name: str, site: Site) -> Iterator[Finding]:
    """Checks DNS, TCP and TLS of the server called `name`, up to the first failure."""
    endpoint = next((endpoint for endpoint in endpoints(site.settings) if endpoint.name == name), None)
    if endpoint is None:
        yield failed(name, "its connection string names no address", "copy it again from the portal, as a whole")
    elif endpoint.host.startswith("/"):
        yield _socket_file(endpoint)
    else:
        found = _reached(endpoint, site)
        if found.verdict == "failed" and endpoint.name == "Storage" and _proxy(site):
            found = warning(endpoint.name, f"{found.says}; the proxy {_proxy(site)} may know a way", found.advice)
        yield found


def _proxy(site: Site) -> str:
    """The host of the HTTP proxy, without its user and password."""
    return urlsplit(site.environ.get("HTTPS_PROXY") or site.environ.get("https_proxy") or "").hostname or ""


def _socket_file(endpoint: Endpoint) -> Finding:
    path = Path(endpoint.host, f".s.PGSQL.{endpoint.port}")
    if path.is_socket():
        return ok(endpoint.name, f"socket {path}")
    return failed(endpoint.name, f"there is no socket {path}", "start the server, or set PGHOST and PGPORT")


def _reached(endpoint: Endpoint, site: Site) -> Finding:
    address = f"{endpoint.host}:{endpoint.port}"
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as error:
        advice = (
            "check the name for a misprint; behind a private endpoint, link its private DNS zone "
            "(privatelink.…) to the app's network"
        )
        return failed(endpoint.name, f"no address for {endpoint.host}: {error.strerror}", advice)
    ip = str(found[0][4][0])
    try:
        with socket.create_connection((ip, endpoint.port), timeout=_PATIENCE_S) as connection:
            encrypted = _encrypted(connection, endpoint, site)
    except (ssl.SSLError, ConnectionError, TimeoutError, OSError) as error:
        says, advice = explained(error, endpoint)
        return failed(endpoint.name, f"{address} ({_kind(ip)}): {says}", advice)
    return ok(endpoint.name, f"{address} ({_kind(ip)}), {encrypted}")


def _encrypted(connection: socket.socket, endpoint: Endpoint, site: Site) -> str:
    if endpoint.tls is None:
        return "not encrypted"
    if endpoint.tls == "postgres":
        connection.sendall(_SSL_REQUEST)
        if connection.recv(1) != b"S":
            raise ssl.SSLError("the server offers no TLS")
    context = ssl.create_default_context(cafile=_roots(endpoint, site))
    if not endpoint.verified:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif site.settings.postgres_sslmode == "verify-ca" and endpoint.tls == "postgres":
        context.check_hostname = False
    with context.wrap_socket(connection, server_hostname=endpoint.host) as encrypted:
        checked = "certificate verified" if endpoint.verified else "certificate not verified"
        return f"{encrypted.version()}, {checked}"


def _roots(endpoint: Endpoint, site: Site) -> str:
    configured = site.settings.pg_sslrootcert if endpoint.tls == "postgres" else None
    return root_certificates(configured, site.environ)


def explained(error: Exception, endpoint: Endpoint) -> tuple[str, str]:
    """The meaning of a connection error, and advice.

    >>> explained(ConnectionRefusedError(), Endpoint("PostgreSQL", "h", 5432, None))[0]
    'no server listens on the port'
    """
    roots = "PGSSLROOTCERT" if endpoint.tls == "postgres" else "SSL_CERT_FILE"
    match error:
        case ssl.SSLCertVerificationError() if "match" in error.verify_message:
            advice = "connect by the name that the certificate is for, not by an address or an alias"
            return f"the certificate is for another name: {error.verify_message}", advice
        case ssl.SSLCertVerificationError():
            advice = f"set {roots} to a file that holds the server's authority; leave it unset for public authorities"
            return f"the certificate cannot be verified: {error.verify_message}", advice
        case ssl.SSLError():
            advice = "check the address and the port; for PostgreSQL switch TLS on at the server (ssl = on)"
            return f"TLS failed: {getattr(error, 'reason', None) or error}", advice
        case ConnectionRefusedError():
            return "no server listens on the port", "check the port, and that the server is started"
        case TimeoutError():
            advice = "let the app's address through the server's firewall, or route to its private endpoint"
            return f"no answer within {_PATIENCE_S:g} s", advice
        case _:
            return f"{error}", "check the network between this process and the server"


def _kind(ip: str) -> str:
    return f"{ip}, private" if ipaddress.ip_address(ip.partition("%")[0]).is_private else ip


CHECKS = tuple(
    Check(f"network {name}", partial(server_answers, name), needs=("settings",))
    for name in ("PostgreSQL", "Service Bus", "Storage")
)
