"""The broker: one thread, one selector, every connection and queue in it."""

import contextlib
import selectors
import socket
import sys
import time
from collections.abc import Callable
from functools import partial

from emulators.service_bus.attach import attach
from emulators.service_bus.config import QueueConfig
from emulators.service_bus.nodes import Nodes
from emulators.service_bus.peer import Peer
from emulators.service_bus.timers import Timers
from emulators.service_bus.turns import Turns

# A client that has not opened its connection by then never will.
HANDSHAKE_MS = 10_000
LONGEST_SLEEP_S = 3600.0


def wall_clock() -> int:
    """Ms since 1970, UTC: what messages carry and the SDK compares with its own clock."""
    return time.time_ns() // 1_000_000


class Server:
    """Listens on 127.0.0.1, serves until `stop` is called, and leaves nothing behind when it is closed."""

    def __init__(self, queues: tuple[QueueConfig, ...], port: int = 0) -> None:
        self._nodes = Nodes(queues)
        self._attach = partial(attach, self._nodes, wall_clock)
        self._listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._waker, self._wake = socket.socketpair()
        self._waker.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._masks: dict[Peer, int] = {}
        self._ticks = Timers[Peer]()
        self._turns = Turns[Peer](self._nodes.queues)
        self._stopping = self._deaf = False
        self._hurried = False  # a client can take messages that it was too full for when they were handed out

    def stop(self) -> None:
        """Let `serve` return. Safe in a signal handler."""
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def serve(self) -> None:
        """Serve clients until `stop`."""
        while not self._stopping:
            touched: set[Peer] = set()
            for key, _ in self._selector.select(self._timeout_s()):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake:
                    self._stopping = True
                else:
                    self._read(key.data)
                    touched.add(key.data)
            touched |= self._turns.feed(wall_clock())
            touched |= self._tick()
            self._hurried = False
            for peer in touched:
                self._flush(peer)

    def close(self) -> None:
        """Tell every client, and close everything."""
        for peer in list(self._masks):
            self._guard(peer, peer.hang_up)
            self._guard(peer, peer.write)
            self._drop(peer)
        for end in (self._selector, self._listener, self._waker, self._wake):
            end.close()

    def _timeout_s(self) -> float:
        if self._hurried:
            return 0
        clocks = ((self._turns.next_due, wall_clock), (self._ticks.next_due, _monotonic_ms))
        # An end to every sleep: epoll cannot sleep as long as a message may live.
        return max(0, min([LONGEST_SLEEP_S, *((due - clock()) / 1000 for due, clock in clocks if due is not None)]))

    def _accept(self) -> None:
        try:
            connected, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            # Out of file descriptors: the next client is let in when another one leaves.
            self._selector.unregister(self._listener)
            self._deaf = True
            return
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(connected, self._attach, self._turns)
        self._masks[peer] = selectors.EVENT_READ
        self._selector.register(connected, selectors.EVENT_READ, peer)
        self._ticks.set(peer, _monotonic_ms() + HANDSHAKE_MS)

    def _read(self, peer: Peer) -> None:
        opened = peer.opened
        self._guard(peer, peer.read)
        if peer.opened and not opened:
            self._ticks.set(peer, _monotonic_ms())

    def _tick(self) -> set[Peer]:
        now = _monotonic_ms()
        due = set(self._ticks.due(now))
        for peer in due:
            if peer.opened:
                self._ticks.set(peer, peer.tick(now))
            else:
                peer.closed = True
        return due

    def _flush(self, peer: Peer) -> None:
        full = peer.full
        blocked = self._guard(peer, peer.write)
        if peer.closed:
            self._drop(peer)
            return
        self._hurried = self._hurried or (full and not blocked)
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if blocked else 0)
        if mask != self._masks[peer]:
            self._masks[peer] = mask
            self._selector.modify(peer.socket, mask, peer)

    def _guard(self, peer: Peer, step: Callable[[], bool | None]) -> bool | None:
        try:
            return step()
        except Exception as error:  # noqa: BLE001  whatever one client sends, the others are to be served
            print(f"a client was disconnected: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            peer.closed = True
            return None

    def _drop(self, peer: Peer) -> None:
        del self._masks[peer]
        self._ticks.drop(peer)
        self._selector.unregister(peer.socket)
        peer.free()
        if self._deaf:
            self._selector.register(self._listener, selectors.EVENT_READ)
            self._deaf = False


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
