"""One message as a queue holds it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Any


class State(IntEnum):
    """The values of `x-opt-message-state`; a locked message has the state in which it was received."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why a message was moved to a dead-letter queue."""

    reason: str | None
    description: str | None


@dataclass(slots=True)
class Stored:
    """A message's content, opaque to the queue, and the facts that the queue uses. Times are ms since 1970, UTC.

    ttl_ms: what the sender asked for; once enqueued, what holds. scheduled_ms: 0 if not scheduled.
    waited: whether it was enqueued by its schedule. size: bytes, as it came.
    hops: how often it was forwarded. enqueued_sequence: the number that it had before that, 0 if it never was.
    source: the queue whose dead letter was forwarded.
    delivery_count: deliveries that failed, so 0 on the first one. lock: the token under which it is held, or None.
    changes: application properties that receivers have set since, encoded.
    """

    content: Any
    message_id: Hashable | None = None
    session_id: str | None = None
    ttl_ms: int | None = None
    scheduled_ms: int = 0
    waited: bool = False
    size: int = 0
    sequence_number: int = 0
    enqueued_sequence: int = 0
    hops: int = 0
    source: str | None = None
    enqueued_ms: int = 0
    delivery_count: int = 0
    state: State = State.ACTIVE
    lock: bytes | None = None
    locked_until_ms: int = 0
    dead_letter: DeadLetter | None = None
    changes: Mapping[str, bytes] = MappingProxyType({})

    def expired(self, now_ms: int) -> bool:
        """Whether its time to live, counted from its enqueueing, is over. A deferred message does not expire."""
        lives = self.ttl_ms is None or self.state is not State.ACTIVE
        return not lives and self.enqueued_ms + (self.ttl_ms or 0) <= now_ms
