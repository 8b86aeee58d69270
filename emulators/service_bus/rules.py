"""The rules of a queue, and its refusals."""

from dataclasses import dataclass

from emulators.service_bus.config import QueueProperties

# The number of times that a message may be forwarded.
MAX_HOPS = 4


class LockLost(LookupError):  # noqa: N818
    """The lock has lapsed, was returned, or never existed."""


class NotFound(LookupError):  # noqa: N818
    """No message of that sequence number is in the state that the operation needs."""


class NotAllowed(ValueError):  # noqa: N818
    """The operation makes no sense on this queue."""


class SessionHeld(LookupError):  # noqa: N818
    """Another receiver holds the session."""


class SessionLost(LookupError):  # noqa: N818
    """Nobody holds the session."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a queue. ttl_ms None: messages never expire. max_deliveries None: any number."""

    lock_ms: int = 60_000
    ttl_ms: int | None = None
    dead_letter_expired: bool = False
    max_deliveries: int | None = 10
    duplicate_window_ms: int = 0

    @classmethod
    def of(cls, properties: QueueProperties) -> "Rules":
        """Derive the rules from a configuration."""
        window = properties.DuplicateDetectionHistoryTimeWindow if properties.RequiresDuplicateDetection else None
        return cls(
            lock_ms=round(properties.LockDuration.total_seconds() * 1000),
            ttl_ms=round(properties.DefaultMessageTimeToLive.total_seconds() * 1000),
            dead_letter_expired=properties.DeadLetteringOnMessageExpiration,
            max_deliveries=properties.MaxDeliveryCount,
            duplicate_window_ms=round(window.total_seconds() * 1000) if window else 0,
        )

    def of_dead_letters(self) -> "Rules":
        """Derive the rules of the dead-letter queue: nothing expires there, or fails too often."""
        return Rules(self.lock_ms, max_deliveries=None)
