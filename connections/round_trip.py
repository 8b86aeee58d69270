"""Edge: how far away a server is, as the kernel measures it on each connection."""

import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

# tcpi_min_rtt of linux/tcp.h's tcp_info, in microseconds.
_LEAST, _SIZE = 148, 152


def round_trip_s(descriptor: int) -> float:
    """The shortest round trip of a TCP connection so far, in seconds; 0 if the system does not say.

    `descriptor` is the number of its socket, which stays its owner's.
    """
    with suppress(OSError, AttributeError, struct.error), socket.socket(fileno=os.dup(descriptor)) as opened:
        info = opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
        return float(struct.unpack_from("=I", info, _LEAST)[0]) / 1e6
    return 0.0


def watch(adapter: "HTTPAdapter", opened: Callable[[float], None]) -> None:
    """Calls `opened` with the round trip of each connection that the adapter opens, in the thread that opens it.

    The kernel's figure holds no time of the server, nor of a process that waits for a processor.
    """
    from urllib3 import connection, connectionpool

    # Their names are in the messages of errors, so they are those of the classes that they stand for.
    class HTTPConnection(connection.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            opened(round_trip_s(self.sock.fileno()))

    class HTTPSConnection(connection.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            opened(round_trip_s(self.sock.fileno()))

    class HTTPConnectionPool(connectionpool.HTTPConnectionPool):
        ConnectionCls = HTTPConnection

    class HTTPSConnectionPool(connectionpool.HTTPSConnectionPool):
        ConnectionCls = HTTPSConnection

    adapter.poolmanager.pool_classes_by_scheme = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
