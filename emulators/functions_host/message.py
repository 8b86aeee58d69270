"""A received message as the Service Bus extension 5.x hands it to a worker, with what it leaves out."""

import datetime as dt
import json
from collections.abc import Mapping

from azure.servicebus import ServiceBusReceivedMessage

from emulators.functions_host.wire import Typed, typed

BINARY = "binary"
# When a message without a time to live expires; .NET writes one digit more.
NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)
# Objects of the .NET extension that a Python worker gets as empty JSON objects.
_HANDLES: dict[str, object] = {
    name: {}
    for name in ("MessageReceiver", "MessageSession", "MessageActions", "SessionActions", "ReceiveActions", "Client")
}


def body_of(message: ServiceBusReceivedMessage, data_type: str) -> Typed:
    """Give the body as bytes for the trigger's data_type "binary", else as text, as the real host does."""
    content = body_bytes(message)
    if data_type.lower() == BINARY:
        return Typed("bytes", content)
    return Typed("string", content.decode("utf-8", errors="replace"))


def body_bytes(message: ServiceBusReceivedMessage) -> bytes:
    """Give the body as it came; a value section is no binary body and gives its text."""
    body = message.body
    if isinstance(body, str | bytes):
        return body.encode() if isinstance(body, str) else body
    return b"".join(bytes(part) for part in body)


def metadata_of(message: ServiceBusReceivedMessage, body: Typed) -> dict[str, Typed]:
    """Give the trigger metadata; what is null is left out, and a JSON text body is laid over it."""
    metadata = {key: typed(value) for key, value in (_binding_data(message) | _HANDLES).items() if value is not None}
    return overlay(metadata, body.content) if isinstance(body.content, str) else metadata


def attempt_of(message: ServiceBusReceivedMessage) -> int:
    """Count deliveries from 1, as the extension does; the AMQP header counts the failed ones before this one."""
    return (message.delivery_count or 0) + 1


def _binding_data(message: ServiceBusReceivedMessage) -> dict[str, object]:
    properties = _properties(message)
    expires = message.expires_at_utc or NEVER
    return {
        "DeliveryCount": attempt_of(message),
        "LockToken": str(message.lock_token),
        "ExpiresAtUtc": _naive(expires),
        "ExpiresAt": expires,
        "EnqueuedTimeUtc": _naive(message.enqueued_time_utc),
        "EnqueuedTime": message.enqueued_time_utc,
        "MessageId": message.message_id,
        "ContentType": message.content_type,
        "ReplyTo": message.reply_to,
        "SequenceNumber": message.sequence_number,
        "To": message.to,
        "Subject": message.subject,
        "Label": message.subject,
        "CorrelationId": message.correlation_id,
        "ApplicationProperties": properties,
        "UserProperties": properties,
        "SessionId": message.session_id,
        "ReplyToSessionId": message.reply_to_session_id,
        "PartitionKey": message.partition_key,
        "DeadLetterSource": message.dead_letter_source,
    }


def overlay(metadata: Mapping[str, Typed], body: str) -> dict[str, Typed]:
    """Copy the top-level keys of a JSON object body over the metadata, whatever the case of their letters.

    The real host does this to every text body, so a body with a key lockToken or deliveryCount replaces the
    message's own. Lists and nulls are left out, numbers and truth values become text, objects stay JSON.

    >>> overlay({"LockToken": Typed("string", "a")}, '{"lockToken": 5, "rows": [1], "more": true}')
    {'LockToken': Typed(kind='string', content='5'), 'more': Typed(kind='string', content='True')}
    """
    try:
        document = json.loads(body)
    except ValueError:
        return dict(metadata)
    if not isinstance(document, dict):
        return dict(metadata)
    names = {name.lower(): name for name in metadata}
    laid: dict[str, Typed] = {
        names.get(str(key).lower(), str(key)): _laid(value) for key, value in document.items() if _is_laid(value)
    }
    return {**metadata, **laid}


def _is_laid(value: object) -> bool:
    return value is not None and not isinstance(value, list)


def _laid(value: object) -> Typed:
    return typed(value) if isinstance(value, dict) else Typed("string", str(value))


def _properties(message: ServiceBusReceivedMessage) -> dict[str, object]:
    return {_text(key): _plain(value) for key, value in (message.application_properties or {}).items()}


def _naive(moment: dt.datetime | None) -> dt.datetime | None:
    """Give a time without its zone: that is how the extension writes the properties whose names end in Utc."""
    return moment.replace(tzinfo=None) if moment else None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value.isoformat() if isinstance(value, dt.datetime) else value
