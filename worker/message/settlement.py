"""What becomes of a delivery: a value, decided by worker.message.verdict and carried out by one settler."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Complete:
    """The request is done; `outcome` says how: exported, already-there or superseded."""

    outcome: str


@dataclass(frozen=True, slots=True)
class RetryLater:
    """A clone with the next attempt's number is scheduled `delay` from now, then this one is completed."""

    delay: timedelta
    reason: str
    description: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """The message goes back to the queue at once: this process is stopping, the request is fine."""

    reason: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The message goes to the dead-letter queue. Service Bus takes 4,096 characters of each field."""

    reason: str
    description: str


type Settlement = Complete | RetryLater | Abandon | DeadLetter
