"""AMQP messages ↔ stored messages: the sender's bytes stay, and only header and annotations are written anew.

Sections (AMQP 1.0, 3.2): header 70, delivery annotations 71, message annotations 72, properties 73,
application properties 74, body 75 to 77, footer 78.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from emulators.service_bus.amqp import decode, encode
from emulators.service_bus.amqp.decode import Malformed
from emulators.service_bus.stored import State, Stored

HEADER, DELIVERY_ANNOTATIONS, ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES, DATA, FOOTER = (
    0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x78,
)  # fmt: skip
GROUP_ID = 10  # of the properties: the session
BATCH_FORMAT = 0x80013700
SCHEDULED = "x-opt-scheduled-enqueue-time"
# The broker speaks for these; what a sender says in them is dropped.
_OWN = {
    SCHEDULED, "x-opt-sequence-number", "x-opt-enqueue-sequence-number", "x-opt-enqueued-time", "x-opt-locked-until",
    "x-opt-message-state", "x-opt-deadletter-source", "x-opt-lock-token",
}  # fmt: skip
_DEAD_LETTER_REASON, _DEAD_LETTER_DESCRIPTION = "DeadLetterReason", "DeadLetterErrorDescription"


@dataclass(frozen=True, slots=True)
class Pairs:
    """The items of a map, encoded, with their count (keys and values both)."""

    count: int = 0
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Content:
    """A message as its sender encoded it, cut where the broker has something to add."""

    durable: bytes
    priority: bytes
    annotations: Pairs
    properties: bytes
    application_properties: bytes  # the map, without its section's descriptor
    body: bytes


def messages(data: bytes, message_format: int = 0) -> list[Stored]:
    """Split a transfer into messages: several if its format is that of a batch, else one. Raises Malformed.

    Each data section of a batch is a whole message; what else is in its envelope repeats facts of the first one.
    """
    if message_format != BATCH_FORMAT:
        return [message(data)]
    items = [decode.value(data[at:end]) for code, _, at, end in sections(data) if code == DATA]
    if not items or not all(isinstance(item, bytes) for item in items):
        raise Malformed("not an AMQP message: a batch without messages")
    return [message(item) for item in items]


type Section = tuple[int, int, int, int]  # code, start, offset of the value, end


def sections(data: bytes) -> Iterator[Section]:
    """Find the sections of an encoded message. Raises Malformed."""
    at, size = 0, len(data)
    while at < size:
        try:
            if data[at] != 0x00:
                raise Malformed("not an AMQP message: no section where one should start")
            start_of_value = decode.skip(data, at + 1)
            code = decode.value_at(data, at + 1)[0]
            end = decode.skip(data, start_of_value)
        except decode.BROKEN as error:
            raise Malformed("not an AMQP message: a section is broken or ends too early") from error
        if not isinstance(code, int) or not HEADER <= code <= FOOTER:
            raise Malformed(f"not an AMQP message: unknown section {code!r}")
        yield code, at, start_of_value, end
        at = end


def message(data: bytes) -> Stored:
    """Parse one message. Raises Malformed."""
    durable, priority, ttl = encode.NULL, encode.NULL, None
    annotations, scheduled = Pairs(), 0
    properties, application_properties, body = b"", b"", []
    for code, start, at, end in sections(data):
        if code == PROPERTIES:
            properties = data[at:end]
        elif code == APPLICATION_PROPERTIES:
            application_properties = data[at:end]
            _pairs(application_properties, set())
        elif code == HEADER:
            durable, priority, ttl = _header(data[at:end])
        elif code == ANNOTATIONS:
            annotations, own = _pairs(data[at:end], _OWN)
            scheduled = own.get(SCHEDULED) or 0
        elif code >= DATA:
            body.append(data[start:end])
    if not isinstance(scheduled, int):
        raise Malformed(f"not an AMQP message: {SCHEDULED} is no timestamp")
    fields = decode.encoded_items(properties) if properties else []
    properties, message_id = _identified(properties, fields)
    content = Content(durable, priority, annotations, properties, application_properties, b"".join(body))
    return Stored(content, message_id, _session_id(fields), ttl_ms=ttl, scheduled_ms=scheduled, size=len(data))


def _identified(raw: bytes, fields: list[bytes]) -> tuple[bytes, Hashable]:
    """Return the properties section and its message id; a message without an id gets a new one."""
    message_id = decode.value(fields[0]) if fields else None
    if message_id is None:
        message_id = uuid4().hex
        raw = encode.sequence([encode.string(message_id), *fields[1:]])
    if not isinstance(message_id, str | int | bytes | UUID):
        raise Malformed("not an AMQP message: its message id is no string, number, binary or uuid")
    return encode.section(PROPERTIES, raw), message_id


def _session_id(fields: list[bytes]) -> str | None:
    found = decode.value(fields[GROUP_ID]) if len(fields) > GROUP_ID else None
    if not isinstance(found, str | None):
        raise Malformed("not an AMQP message: its group id is no string")
    return found


def _header(raw: bytes) -> tuple[bytes, bytes, int | None]:
    fields = decode.value(raw)
    if not isinstance(fields, list):
        raise Malformed("not an AMQP message: its header is no list")
    durable, priority, ttl = (*fields, None, None, None)[:3]
    if not isinstance(ttl, int | None):
        raise Malformed("not an AMQP message: its time to live is no number")
    priority_bytes = encode.NULL if not isinstance(priority, int) else bytes((0x50, priority & 0xFF))
    return (encode.TRUE if durable else encode.NULL), priority_bytes, ttl


def _pairs(raw: bytes, owned: set[str]) -> tuple[Pairs, dict[str, Any]]:
    if raw[0] not in (0xC1, 0xD1):
        raise Malformed("not an AMQP message: a map is something else")
    items = decode.encoded_items(raw)
    others: list[bytes] = []
    own: dict[str, Any] = {}
    for raw_key, raw_value in zip(items[::2], items[1::2], strict=False):
        key = decode.value(raw_key)
        if isinstance(key, str) and key in owned:
            own[key] = decode.value(raw_value)
        else:
            others += raw_key, raw_value
    return Pairs(len(others), b"".join(others)), own


def transfer(message: Stored, *, received: bool = True, token: bool = False) -> bytes:
    """Encode the message for a receiver or a peek: present header and annotations around the sender's bytes.

    received: else it is peeked. token: with the lock token, for a message in a reply, which has no delivery tag.
    One that waited for its schedule says so when it is received: Azure was seen to do so (azure-sdk-for-js, 19357).
    """
    content: Content = message.content
    annotations = _lock_token_of(message) if token else b""
    return b"".join((_header_of(message), annotations, _annotations_of(message, received=received), content.properties,
                     _application_properties_of(message), content.body))  # fmt: skip


def _header_of(message: Stored) -> bytes:
    content: Content = message.content
    ttl = encode.NULL if message.ttl_ms is None or message.ttl_ms >= 1 << 32 else encode.uint(message.ttl_ms)
    fields = content.durable + content.priority + ttl + encode.NULL + encode.uint(message.delivery_count)
    return encode.section(HEADER, encode.compound(0xC0, 5, fields))


def _lock_token_of(message: Stored) -> bytes:
    if message.lock is None:
        return b""
    pairs = {encode.symbol("x-opt-lock-token"): encode.uuid(UUID(bytes_le=message.lock))}
    return encode.section(DELIVERY_ANNOTATIONS, encode.mapping(pairs))


_SEQUENCE_NUMBER, _ENQUEUED_TIME, _LOCKED_UNTIL, _STATE, _SCHEDULED, _ENQUEUED_SEQUENCE, _SOURCE = (
    encode.symbol(name)
    for name in (
        "x-opt-sequence-number", "x-opt-enqueued-time", "x-opt-locked-until", "x-opt-message-state",
        SCHEDULED, "x-opt-enqueue-sequence-number", "x-opt-deadletter-source",
    )
)  # fmt: skip


def _annotations_of(message: Stored, *, received: bool) -> bytes:
    raw = [
        message.content.annotations.raw,
        _SEQUENCE_NUMBER, encode.long(message.sequence_number),
        _ENQUEUED_SEQUENCE, encode.long(message.enqueued_sequence),
        _ENQUEUED_TIME, encode.timestamp(message.enqueued_ms),
        _STATE, encode.int32(State.SCHEDULED if received and message.waited else message.state),
    ]  # fmt: skip
    if received and message.lock is not None:
        raw += _LOCKED_UNTIL, encode.timestamp(message.locked_until_ms)
    if message.source is not None:
        raw += _SOURCE, encode.string(message.source)
    if message.scheduled_ms:
        raw += _SCHEDULED, encode.timestamp(message.scheduled_ms)
    count = message.content.annotations.count + len(raw) - 1
    return encode.section(ANNOTATIONS, encode.compound(0xC1, count, b"".join(raw)))


def _application_properties_of(message: Stored) -> bytes:
    raw: bytes = message.content.application_properties
    if message.dead_letter or message.changes:
        raw = _changed(raw, message)
    return encode.section(APPLICATION_PROPERTIES, raw) if raw else b""


def _changed(raw: bytes, message: Stored) -> bytes:
    changes, dead = dict(message.changes), message.dead_letter
    if dead is not None and dead.reason is not None:
        changes[_DEAD_LETTER_REASON] = encode.string(dead.reason)
    if dead is not None and dead.description is not None:
        changes[_DEAD_LETTER_DESCRIPTION] = encode.string(dead.description)
    pairs = _pairs(raw, set(changes))[0] if raw else Pairs()
    tail = b"".join(encode.string(name) + item for name, item in changes.items())
    return encode.compound(0xC1, pairs.count + 2 * len(changes), pairs.raw + tail)
