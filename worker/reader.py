"""A process of its own that reads one COPY at a time and gives its compressed bytes to its parent.

Reading and compressing take a core each: in processes they run side by side, in threads they wait for the GIL.
The parent speaks over one socket, which is standard input. It sends orders, a JSON object a line; the reader
answers each with frames (four bytes of length, big-endian, and as many of data), then an empty frame and one
JSON line: {"rows": …, "csv_bytes": …} or {"trouble": [sqlstate, cause, hint]} or {"error": …, "kind": …}.
"""

import json
import os
import socket
from collections.abc import Buffer
from typing import Any

import psycopg

from contracts.errors import TailraceError
from worker.compress import compressed
from worker.snapshot import copy_out
from worker.source_errors import Trouble

FRAME_BYTES = 1 << 20


class _Orphaned:
    """Set once the parent is gone: nobody will read the answer."""

    def __init__(self) -> None:
        self._parent = os.getppid()

    def is_set(self) -> bool:
        return os.getppid() != self._parent


def main() -> None:
    """Serves orders until the parent closes the socket."""
    with socket.socket(fileno=0) as channel, channel.makefile("rb") as orders:
        for line in orders:
            answer = _served(json.loads(line), channel)
            channel.sendall(bytes(4) + json.dumps(answer).encode() + b"\n")


def _served(order: dict[str, Any], channel: socket.socket) -> dict[str, object]:
    try:
        with psycopg.connect(**order["connect"]) as connection:
            connection.execute(order["begin"].encode())
            with copy_out(connection, order["copy"].encode(), header=order["header"], cancelled=_Orphaned()) as copy:
                for data in compressed(copy.chunks(), order["compression"], order["level"]):
                    _send(channel, data)
            connection.execute("COMMIT")
    except psycopg.Error as error:
        return {"trouble": Trouble.of(error)}
    except TailraceError as error:
        return {"error": str(error), "kind": type(error).__name__}
    return {"rows": copy.rows, "csv_bytes": copy.bytes}


def _send(channel: socket.socket, data: Buffer) -> None:
    view = memoryview(data)
    for begin in range(0, len(view), FRAME_BYTES):
        frame = view[begin : begin + FRAME_BYTES]
        channel.sendall(len(frame).to_bytes(4))
        channel.sendall(frame)


if __name__ == "__main__":
    main()
