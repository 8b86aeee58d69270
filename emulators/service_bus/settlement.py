"""A client's outcome for a message → what happens to it in the queue, and the answer to the client."""

from typing import Any

import cproton as pn  # type: ignore[import-untyped]

from emulators.service_bus import decode, encode
from emulators.service_bus.decode import Malformed
from emulators.service_bus.queue import Queue
from emulators.service_bus.rules import LockLost, NotAllowed

_INFO = encode.mapping({encode.symbol("refused"): encode.TRUE})
LOCK_LOST = "com.microsoft:message-lock-lost"


def settle(delivery: Any, queue: Queue, token: bytes, now: int) -> bool:
    """Apply the delivery's remote outcome and settle it with the same one, or rejected if that is not possible.

    False if it has no outcome yet.
    """
    state = pn.pn_delivery_remote_state(delivery)
    if state == pn.PN_RECEIVED and not pn.pn_delivery_settled(delivery):
        return False
    try:
        _apply(delivery, queue, token, now)
    except LockLost as error:
        reject(delivery, LOCK_LOST, str(error))
    except NotAllowed as error:
        reject(delivery, "amqp:not-allowed", str(error))
    else:
        _echo(delivery, state)
    pn.pn_delivery_settle(delivery)
    return True


def _apply(delivery: Any, queue: Queue, token: bytes, now: int) -> None:
    state = pn.pn_delivery_remote_state(delivery)
    remote = pn.pn_delivery_remote(delivery)
    if state == pn.PN_ACCEPTED:
        queue.complete(token, now)
    elif state == pn.PN_REJECTED:
        reason, description = _dead_letter_info(pn.pn_disposition_condition(remote))
        queue.dead_letter(token, reason, description, now)
    elif state == pn.PN_MODIFIED and pn.pn_disposition_is_undeliverable(remote):
        queue.defer(token, now)
    elif state == pn.PN_MODIFIED and pn.pn_disposition_is_failed(remote):
        queue.abandon(token, now)
    else:
        queue.release(token, now)


def _dead_letter_info(condition: Any) -> tuple[str | None, str | None]:
    info = read_data(pn.pn_condition_info(condition))
    name, description = pn.pn_condition_get_name(condition), pn.pn_condition_get_description(condition)
    if not isinstance(info, dict):
        return name, description
    reason = info.get("DeadLetterReason")
    described = info.get("DeadLetterErrorDescription") or description
    return _text(reason), _text(described)


def _text(item: object) -> str | None:
    return None if item is None else str(item)


def _echo(delivery: Any, state: int) -> None:
    if state == pn.PN_MODIFIED:
        remote, local = pn.pn_delivery_remote(delivery), pn.pn_delivery_local(delivery)
        pn.pn_disposition_set_failed(local, pn.pn_disposition_is_failed(remote))
        pn.pn_disposition_set_undeliverable(local, pn.pn_disposition_is_undeliverable(remote))
    pn.pn_delivery_update(delivery, state)


def reject(delivery: Any, condition: str, description: str) -> None:
    """Set a rejected outcome that says why."""
    set_condition(pn.pn_disposition_condition(pn.pn_delivery_local(delivery)), condition, description)
    pn.pn_delivery_update(delivery, pn.PN_REJECTED)


def set_condition(condition: Any, name: str, description: str) -> None:
    """Fill in an AMQP error."""
    pn.pn_condition_set_name(condition, name)
    pn.pn_condition_set_description(condition, description)
    # The SDK reads an error's third field without a look at whether there is one.
    pn.pn_data_decode(pn.pn_condition_info(condition), _INFO)


def read_data(data: Any) -> Any:
    """What proton holds decoded, as Python values; None if it is empty or cannot be read."""
    size = pn.pn_data_encoded_size(data)
    if size <= 0:
        return None
    written, raw = pn.pn_data_encode(data, size)
    try:
        return decode.value(bytes(raw)) if written > 0 else None
    except Malformed:
        return None
