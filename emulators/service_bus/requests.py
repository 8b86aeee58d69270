"""Requests over a pair of links, as `$cbs` and `$management` take them: a message in, a message back by its id."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulators.service_bus import codec
from emulators.service_bus.amqp import decode, encode
from emulators.service_bus.amqp.decode import Malformed

VALUE = 0x77


@dataclass(frozen=True, slots=True)
class Request:
    """A request, decoded but for its message id, which is echoed as it came.

    properties: the application properties. raw_body: the body, encoded, b"" if there is none. reply_to: '' if absent.
    """

    properties: dict[str, Any]
    body: Any
    raw_body: bytes
    message_id: bytes
    reply_to: str

    def field(self, name: str, kind: type) -> Any:
        """Return an entry of the body. Raises Refused if it is missing or of another kind."""
        item = self.body.get(name) if isinstance(self.body, dict) else None
        if not isinstance(item, kind):
            raise Refused(400, "com.microsoft:argument-error", f"the request has no usable {name!r}")
        return item

    def encoded_field(self, name: str) -> bytes:
        """Return an entry of the body, encoded; null if it is missing. Raises Malformed."""
        items = decode.encoded_items(self.raw_body)
        pairs = zip(items[::2], items[1::2], strict=False)
        return next((item for key, item in pairs if decode.value(key) == name), encode.NULL)


@dataclass(frozen=True, slots=True)
class Reply:
    """status: as in HTTP. body: an encoded value."""

    status: int
    description: str
    body: bytes = encode.NULL
    condition: str = ""


def ok(body: dict[str, bytes]) -> Reply:
    """Make the reply of success, with encoded values by their names."""
    return Reply(200, "OK", encode.mapping({encode.string(name): item for name, item in body.items()}))


class Refused(Exception):  # noqa: N818
    """A request that is answered with an error: a status as in HTTP, an AMQP condition, and why."""

    def __init__(self, status: int, condition: str, description: str) -> None:
        super().__init__(description)
        self.reply = Reply(status, description, condition=condition)


type Handler = Callable[[Request], Reply]


def parse(data: bytes) -> Request:
    """Parse the request in a transfer. Raises Malformed."""
    application_properties: Any = {}
    body: Any = None
    raw_body = b""
    fields: list[bytes] = []
    for code, _, at, end in codec.sections(data):
        if code == codec.PROPERTIES:
            fields = decode.encoded_items(data[at:end])
        elif code == codec.APPLICATION_PROPERTIES:
            application_properties = decode.value(data[at:end])
        elif code == VALUE:
            raw_body = data[at:end]
            body = decode.value(raw_body)
    if not isinstance(application_properties, dict):
        raise Malformed("not a request: its application properties are no map")
    reply_to = decode.value(fields[4]) if len(fields) > 4 else None
    return Request(application_properties, body, raw_body, fields[0] if fields else encode.NULL, str(reply_to or ""))


@dataclass(frozen=True, slots=True)
class Dialect:
    """The names of a reply's properties at one node."""

    status: str
    description: str
    condition: str


MANAGEMENT = Dialect("statusCode", "statusDescription", "errorCondition")
CBS = Dialect("status-code", "status-description", "error-condition")


def answer(request: Request, reply: Reply, dialect: Dialect) -> bytes:
    """Encode a reply as the body of a transfer."""
    properties = encode.sequence((*[encode.NULL] * 5, request.message_id))
    facts = {
        encode.string(dialect.status): encode.int32(reply.status),
        encode.string(dialect.description): encode.string(reply.description),
    }
    if reply.condition:
        facts[encode.string(dialect.condition)] = encode.symbol(reply.condition)
    return b"".join((
        encode.section(codec.PROPERTIES, properties),
        encode.section(codec.APPLICATION_PROPERTIES, encode.mapping(facts)),
        encode.section(VALUE, reply.body),
    ))  # fmt: skip
