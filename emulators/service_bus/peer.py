"""One client's connection: moves bytes between its socket and AMQP, and hands AMQP's events to the links."""

import socket
from collections.abc import Callable

from emulators.service_bus.amqp.connection import Connection
from emulators.service_bus.amqp.errors import FORCED
from emulators.service_bus.amqp.events import Arrived, Attached, Closed, Detached, Event, Flowed, Updated
from emulators.service_bus.amqp.handshake import ServerHandshake
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.performatives import Open
from emulators.service_bus.attach import Answers, AttachRefused, Served
from emulators.service_bus.idle_links import IdleLinks
from emulators.service_bus.links import Replies
from emulators.service_bus.queue import Queue
from emulators.service_bus.subscription import BACKLOG_BYTES, Subscription
from emulators.service_bus.turns import Turns

type Attach = Callable[[Answers, int, Link], Served]

CHUNK = 256 * 1024
MAX_FRAME = 64 * 1024
# A client must send something every 4 minutes, as in Azure; after 8 minutes of silence it is disconnected.
IDLE_MS = 240_000
# What Azure offers. .NET insists on the first; others take PLAIN or ANONYMOUS, and authenticate by $cbs.
MECHANISMS = "MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"
_HELLO = Open("service-bus", max_frame_size=MAX_FRAME, channel_max=4999, idle_time_out=IDLE_MS)


class Peer:
    """A connection from its accepted socket to its end. Nothing here blocks, and no error of the client gets out."""

    def __init__(self, connected: socket.socket, attach: Attach, turns: "Turns[Peer]", idle_links: IdleLinks) -> None:
        self.socket = connected
        self.closed = False
        self.restless = False  # `tick` must be called before its time
        self._ended = False
        self._heard = True
        self._check_at = self._beat_at = 0
        self._attach = attach
        self._turns = turns
        self._idle_links = idle_links
        self._served: dict[Link, Served] = {}
        self._listeners: dict[tuple[int, str], Replies] = {}
        self._amqp = Connection(_HELLO, ServerHandshake(MECHANISMS))

    @property
    def opened(self) -> bool:
        """Whether the client has opened its connection."""
        return self._amqp.opened

    @property
    def full(self) -> bool:
        """Whether so much waits for the client that it gets no more messages for now."""
        return self._amqp.backlog >= BACKLOG_BYTES

    def read(self) -> None:
        """Read from the socket and handle the events."""
        try:
            data = self.socket.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._heard = True
        self._ended = not data
        for event in self._amqp.receive(data):
            self._on(event)

    def write(self) -> bool:
        """Send what waits, as far as the socket takes it. Returns whether some of it still waits."""
        output = self._amqp.output
        while output:
            try:
                sent = self.socket.send(output)
            except BlockingIOError:
                self.closed = self._ended
                return True
            except OSError:
                self.closed = True
                return False
            del output[:sent]
        self.closed = self.closed or self._ended or self._amqp.closed
        return False

    def tick(self, now_ms: int) -> int:
        """Send a heartbeat or close a silent connection, if it is time. Returns the time of the next call, in ms."""
        if now_ms >= self._check_at:
            if not self._heard:
                self._amqp.close("amqp:resource-limit-exceeded", f"nothing was heard of the client for {IDLE_MS} ms")
                self._ended = True
            self._heard = False
            self._check_at = now_ms + IDLE_MS
        for link in self._idle_links.due(now_ms):
            self.detach(link, "amqp:link:detach-forced", self._idle_links.reason)
        times = [self._check_at, *([] if (due := self._idle_links.next_due) is None else [due])]
        if self._amqp.remote_idle_ms is None:
            return min(times)
        if now_ms >= self._beat_at:
            self._amqp.heartbeat()
            self._beat_at = now_ms + max(1, self._amqp.remote_idle_ms // 2)
        return min(self._beat_at, *times)

    def links(self, queue: Queue | None = None) -> list[Link]:
        """List the links to a queue, or to any."""
        of_queues = ((link, served.queue) for link, served in self._served.items() if served.queue is not None)
        return [link for link, its in of_queues if queue in (None, its)]

    def detach(self, link: Link, condition: str, description: str) -> None:
        """Detach a link with an error. Messages that the client has locked stay locked."""
        link.detach(condition, description)
        self._forget(link)

    def hang_up(self) -> None:
        """Close the connection with the reason, if the client still reads."""
        self._amqp.close(FORCED, "The broker is shutting down.")

    def free(self) -> None:
        """Release all resources. Messages of the client stay locked until their locks end, as after a kill."""
        self.closed = True
        self.socket.close()
        for event in self._amqp.drop():
            self._on(event)
        for link in list(self._served):
            self._forget(link)

    def reply(self, channel: int, addresses: tuple[str, ...], data: bytes) -> None:
        """Send an answer on the link that listens at one of the addresses; the first address with a link wins."""
        for address in addresses:
            if replies := self._listeners.get((channel, address)):
                replies.send(data)
                return

    def _on(self, event: Event) -> None:
        match event:
            case Arrived(link, delivery):
                if served := self._served.get(link):
                    self._idle_links.used(link)
                    served.end.on_arrived(delivery)
            case Updated(link, delivery):
                if served := self._served.get(link):
                    self._idle_links.used(link)
                    served.end.on_updated(delivery)
            case Flowed(link):
                self._idle_links.used(link)
            case Attached(channel, link):
                self._on_attached(channel, link)
            case Detached(link):
                self._forget(link)
            case Closed():
                self._ended = True
            case _:
                pass

    def _on_attached(self, channel: int, link: Link) -> None:
        try:
            served = self._attach(self, channel, link)
        except AttachRefused as error:
            link.refuse(error.condition, str(error))
            return
        self._served[link] = served
        if served.queue is not None:
            self._idle_links.watch(link, served.end)
            self.restless = True
        if isinstance(served.end, Subscription):
            self._turns.join(served.end, self)
        if isinstance(served.end, Replies):
            self._listeners |= {(channel, address): served.end for address in served.addresses if address}

    def _forget(self, link: Link) -> None:
        served = self._served.pop(link, None)
        if served is None:
            return
        self._idle_links.forget(link)
        served.end.on_gone()
        if isinstance(served.end, Subscription):
            self._turns.leave(served.end)
        for key in [key for key, replies in self._listeners.items() if replies is served.end]:
            del self._listeners[key]
