"""A client's outcome for a message → what happens to it in the queue, and the answer to the client."""

from emulators.service_bus.amqp import decode, encode
from emulators.service_bus.amqp.decode import Malformed
from emulators.service_bus.amqp.states import (
    Accepted,
    Error,
    Modified,
    Outcome,
    Received,
    Rejected,
    Released,
    State,
    rejected,
)  # fmt: skip
from emulators.service_bus.queue import Queue
from emulators.service_bus.rules import LockLost, NotAllowed

LOCK_LOST = "com.microsoft:message-lock-lost"
_REASON, _DESCRIPTION = "DeadLetterReason", "DeadLetterErrorDescription"


def settle(state: State | None, queue: Queue, token: bytes, now: int) -> Outcome:
    """Apply an outcome to the message that `token` locks. Returns the same outcome, or a rejection with the reason.

    A client that settles without an outcome has not looked at the message: that is a release.
    """
    outcome = Released() if state is None or isinstance(state, Received) else state
    try:
        _apply(outcome, queue, token, now)
    except LockLost as error:
        return rejected(LOCK_LOST, str(error))
    except NotAllowed as error:
        return rejected("amqp:not-allowed", str(error))
    except Malformed as error:
        return rejected("amqp:decode-error", str(error))
    return Rejected() if isinstance(outcome, Rejected) else outcome


def _apply(outcome: Outcome, queue: Queue, token: bytes, now: int) -> None:
    match outcome:
        case Accepted():
            queue.complete(token, now)
        case Rejected():
            reason, description = _dead_letter_info(outcome.reason)
            queue.change(token, changes(outcome.reason.info if outcome.reason else encode.NULL), now)
            queue.dead_letter(token, reason, description, now)
        case Modified(undeliverable_here=True):
            queue.change(token, changes(outcome.annotations), now)
            queue.defer(token, now)
        case Modified():
            queue.change(token, changes(outcome.annotations), now)
            queue.abandon(token, now)
        case Released():
            queue.release(token, now)


def _dead_letter_info(error: Error | None) -> tuple[str | None, str | None]:
    if error is None:
        return None, None
    info = decode.value(error.info)
    if not isinstance(info, dict):
        return error.condition, error.description
    return _text(info.get(_REASON)), _text(info.get(_DESCRIPTION) or error.description)


def _text(item: object) -> str | None:
    return None if item is None else str(item)


def changes(raw: bytes) -> dict[str, bytes]:
    """Split an encoded map into application properties, each encoded. Raises Malformed."""
    if raw == encode.NULL:
        return {}
    items = decode.encoded_items(raw)
    named = {str(decode.value(name)): item for name, item in zip(items[::2], items[1::2], strict=False)}
    return {name: item for name, item in named.items() if name not in (_REASON, _DESCRIPTION)}
