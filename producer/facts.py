"""Pure: what exists of requests: blobs, live messages, dead letters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from contracts.message import Lineage


@dataclass(frozen=True, slots=True)
class Present:
    """An existing blob, by its receipt. All None if Tailrace did not write it."""

    request_id: UUID | None = None
    revision: int | None = None
    run: datetime | None = None

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> "Present":
        """Reads a blob's metadata."""
        try:
            revision, run = metadata.get("revision"), metadata.get("run")
            return cls(
                UUID(metadata["request_id"]),
                int(revision) if revision else None,
                datetime.fromisoformat(run) if run else None,
            )
        except (KeyError, ValueError):
            return cls()


@dataclass(frozen=True, slots=True)
class Live:
    """A request that has a message on the queue.

    `scheduled_for` is when its retry is due, `why` is why the attempt before failed.
    """

    attempt: int
    scheduled_for: datetime | None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """The latest dead letter of a request."""

    sequence_number: int
    reason: str | None
    description: str | None
    enqueued_at: datetime | None
    lineage: Lineage


@dataclass(frozen=True, slots=True)
class QueueView:
    """A look at the queue and its dead letters; `is_whole` is False if it stopped at the limit."""

    live: Mapping[UUID, Live] = field(default_factory=dict)
    dead: Mapping[UUID, Dead] = field(default_factory=dict)
    is_whole: bool = True
