"""Hosts to listen on, and what clients call them."""

import socket

ANY_IPV6 = "::"
_ON_EVERY_ADDRESS = {"0.0.0.0", ANY_IPV6}  # noqa: S104  what a caller may ask for


def listen(host: str, port: int) -> socket.socket:
    """Listen on a host: a name, an IPv4 address, or an IPv6 address; "::" takes IPv4 as well. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == ANY_IPV6 and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=256, dualstack_ipv6=both)


def name_of(host: str) -> str:
    """Give a name for a connection string. The SDKs take no IPv6 address there, and nobody connects to all addresses.

    >>> name_of("0.0.0.0"), name_of("::1"), name_of("127.0.0.1")
    ('localhost', 'localhost', '127.0.0.1')
    """
    return "localhost" if host in _ON_EVERY_ADDRESS or host == "::1" else host
