"""A blocking AMQP client, for what no SDK says."""

import contextlib
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import UUID

from emulators.service_bus.amqp import decode, encode, states, terminus
from emulators.service_bus.amqp.connection import Connection
from emulators.service_bus.amqp.deliveries import Delivery
from emulators.service_bus.amqp.events import Arrived, Closed, Detached, Event, Flowed
from emulators.service_bus.amqp.handshake import ClientHandshake
from emulators.service_bus.amqp.link import Link
from emulators.service_bus.amqp.performatives import Open
from emulators.service_bus.amqp.states import Accepted, Error, Outcome
from emulators.service_bus.amqp.terminus import Source, Target
from emulators.service_bus.codec import sections

ENCODERS: dict[type, Callable[[Any], bytes]] = {
    bool: encode.boolean, int: encode.long, str: encode.string, bytes: encode.binary, UUID: encode.uuid,
}  # fmt: skip
HELLO = Open("tests", max_frame_size=32 * 1024)


class LinkDetachedError(Exception):
    """The broker ended a link."""


class ConnectionClosedError(Exception):
    """The broker ended the connection."""


class Message(NamedTuple):
    """A message, decoded: header and properties by position, the others by name."""

    header: list[Any]
    annotations: dict[str, Any]
    properties: list[Any]
    application_properties: dict[str, Any]
    body: Any

    @property
    def delivery_count(self) -> int:
        return self.header[4]


def encoded(
    body: object = b"", *, message_id: object = None, reply_to: str | None = None, ttl_ms: int | None = None,
    properties: dict[str, Any] | None = None, annotations: dict[str, Any] | None = None,
) -> bytes:  # fmt: skip
    """A message; a body of bytes becomes a data section, anything else an amqp-value."""
    parts = []
    if ttl_ms is not None:
        parts.append(encode.section(0x70, encode.sequence([encode.NULL, encode.NULL, encode.uint(ttl_ms)])))
    if annotations:
        pairs = {encode.symbol(name): value(item) for name, item in annotations.items()}
        parts.append(encode.section(0x72, encode.mapping(pairs)))
    if message_id is not None or reply_to is not None:
        fields = [value(message_id), encode.NULL, encode.NULL, encode.NULL, value(reply_to)]
        parts.append(encode.section(0x73, encode.sequence(fields)))
    if properties:
        parts.append(encode.section(0x74, value(properties)))
    parts.append(
        encode.section(0x75, encode.binary(body)) if isinstance(body, bytes) else encode.section(0x77, value(body))
    )
    return b"".join(parts)


def value(item: object) -> bytes:
    """A Python value in the AMQP type that comes nearest."""
    match item:
        case list():
            return encode.sequence(map(value, item))
        case dict():
            return encode.mapping({value(key): value(entry) for key, entry in item.items()})
        case None:
            return encode.NULL
    return ENCODERS[type(item)](item)


def decoded(data: bytes) -> Message:
    """A message that came."""
    found = {code: decode.value(data[at:end]) for code, _, at, end in sections(data)}
    body = next((found[code] for code in (0x75, 0x76, 0x77) if code in found), None)
    return Message(found.get(0x70, []), found.get(0x72, {}), found.get(0x73, []), found.get(0x74, {}), body)


class Sender:
    """A link that sends."""

    def __init__(self, client: "Client", link: Link) -> None:
        self.client, self.link = client, link
        self._sent = 0

    def send(self, data: bytes, message_format: int = 0) -> Delivery:
        """Send a message, and wait for its outcome."""
        self._sent += 1
        delivery = self.link.send(self._sent.to_bytes(4), data, settled=False, message_format=message_format)
        self.client.wait(lambda: delivery.settled)
        return delivery


class Receiver:
    """A link that receives."""

    def __init__(self, client: "Client", link: Link) -> None:
        self.client, self.link = client, link
        self.arrived: list[Delivery] = []
        self.deliveries: list[Delivery] = []
        self.flows = 0

    def receive(self) -> Message:
        """The next message, which stays locked."""
        self.client.wait(lambda: bool(self.arrived))
        self.deliveries.append(self.arrived.pop(0))
        return decoded(self.deliveries[-1].data)

    def settle(self, delivery: Delivery, outcome: Outcome = Accepted()) -> states.State | None:  # noqa: B008
        """Say what is to become of a delivery; what the broker answered."""
        delivery.state = None
        self.link.update(delivery, outcome)
        self.client.wait(lambda: delivery.settled)
        return delivery.state


class Client:
    """A connection with one session."""

    def __init__(
        self, port: int, mechanism: str = "ANONYMOUS", response: bytes | None = None, hello: Open = HELLO,
        host: str = "127.0.0.1",
    ) -> None:  # fmt: skip
        self._socket = socket.create_connection((host, port), timeout=20)
        self._amqp = Connection(hello, ClientHandshake(mechanism, response))
        self._amqp.open()
        self.session = self._amqp.begin()
        self._receivers: dict[Link, Receiver] = {}
        self._detached: dict[Link, Error | None] = {}
        self._closed: Error | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._socket, contextlib.suppress(OSError):
            self._amqp.close()
            self._write()
            while self._socket.recv(1 << 16):  # a socket that is closed with bytes unread resets the connection
                pass

    def sender(self, address: str, target: bytes | None = None) -> Sender:
        """A link to an address, which the broker has answered."""
        link = self.session.link(f"to {address} {len(self._receivers)}", sends=True)
        to = target or terminus.encoded(Target(encode.string(address)))
        link.attach(terminus.encoded(Source()), to)
        self._wait_for_attach(link)
        return Sender(self, link)

    def receiver(self, address: str, credit: int = 1, reply_to: str = "") -> Receiver:
        """A link from an address; with `reply_to`, at which the client wants to be answered."""
        link = self.session.link(f"from {address} {len(self._receivers)}", sends=False)
        self._receivers[link] = receiver = Receiver(self, link)
        target = Target(encode.string(reply_to) if reply_to else encode.NULL)
        link.attach(terminus.encoded(Source(encode.string(address))), terminus.encoded(target))
        self._wait_for_attach(link)
        link.grant(credit)
        return receiver

    def ask(self, address: str, request: bytes, reply_to: str = "") -> Message:
        """The reply to a request."""
        replies, requests = self.receiver(address, credit=5, reply_to=reply_to), self.sender(address)
        requests.send(request)
        return replies.receive()

    def wait(self, holds: Callable[[], bool], timeout_s: float = 20) -> None:
        """Return once a condition holds. Raises LinkDetachedError or ConnectionClosedError if the broker ends it."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            self._write()
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            data = self._socket.recv(1 << 16)
            for event in self._amqp.receive(data):
                self._on(event)
            if not data and not holds():
                raise ConnectionClosedError(self._closed)
        self._write()

    def _wait_for_attach(self, link: Link) -> None:
        self.wait(lambda: link.remote is not None)
        if link.remote is not None and encode.NULL in (link.remote.source, link.remote.target):
            self.wait(lambda: link in self._detached)

    def _on(self, event: Event) -> None:
        match event:
            case Arrived(link, delivery):
                self._receivers[link].arrived.append(delivery)
            case Flowed(link) if link in self._receivers:
                self._receivers[link].flows += 1
            case Detached(link, error):
                self._detached[link] = error
                if error is not None:
                    raise LinkDetachedError(error)
            case Closed(error):
                self._closed = error
                raise ConnectionClosedError(error)

    def _write(self) -> None:
        self._socket.sendall(self._amqp.output)
        self._amqp.output.clear()
