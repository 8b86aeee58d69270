"""The wire between two network namespaces: the process that carries packets, and delays them by the server's port.

Packets come from two TUN devices, as the kernel segments them: up to 64 KB each, so that carrying 100 MB costs 0.15 s
of a processor. Nothing is lost, and no rate is limited: throughput follows from TCP's own windows, as on a real line.
"""

import json
import os
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# A packet of TUN begins with a virtio_net_hdr.
_HEADER = 10
_LARGEST = _HEADER + 65535
_READS = 64
_SYN, _ACK = 2, 16
_HEAD = 400


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment. `server` and `client` are the ports of the two ends; `up` is from the client.

    `payload` is the beginning of what it carries.
    """

    server: int
    client: int
    up: bool
    begins: bool
    payload: bytes

    @classmethod
    def of(cls, packet: bytes, *, up: bool) -> "Segment | None":
        """The segment of a packet as TUN gives it; None if it is not TCP over IPv4."""
        ip = _HEADER
        if len(packet) < ip + 40 or packet[ip] >> 4 != 4 or packet[ip + 9] != socket.IPPROTO_TCP:
            return None
        tcp = ip + (packet[ip] & 15) * 4
        source, target = (int.from_bytes(packet[at : at + 2]) for at in (tcp, tcp + 2))
        server, client = (target, source) if up else (source, target)
        payload = tcp + (packet[tcp + 12] >> 4) * 4
        begins = packet[tcp + 13] & (_SYN | _ACK) == _SYN
        return cls(server, client, up, begins, packet[payload : payload + _HEAD])


@dataclass
class Traffic:
    """What one server was asked: TCP connections, and round trips, of which `heads` are the first bytes.

    A round trip is what a client sends, and the server's answer to it. What the client sends before an answer has come
    belongs to the same one. TCP's own round trip for a connection is not among them.
    """

    connections: int = 0
    heads: list[str] = field(default_factory=list)
    # What was asked and not answered yet, by the client's port.
    _asked: dict[int, str] = field(default_factory=dict)

    def count(self, segment: Segment) -> None:
        """Counts one segment of this server."""
        self.connections += segment.begins
        if not segment.payload:
            return
        if segment.up:
            self._asked.setdefault(segment.client, _readable(segment.payload))
        elif (head := self._asked.pop(segment.client, None)) is not None:
            self.heads.append(head)

    def figures(self) -> dict[str, Any]:
        """As JSON."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}


def _readable(payload: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else " " for byte in payload).strip()


class Wire:
    """Two TUN devices, and the packets on their way between them."""

    def __init__(self, worker: int, servers: int) -> None:
        self._others = {worker: servers, servers: worker}
        self._worker = worker
        self._delays: Mapping[int, float] = {}
        # In the order of their times: each queue is of one device and one delay.
        self._queues: dict[tuple[int, float], deque[tuple[float, bytes]]] = {}
        self._traffic: dict[int, Traffic] = {}

    def run(self, control: socket.socket) -> None:
        """Carries packets until the other side of `control` is closed.

        A line on it is a JSON object of the servers' ports and their delays, in seconds for one way. The answer is
        what each server has been asked since the line before.
        """
        files = [*self._others, control.fileno()]
        while True:
            ready = select.select(files, [], [], self._wait())[0]
            if control.fileno() in ready:
                if not (line := control.recv(1 << 16)):
                    return
                control.sendall(self._answer(line))
            for device in self._others:
                if device in ready:
                    self._take(device)
            self._deliver()

    def _answer(self, line: bytes) -> bytes:
        self._delays = {int(port): delay for port, delay in json.loads(line).items()}
        said = {port: traffic.figures() for port, traffic in self._traffic.items()}
        self._traffic = {}
        return json.dumps(said).encode() + b"\n"

    def _wait(self) -> float | None:
        dues = [queue[0][0] for queue in self._queues.values() if queue]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _take(self, device: int) -> None:
        now = time.monotonic()
        for _ in range(_READS):
            try:
                packet = os.read(device, _LARGEST)
            except BlockingIOError:
                return
            segment = Segment.of(packet, up=device == self._worker)
            if segment is None:
                continue
            self._traffic.setdefault(segment.server, Traffic()).count(segment)
            delay = self._delays.get(segment.server, 0.0)
            self._queues.setdefault((device, delay), deque()).append((now + delay, packet))

    def _deliver(self) -> None:
        now = time.monotonic()
        for (device, _), queue in self._queues.items():
            while queue and queue[0][0] <= now:
                os.write(self._others[device], queue.popleft()[1])


def main() -> None:
    """`python -m bench.wire WORKER SERVERS CONTROL`: the numbers of inherited files."""
    worker, servers, control = map(int, sys.argv[1:])
    # A delay must not grow by the wait for a processor.
    os.nice(-10)
    Wire(worker, servers).run(socket.socket(fileno=control))


if __name__ == "__main__":
    main()
