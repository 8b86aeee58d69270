"""One end of a link: credit, deliveries that go out and come in, and how it ends."""

from collections import deque
from typing import Protocol

from emulators.service_bus.amqp import encode, states
from emulators.service_bus.amqp.deliveries import Delivery, Outgoing
from emulators.service_bus.amqp.errors import INVALID, ProtocolError
from emulators.service_bus.amqp.performatives import (
    RECEIVER,
    SENDER,
    Attach,
    Detach,
    Disposition,
    Flow,
    Performative,
    Transfer,
)  # fmt: skip
from emulators.service_bus.amqp.states import Outcome

NO_LIMIT = 1 << 40


class Carrier(Protocol):
    """The part of a session that a link uses."""

    @property
    def room(self) -> int:
        """How many bytes of a message the next transfer may carry; 0 while the session's window is closed."""

    @property
    def backlog(self) -> int:
        """How many bytes wait for the socket."""

    def write(self, performative: Performative) -> None:
        """Send a frame."""

    def transfer(self, transfer: Transfer, payload: bytes) -> None:
        """Send a frame that takes part of the window."""

    def number(self, delivery: Delivery, link: "Link", *, settled: bool) -> None:
        """Give a delivery its id, and remember it unless it is sent settled."""

    def forget(self, delivery: Delivery) -> None:
        """A delivery of this end was settled."""

    def flow(self, handle: int, delivery_count: int, credit: int, *, drain: bool) -> None:
        """Send the state of the session and of a link."""


