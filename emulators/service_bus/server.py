"""The broker: one thread, one selector, every connection and queue in it."""

import contextlib
import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

from emulators.service_bus.attach import Broker, attach
from emulators.service_bus.config import QueueConfig
from emulators.service_bus.faults import Faults
from emulators.service_bus.hosts import listen
from emulators.service_bus.idle_links import IdleLinks
from emulators.service_bus.monotonic import now_ms
from emulators.service_bus.nodes import Nodes
from emulators.service_bus.peer import Peer
from emulators.service_bus.timers import Timers
from emulators.service_bus.turns import Turns

# A client that has not opened its connection by then is disconnected.
HANDSHAKE_MS = 10_000
LONGEST_SLEEP_S = 3600.0
# As in Azure.
IDLE_LINKS_MS = 600_000


def wall_clock() -> int:
    """Return ms since 1970, UTC, as messages carry them and the SDK compares them with its clock."""
    return time.time_ns() // 1_000_000


class Server:
    """Listens, serves until `stop` is called, and leaves nothing behind when it is closed.

    Everything but `stop`, `call` and `port` belongs to the thread that serves. idle_links_ms: how long a link may carry
    nothing before it is detached; 0 for ever. Raises OSError if it cannot listen.
    """

    def __init__(
        self, queues: tuple[QueueConfig, ...] = (), port: int = 0, *, host: str = "127.0.0.1",
        idle_links_ms: int = IDLE_LINKS_MS,
    ) -> None:  # fmt: skip
        self.nodes = Nodes(queues, now=wall_clock())
        self.faults = Faults(self._run_later)
        self._attach = partial(attach, Broker(self.nodes, wall_clock, self.faults))
        self._idle_links_ms = idle_links_ms
        self._listener = listen(host, port)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._waker, self._wake = socket.socketpair()
        self._waker.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._masks: dict[Peer, int] = {}
        self._ticks = Timers[Peer]()
        self._turns = Turns[Peer](self.nodes.queues)
        self.nodes.on_new = self._turns.watch
        self._calls: deque[Callable[[], None]] = deque()  # any thread appends, the one that serves pops
        self._later = Timers[Callable[[], None]]()
        self._stopping = self._deaf = False
        self._hurried = False  # a client that was too full to take messages has room again

    @property
    def peers(self) -> list[Peer]:
        """The connected clients."""
        return list(self._masks)

    def stop(self) -> None:
        """End `serve`. Safe in a signal handler and in any thread."""
        self._stopping = True
        self._nudge()

    def call[Result](self, action: Callable[[], Result], timeout_s: float = 10) -> Result:
        """Run an action on the thread that serves, between two events. Returns and raises what it does.

        Raises TimeoutError if the thread does not serve in time. Call it from any other thread.
        """
        result: Future[Result] = Future()

        def run() -> None:
            if result.set_running_or_notify_cancel():
                try:
                    result.set_result(action())
                except Exception as error:  # noqa: BLE001  it belongs to whoever called
                    result.set_exception(error)

        self._calls.append(run)
        self._nudge()
        return result.result(timeout_s)

    def serve(self) -> None:
        """Serve clients until `stop`."""
        while not self._stopping:
            touched: set[Peer] = set()
            for key, _ in self._selector.select(self._timeout_s()):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake:
                    self._wake.recv(4096)
                else:
                    self._read(key.data)
                    touched.add(key.data)
            if self._run():
                touched |= set(self._masks)
            touched |= self._turns.feed(wall_clock())
            touched |= self._tick()
            self._hurried = False
            for peer in touched:
                self._flush(peer)

    def close(self) -> None:
        """Close every connection and everything else."""
        for peer in list(self._masks):
            self._guard(peer, peer.hang_up)
            self._guard(peer, peer.write)
            self._drop(peer)
        for end in (self._selector, self._listener, self._waker, self._wake):
            end.close()

    def _nudge(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    def _run_later(self, delay_ms: int, action: Callable[[], None]) -> None:
        self._later.set(action, now_ms() + delay_ms)

    def _run(self) -> bool:
        """Run the actions of other threads and those that are due. Returns whether there were any."""
        actions = [self._calls.popleft() for _ in range(len(self._calls))] + list(self._later.due(now_ms()))
        for action in actions:
            action()
        return bool(actions)

    def _timeout_s(self) -> float:
        if self._hurried:
            return 0
        clocks = (
            (self._turns.next_due, wall_clock), (self._ticks.next_due, now_ms), (self._later.next_due, now_ms),
        )  # fmt: skip
        # Every sleep has an end: epoll cannot sleep as long as a message may live.
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
        peer = Peer(connected, self._attach, self._turns, IdleLinks(self._idle_links_ms))
        self._masks[peer] = selectors.EVENT_READ
        self._selector.register(connected, selectors.EVENT_READ, peer)
        self._ticks.set(peer, now_ms() + HANDSHAKE_MS)

    def _read(self, peer: Peer) -> None:
        opened = peer.opened
        self._guard(peer, peer.read)
        if peer.restless or (peer.opened and not opened):
            peer.restless = False
            self._ticks.set(peer, now_ms())

    def _tick(self) -> set[Peer]:
        now = now_ms()
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
