"""`<queue>/$management`: requests other than sending, receiving and settling."""

from collections.abc import Callable, Iterable
from uuid import UUID

from emulators.service_bus import codec, session_management
from emulators.service_bus.amqp import encode
from emulators.service_bus.amqp.decode import Malformed
from emulators.service_bus.queue import Queue
from emulators.service_bus.requests import Refused, Reply, Request, ok
from emulators.service_bus.rules import LockLost, NotAllowed, NotFound, SessionLost
from emulators.service_bus.settlement import changes
from emulators.service_bus.stored import Stored

# The most that one reply to a peek holds; the client asks again from the next sequence number.
PEEK_MESSAGES, PEEK_BYTES = 250, 256 * 1024
MAX_MESSAGE_BYTES = 256 * 1024


def handle(request: Request, queue: Queue, now: int) -> Reply:
    """Carry out a request on a queue. Raises Refused with the condition that the SDK turns into its own errors."""
    operation = request.properties.get("operation")
    if not isinstance(operation, str) or (carry_out := _OPERATIONS.get(operation)) is None:
        raise Refused(501, "amqp:not-implemented", f"this broker does not offer the operation {operation!r}")
    try:
        return carry_out(request, queue, now)
    except LockLost as error:
        raise Refused(410, "com.microsoft:message-lock-lost", str(error)) from error
    except SessionLost as error:
        raise Refused(410, "com.microsoft:session-lock-lost", str(error)) from error
    except NotFound as error:
        raise Refused(404, "com.microsoft:message-not-found", str(error)) from error
    except (NotAllowed, Malformed) as error:
        raise Refused(400, "com.microsoft:argument-error", str(error)) from error


def _renew_lock(request: Request, queue: Queue, now: int) -> Reply:
    until = [encode.timestamp(queue.renew(token, now)) for token in _lock_tokens(request)]
    return ok({"expirations": encode.array(until)})


def _peek(request: Request, queue: Queue, now: int) -> Reply:
    count = min(request.field("message-count", int), PEEK_MESSAGES)
    items: list[bytes] = []
    size = 0
    session = request.body.get("session-id")
    for message in queue.peek(request.field("from-sequence-number", int), now):
        if session is not None and message.session_id != session:
            continue
        raw = codec.transfer(message, received=False)
        size += len(raw)
        if len(items) >= count or (items and size > PEEK_BYTES):
            break
        items.append(encode.mapping({encode.string("message"): encode.binary(raw)}))
    if not items:
        return Reply(204, "there is no message from that sequence number on", condition="com.microsoft:no-message")
    return ok({"messages": encode.sequence(items)})


def _schedule(request: Request, queue: Queue, now: int) -> Reply:
    messages = [_scheduled_message(item) for item in request.field("messages", list)]
    numbers = queue.enqueue_all(messages, now)
    if not numbers:
        raise Refused(400, "com.microsoft:argument-error", "the request schedules no message")
    return ok({"sequence-numbers": encode.array(map(encode.long, numbers))})


def _scheduled_message(item: object) -> Stored:
    raw = item.get("message") if isinstance(item, dict) else None
    if not isinstance(raw, bytes):
        raise Malformed("a message to schedule has no encoded message in it")
    if len(raw) > MAX_MESSAGE_BYTES:
        description = f"the message has {len(raw)} bytes, the limit is {MAX_MESSAGE_BYTES}"
        raise Refused(400, "amqp:link:message-size-exceeded", description)
    return codec.message(raw)


def _cancel(request: Request, queue: Queue, now: int) -> Reply:
    queue.cancel(_numbers(request), now)
    return ok({})


def _receive_deferred(request: Request, queue: Queue, now: int) -> Reply:
    take = request.body.get("receiver-settle-mode") == 0 if isinstance(request.body, dict) else False
    messages = queue.receive_deferred(_numbers(request), now, take=take)
    return ok({"messages": encode.sequence(map(_deferred_item, messages))})


def _deferred_item(message: Stored) -> bytes:
    pairs = {encode.string("message"): encode.binary(codec.transfer(message, token=True))}
    if message.lock is not None:
        pairs[encode.string("lock-token")] = encode.uuid(UUID(bytes_le=message.lock))
    return encode.mapping(pairs)


def _update_disposition(request: Request, queue: Queue, now: int) -> Reply:
    status = request.field("disposition-status", str)
    settle = _settlement(status, request, queue)
    properties = changes(request.encoded_field("properties-to-modify"))
    for token in _lock_tokens(request):
        queue.change(token, properties, now)
        settle(token, now)
    return ok({})


def _settlement(status: str, request: Request, queue: Queue) -> Callable[[bytes, int], None]:
    match status:
        case "completed":
            return queue.complete
        case "abandoned":
            return queue.abandon
        case "defered":
            return queue.defer
        case "suspended":
            reason, description = (_text(request, f"deadletter-{name}") for name in ("reason", "description"))
            return lambda token, now: queue.dead_letter(token, reason, description, now)
        case _:
            raise Refused(400, "com.microsoft:argument-error", f"{status!r} is no disposition")


def _text(request: Request, name: str) -> str | None:
    text = request.body.get(name)
    return text if isinstance(text, str) and text else None


def _numbers(request: Request) -> Iterable[int]:
    numbers: list[int] = request.field("sequence-numbers", list)
    if not all(isinstance(number, int) for number in numbers):
        raise Malformed("a sequence number is no number")
    return numbers


def _lock_tokens(request: Request) -> list[bytes]:
    tokens = request.field("lock-tokens", list)
    if not tokens or not all(isinstance(token, UUID) for token in tokens):
        raise Malformed("a lock token is no uuid")
    return [token.bytes_le for token in tokens]


_OPERATIONS: dict[str, Callable[[Request, Queue, int], Reply]] = {
    "com.microsoft:renew-lock": _renew_lock,
    "com.microsoft:peek-message": _peek,
    "com.microsoft:schedule-message": _schedule,
    "com.microsoft:cancel-scheduled-message": _cancel,
    "com.microsoft:receive-by-sequence-number": _receive_deferred,
    "com.microsoft:update-disposition": _update_disposition,
    **session_management.OPERATIONS,
}
