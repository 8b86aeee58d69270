"""One end of a session: handles, windows, and the deliveries that are not settled."""

from collections.abc import Iterator
from typing import Protocol

from emulators.service_bus.amqp import states
from emulators.service_bus.amqp.deliveries import Delivery
from emulators.service_bus.amqp.errors import HANDLE_IN_USE, UNATTACHED, ProtocolError
from emulators.service_bus.amqp.events import Arrived, Attached, Detached, Event, Flowed, Updated
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.performatives import (
    RECEIVER,
    Attach,
    Begin,
    Detach,
    Disposition,
    End,
    Flow,
    Performative,
    Transfer,
)  # fmt: skip

WINDOW = 2048  # transfers; refreshed once half of them have come
OUTGOING_WINDOW = 0x7FFFFFFF
HANDLES = 4095
TRANSFER_BYTES = 128  # no frame of a transfer has more bytes than this beside its payload


class Wire(Protocol):
    """The part of a connection that a session uses."""

    @property
    def frame_size(self) -> int:
        """The longest frame that the other end takes, in bytes."""

    @property
    def backlog(self) -> int:
        """How many bytes wait for the socket."""

    def write(self, channel: int, performative: Performative, payload: bytes = b"") -> None:
        """Send a frame."""


class Session:
    """A session seen from this end."""

    def __init__(self, wire: Wire, channel: int) -> None:
        self.channel = channel
        self.remote_channel: int | None = None
        self.ended = False  # this end has sent its end
        self._wire = wire
        self._links: dict[int, Link] = {}  # by this end's handles
        self._by_remote: dict[int, Link] = {}
        self._next_outgoing = self._next_incoming = 0
        self._incoming_window = WINDOW
        self._remote_window = 0
        self._sent: dict[int, tuple[Delivery, Link]] = {}  # not settled, by id
        self._taken: dict[int, tuple[Delivery, Link]] = {}

    @property
    def room(self) -> int:
        """How many bytes of a message the next transfer may carry; 0 while the other end's window is closed."""
        return self._wire.frame_size - TRANSFER_BYTES if self._remote_window > 0 else 0

    @property
    def backlog(self) -> int:
        """How many bytes wait for the socket."""
        return self._wire.backlog

    def begin(self) -> None:
        """Send the begin of this end."""
        window, out = self._incoming_window, OUTGOING_WINDOW
        self.write(Begin(self.remote_channel, self._next_outgoing, window, out, handle_max=HANDLES))

    def end(self) -> None:
        """Send the end of this session."""
        if not self.ended:
            self.ended = True
            self.write(End())

    def link(self, name: str, *, sends: bool) -> Link:
        """Make a link, for this end to attach."""
        handle = next(number for number in range(len(self._links) + 1) if number not in self._links)
        self._links[handle] = Link(self, name, handle, sends=sends)
        return self._links[handle]

    def write(self, performative: Performative) -> None:
        """Send a frame."""
        self._wire.write(self.channel, performative)

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Send a frame that takes part of the window."""
        self._next_outgoing = (self._next_outgoing + 1) & 0xFFFFFFFF
        self._remote_window -= 1
        self._wire.write(self.channel, transfer, payload)

    def number(self, delivery: Delivery, link: Link, *, settled: bool) -> None:
        """Give a delivery its id, and remember it unless it is sent settled."""
        delivery.id = self._next_outgoing
        if not settled:
            self._sent[delivery.id] = (delivery, link)

    def forget(self, delivery: Delivery) -> None:
        """A delivery of this end was settled."""
        for deliveries in (self._sent, self._taken):
            if (found := deliveries.get(delivery.id)) and found[0] is delivery:
                del deliveries[delivery.id]

    def flow(self, handle: int | None, delivery_count: int | None, credit: int | None, *, drain: bool) -> None:
        """Send the state of the session and, with a handle, of a link."""
        self.write(Flow(
            self._next_incoming, self._incoming_window, self._next_outgoing, OUTGOING_WINDOW, handle, delivery_count,
            credit, drain=drain,
        ))  # fmt: skip

    def on_begin(self, begin: Begin, remote_channel: int) -> None:
        """Take the begin of the other end."""
        self.remote_channel = remote_channel
        self._next_incoming = begin.next_outgoing_id
        self._remote_window = begin.incoming_window

    def on_attach(self, attach: Attach) -> Iterator[Event]:
        """Take the attach of a link or the answer to one. Raises ProtocolError."""
        if attach.handle in self._by_remote:
            raise ProtocolError(HANDLE_IN_USE, f"handle {attach.handle} is attached already")
        sends = attach.role is RECEIVER
        waiting = (link for link in self._links.values() if link.remote is None and link.name == attach.name)
        link = next((link for link in waiting if link.sends is sends), None) or self.link(attach.name, sends=sends)
        link.remote = attach
        self._by_remote[attach.handle] = link
        yield Attached(self.channel, link)

    def on_flow(self, flow: Flow) -> Iterator[Event]:
        """Take the other end's windows and credit. Raises ProtocolError."""
        seen = self._next_outgoing if flow.next_incoming_id is None else flow.next_incoming_id
        self._remote_window = flow.incoming_window - ((self._next_outgoing - seen) & 0xFFFFFFFF)
        for link in self._links.values():
            link.flush()
        if flow.handle is not None:
            link = self._attached(flow.handle)
            link.on_flow(flow)
            yield Flowed(link)
        elif flow.echo:
            self.flow(None, None, None, drain=False)

    def on_transfer(self, transfer: Transfer, payload: bytes) -> Iterator[Event]:
        """Take a message or a piece of one. Raises ProtocolError."""
        self._next_incoming = (self._next_incoming + 1) & 0xFFFFFFFF
        self._incoming_window -= 1
        if self._incoming_window < WINDOW // 2:
            self._incoming_window = WINDOW
            self.flow(None, None, None, drain=False)
        link = self._attached(transfer.handle)
        delivery = link.on_transfer(transfer, payload)
        if delivery is not None:
            if not delivery.settled:
                self._taken[delivery.id] = (delivery, link)
            yield Arrived(link, delivery)

    def on_disposition(self, disposition: Disposition) -> Iterator[Event]:
        """Take the other end's states of deliveries. Raises Malformed."""
        deliveries = self._sent if disposition.role is RECEIVER else self._taken
        state = states.state(disposition.state)
        for number in _range(disposition, deliveries):
            delivery, link = deliveries[number]
            if state is not None:
                delivery.state = state
            if disposition.settled:
                delivery.settled = True
                del deliveries[number]
            yield Updated(link, delivery)

    def on_detach(self, detach: Detach) -> Iterator[Event]:
        """Take the detach of a link and answer it. Raises ProtocolError."""
        link = self._attached(detach.handle)
        del self._by_remote[detach.handle], self._links[link.handle]
        for deliveries in (self._sent, self._taken):
            for number in [number for number, (_, its) in deliveries.items() if its is link]:
                del deliveries[number]
        link.detach(closed=detach.closed)
        yield Detached(link, states.error_or_none(detach.error))

    def close(self) -> Iterator[Link]:
        """End every link without sending anything. Returns those links."""
        links = list(self._links.values())
        for held in (self._links, self._by_remote, self._sent, self._taken):
            held.clear()
        yield from links

    def _attached(self, handle: int) -> Link:
        link = self._by_remote.get(handle)
        if link is None:
            raise ProtocolError(UNATTACHED, f"no link has handle {handle}")
        return link


def _range(disposition: Disposition, deliveries: dict[int, tuple[Delivery, Link]]) -> list[int]:
    """Return the known ids in the range of a disposition. The work grows with the known ids, not with the range."""
    first = disposition.first
    if disposition.last is None or disposition.last == first:
        return [first] if first in deliveries else []
    length = (disposition.last - first) & 0xFFFFFFFF
    return [number for number in deliveries if (number - first) & 0xFFFFFFFF <= length]