class Link:
    """A link seen from this end. `sends`: whether this end sends the messages. `remote`: the other end's attach."""

    def __init__(self, carrier: Carrier, name: str, handle: int, *, sends: bool) -> None:
        self.name = name
        self.handle = handle
        self.sends = sends
        self.remote: Attach | None = None
        self.credit = 0  # the number of messages that the receiving end still takes
        self.drain = False  # the receiving end wants its credit used up or given back
        self.limit = NO_LIMIT  # the longest incoming message, in bytes
        self.detached = False  # this end has sent its detach
        self._carrier = carrier
        self._delivery_count = 0
        self._outbox: deque[Outgoing] = deque()
        self._incoming: Delivery | None = None

    @property
    def hungry(self) -> bool:
        """Whether credit and window let a message go out now."""
        return self.credit > 0 and not self._outbox

    @property
    def backlog(self) -> int:
        """How many bytes wait for the socket of the connection."""
        return self._carrier.backlog

    def attach(
        self,
        source: bytes,
        target: bytes,
        *,
        settle_modes: tuple[int, int] = (2, 0),
        max_message_size: int | None = None,
        properties: bytes = encode.NULL,
    ) -> None:
        """Send the attach of this end. Termini and properties are encoded. settle_modes: sender's, receiver's."""
        count = 0 if self.sends else None
        self._carrier.write(Attach(
            self.name, self.handle, SENDER if self.sends else RECEIVER, *settle_modes, source, target,
            initial_delivery_count=count, max_message_size=max_message_size, properties=properties,
        ))  # fmt: skip

    def refuse(self, condition: str, description: str) -> None:
        """Answer an attach with an error. An attach without source and target announces the detach."""
        self.attach(encode.NULL, encode.NULL)
        self.detach(condition, description)

    def detach(self, condition: str = "", description: str = "", *, closed: bool = True) -> None:
        """Send the detach of this end, with an error if a condition is given. Does nothing if it was sent before."""
        if not self.detached:
            self.detached = True
            error = states.encoded_error(condition, description) if condition else encode.NULL
            self._carrier.write(Detach(self.handle, closed, error))

    def grant(self, credit: int) -> None:
        """Let the other end send `credit` more messages."""
        self.credit += credit
        self._carrier.flow(self.handle, self._delivery_count, self.credit, drain=False)

    def ask_to_drain(self) -> None:
        """Ask the other end to use up its credit or to return it."""
        self._carrier.flow(self.handle, self._delivery_count, self.credit, drain=True)

    def drained(self) -> None:
        """Return the credit that is left. The receiving end waits for this answer even if none is left."""
        self._delivery_count = _serial(self._delivery_count + self.credit)
        self.credit, self.drain = 0, False
        self._carrier.flow(self.handle, self._delivery_count, 0, drain=True)

    def send(self, tag: bytes, payload: bytes, *, settled: bool, message_format: int = 0) -> Delivery:
        """Send a message as soon as credit and window allow it."""
        delivery = Delivery(self.handle, tag, message_format, settled=settled)
        self._outbox.append(Outgoing(delivery, payload, settled=settled))
        self.flush()
        return delivery

    def settle(self, delivery: Delivery, outcome: Outcome | None) -> None:
        """Settle a delivery. The other end gets the outcome unless it has settled the delivery itself."""
        self._carrier.forget(delivery)
        if not delivery.settled and not self.detached:
            role = SENDER if self.sends else RECEIVER
            state = states.encoded(outcome)
            self._carrier.write(Disposition(role, delivery.id, delivery.id, settled=True, state=state))

    def update(self, delivery: Delivery, outcome: Outcome) -> None:
        """Send the state of an incoming delivery and let its sender settle it."""
        self._carrier.write(Disposition(RECEIVER, delivery.id, delivery.id, state=states.encoded(outcome)))

    def flush(self) -> None:
        """Send what waits, as far as credit and window allow it."""
        while self._outbox and not self.detached and (room := self._carrier.room) > 0:
            outgoing = self._outbox[0]
            if not outgoing.started:
                if self.credit <= 0:
                    return
                self.credit -= 1
                self._delivery_count = _serial(self._delivery_count + 1)
                self._carrier.number(outgoing.delivery, self, settled=outgoing.delivery.settled)
            self._carrier.transfer(*outgoing.piece(room))
            if outgoing.finished:
                self._outbox.popleft()

    def on_flow(self, flow: Flow) -> None:
        """Take the credit of a flow."""
        if not self.sends:
            if flow.delivery_count is not None:
                left = _distance(_serial(self._delivery_count + self.credit), flow.delivery_count)
                self._delivery_count, self.credit = flow.delivery_count, max(0, left)
        else:
            granted = _serial((flow.delivery_count or 0) + (flow.link_credit or 0))
            self.credit = max(0, _distance(granted, self._delivery_count))
            self.drain = flow.drain
            self.flush()
        if flow.echo:
            self._carrier.flow(self.handle, self._delivery_count, self.credit, drain=self.drain)

    def on_transfer(self, transfer: Transfer, payload: bytes) -> Delivery | None:
        """Take a piece of a message. Returns the delivery once it is whole. Raises ProtocolError."""
        if self.sends:
            raise ProtocolError(INVALID, f"a transfer came on link {self.name}, whose messages go the other way")
        delivery = self._incoming or self._begun(transfer)
        self._incoming = delivery
        delivery.settled = delivery.settled or bool(transfer.settled)
        delivery.append(payload, self.limit)
        if transfer.more and not transfer.aborted:
            return None
        self._incoming = None
        return None if transfer.aborted or self.detached else delivery

    def _begun(self, transfer: Transfer) -> Delivery:
        if transfer.delivery_id is None:
            raise ProtocolError(INVALID, f"the first transfer of a message on link {self.name} has no delivery-id")
        self.credit -= 1
        self._delivery_count = _serial(self._delivery_count + 1)
        delivery = Delivery(self.handle, transfer.delivery_tag or b"", transfer.message_format or 0, settled=False)
        delivery.id = transfer.delivery_id
        return delivery


def _serial(number: int) -> int:
    return number & 0xFFFFFFFF


def _distance(later: int, earlier: int) -> int:
    """Subtract serial numbers, which wrap around (RFC 1982). The distance is negative if the first is the lower one."""
    apart = _serial(later - earlier)
    return apart - (1 << 32) if apart >= 1 << 31 else apart
