"""Pure: what exists of requests: blobs, live messages, dead letters."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.message import Lineage
from contracts.steering import Steering


@dataclass(frozen=True, slots=True)
class Present:
    """An existing blob: its entity tag, and by its receipt the rest, all None if Tailrace did not write it."""

    request_id: UUID | None = None
    revision: int | None = None
    run: datetime | None = None
    # Says which bytes are there, and nothing of what they stand for.
    etag: str | None = field(default=None, compare=False)

    @classmethod
    def of(cls, metadata: Mapping[str, str], etag: str | None = None) -> "Present":
        """Reads a blob's metadata."""
        try:
            revision, run = metadata.get("revision"), metadata.get("run")
            return cls(
                UUID(metadata["request_id"]),
                int(revision) if revision else None,
                datetime.fromisoformat(run) if run else None,
                etag,
            )
        except (KeyError, ValueError):
            return cls(etag=etag)


@dataclass(frozen=True, slots=True)
class Live:
    """A request that has a message on the queue.

    `scheduled_for` is when its retry is due, `why` is why the attempt before failed,
    `backfill` who sent it.
    """

    attempt: int
    scheduled_for: datetime | None
    why: str | None = None
    backfill: str | None = None

    @property
    def is_put_off(self) -> bool:
        """Whether it waits for another attempt, or for its time."""
        return self.why is not None or self.scheduled_for is not None


@dataclass(frozen=True, slots=True)
class Dead:
    """The latest dead letter of a request."""

    sequence_number: int
    reason: str | None
    description: str | None
    enqueued_at: datetime | None
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class Run:
    """A request without a window that has a message on the queue or among the dead letters."""

    job: str
    at: datetime
    blob: str


@dataclass(frozen=True, slots=True)
class QueueView:
    """A look at the queue and its dead letters; `is_whole` is False if it stopped at the limit.

    Cancelled messages are not live. `orders` are those that counted at the look. `runs` are the requests without a
    window. A brief look at a long queue leaves `live` and `runs` empty and has `live_ids`, the request ids as numbers,
    for a quarter of the memory.
    """

    live: Mapping[UUID, Live] = field(default_factory=dict)
    dead: Mapping[UUID, Dead] = field(default_factory=dict)
    is_whole: bool = True
    orders: Steering = field(default_factory=Steering)
    live_ids: AbstractSet[int] = frozenset()
    runs: Mapping[UUID, Run] = field(default_factory=dict)

    def is_live(self, request_id: UUID) -> bool:
        """Whether a request has a message on the queue."""
        return request_id in self.live or request_id.int in self.live_ids
