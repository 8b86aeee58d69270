"""The broker's ends of links that take messages, send replies, and answer requests."""

from collections.abc import Callable
from typing import Protocol

from emulators.service_bus.amqp.decode import Malformed
from emulators.service_bus.amqp.deliveries import Delivery
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.states import Accepted, Outcome, rejected
from emulators.service_bus.requests import Dialect, Handler, Refused, answer, parse

MAX_MESSAGE_BYTES = 256 * 1024
# The SDK fills a batch to the limit and then puts an envelope around it: message id, session id, partition key.
ENVELOPE_BYTES = 1024
CREDIT = 1000
SIZE_EXCEEDED = "amqp:link:message-size-exceeded"

type Take = Callable[[bytes, int], None]


class End(Protocol):
    """The broker's end of a link, called by its connection."""

    def on_arrived(self, delivery: Delivery) -> None:
        """Take a whole message."""

    def on_updated(self, delivery: Delivery) -> None:
        """Take the client's state or settlement of a delivery."""

    def on_gone(self) -> None:
        """Note that the link has ended."""


class Incoming:
    """Takes messages from a client, answers each with an outcome, and renews the client's credit.

    `take` gets the bytes of a message and its format. It raises Malformed or Refused.
    """

    def __init__(self, link: Link, take: Take) -> None:
        self._link = link
        self._take = take
        link.limit = MAX_MESSAGE_BYTES + ENVELOPE_BYTES
        link.grant(CREDIT)

    def on_arrived(self, delivery: Delivery) -> None:
        """Take a message, and settle it."""
        self._link.settle(delivery, self._outcome(delivery))
        if self._link.credit < CREDIT // 2:
            self._link.grant(CREDIT - self._link.credit)

    def on_updated(self, delivery: Delivery) -> None:
        """Do nothing: each message was settled when it came."""

    def on_gone(self) -> None:
        """Do nothing: messages stay in the queue."""

    def _outcome(self, delivery: Delivery) -> Outcome:
        if delivery.size > self._link.limit:
            return rejected(SIZE_EXCEEDED, f"the message has {delivery.size} bytes, the limit is {MAX_MESSAGE_BYTES}")
        try:
            self._take(delivery.data, delivery.format)
        except Malformed as error:
            return rejected("amqp:decode-error", str(error))
        except Refused as error:
            return rejected(error.reply.condition, error.reply.description)
        return Accepted()


class Replies:
    """Sends replies, settled as they go."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._sent = 0

    def on_arrived(self, delivery: Delivery) -> None:
        """Do nothing: no message comes on a link that sends."""

    def on_updated(self, delivery: Delivery) -> None:
        """Do nothing: what is sent settled has no outcome."""

    def on_gone(self) -> None:
        """Do nothing: unsent replies are lost."""

    def send(self, data: bytes) -> None:
        """Send a reply as soon as the client has credit for it."""
        self._sent += 1
        self._link.send(self._sent.to_bytes(8), data, settled=True)


def request_link(link: Link, handler: Handler, dialect: Dialect, reply: Callable[[str, bytes], None]) -> Incoming:
    """Make the end that takes requests. `reply` gets the address to reply to, or '', and the answer."""

    def take(data: bytes, _format: int) -> None:
        request = parse(data)
        try:
            result = handler(request)
        except Refused as error:
            result = error.reply
        reply(request.reply_to, answer(request, result, dialect))

    return Incoming(link, take)
