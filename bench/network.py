"""A network of two machines on this one: the worker's namespace, the servers', and a wire with a delay between them.

Unlike a proxy it has TCP's windows and slow start between the two ends, as a real line has. In both namespaces the
servers' address is 127.0.0.1: the worker's reaches it by the wire. It needs Linux, root, /dev/net/tun and `ip`.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

WORKER = "127.0.0.2"
SERVERS = "127.0.0.1"
_TUN = "/dev/net/tun"
_OWN = "/proc/thread-self/ns/net"
# From linux/if_tun.h. Packets with a virtio_net_hdr may be large ones that nobody has segmented or summed up yet.
_SET_DEVICE, _SET_OFFLOADS = 0x400454CA, 0x400454D0
_IS_TUN, _NO_PACKET_INFO, _HAS_HEADER = 0x0001, 0x1000, 0x4000
_SUMS, _SEGMENTS = 0x01, 0x02
_QUEUE = "10000"


class Network:
    """Both namespaces. The thread that opened it is in the servers'."""

    def __init__(self, worker: int, servers: int, control: TextIO) -> None:
        self._worker = worker
        self._servers = servers
        self._control = control

    @contextmanager
    def at_the_worker(self) -> Iterator[None]:
        """Processes and threads that are started in the block, and connections made in it, are the worker's."""
        os.setns(self._worker, os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(self._servers, os.CLONE_NEWNET)

    def delay(self, round_trips_ms: Mapping[int, float]) -> dict[int, dict[str, Any]]:
        """From now on packets of each server, by its port, are late; those of others are not.

        Returns what each server was asked since the last call: see bench.wire.Traffic.
        """
        one_way = {port: ms / 2000 for port, ms in round_trips_ms.items()}
        print(json.dumps(one_way), file=self._control, flush=True)
        return {int(port): traffic for port, traffic in json.loads(self._control.readline()).items()}


def why_not() -> str | None:
    """Why there can be no such network on this machine; None if there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    if not Path(_TUN).exists():
        return f"there is no {_TUN}"
    if subprocess.run(["ip", "-V"], capture_output=True, check=False).returncode:
        return "there is no program ip"
    return None


@contextmanager
def network() -> Iterator[Network]:
    """Moves the calling thread to the servers' namespace for the block. Raises OSError, CalledProcessError."""
    with ExitStack() as opened:
        home = _opened(opened, _OWN)
        opened.callback(os.setns, home, os.CLONE_NEWNET)
        os.unshare(os.CLONE_NEWNET)
        near, worker = _device(opened, "wire"), _opened(opened, _OWN)
        _route("wire", WORKER, SERVERS)
        os.unshare(os.CLONE_NEWNET)
        far, servers = _device(opened, "wire"), _opened(opened, _OWN)
        _ip("link set lo up")
        # Or the worker's address would be one of this namespace's own: all of 127.0.0.0/8 is, by default.
        _ip("route del local 127.0.0.0/8 table local")
        _route("wire", None, WORKER)
        control, theirs = socket.socketpair()
        opened.enter_context(control)
        _carry(opened, near, far, theirs)
        # Runs first of all: the process that carries ends by it.
        opened.callback(control.shutdown, socket.SHUT_RDWR)
        yield Network(worker, servers, opened.enter_context(control.makefile("rw", encoding="utf-8")))


def _opened(opened: ExitStack, path: str, flags: int = os.O_RDONLY) -> int:
    descriptor = os.open(path, flags)
    opened.callback(os.close, descriptor)
    return descriptor


def _device(opened: ExitStack, name: str) -> int:
    descriptor = _opened(opened, _TUN, os.O_RDWR | os.O_NONBLOCK)
    asked = struct.pack("16sH22x", name.encode(), _IS_TUN | _NO_PACKET_INFO | _HAS_HEADER)
    fcntl.ioctl(descriptor, _SET_DEVICE, asked)
    fcntl.ioctl(descriptor, _SET_OFFLOADS, _SUMS | _SEGMENTS)
    return descriptor


def _route(device: str, own: str | None, other: str) -> None:
    """`other` is at the other end of the device; `own` is the address of this end."""
    if own:
        _ip(f"address add {own}/32 dev {device}")
    _ip(f"link set {device} up txqueuelen {_QUEUE}")
    # Addresses of 127.0.0.0/8 may come by this device, and go by it.
    Path(f"/proc/sys/net/ipv4/conf/{device}/route_localnet").write_text("1", encoding="ascii")
    _ip(f"route add {other}/32 dev {device} src {own or SERVERS}")


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True)


def _carry(opened: ExitStack, near: int, far: int, control: socket.socket) -> None:
    """Starts the process that carries packets; it ends when this one closes its end of `control`, or dies."""
    argv = [sys.executable, "-m", "bench.wire", str(near), str(far), str(control.fileno())]
    with control:
        process = subprocess.Popen(argv, pass_fds=(near, far, control.fileno()), cwd=Path(__file__).parents[1])
    opened.callback(process.wait)
