"""The broker's ends of links, on proton's C objects: the Python objects around those cost several times as much."""

from collections.abc import Callable
from typing import Any, Protocol

import cproton as pn  # type: ignore[import-untyped]

from emulators.service_bus import codec
from emulators.service_bus.decode import Malformed
from emulators.service_bus.queue import Queue
from emulators.service_bus.requests import Dialect, Handler, Refused, answer, parse
from emulators.service_bus.settlement import reject, set_condition, settle
from emulators.service_bus.stored import Stored

MAX_MESSAGE_BYTES = 256 * 1024
# The SDK fills a batch to the limit and then puts an envelope around it: message id, session id, partition key.
ENVELOPE_BYTES = 1024
CREDIT = 1000
SIZE_EXCEEDED = "amqp:link:message-size-exceeded"

type Clock = Callable[[], int]


class Link(Protocol):
    """What a connection offers its links."""

    def on_delivery(self, delivery: Any) -> None:
        """Something about a delivery changed."""

    def on_flow(self) -> None:
        """The client changed the link's credit."""


class Incoming:
    """Takes transfers from a client, answers each with an outcome, and keeps the client in credit."""

    def __init__(self, link: Any, take: Callable[[bytes], None]) -> None:
        self.link = link
        self._take = take
        self._too_long = 0
        pn.pn_link_flow(link, CREDIT)

    def on_flow(self) -> None:
        """Nothing: the credit is ours to give."""

    def on_delivery(self, delivery: Any) -> None:
        """Read a transfer once it is whole, and settle it."""
        if pn.pn_delivery_readable(delivery):
            size = pn.pn_delivery_pending(delivery)
            if not pn.pn_delivery_partial(delivery) or pn.pn_delivery_aborted(delivery):
                self._read(delivery, size)
            elif self._too_long or size > MAX_MESSAGE_BYTES + ENVELOPE_BYTES:
                # Thrown away as it comes in, so that it never fills the memory.
                self._too_long += len(pn.pn_link_recv(self.link, size)[1])
        elif pn.pn_delivery_settled(delivery):
            pn.pn_delivery_settle(delivery)

    def _read(self, delivery: Any, size: int) -> None:
        data = bytes(pn.pn_link_recv(self.link, size)[1]) if size else b""
        aborted = pn.pn_delivery_aborted(delivery)
        pn.pn_link_advance(self.link)
        if not aborted:
            self._answer(delivery, data, self._too_long + len(data))
        self._too_long = 0
        pn.pn_delivery_settle(delivery)
        if pn.pn_link_credit(self.link) < CREDIT // 2:
            pn.pn_link_flow(self.link, CREDIT - pn.pn_link_credit(self.link))

    def _answer(self, delivery: Any, data: bytes, size: int) -> None:
        if size > MAX_MESSAGE_BYTES + ENVELOPE_BYTES:
            reject(delivery, SIZE_EXCEEDED, f"the message has {size} bytes, the limit is {MAX_MESSAGE_BYTES}")
            return
        try:
            self._take(data)
        except Malformed as error:
            reject(delivery, "amqp:decode-error", str(error))
        except Refused as error:
            reject(delivery, error.reply.condition, error.reply.description)
        else:
            pn.pn_delivery_update(delivery, pn.PN_ACCEPTED)


class Outgoing:
    """Sends replies, settled as they go."""

    def __init__(self, link: Any) -> None:
        self.link = link
        self._sent = 0

    def on_flow(self) -> None:
        """Nothing: proton holds back what the client has no credit for."""

    def on_delivery(self, delivery: Any) -> None:
        """Nothing: what is sent settled has no outcome."""

    def send(self, data: bytes) -> None:
        """One transfer."""
        self._sent += 1
        delivery = pn.pn_delivery(self.link, self._sent.to_bytes(8))
        pn.pn_link_send(self.link, data)
        pn.pn_link_advance(self.link)
        pn.pn_delivery_settle(delivery)


class Subscription:
    """Hands a queue's messages to a client as far as its credit goes; `take` is RECEIVE_AND_DELETE."""

    def __init__(self, link: Any, queue: Queue, clock: Clock, *, take: bool) -> None:
        self.link = link
        self.queue = queue
        self.take = take
        self._clock = clock
        self._locks: dict[Any, bytes] = {}
        self._taken = 0
        self._draining = False

    @property
    def hungry(self) -> bool:
        """Whether the client has asked for more than it got."""
        return bool(pn.pn_link_credit(self.link) > 0)

    def on_flow(self) -> None:
        """The server feeds whoever is hungry, in turns; here it is only seen whether the client drains the link."""
        self._draining = pn.pn_link_get_drain(self.link)

    def drain(self) -> bool:
        """Answer a client that drains the link; return whether it had asked."""
        if not self._draining:
            return False
        pn.pn_link_drained(self.link)
        self._draining = False
        return True

    def feed(self, now: int) -> bool:
        """Send one message. False if the queue has none."""
        message = self.queue.take(now) if self.take else self.queue.receive(now)
        if message is None:
            return False
        self._send(message)
        return True

    def _send(self, message: Stored) -> None:
        self._taken += 1
        delivery = pn.pn_delivery(self.link, message.lock or self._taken.to_bytes(16))
        pn.pn_link_send(self.link, codec.transfer(message))
        pn.pn_link_advance(self.link)
        if message.lock is None:
            pn.pn_delivery_settle(delivery)
        else:
            self._locks[delivery] = message.lock

    def on_delivery(self, delivery: Any) -> None:
        """Do what the client decided about a message, and say so."""
        token = self._locks.get(delivery)
        if token is None or not (pn.pn_delivery_remote_state(delivery) or pn.pn_delivery_settled(delivery)):
            return
        if settle(delivery, self.queue, token, self._clock()):
            del self._locks[delivery]


def request_link(link: Any, handler: Handler, dialect: Dialect, reply: Callable[[str, bytes], None]) -> Incoming:
    """The link on which requests come in. `reply` gets the address to reply to, or '', and the answer."""

    def take(data: bytes) -> None:
        request = parse(data)
        try:
            result = handler(request)
        except Refused as error:
            result = error.reply
        reply(request.reply_to, answer(request, result, dialect))

    return Incoming(link, take)


def close_link(link: Any, condition: str, description: str) -> None:
    """Detach with an error."""
    set_condition(pn.pn_link_condition(link), condition, description)
    pn.pn_link_close(link)
